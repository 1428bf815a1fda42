"""Three members' channels under loss, doubling, reordering and crashes of all of them at once.

A seed gives one history: what is sent, what the wire does to it, and when the power fails. Every
message comes to its reader once, or is reported as expired; a failure prints its seed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from tests.channels import MEMBERS, Wire, make_world, open_channel
from tests.simulation.loop import SimulatedLoop
from tests.world import START_MS, key

from hansa.kernel.errors import HansaError, Unavailable
from hansa.node.channel.inbox import Arrived, InboxLimits
from hansa.node.channel.outbox import OutboxLimits, State

SEEDS = 12
LIVES = 5
LIFE_S = 40.0
LIMITS = (OutboxLimits(15, 5_000, 10**9), InboxLimits(8, 3_000, 10**9))
TOPICS = ("case", "books")


class PowerCutError(Exception):
    """All nodes are gone at this instant."""


@dataclass
class Told:
    """What the clients know: what they sent, and what came to them."""

    sent: dict[bytes, tuple[str, str, str, bytes]] = field(default_factory=dict)
    """Id: sender, recipient, topic, content."""
    read: dict[tuple[str, int], Arrived] = field(default_factory=dict)
    """Reader and number in its inbox; one that was read and not taken yet comes again."""
    passed_s: float = 0.0
    """In the lives before this one."""


class BadWire(Wire):
    """Loses, doubles, delays, and brings again what was long past."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.is_good = False
        self.around = self.spoil

    async def spoil(self, url: str, message: bytes) -> bytes:
        if self.is_good:
            return await self.pass_on(url, message)
        chance = self.random.random()
        await asyncio.sleep(self.random.choice((0.0, 0.01, 0.3, 5.0)))
        if chance < 0.25:
            raise Unavailable("lost on the way")
        if chance < 0.45:
            await self.replay()
        answer = await self.pass_on(url, message)
        if chance > 0.75:
            raise Unavailable("the answer was lost")
        if chance > 0.65:
            await self.pass_on(url, message)
        return answer

    async def replay(self) -> None:
        url, old = self.random.choice(self.carried)
        try:
            await self.channels[url].receive(old)
        except HansaError:
            return


async def live(world, wire, told, folder: Path, random: Random, *, is_last: bool):
    """Live one life of all three nodes: until a power cut, or until nothing waits any more."""
    loop = asyncio.get_running_loop()
    channels = {}
    for name in MEMBERS:
        skew_ms = random.randint(-1_500, 1_500)
        channels[name] = open_channel(
            world,
            wire,
            folder,
            name,
            limits=LIMITS,
            seed=random.random(),
            clock_ms=lambda skew_ms=skew_ms: (
                START_MS + skew_ms + int((told.passed_s + loop.time()) * 1000)
            ),
        )
    wire.is_good = is_last
    for channel in channels.values():
        await channel.start()
    readers = [asyncio.create_task(read(name, channels[name], told)) for name in MEMBERS]
    await send(channels, told, random, random.uniform(1, LIFE_S))
    if not is_last:
        told.passed_s += loop.time()
        raise PowerCutError
    for channel in channels.values():
        await wait_until_empty(channel)
    await asyncio.sleep(10)
    for task in readers:
        task.cancel()
    states = {}
    for message_id, (sender, *_) in told.sent.items():
        states[message_id] = (await channels[sender].outbox.get(message_id)).state
    for channel in channels.values():
        await channel.stop()
    return states


async def send(channels, told, random: Random, seconds: float) -> None:
    """Send what clients send, for so many seconds."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    while loop.time() < end_s:
        await asyncio.sleep(random.choice((0.0, 0.05, 0.5, 3.0)))
        sender, recipient = random.sample(MEMBERS, 2)
        topic = random.choice(TOPICS)
        content = f"{len(told.sent)} ".encode() * random.randint(1, 60)
        valid_ms = random.choice((2_000, 30_000, 600_000))
        to = key(recipient).address
        try:
            message_id = await channels[sender].send(to, topic, content, valid_ms)
        except Unavailable:
            continue  # the outbox is full
        told.sent[message_id] = (sender, recipient, topic, content)


async def wait_until_empty(channel) -> None:
    """Wait until every message is over."""
    for _ in range(2_000):
        if await channel.outbox.count_waiting() == (0, 0):
            return
        await asyncio.sleep(1)
    raise AssertionError("some messages wait for ever")


async def read(name, channel, told) -> None:
    """Read and take what comes to one member, now and then."""
    while True:
        for each in await channel.inbox.list_waiting(None, 0, 100):
            item = await channel.inbox.get(each.number)
            before = told.read.setdefault((name, item.number), item)
            assert (before.id, before.content) == (item.id, item.content)
            await channel.inbox.take(item.number, 1)
        await asyncio.sleep(0.7)


def check(told: Told, states: dict[bytes, State]) -> None:
    """Hold what came to readers to what was sent."""
    came = defaultdict(list)
    last: dict[tuple[str, bytes, str], int] = {}
    for (reader, _), item in sorted(told.read.items(), key=lambda each: each[0]):
        sender, recipient, topic, content = told.sent[item.id]
        assert (recipient, key(sender).address, topic) == (reader, item.sender, item.topic)
        assert item.content == content
        lane = (reader, item.sender, item.topic)
        assert item.sequence > last.get(lane, 0)
        last[lane] = item.sequence
        came[item.id].append(reader)
    for message_id, state in states.items():
        times = len(came[message_id])
        assert times == 1 if state is State.DELIVERED else times <= 1, (message_id, state, times)
        assert state is not State.WAITING


@pytest.mark.simulation
@pytest.mark.parametrize("seed", range(SEEDS))
def test_each_message_comes_once_or_is_reported(tmp_path, seed):
    random, told = Random(seed), Told()
    wire, world = BadWire(random), make_world()
    for _ in range(LIVES):
        with pytest.raises(PowerCutError):
            SimulatedLoop(random).run(live(world, wire, told, tmp_path, random, is_last=False))
    states = SimulatedLoop(random).run(live(world, wire, told, tmp_path, random, is_last=True))
    check(told, states)
    kinds = set(states.values())
    assert kinds == {State.DELIVERED, State.EXPIRED}, "the history was too kind, or too cruel"
    assert len(states) > 50
