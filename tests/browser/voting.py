"""A site whose node sees four validators; which of them are there, a test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from msgspec.structs import replace
from tests.voted import make_voted_genesis
from tests.watched import WatchedEngine, make_seen
from tests.world import key

from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.home import CometKey
from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.genesis import Network
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.app import create_app
from hansa.node.settings import Limits, Settings

NAMES = ("Monetary Authority", "Harbour Bank", "Delta Pay", "Department of Public Finance")


@dataclass
class VotingSite:
    """Where the console is, and what its node sees."""

    url: str
    engine: WatchedEngine
    keys: list[tuple[CometKey, CometKey]]

    def see(self, peers: tuple[int, ...] = (1, 2, 3), **more: object) -> None:
        """See these of the others as connected."""
        voting = [consensus.public_key for _, consensus in self.keys]
        connected = [self.keys[at][0].address for at in peers]
        self.engine.seen = make_seen(voting, connected, wall_clock_ms(), **more)


@contextmanager
def serve_voting(folder: Path) -> Iterator[VotingSite]:
    """Serve the console from a thread: Playwright has this one's event loop."""
    keys = [(CometKey.generate(), CometKey.generate()) for _ in NAMES]
    genesis = make_voted_genesis(keys)
    members = tuple(
        replace(member, name=name, weight=100)
        for member, name in zip(genesis.members, NAMES, strict=True)
    )
    network = Network.of(replace(genesis, members=members))
    log = BlockLog.open(FileStorage(folder))
    chain = Chain.open(log, MemoryStore(), network, Registry(network.genesis), NobodySeals())
    verifier = InlineVerifier(network)
    engine = WatchedEngine(chain, verifier, wall_clock_ms)
    ready: Future[str] = Future()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        node = Node(chain, verifier, key("north").address, key("north server"), engine=engine)
        settings = Settings(limits=Limits(anyone_per_s=0, known_per_s=0))
        runner = web.AppRunner(create_app(node, settings), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await stopping.wait()
        await runner.cleanup()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    site = VotingSite(ready.result(60), engine, keys)
    site.see()
    yield site
    loop.call_soon_threadsafe(stopping.set)
    thread.join(60)
    chain.close()
