"""All validators killed at once, and one that is away for many blocks."""

from __future__ import annotations

import asyncio

import pytest
from tests.faulted import FaultedNetwork

pytestmark = pytest.mark.integration


def play(tmp_path, scenario):
    """Play a scenario on four nodes."""

    async def run():
        network = FaultedNetwork(tmp_path)
        try:
            await network.start(0, 1, 2, 3)
            await network.fund()
            await scenario(network)
        finally:
            await network.close()

    asyncio.run(run())


def test_all_four_are_killed_at_once_and_go_on(cometbft, soak, tmp_path):
    async def scenario(network):
        for _ in range(20 if soak else 2):
            paying = [asyncio.create_task(network.pay(number)) for number in range(4)]
            assert await network.pay(1)
            await network.kill(0, 1, 2, 3)
            await asyncio.gather(*paying)
            await network.start(0, 1, 2, 3)
        await network.finish("a restart of all four at once")

    play(tmp_path, scenario)


def test_a_validator_away_for_many_blocks_comes_back(cometbft, soak, tmp_path):
    """Whenever it is its turn to propose, the others wait three seconds in vain."""

    async def scenario(network):
        await network.stop(3)
        for number in range(300 if soak else 8):
            assert await network.pay(number % 3)
            network.happened["rounds without one of the four"] += 1
        await network.start(3)
        await network.finish("a validator that is away and comes back")

    play(tmp_path, scenario)
