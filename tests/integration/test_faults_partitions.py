"""A network of four that falls apart into halves, or loses one node, and heals."""

from __future__ import annotations

import asyncio

import pytest
from tests.faulted import FaultedNetwork
from tests.forwarding import forward

pytestmark = pytest.mark.integration

STALLED_S = 6
"""Longer than a round in which nobody proposes."""


def play(tmp_path, scenario):
    """Play a scenario on four nodes that reach one another through forwarders."""

    async def run():
        network = FaultedNetwork(tmp_path)
        mesh = forward(network.nodes)
        try:
            await mesh.join()
            await network.start(0, 1, 2, 3)
            await network.fund()
            await scenario(network, mesh)
        finally:
            await network.close()
            await mesh.close()

    asyncio.run(run())


def list_heights(network):
    return [network.engines[number].chain.confirmed_height for number in range(4)]


def test_two_halves_both_stop_and_go_on_once_they_meet(cometbft, soak, tmp_path):
    async def scenario(network, mesh):
        for _ in range(10 if soak else 1):
            await network.settle()
            await mesh.part((0, 1), (2, 3))
            before = list_heights(network)
            paying = [asyncio.create_task(network.pay(number)) for number in (0, 2)]
            done, _ = await asyncio.wait(paying, timeout=STALLED_S)
            assert not done
            assert list_heights(network) == before
            await mesh.join()
            assert all(await asyncio.gather(*paying))
            network.happened["partitions 2|2"] += 1
        await network.finish("two halves")

    play(tmp_path, scenario)


def test_three_go_on_without_the_fourth_which_catches_up(cometbft, soak, tmp_path):
    async def scenario(network, mesh):
        for turn in range(10 if soak else 1):
            await network.settle()
            alone = (turn + 3) % 4
            others = [number for number in range(4) if number != alone]
            await mesh.part(others, (alone,))
            height = list_heights(network)[alone]
            paying = asyncio.create_task(network.pay(alone))
            for number in others:
                assert await network.pay(number)
            assert list_heights(network)[alone] == height
            assert not paying.done()
            await mesh.join()
            assert await paying
            network.happened["partitions 3|1"] += 1
        await network.finish("three and one")

    play(tmp_path, scenario)
