"""The server itself: ports, TLS, client certificates, hosts, methods, figures, damage."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from itertools import count

import aiohttp
import msgspec
import pytest
from tests.api.served import ADA, NORTH, NOW_MS, UNLIMITED
from tests.authority import Authority
from tests.world import MINUTE_MS, key, pay

from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import Corrupt, Invalid, Unavailable
from hansa.node.api.handlers.streams import end_streams
from hansa.node.api.keys import KeyRing, add_key, list_keys, read_certificate, revoke_key
from hansa.node.api.rights import Role
from hansa.node.api.table import ROUTES
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.app import API_KEY
from hansa.node.serving.serve import serve
from hansa.node.settings import ClientCertificates, Limits, Listen, Settings, Tls, build_tls
from hansa.sdk.build import sign_batch, sign_transaction


@pytest.fixture
def authority(tmp_path):
    found = Authority(tmp_path)
    for name in ("operator", "stranger"):
        found.issue(name)
    found.issue("server", is_server=True)
    return found


def settle(authority, **more):
    tls = Tls(certificate="server.crt", key="server.key", client_ca="ca.crt", **more)
    listen = Listen(host="127.0.0.1", port=0)
    return Settings(listen=listen, tls=tls, limits=UNLIMITED, folder=str(authority.folder))


def run(town, settings, use):
    """Serve by the settings, and use it."""

    async def play():
        verifier = InlineVerifier(town.world.network)
        node = Node(town.world.chain, verifier, key("north").address, key("north server"))
        server = await serve(node, settings, KeyRing(town.path))
        try:
            await use(server)
        finally:
            await server.stop()

    asyncio.run(play())


async def ask(server, authority, certificate, path=f"/v1/wallets/{ADA}", version=None):
    """Ask over TLS, with a client certificate or none; returns the status."""
    context = ssl.create_default_context(cafile=str(authority.folder / "ca.crt"))
    if version is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    if certificate:
        paths = [str(authority.folder / f"{certificate}.{end}") for end in ("crt", "key")]
        context.load_cert_chain(*paths)
    url = f"https://localhost:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as response:
        return response.status


def test_a_client_certificate_stands_for_its_key_and_is_revoked_with_it(own_town, authority):
    der = read_certificate(authority.folder / "operator.crt")
    fields = {"role": Role.OPERATOR, "member": NORTH, "certificate": der}
    entry, _ = add_key(own_town.path, name="certified", now_ms=NOW_MS, **fields)

    async def use(server):
        assert await ask(server, authority, "operator") == 200
        assert await ask(server, authority, "stranger") == 401
        assert await ask(server, authority, None) == 401
        assert await ask(server, authority, "stranger", "/v1/status") == 200
        revoke_key(own_town.path, entry.id, NOW_MS)
        assert await ask(server, authority, "operator", "/v1/status") == 401

    run(own_town, settle(authority), use)


def test_a_client_certificate_is_asked_of_everybody_where_settings_say_so(town, authority):
    async def use(server):
        assert await ask(server, authority, "stranger", "/v1/status") == 200
        with pytest.raises(aiohttp.ClientError):
            await ask(server, authority, None, "/v1/status")

    run(town, settle(authority, client_certificates=ClientCertificates.REQUIRED), use)


def test_a_certificate_of_another_authority_is_refused(town, authority, tmp_path_factory):
    other = Authority(tmp_path_factory.mktemp("other"))
    other.issue("forged")
    for end in ("crt", "key"):
        raw = (other.folder / f"forged.{end}").read_bytes()
        (authority.folder / f"forged.{end}").write_bytes(raw)

    async def use(server):
        with pytest.raises(aiohttp.ClientError):
            await ask(server, authority, "forged", "/v1/status")

    run(town, settle(authority), use)


def test_tls_below_1_2_is_refused(town, authority):
    assert build_tls(settle(authority)).minimum_version is ssl.TLSVersion.TLSv1_2

    async def use(server):
        assert server.url.startswith("https://127.0.0.1:")
        assert await ask(server, authority, None, "/v1/status", ssl.TLSVersion.TLSv1_2) == 200

    run(town, settle(authority), use)


def test_a_port_in_use_is_named_and_the_next_free_one_is_taken_where_asked(town):
    async def use(server):
        verifier = InlineVerifier(town.world.network)
        node = Node(town.world.chain, verifier, key("north").address, key("north server"))
        settings = Settings(listen=Listen(port=server.port))
        with pytest.raises(Unavailable, match=f"port {server.port} is in use"):
            await serve(node, settings)
        second = await serve(node, settings, ports_tried=20)
        assert server.port < second.port < server.port + 20
        await second.stop()
        with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1"):
            await serve(node, Settings(listen=Listen(host="192.0.2.1", port=0)))

    run(town, Settings(listen=Listen(port=0)), use)


def has_ipv6() -> bool:
    """Whether this machine has addresses of IPv6; not all containers do."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_everywhere_is_both_kinds_of_address(town):
    async def use(server):
        async with aiohttp.ClientSession() as session:
            for host in ("[::1]", "127.0.0.1"):
                async with session.get(f"http://{host}:{server.port}/healthz") as response:
                    assert response.status == 200

    run(town, Settings(listen=Listen(host="::", port=0)), use)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_port_in_use_for_one_kind_of_address_is_in_use(town):
    async def use(server):
        verifier = InlineVerifier(town.world.network)
        node = Node(town.world.chain, verifier, key("north").address, key("north server"))
        settings = Settings(listen=Listen(host="::", port=server.port))
        with pytest.raises(Unavailable, match=f"port {server.port} is in use"):
            await serve(node, settings)
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("::1", server.port)

    run(town, Settings(listen=Listen(port=0)), use)


def test_a_server_that_stops_ends_its_streams(town):
    async def use(server):
        url = f"{server.url}/v1/events"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert (await response.content.readline()).startswith(b"id: ")
            await end_streams(server.runner.app[API_KEY])  # as the application does at shutdown
            with contextlib.suppress(aiohttp.ClientError):
                await asyncio.wait_for(response.read(), 60)

    run(town, Settings(listen=Listen(port=0)), use)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "node.attacker.example"}, 421),
        ({"Host": "ledger.bank.example.attacker.example"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Host": ""}, 421),
        ({"Host": "user@127.0.0.1"}, 421),
        ({"Host": "127.0.0.1/x"}, 421),
        ({"Host": "127.0.0.1:80;id"}, 421),
        ({"Host": "ledger.bank.example:8460"}, 200),
        ({"Host": "LEDGER.bank.example"}, 200),
        ({"Host": "10.1.2.3:8460"}, 200),
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
    ],
)
def test_other_names_and_other_sites_pages_are_refused(town, headers, status):
    async def use(client, _):
        response = await client.get("/v1/status", headers=headers)
        assert response.status == status

    listen = Listen(public_names=("Ledger.Bank.Example",))
    town.serve(use, Settings(listen=listen, limits=UNLIMITED))


def test_methods_are_answered_as_http_says(town):
    async def use(client, _):
        wrong = await client.delete("/v1/status")
        assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        assert wrong.content_type == "application/problem+json"
        options = await client.options("/v1/transactions")
        assert (options.status, options.headers["Allow"]) == (204, "OPTIONS, POST")
        head = await client.head("/v1/status")
        assert (head.status, await head.read()) == (200, b"")
        assert (await client.head("/v1/events")).status == 405
        missing = await client.get("/v1/nothing")
        assert (missing.status, (await missing.json())["title"]) == (404, "NOT_FOUND")

    town.serve(use)


def test_figures_are_counted(own_town):
    async def use(client, _):
        await client.get("/v1/nothing")
        text = await (await client.get("/metrics")).text()
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        assert int(lines["hansa_height"]) == own_town.world.chain.confirmed_height
        assert lines['hansa_requests_total{method="GET",status="404"}'] == "1"
        assert float(lines["hansa_memory_bytes"]) > 2**20
        assert lines['hansa_submission_seconds_bucket{le="+Inf"}'] == "0"

    own_town.serve(use)


def test_a_block_that_a_reader_finds_damaged_stops_the_node(own_town):
    (segment,) = (own_town.path.parent / "log").glob("*.log")

    async def use(client, node):
        tx_id = own_town.last_tx_id
        raw = bytearray(segment.read_bytes())
        at = raw.rindex(bytes.fromhex(tx_id))
        raw[at] ^= 1
        segment.write_bytes(raw)
        response = await client.get(f"/v1/receipts/{tx_id}")
        assert response.status == 503
        assert isinstance(node.engine.failure, Corrupt)
        for path in ("/healthz", "/readyz"):
            response = await client.get(path)
            assert (response.status, response.headers["Retry-After"]) == (503, "1")

    own_town.serve(use)


def test_a_key_file_that_is_no_certificate_is_said(tmp_path):
    (tmp_path / "a.pem").write_text("nothing")
    with pytest.raises(Invalid, match="no certificate in PEM"):
        read_certificate(tmp_path / "a.pem")
    assert list_keys(tmp_path / "api-keys.json") == ()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("DELETE", "/v1/status", 405), ("GET", "/v1/status", 200)],
)
def test_no_answer_of_the_api_is_cached_or_given_to_another_name(town, method, path, status):
    async def use(client, _):
        answer = await client.request(method, path)
        assert (answer.status, answer.headers["Cache-Control"]) == (status, "no-store")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        foreign = {"Host": "node.attacker.example"}
        assert (await client.request(method, path, headers=foreign)).status == 421

    town.serve(use)


def test_a_reader_that_leaves_its_stream_is_no_fault_of_the_program(own_town, caplog):
    network, north = own_town.world.network, key("north").address

    async def leave(server):
        async with aiohttp.ClientSession() as session, session.get(f"{server.url}/v1/events") as it:
            assert it.status == 200
            await it.content.readline()

    async def pay_once(node, number):
        command = pay("ada", "shop", 1, f"heard by nobody {number}")
        until = wall_clock_ms() + MINUTE_MS
        signed = sign_transaction(network, [key("ada")], [command], until)
        items = [(signed.envelope, None)]
        await node.engine.submit(sign_batch(network, north, key("north server"), items))

    async def play():
        node = Node(own_town.world.chain, InlineVerifier(network), north, key("north server"))
        node.engine.start()
        listen = Listen(host="127.0.0.1", port=0)
        server = await serve(node, Settings(listen=listen, limits=UNLIMITED))
        streams = server.runner.app[API_KEY].streams
        await leave(server)
        async with asyncio.timeout(60):
            for number in count():  # the server notices by the time that some were sent
                await pay_once(node, number)
                if not streams:
                    break
        await server.stop()
        await node.engine.stop()

    asyncio.run(play())
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"BREW /v1/status HTTP/1.1\r\nHost: a\r\n\r\n", "no such method: use GET"),
        (b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 9_000), "more than 8190 bytes: shorten"),
        (b"GET / HTTP/1.1\r\nX-A: %b\r\n\r\n" % (b"x" * 9_000), "more than 8190 bytes: shorten"),
        (b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", "be read as an HTTP/1.1 request"),
    ],
    ids=["method", "address", "header", "length"],
)
def test_what_is_no_request_is_answered_with_a_problem(town, caplog, raw, words):
    async def use(server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(raw)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert head.split(b" ")[1] == b"400"
        assert b"Content-Type: application/problem+json" in head
        found = msgspec.json.decode(body)
        assert (found["title"], found["status"]) == ("MALFORMED", 400)
        assert words in found["detail"]
        assert "\n" not in found["detail"]

    run(town, Settings(listen=Listen(host="127.0.0.1", port=0), limits=UNLIMITED), use)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (
            "/v1/blocks/first",
            "height must be a whole number from 0 to 9007199254740992, not 'first'",
        ),
        (
            "/v1/blocks?limit=0",
            "limit must be a whole number from 1 to 50, not '0': Blocks a page.",
        ),
        (
            "/v1/proofs/foo/a",
            "one of assets, balances, lifts, members, policy, vaults, wallets, not 'foo'",
        ),
        ("/v1/transactions/%ff", "path tx_id must be text of the form ^[0-9a-f]{64}$, not "),
        ("/v1/proofs/vaults/a?asset=", "query asset must be text of 1 to 24 characters, not ''"),
    ],
)
def test_a_parameter_that_does_not_fit_is_told_what_fits(town, path, detail):
    async def use(client, _):
        async with client.get(path, headers=town.sign_in("regulator")) as answer:
            assert answer.status == 400
            assert detail in (await answer.json(content_type=None))["detail"]

    town.serve(use)


def test_every_parameter_has_words_for_what_fits():
    for item in {item for route in ROUTES for item in route.parameters}:
        with pytest.raises(Invalid, match=f"{item.name} must be "):
            item.parse("")


def test_too_large_a_body_is_told_how_large_it_may_be(town):
    async def use(client, _):
        headers = {"Content-Type": "application/json"}
        async with client.post("/v1/transactions", data=b" " * 1_001, headers=headers) as answer:
            assert answer.status == 413
            detail = (await answer.json(content_type=None))["detail"]
        assert detail.startswith("the body has more than 1000 bytes")
        assert detail.endswith("send less at a time")

    town.serve(use, Settings(limits=Limits(anyone_per_s=0, body_bytes=1_000)))
