"""What is handed over again under an id that is known."""

from __future__ import annotations

import asyncio

import pytest
from tests.channels import LIMITS, MINUTE_MS, Wire, make_world, open_channel, play
from tests.world import key

from hansa.kernel.errors import Unavailable

SOUTH, BANK = key("south").address, key("officer0").address


@pytest.fixture
def wire():
    return Wire()


def test_the_same_message_handed_over_twice_at_once_is_one(tmp_path, wire):
    async def run():  # in a loop whose threads are real
        north = open_channel(make_world(), wire, tmp_path, "north")
        message = ((SOUTH, "case"), bytes(16), b"x", MINUTE_MS)
        first, again = await asyncio.gather(north.post(*message), north.post(*message))
        assert first.sequence == again.sequence
        assert (await north.outbox.count_waiting())[0] == 1
        await north.stop()

    asyncio.run(run())


def test_what_was_taken_in_is_known_also_where_nothing_more_can_be(tmp_path, wire):
    async def run():
        north = open_channel(make_world(), wire, tmp_path, "north")
        for number in range(LIMITS[0].messages):
            message = ((SOUTH, "case"), number.to_bytes(16), b"x", MINUTE_MS)
            sent = await north.post(*message)
        assert (await north.post(*message)).sequence == sent.sequence
        with pytest.raises(Unavailable, match="wait for this recipient already"):
            await north.send(SOUTH, "case", b"x", MINUTE_MS)
        await north.stop()

    play(run)


def test_what_waits_for_one_recipient_takes_no_room_from_others(tmp_path, wire):
    async def run():
        north = open_channel(make_world(), wire, tmp_path, "north")
        for _ in range(LIMITS[0].messages):
            await north.send(SOUTH, "case", b"x", MINUTE_MS)
        with pytest.raises(Unavailable, match="wait for this recipient already"):
            await north.send(SOUTH, "books", b"x", MINUTE_MS)
        await north.send(BANK, "case", bytes(LIMITS[0].bytes), MINUTE_MS)
        with pytest.raises(Unavailable, match=r"1 messages with 100000 bytes wait"):
            await north.send(BANK, "case", b"x", MINUTE_MS)
        await north.stop()

    play(run)
