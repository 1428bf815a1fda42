"""Odd headers and bodies are answered in the caller's fault, never as a fault of the node."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.api.served import UNLIMITED

from hansa.node.settings import Limits, Settings

FORM = b"application/x-www-form-urlencoded"
ODD = {
    "origin of no address": (b"GET", b"/v1/status", {b"Origin": b"http://["}, 403),
    "a page's origin of no address": (b"GET", b"/", {b"Origin": b"http://["}, 403),
    "a last event of no text": (b"GET", b"/v1/events", {b"Last-Event-ID": b"\xb2"}, 400),
    "a key of many bytes": (b"GET", b"/v1/proofs/policy/" + b"%F0%9F%98%80" * 70, {}, 400),
    "a cookie of no text": (b"GET", b"/", {b"Cookie": b"hansa-session=\xff\xfe"}, 200),
    "a form of no charset": (b"POST", b"/sign-in", {b"Content-Type": FORM + b"; charset=x"}, 400),
    "a form in parts": (b"POST", b"/sign-in", {b"Content-Type": b"multipart/form-data"}, 400),
    "a form of no type": (b"POST", b"/sign-in", {b"Content-Type": b";;\xff"}, 400),
    "a compressed form": (
        b"POST",
        b"/sign-in",
        {b"Content-Type": FORM, b"Content-Encoding": b"gzip"},
        400,
    ),
}
NAMES = (
    b"Accept",
    b"Authorization",
    b"Content-Encoding",
    b"Content-Type",
    b"Cookie",
    b"Host",
    b"If-None-Match",
    b"Last-Event-ID",
    b"Origin",
    b"Range",
    b"Sec-Fetch-Mode",
    b"X-Forwarded-For",
)
PIECES = (
    b"\xff",
    b"\xed\xa0\x80",
    b"[",
    b"]",
    b":",
    b";",
    b",",
    b"=",
    b'"',
    b"%",
    b"\\377",
    b"http://",
    b"127.0.0.1",
    b"hansa-session=",
    b"Bearer hansa-",
    b"multipart/form-data; boundary=",
    b"; charset=utf-7",
    b"application/json",
    b"text/html",
    b"0",
    b"\xc2\xb2",
)
PATHS = (b"/", b"/v1/status", b"/v1/wallets/x", b"/sign-in", b"/search?q=%ff", b"/none")
BODY = b"key=%ff"


def write_request(method, path, headers, body=b""):
    """Write a request, with headers that a good one has where none are given."""
    whole = {b"Host": b"127.0.0.1", b"Connection": b"close"}
    body = body if method == b"POST" else b""
    if method == b"POST":
        whole |= {b"Origin": b"http://127.0.0.1", b"Content-Length": b"%d" % len(body)}
    lines = b"".join(b"%b: %b\r\n" % item for item in (whole | headers).items())
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, path, lines, body)


async def ask(client, request):
    """Send bytes as they are; returns status and answer."""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize("name", ODD)
def test_an_odd_header_is_its_senders_fault(town, name):
    method, path, headers, status = ODD[name]

    async def use(client, _):
        found, answer = await ask(client, write_request(method, path, headers, BODY))
        assert found == status, answer

    town.serve(use)


def test_no_header_is_a_fault_of_the_node(town):
    rng = random.Random(11)

    async def use(client, _):
        for _ in range(300):
            names = rng.sample(NAMES, rng.randint(1, 3))
            headers = {name: b"".join(rng.choices(PIECES, k=rng.randint(1, 4))) for name in names}
            method = rng.choice((b"GET", b"GET", b"POST"))
            request = write_request(method, rng.choice(PATHS), headers, BODY)
            status, answer = await ask(client, request)
            assert status < 500, (request, answer)

    town.serve(use)


def test_a_form_that_does_not_arrive_is_not_waited_for(town):
    settings = Settings(limits=Limits(anyone_per_s=0, body_s=0.1))
    head = write_request(b"POST", b"/sign-in", {b"Content-Type": FORM, b"Content-Length": b"9"})

    async def use(client, _):
        assert (await ask(client, head + b"key="))[0] == 408

    town.serve(use, settings)


def test_a_form_is_bounded(town):
    body = b"key=" + b"0" * 5_000
    request = write_request(b"POST", b"/sign-in", {b"Content-Type": FORM}, body)

    async def use(client, _):
        assert (await ask(client, request))[0] in {400, 413}

    town.serve(use, Settings(limits=UNLIMITED))
