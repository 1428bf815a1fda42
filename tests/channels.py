"""Message channels of several members on one chain in memory, joined by a wire of the test's."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from msgspec.structs import replace
from tests.simulation.disk import SimulatedDisk
from tests.simulation.loop import SimulatedLoop
from tests.world import START_MS, World, key, make_genesis, open_world

from hansa.contracts.members import Member
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import GenesisNode
from hansa.kernel.machine.state import View
from hansa.node.channel.format import Header, compute_commitment, seal_message
from hansa.node.channel.inbox import InboxLimits
from hansa.node.channel.outbox import OutboxLimits
from hansa.node.channel.service import Identity, MessageChannel
from hansa.sdk.keys import ChannelKey

MEMBERS = ("north", "south", "officer0")
"""Two operators and the central bank; a member's address is that of its first officer's key."""
SERVERS = {"north": "north server", "south": "south server", "officer0": "bank server"}
MINUTE_MS = 60_000
SALT = bytes(range(32))
LIMITS = (OutboxLimits(20, 100_000, 3_600_000), InboxLimits(10, 50_000, 3_600_000))


def make_channel_key(name: str, number: int = 0) -> ChannelKey:
    """Derive a member's channel key."""
    return ChannelKey(hashlib.sha256(b"channel\0%d" % number + name.encode()).digest())


def make_node(name: str, number: int = 0) -> GenesisNode:
    """Describe a member's node."""
    return GenesisNode(
        key(name).address, b"", (), make_channel_key(name, number).public_key, f"http://{name}"
    )


def make_world(names: tuple[str, ...] = MEMBERS) -> World:
    """Make a chain on which these members have nodes."""
    nodes = tuple(make_node(name) for name in names)
    return open_world(SimulatedDisk(1), replace(make_genesis(), nodes=nodes))


def change(world: World, name: str, **changed: object) -> None:
    """Change a member's row itself: how governance comes to that is tested elsewhere."""
    state = world.chain.machine.state
    row = state.load(Member, Member.key(key(name).address))
    assert row is not None
    view = View(state, 9, 9)
    view.put(replace(row, **changed))
    view.commit()
    state.end_block(state.list_writes())


class Wire:
    """Carries between channels at once; what a test puts into `around` stands in between."""

    def __init__(self) -> None:
        self.channels: dict[str, MessageChannel] = {}
        self.carried: list[tuple[str, bytes]] = []
        self.around: Callable[[str, bytes], Awaitable[bytes]] = self.pass_on

    async def carry(self, url: str, message: bytes) -> bytes:
        self.carried.append((url, message))
        return await self.around(url, message)

    async def pass_on(self, url: str, message: bytes) -> bytes:
        if url not in self.channels:
            raise Unavailable(f"nobody answers at {url}")
        answer, _ = await self.channels[url].receive(message)
        return answer

    async def close(self) -> None:
        pass


def clock_ms() -> int:
    """Read the clock of the running loop as if it were the wall's."""
    return START_MS + int(asyncio.get_running_loop().time() * 1000)


def open_channel(
    world: World,
    wire: Wire,
    folder: Path,
    name: str,
    *,
    limits=LIMITS,
    number: int = 0,
    seed=1,
    clock_ms=clock_ms,
) -> MessageChannel:
    """Open a member's channel on its file in `folder`, and connect it to the wire."""
    random = Random(f"{name}{seed}")
    identity = Identity(key(name).address, key(SERVERS[name]), make_channel_key(name, number))
    channel = MessageChannel(
        world.chain,
        identity,
        folder / f"{name}.db",
        limits,
        wire,
        clock_ms=clock_ms,
        random=random,
        entropy=random.randbytes,
    )
    wire.channels[f"http://{name}"] = channel
    return channel


def seal(world: World, content: bytes = b"hello", signer: str = "north server", **changed) -> bytes:
    """Seal a message to south as north's server would."""
    fields = {
        "version": 1,
        "sender": key("north").address,
        "recipient": key("south").address,
        "topic": "case",
        "id": b"i" * 16,
        "sequence": 5,
        "expires_ms": START_MS + MINUTE_MS,
        "channel_key": make_channel_key("south").public_key,
        "commitment": compute_commitment(world.network, SALT, content),
    }
    header = Header(**(fields | changed))
    return seal_message(world.network, key(signer), header, SALT, content)


def play(call: Callable[[], Awaitable[None]], seed: int = 1) -> None:
    """Run in a loop in which nothing takes time but waiting."""
    SimulatedLoop(Random(seed)).run(call())


async def read_all(channel: MessageChannel) -> list[tuple[str, bytes]]:
    """Read and take everything that has arrived: topics and contents."""
    found = []
    for each in await channel.inbox.list_waiting(None, 0, 1_000):
        item = await channel.inbox.get(each.number)
        found.append((item.topic, item.content))
        await channel.inbox.take(item.number, clock_ms())
    return found
