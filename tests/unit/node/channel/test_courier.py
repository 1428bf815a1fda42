"""A lane that ends by a fault of this program is told, and goes on; so do the others."""

from __future__ import annotations

import asyncio

import pytest
from tests.channels import MINUTE_MS, Wire, make_world, open_channel, play
from tests.world import key

from hansa.node.channel.courier import LAST_PAUSE_S
from hansa.node.channel.outbox import State
from hansa.sdk.problems import read_problem

SOUTH, BANK = key("south").address, key("officer0").address


@pytest.fixture
def wire():
    return Wire()


def send_through(tmp_path, wire, call):
    """Run `call` with a channel of north's; returns what the program told of faults."""
    faults = []

    async def run():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context))
        north = open_channel(make_world(), wire, tmp_path, "north")
        await north.start()
        await call(north)
        await north.stop()

    play(run)
    return faults


async def send(north, to, valid_for_ms=10 * MINUTE_MS):
    return await north.outbox.get(await north.send(to, "case", b"x", valid_for_ms))


async def look_up(north, sent):
    return await north.outbox.get(sent.id)


def test_a_lane_that_fails_is_told_and_begun_anew_and_others_go_on(tmp_path, wire):
    async def fail_first(url, message):
        if url == "http://south" and len(wire.carried) == 1:
            raise RuntimeError("a fault of this program")
        return await wire.pass_on(url, message)

    wire.around = fail_first

    async def call(north):
        for name in ("south", "officer0"):
            open_channel(make_world(), wire, tmp_path, name)
        first = await send(north, SOUTH)
        await asyncio.sleep(1)
        second, other = await send(north, SOUTH), await send(north, BANK)
        await asyncio.sleep(LAST_PAUSE_S / 2)
        assert (await look_up(north, other)).state is State.DELIVERED
        assert [(await look_up(north, sent)).state for sent in (first, second)] == [
            State.WAITING,
            State.WAITING,
        ]
        await asyncio.sleep(LAST_PAUSE_S)
        assert [(await look_up(north, sent)).state for sent in (first, second)] == [
            State.DELIVERED,
            State.DELIVERED,
        ]

    (fault,) = send_through(tmp_path, wire, call)
    assert "a lane of messages failed" in fault["message"]
    assert str(fault["exception"]) == "a fault of this program"


def test_a_message_that_always_makes_a_fault_still_expires(tmp_path, wire):
    async def fail(url, message):
        raise RuntimeError("a fault of this program")

    wire.around = fail

    async def call(north):
        sent = await send(north, SOUTH, 3 * MINUTE_MS)
        await asyncio.sleep(5 * LAST_PAUSE_S)
        assert (await look_up(north, sent)).state is State.EXPIRED
        assert await north.outbox.count_waiting() == (0, 0)

    assert len(send_through(tmp_path, wire, call)) == 3


def test_a_channel_stops_while_a_lane_rests(tmp_path, wire):
    async def fail(url, message):
        raise RuntimeError("a fault of this program")

    wire.around = fail

    async def call(north):
        await send(north, SOUTH)
        await asyncio.sleep(1)

    assert len(send_through(tmp_path, wire, call)) == 1


def test_what_another_server_says_is_noted_whatever_it_is(tmp_path, wire):
    """Half a pair of surrogates has no encoding, so the database took no such reason."""

    async def refuse(url, message):
        raise read_problem(500, {"title": "x", "detail": "\ud800 " * 200})

    wire.around = refuse

    async def call(north):
        sent = await send(north, SOUTH, MINUTE_MS)
        await asyncio.sleep(1)
        found = await look_up(north, sent)
        assert found.attempts
        assert found.reason.startswith("\\ud800 ")

    assert send_through(tmp_path, wire, call) == []
