"""Messages within a process: in order, again where they could not be taken, to members alone."""

from __future__ import annotations

import asyncio

import pytest

from hansa.kernel.errors import Refused, Unavailable
from hansa.node.channel.direct import DirectExchange

NORTH, SOUTH = b"north", b"south"


def test_what_is_not_taken_comes_again_before_what_was_sent_after_it():
    async def run():
        exchange = DirectExchange()
        north, south = exchange.open(NORTH), exchange.open(SOUTH)
        heard, failing, taken = [], [True], asyncio.Event()

        async def handle(message):
            heard.append((message.sender, message.content))
            if failing:
                failing.pop()
                raise Unavailable("not yet")
            if message.content == b"2":
                taken.set()

        south.subscribe("topic", handle)
        for content in (b"1", b"2"):
            await north.send(SOUTH, "topic", content, 60_000)
        await taken.wait()
        assert heard == [(NORTH, b"1"), (NORTH, b"1"), (NORTH, b"2")]
        with pytest.raises(Refused):
            await north.send(b"west", "topic", b"", 60_000)
        await north.stop()

    asyncio.run(run())
