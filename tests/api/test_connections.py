"""No address takes all connections, requests or streams of a node."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import aiohttp
import pytest
import uvloop
from aiohttp import web
from tests.authority import Authority
from tests.world import key

from hansa.engine.verification import InlineVerifier
from hansa.node.api.keys import KeyRing
from hansa.node.connections import PATIENCE, BoundedSite, Patience, Shares
from hansa.node.service import Node
from hansa.node.serving.serve import serve
from hansa.node.settings import Limits, Listen, Settings

HALF_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
HALF_BODY = (
    b"POST /v1/transactions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n{"
)
STREAM = b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


LONG = 16 * 2**20
"""More than the system buffers of an answer."""
WITHIN_S = 60
MORE_S = 0.3
"""How long more answers than are expected would have time to come."""
LOOPS = pytest.mark.parametrize("run_loop", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


def run(town, limits, use, run_loop=uvloop.run):
    """Serve under limits, on a port of this machine, and use it; on the loop of `hansa up`."""

    async def play():
        verifier = InlineVerifier(town.world.network)
        node = Node(town.world.chain, verifier, key("north").address, key("north server"))
        settings = Settings(listen=Listen(host="127.0.0.1", port=0), limits=limits)
        server = await serve(node, settings, KeyRing(town.path))
        try:
            async with asyncio.timeout(WITHIN_S):
                await use(server)
        finally:
            await server.stop()

    run_loop(play())


async def send(port, raw, address):
    """Open a connection from an address, and send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(raw)
    await writer.drain()
    return reader, writer


async def is_closed(reader):
    """Whether the node closes a connection without a word, which is waited for."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def find_ended(answers, count):
    """Wait until so many answers have come, however slowly; of those that do not come, None."""
    tasks = [asyncio.create_task(answer) for answer in answers]
    waiting = set(tasks)
    while len(tasks) - len(waiting) < count:
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    _, waiting = await asyncio.wait(waiting, timeout=MORE_S)
    for task in waiting:
        task.cancel()
    return [None if task in waiting else task.result() for task in tasks]


async def get_headers(server, path):
    async with aiohttp.ClientSession() as session, session.get(server.url + path) as answer:
        return answer.headers


async def post(server, body):
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(server.url, headers=headers) as session,
        session.post("/v1/transactions", data=body) as answer,
    ):
        return answer.status


async def get(server, path, headers=None):
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.url + path, headers=headers) as answer,
    ):
        return answer.status


@LOOPS
def test_connections_of_an_address_are_bounded_and_of_all_together(town, run_loop):
    async def use(server):
        kept = [await send(server.port, HALF_HEAD, "127.0.1.2") for _ in range(5)]
        ended = await find_ended([is_closed(reader) for reader, _ in kept], 2)
        assert ended == [None] * 3 + [True] * 2
        others = [await send(server.port, HALF_HEAD, f"127.0.1.{n}") for n in range(3, 13)]
        ended = await find_ended([is_closed(reader) for reader, _ in others], 5)
        assert (ended.count(True), ended.count(None)) == (5, 5)
        kept[0][1].close()
        await kept[0][1].wait_closed()
        assert await get(server, "/healthz") == 200
        for _, writer in (*kept, *others):
            writer.close()

    run(town, Limits(anyone_per_s=0, connections=8, connections_each=3), use, run_loop)


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """TLS of a server, and of those who trust it."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.issue("server", is_server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*(authority.folder / f"server.{end}" for end in ("crt", "key")))
    return context, ssl.create_default_context(cafile=str(authority.folder / "ca.crt"))


def serve_securely(contexts, shares, use, run_loop, patience=PATIENCE, text="here"):
    """Serve one page over TLS, bounded by shares, and use it: its port, and a look at it.

    What the use returns is closed after the server.
    """
    context, trusting = contexts
    scheme = "http" if context is None else "https"

    async def say(_):
        return web.Response(text=text)

    async def play():
        app = web.Application()
        app.router.add_get("/", say)
        runner = web.AppRunner(app)
        await runner.setup()
        await BoundedSite(runner, "127.0.0.1", 0, shares, context, patience=patience).start()
        port = runner.addresses[0][1]

        async def look():
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{scheme}://localhost:{port}/", ssl=trusting) as answer,
            ):
                return await answer.text()

        kept = []
        try:
            async with asyncio.timeout(WITHIN_S):
                kept = await use(port, look)
        finally:
            await runner.cleanup()
            for writer in kept:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    run_loop(play())


@LOOPS
def test_a_handshake_under_way_has_a_place(secure, run_loop):
    """Who never ends it takes the places of its own address; with the server it ends."""
    shares = Shares(8, 3)

    async def use(port, look):
        assert await look() == "here"
        silent = [await send(port, b"", "127.0.4.2") for _ in range(5)]
        ended = await find_ended([is_closed(reader) for reader, _ in silent], 2)
        assert ended == [None] * 3 + [True] * 2
        assert shares.free == 5
        assert await look() == "here"
        no_tls, writer = await send(port, b"GET / HTTP/1.1\r\n\r\n", "127.0.4.3")
        await no_tls.read()
        writer.close()
        assert await look() == "here"
        assert shares.free == 5
        return [writer for _, writer in silent]

    serve_securely(secure, shares, use, run_loop)
    assert shares.free == 8


@LOOPS
def test_a_handshake_ends_in_time(secure, run_loop):
    shares = Shares(8, 3)

    async def use(port, look):
        silent, writer = await send(port, b"", "127.0.4.2")
        assert await silent.read() == b""
        assert await look() == "here"
        assert shares.free == 8
        return [writer]

    serve_securely(secure, shares, use, run_loop, Patience(handshake_s=1))


def shake_hands(port, trusting):
    """Agree on TLS, ask for the last answer of the connection, and then hear nothing more."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)
    secured = trusting.wrap_socket(plain, server_hostname="localhost")
    secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return secured


@LOOPS
def test_who_does_not_agree_that_tls_ends_is_not_waited_for(secure, run_loop):
    shares = Shares(8, 3)

    async def use(port, look):
        with await asyncio.to_thread(shake_hands, port, secure[1]):
            assert await look() == "here"
            while shares.free != 8:
                await look()
        return []

    serve_securely(secure, shares, use, run_loop, Patience(goodbye_s=0.3))


@LOOPS
def test_who_takes_nothing_of_an_answer_is_cut_off(secure, run_loop):
    """Also where the answer is the last one of its connection."""
    shares = Shares(8, 3)

    async def use(port, look):
        kept = []
        for tail in (b"", b"Connection: close\r\n"):
            _, writer = await asyncio.open_connection(
                "127.0.0.1",
                port,
                limit=1_024,
            )
            writer.transport.pause_reading()
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + tail + b"\r\n")
            kept.append(writer)
        while shares.free != 6:
            await look()
        while shares.free != 8:
            assert len(await look()) == LONG
        return kept

    serve_securely((None, secure[1]), shares, use, run_loop, Patience(stall_s=1), "x" * LONG)
    assert shares.free == 8


def test_two_addresses_do_not_hold_all_requests(town):
    async def use(server):
        kept = [
            await send(server.port, HALF_BODY, f"127.0.2.{n}") for n in (2, 3) for _ in range(8)
        ]
        answers = await find_ended([reader.read(12) for reader, _ in kept], 16 - 5)
        assert (answers.count(b"HTTP/1.1 503"), answers.count(None)) == (16 - 5, 5)
        assert await get(server, "/v1/status") == 200
        kept.append(await send(server.port, HALF_BODY, "127.0.2.4"))
        for path in ("/v1/status", "/openapi.json", "/"):
            assert await get(server, path) == 503
        headers = await get_headers(server, "/v1/status")
        assert (headers["Retry-After"], headers["Cache-Control"]) == ("1", "no-store")
        assert headers["X-Content-Type-Options"] == "nosniff"
        known = town.sign_in("regulator")
        assert await get(server, "/v1/status", known) == 200
        assert await get(server, "/healthz") == 200
        for _, writer in kept:
            writer.close()

    run(town, Limits(anyone_per_s=0, requests=8), use)


def write_head(length):
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return HALF_BODY.replace(b"Content-Length: 100", framing).rstrip(b"{")


@pytest.mark.parametrize("length", [100_000, None], ids=["of a length", "of any length"])
def test_bodies_of_an_address_are_bounded_and_of_all_together(town, length):
    """Of 8 bodies, 6 are for callers without a key, and 3 for the first of them."""

    async def use(server):
        head = write_head(length)
        kept = [await send(server.port, head, f"127.0.5.{n}") for n in (2, 3) for _ in range(4)]
        answers = await find_ended([reader.read(12) for reader, _ in kept], 8 - 5)
        assert (answers.count(b"HTTP/1.1 503"), answers.count(None)) == (8 - 5, 5)
        assert await get(server, "/v1/status") == 200
        assert await post(server, b" " * 90_000) == 400
        for _, writer in kept:
            writer.close()

    limits = Limits(anyone_per_s=0, body_bytes=100_000, bodies_bytes=800_000)
    run(town, limits, use)


def test_a_body_is_charged_before_it_arrives(town):
    async def use(server):
        _, writer = await send(server.port, write_head(5_000_000), "127.0.0.1")
        while await get(server, "/v1/status") == 200:
            pass
        assert await get(server, "/v1/status", town.sign_in("regulator")) == 200
        writer.close()

    run(town, Limits(anyone_per_s=1, anyone_burst=4_000), use)


def test_whoever_goes_before_its_body_is_no_fault_of_the_node(town, caplog):
    async def use(server):
        _, writer = await send(server.port, HALF_BODY, "127.0.0.1")
        while await get(server, "/v1/status") == 200:
            pass
        writer.close()
        await writer.wait_closed()
        while await get(server, "/v1/status") != 200:
            pass
        assert caplog.text == ""

    run(town, Limits(anyone_per_s=0, requests=1), use)


def test_strangers_do_not_hold_all_streams(town):
    async def use(server):
        kept = []
        for n in range(2, 5):
            reader, writer = await send(server.port, STREAM, f"127.0.3.{n}")
            assert await reader.read(12) == b"HTTP/1.1 200"
            kept.append(writer)
        assert await get(server, "/v1/events") == 503
        known = town.sign_in("regulator")
        assert await get(server, "/v1/records?from_height=0", known) == 200
        for writer in kept:
            writer.close()

    run(town, Limits(anyone_per_s=0, streams=4), use)
