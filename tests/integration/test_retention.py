"""Nodes that keep no more of their past than they are told to, on either engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.faulted import FaultedNetwork
from tests.voted import make_network

from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.cometbft.light import fetch_base
from hansa.engine.snapshots.keeping import Retention

pytestmark = pytest.mark.integration

WITHIN_S = 90
POLL_S = 0.1


class OftenNoting(CometEngine):
    noted_every = 5


async def wait_for_base(engine, height):
    """Wait until CometBFT has dropped the blocks up to a height."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if await fetch_base(engine.rpc) > height:
                return
            await asyncio.sleep(POLL_S)


def test_a_quiet_network_keeps_cometbft_s_newest_blocks_and_goes_on(cometbft, tmp_path):
    retention = Retention(snapshot_every=1, snapshots=1, blocks=1, consensus_blocks=10)
    nodes = [replace(node, retention=retention) for node in make_network(tmp_path, 3)]
    for node in nodes:
        path = node.home.configuration_path
        text = path.read_text()
        assert text.count('"30s"') == 1
        path.write_text(text.replace('"30s"', '"50ms"'))  # a heartbeat for people in a hurry
    network = FaultedNetwork(tmp_path, nodes)

    async def play():
        await network.start(0, 1, 2, kind=OftenNoting)
        try:
            await network.fund()
            while not all(node.open_shelf().list() for node in nodes):
                await network.pay(0)
            for engine in network.engines.values():
                engine.chain.flush()
            height = network.engines[0].application.consensus_height
            head = network.engines[0].chain.head.height
            for engine in network.engines.values():
                await wait_for_base(engine, height)
            assert network.engines[0].chain.head.height == head, "it was quiet"
            assert network.engines[0].chain.log.height_min == 0, "all within fifteen minutes"
            await network.kill(0)
            await network.start(0, kind=OftenNoting)
            assert network.engines[0].application.consensus_height > height
            assert await network.pay(0)
            await network.kill(0, 1, 2)
            await network.start(0, 1, 2, kind=OftenNoting)
            for number in range(3):
                assert await network.pay(number)
            await network.finish("a quiet network that prunes CometBFT's blocks")
        finally:
            await network.close()

    asyncio.run(play())
