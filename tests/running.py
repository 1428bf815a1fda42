"""A node that runs in a thread of the test's own process, served over HTTP, for plain clients."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from tests.played import PASSPHRASE, make_folder
from tests.world import key

from hansa.engine.verification import InlineVerifier
from hansa.kernel.block import BlockRecord
from hansa.kernel.crypto.address import to_text
from hansa.kernel.genesis import Network
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.home import Home, open_chain
from hansa.node.running import build_keeper
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.serve import serve
from hansa.node.settings import Limits, Listen, Settings

UNLIMITED = Settings(listen=Listen(port=0), limits=Limits(anyone_per_s=0, known_per_s=0))


@dataclass(frozen=True)
class Running:
    """A node at work."""

    home: Home
    url: str
    token: str
    """Of the central bank, which may read everything."""


@contextmanager
def in_a_loop(
    start: Callable[[], Awaitable[str]], stop: Callable[[], Awaitable[None]]
) -> Iterator[str]:
    """Run a server in the loop of a thread; gives what `start` returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def run_folder(home: Home, settings: Settings = UNLIMITED) -> Iterator[Running]:
    """Run the node of a played folder."""
    bank = to_text(key("officer0").address)
    fields = {"role": Role.CENTRAL_BANK, "member": bank, "now_ms": wall_clock_ms()}
    _, token = add_key(home.api_keys_path, name="test", **fields)
    made = []

    async def start() -> str:
        chain = open_chain(home, home.load_key("node", PASSPHRASE))
        sponsor_key = home.load_key("sponsor", PASSPHRASE)
        keeper = build_keeper(home, settings, chain)
        verifier = InlineVerifier(chain.network)
        node = Node(chain, verifier, key("north").address, sponsor_key, keeper=keeper)
        node.start()
        made.extend((node, await serve(node, settings, KeyRing(home.api_keys_path))))
        return made[1].url

    async def stop() -> None:
        for part in reversed(made):
            await part.stop()

    with in_a_loop(start, stop) as url:
        yield Running(home, url, token)


@contextmanager
def run_played(folder: Path) -> Iterator[Running]:
    """Play a small day into a folder, and run its node."""
    with run_folder(make_folder(folder)) as running:
        yield running


@contextmanager
def run_fake(*routes: web.RouteDef, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve some routes that answer as a test says; gives the URL."""
    app = web.Application()
    app.add_routes([*routes, web.route("*", "/{path:.*}", _find_nothing)])
    runner = web.AppRunner(app)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        place = "http://127.0.0.1" if tls is None else "https://localhost"
        return f"{place}:{runner.addresses[0][1]}"

    with in_a_loop(start, runner.cleanup) as url:
        yield url


async def _find_nothing(_: web.Request) -> web.Response:
    """Answer as a node does where it has no such route."""
    return web.json_response({"title": "NOT_FOUND", "detail": "no such route"}, status=404)


def serve_records(
    network: Network, records: Sequence[BlockRecord | bytes]
) -> tuple[web.RouteDef, ...]:
    """Routes of a node that sends these records, and has the head that they say."""
    raws = [record if isinstance(record, bytes) else record.encoded() for record in records]

    async def genesis(_: web.Request) -> web.Response:
        return web.Response(body=network.genesis.encoded())

    async def status(_: web.Request) -> web.Response:
        head = {"height": len(raws) - 1, "time_ms": 1, "tx_count": 0, "checkpoint_height": 0}
        more = {"clock_ms": 1, "waiting": 0, "network": "test", "version": "x"}
        names = ("hash", "previous_hash", "tx_root", "receipt_root", "write_set_hash")
        hashes = dict.fromkeys((*names, "state_root", "batch_root", "genesis_hash"), "00" * 32)
        return web.json_response({**head, **more, **hashes})

    async def stream(request: web.Request) -> web.Response:
        first, last = (int(request.query[name]) for name in ("from_height", "to_height"))
        frames = [len(raw).to_bytes(4, "big") + raw for raw in raws[first : last + 1]]
        return web.Response(body=b"".join(frames))

    async def miss(_: web.Request) -> web.Response:
        return web.json_response({"title": "NOT_FOUND", "detail": "not here"}, status=404)

    return (
        web.get("/v1/genesis", genesis),
        web.get("/v1/status", status),
        web.get("/v1/records", stream),
        web.get("/v1/{other:.*}", miss),
    )
