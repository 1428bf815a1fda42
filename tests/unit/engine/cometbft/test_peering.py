"""Peers that are called again, and peers of suspended members, which are hung up on in turn."""

from __future__ import annotations

import asyncio

import pytest
from tests.channels import play

from hansa.engine.cometbft.peering import LOOK_MS, TURN_MS, await_expelled, keep_dialing
from hansa.kernel.errors import Unavailable

NORTH, SOUTH, WEST = (bytes([number]) * 20 for number in (1, 2, 3))


class PeeredRpc:
    """Answers who is connected, which a test changes."""

    def __init__(self, *connected: bytes) -> None:
        self.connected = list(connected)
        self.is_behind = self.is_away = False
        self.dialed: list[list[str]] = []

    async def call(self, method, **parameters):
        if self.is_away:
            raise Unavailable("away")
        match method:
            case "net_info":
                return {"peers": [{"node_info": {"id": peer.hex()}} for peer in self.connected]}
            case "validators":
                addresses = [NORTH, SOUTH, WEST]
                listed = [{"address": each.hex().upper()} for each in addresses]
                return {"validators": listed, "total": str(len(listed))}
            case "status":
                return {"sync_info": {"catching_up": self.is_behind}}
        self.dialed.append(parameters["peers"])
        return {}


async def measure_s(rpc, own_address, expelled=(SOUTH,)):
    """Measure how long it takes until a node is to hang up."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await await_expelled(rpc, lambda peer: peer in expelled, own_address)
    return loop.time() - began_s


@pytest.mark.parametrize(("own_address", "turns"), [(NORTH, 0), (WEST, 2), (b"o" * 20, 3)])
def test_nodes_hang_up_one_after_the_other_and_observers_last(own_address, turns):
    async def run():
        took_s = await measure_s(PeeredRpc(WEST, SOUTH), own_address)
        assert took_s == pytest.approx((LOOK_MS + turns * TURN_MS) / 1_000)

    play(run)


def test_nobody_hangs_up_without_need():
    """Not on members in standing, nor on one that was reinstated or has gone before the turn."""

    async def run():
        expelled = {SOUTH}
        rpc = PeeredRpc(WEST)
        waiting = asyncio.create_task(measure_s(rpc, b"o" * 20, expelled))
        await asyncio.sleep(60)
        rpc.connected.append(SOUTH)
        await asyncio.sleep((LOOK_MS + TURN_MS) / 1_000)
        expelled.clear()
        await asyncio.sleep(60)
        expelled.add(SOUTH)
        rpc.is_behind = True
        await asyncio.sleep(60)
        rpc.is_away = True
        await asyncio.sleep(60)
        assert not waiting.done()
        rpc.is_away = rpc.is_behind = False
        await waiting

    play(run)


def test_who_is_missing_is_called_unless_it_may_not_connect():
    async def run():
        rpc = PeeredRpc(NORTH)
        peers = [f"{peer.hex()}@a.example:1" for peer in (NORTH, SOUTH, WEST)]
        dialing = asyncio.create_task(keep_dialing(rpc, peers, lambda peer: peer != SOUTH))
        await asyncio.sleep(LOOK_MS * 1.5 / 1_000)
        assert rpc.dialed == [[peers[2]]]
        rpc.connected.append(WEST)
        await asyncio.sleep(LOOK_MS / 1_000)
        assert len(rpc.dialed) == 1
        dialing.cancel()

    play(run)
