"""Handlers of topics: in order, each message until it is worked off, one sender beside another."""

from __future__ import annotations

import asyncio

import pytest
from tests.channels import MINUTE_MS, Wire, make_world, open_channel, play
from tests.world import key

from hansa.kernel.errors import Invalid, NotFound, Unavailable

SOUTH = key("south").address
NORTH = key("north").address
BANK = key("officer0").address


def play_handler(tmp_path, handler, call, topics=("case",)):
    """Run `call(north, bank, south)`; south's topics are handled by `handler`."""
    wire, world = Wire(), make_world()

    async def run():
        names = ("north", "officer0", "south")
        channels = [open_channel(world, wire, tmp_path, name) for name in names]
        for topic in topics:
            channels[2].subscribe(topic, handler)
        for channel in channels:
            await channel.start()
        try:
            await call(*channels)
        finally:
            for channel in channels:
                await channel.stop()

    play(run)


def test_messages_are_handled_in_order_and_taken(tmp_path):
    handled = []

    async def handler(received):
        handled.append((received.sender, received.topic, received.content, received.attempt))

    async def call(north, bank, south):
        for number in range(4):
            await north.send(SOUTH, "case", b"%d" % number, MINUTE_MS)
        await north.send(SOUTH, "unread", b"x", MINUTE_MS)
        await asyncio.sleep(2)
        assert handled == [(NORTH, "case", b"%d" % number, 1) for number in range(4)]
        (left,) = await south.inbox.list_waiting(None, 0, 10)
        assert left.topic == "unread"

    play_handler(tmp_path, handler, call)


def test_one_that_fails_comes_again_and_holds_up_its_sender_alone(tmp_path):
    handled = []

    async def handler(received):
        handled.append((received.content, received.attempt))
        if received.content == b"hard" and received.attempt < 4:
            raise Unavailable("the books are closed")

    async def call(north, bank, south):
        await north.send(SOUTH, "case", b"hard", MINUTE_MS)
        await north.send(SOUTH, "case", b"behind", MINUTE_MS)
        await asyncio.sleep(0.1)
        await bank.send(SOUTH, "case", b"beside", MINUTE_MS)
        await asyncio.sleep(30)
        assert handled.index((b"beside", 1)) < handled.index((b"hard", 2))
        assert [each for each in handled if each[0] != b"beside"] == [
            *((b"hard", attempt) for attempt in range(1, 5)),
            (b"behind", 1),
        ]
        assert await south.inbox.count_waiting() == (0, 0)

    play_handler(tmp_path, handler, call)


def test_one_that_fails_comes_again_soon_while_others_always_have_another_waiting(tmp_path):
    handled = []

    async def handler(received):
        await asyncio.sleep(0.1)
        handled.append(received.content)
        if received.content == b"hard" and received.attempt < 3:
            raise Unavailable("the books are closed")

    async def call(north, bank, south):
        for _ in range(8):
            await bank.send(SOUTH, "case", b"beside", MINUTE_MS)
        await north.send(SOUTH, "case", b"hard", MINUTE_MS)
        for _ in range(60):
            await asyncio.sleep(0.09)
            await bank.send(SOUTH, "case", b"beside", MINUTE_MS)
        assert handled.count(b"hard") == 3
        waiting = await south.inbox.list_waiting("case", 0, 100)
        assert {item.sender for item in waiting} == {BANK}, "there was always another"

    play_handler(tmp_path, handler, call)


def test_what_a_handler_had_begun_with_comes_again_after_a_restart(tmp_path):
    wire, world, handled = Wire(), make_world(), []

    async def hang(received):
        handled.append(received.attempt)
        await asyncio.sleep(3_600)

    async def take(received):
        handled.append(received.attempt)

    async def live(handler, *, is_first):
        north = open_channel(world, wire, tmp_path, "north")
        south = open_channel(world, wire, tmp_path, "south")
        south.subscribe("case", handler)
        await south.start()
        if is_first:
            await north.start()
            await north.send(SOUTH, "case", b"x", MINUTE_MS)
        await asyncio.sleep(5)
        await south.stop()
        await north.stop()

    play(lambda: live(hang, is_first=True))
    play(lambda: live(take, is_first=False))
    assert handled == [1, 2]


def test_a_fault_of_a_handler_is_reported_and_rests_its_topic(tmp_path):
    faults = []

    async def handler(received):
        raise KeyError("a fault of the program")

    async def call(north, bank, south):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context))
        await north.send(SOUTH, "case", b"x", MINUTE_MS)
        await asyncio.sleep(5)
        assert [fault["message"] for fault in faults] == ["a handler of messages failed"]
        assert await south.inbox.count_waiting() == (1, 1)

    play_handler(tmp_path, handler, call)


def test_a_topic_has_one_handler(tmp_path):
    async def handler(received):
        raise NotFound("never called")

    async def call(north, bank, south):
        with pytest.raises(Invalid):
            south.subscribe("case", handler)

    play_handler(tmp_path, handler, call)
