"""A node that is told to stop while it begins."""

from __future__ import annotations

import asyncio

import pytest

from hansa.kernel.errors import Unavailable
from hansa.node.running import is_done_first


def test_what_takes_long_at_a_start_is_given_up_once_the_node_is_to_stop():
    ended = []

    async def take_long():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("given up")

    async def fail():
        raise Unavailable("the disk refuses")

    async def play():
        stopped = asyncio.Event()
        assert await is_done_first(asyncio.sleep(0), stopped)
        with pytest.raises(Unavailable):
            await is_done_first(fail(), stopped)
        asyncio.get_running_loop().call_soon(stopped.set)
        assert not await is_done_first(take_long(), stopped)

    asyncio.run(play())
    assert ended == ["given up"]
