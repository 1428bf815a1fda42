"""Two banks' services of reconciliation over one node in memory, and messages that pass at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from hashlib import sha256
from random import Random

from tests.simulation.disk import SimulatedDisk
from tests.streamed import RULES
from tests.world import key, make_genesis, open_world

from hansa.contracts.reconciliation import agreements
from hansa.engine.verification import InlineVerifier
from hansa.node.channel.direct import DirectExchange
from hansa.node.reconcile.ledger import Signer
from hansa.node.reconcile.memory import MemoryStore
from hansa.node.reconcile.service import PairService
from hansa.node.service import Node, wall_clock_ms
from hansa.reconcile.stream.terms import Terms, write_terms

NAMES = ("north", "south")
TIMEOUT_S = 60


class Paired:
    """Both banks and the node that both are on."""

    def __init__(self, rules: str = RULES) -> None:
        world = open_world(SimulatedDisk(1), make_genesis({}))
        self.node = Node(
            world.chain, InlineVerifier(world.network), key("north").address, key("north server")
        )
        self.world = world
        exchange = DirectExchange()
        self.stores = [MemoryStore(sha256(name.encode()).digest()) for name in NAMES]
        self.channels = [exchange.open(key(name).address) for name in NAMES]
        self.services = [self.open(place) for place in range(2)]
        terms = Terms(
            1,
            key("north").address,
            key("south").address,
            30,
            rules.encode(),
            b"",
            ("MOP",),
            bytes(range(32)),
        )
        self.raw = write_terms(terms, world.network.digest)

    def open(self, place: int) -> PairService:
        """Open a bank's service, as after its process was killed."""
        name = NAMES[place]
        signer = Signer(key(name), wall_clock_ms, Random(name).randbytes)
        return PairService(
            self.node, key(name).address, signer, self.stores[place], self.channels[place]
        )

    async def submit(self, name: str, command) -> None:
        """Have an officer's command confirmed."""
        envelope = self.world.sign([key(name)], command, until_ms=wall_clock_ms() + 60_000)
        answer = await self.node.desk.submit(envelope)
        assert answer.error is None

    async def agree(self) -> bytes:
        """Bring the agreement in force; returns its name."""
        pair = await self.services[0].share_terms(self.raw)
        await self.submit("north", pair.propose(key("north").address))
        accept = agreements.Accept(pair.agreement, key("south").address)
        await self.submit("south", accept)
        return pair.agreement

    async def wait_for(self, condition) -> None:
        """Wait, from block to block, until something holds; messages make no blocks."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                await self.node.wait_for_block(self.node.chain.head.height + 1, 0.05)


@asynccontextmanager
async def running(paired: Paired):
    """Run node and services for as long as this lasts."""
    paired.node.start()
    for each in paired.services:
        each.start()
    try:
        yield paired
    finally:
        for each in (*paired.services, *paired.channels):
            await each.stop()
        await paired.node.stop()
