"""A node's engine that orders alone, with a clock and a disk that a test rules."""

from __future__ import annotations

import asyncio

from tests.simulation.disk import SimulatedDisk
from tests.world import key, make_genesis, open_world, pay

from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.quota import SponsorUsage

TIMEOUT_S = 60


class Clock:
    """A clock that fails when it is told to: a fault of ours in the middle of the engine."""

    def __init__(self, time_ms):
        self.time_ms = time_ms
        self.calls_left = 1_000_000

    def __call__(self):
        if not self.calls_left:
            raise ZeroDivisionError
        self.calls_left -= 1
        self.time_ms += 1
        return self.time_ms


class Node:
    """A world whose blocks an engine makes."""

    def __init__(self, policy=None, disk=None, verifier=InlineVerifier):
        self.disk = disk or SimulatedDisk(1)
        self.store = MemoryStore()
        self.world = open_world(self.disk, make_genesis(policy or {}), self.store)
        self.world.fund("ann", "shop")
        self.clock = Clock(self.world.time_ms)
        self.engine = EmbeddedEngine(self.world.chain, verifier(self.world.network), self.clock)
        self.count = 0

    def pay(self, until_ms=0):
        self.count += 1
        payment = pay("ann", "shop", 1, f"{self.count}")
        envelope = self.world.sign([key("ann")], payment, until_ms=until_ms)
        return self.engine.submit(self.world.batch(envelope))

    def spoil(self, size):
        """Sign an envelope that says until when it is valid, and make it too large."""
        self.count += 1
        return self.world.sign([key("ann")], pay("ann", "shop", 1, f"{self.count}")) + bytes(size)

    def read_usage(self):
        """What the sponsor of the world's batches has used."""
        return self.world.chain.machine.state.load(
            SponsorUsage, SponsorUsage.key(key("north").address)
        )


def run(play, **parts):
    async def begin():
        node = Node(**parts)
        node.engine.start()
        async with asyncio.timeout(TIMEOUT_S):
            await play(node)

    asyncio.run(begin())
