"""The courier's way by HTTP: what other servers may answer, and whom TLS believes."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from aiohttp import web
from tests.authority import Authority

from hansa.kernel.errors import Invalid, NotFound, Refused, Unavailable
from hansa.node.channel.http import HttpCarrier
from hansa.node.channel.opening import build_client_tls
from hansa.node.settings import Channel, Settings

MESSAGE = b"a message"


def carry(handler, carrier, context=None, host="127.0.0.1"):
    """Bring a message to a server that answers so; returns what was read."""

    async def run():
        app = web.Application()
        app.router.add_post("/v1/channel", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "http" if context is None else "https"
        try:
            return await carrier.carry(f"{scheme}://{host}:{runner.addresses[0][1]}", MESSAGE)
        finally:
            await carrier.close()
            await runner.cleanup()

    return asyncio.run(run())


def answer(**fields):
    async def handler(request):
        assert await request.read() == MESSAGE
        assert request.content_type == "application/msgpack"
        return web.Response(**fields)

    return handler


def test_an_answer_is_read():
    assert carry(answer(body=b"acknowledged"), HttpCarrier()) == b"acknowledged"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"body": bytes(1_025)}, "answers more than 1024 bytes"),
        ({"status": 502, "body": b"<html>"}, "answers 502, and not as one of Hansa does"),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, "answers 302"),
        ({"status": 500, "body": bytes(20_000)}, "answers more than 16384 bytes"),
        ({"status": 503, "body": b'{"title": "UNAVAILABLE", "detail": "full"}'}, "full"),
        ({"status": 500, "body": rb'{"title": "\ud800", "detail": "\udfff!"}'}, r"^\\udfff!$"),
        ({"status": 500, "body": b'{"detail": ' + b"[" * 500 + b"]" * 500 + b"}"}, "HTTP 500"),
    ],
)
def test_any_other_answer_is_none(fields, told):
    with pytest.raises(Unavailable, match=told):
        carry(answer(**fields), HttpCarrier())


def test_a_refusal_is_told_with_its_code():
    body = b'{"title": "channel.EXPIRED", "detail": "too late"}'
    with pytest.raises(Refused) as refused:
        carry(answer(status=409, body=body), HttpCarrier())
    assert refused.value.message == "the recipient's node answers channel.EXPIRED: too late"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://", "http://[", "nonsense"])
def test_a_url_that_leads_nowhere_is_unavailable(url):
    async def run():
        carrier = HttpCarrier()
        try:
            await carrier.carry(url, MESSAGE)
        finally:
            await carrier.close()

    with pytest.raises(Unavailable, match="cannot reach the node"):
        asyncio.run(run())


def test_the_authority_of_the_settings_is_believed_and_no_other(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, other = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    ours.issue("server", is_server=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ours.folder / "server.crt", ours.folder / "server.key")

    def carrier(authority):
        found = Settings(channel=Channel(ca="ca.crt"), folder=str(authority.folder))
        return HttpCarrier(build_client_tls(found))

    good = answer(body=b"acknowledged")
    assert carry(good, carrier(ours), context, "localhost") == b"acknowledged"
    with pytest.raises(Unavailable, match="certificate verify failed"):
        carry(good, carrier(other), context, "localhost")
    with pytest.raises(Unavailable, match="certificate verify failed"):
        carry(good, HttpCarrier(build_client_tls(Settings())), context, "localhost")


def test_an_authority_that_is_none_is_named(tmp_path):
    found = Settings(channel=Channel(ca="ca.pem"), folder=str(tmp_path))
    with pytest.raises(NotFound):
        build_client_tls(found)
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(Invalid, match=r"channel\.ca of .*: .* holds no certificate"):
        build_client_tls(found)
