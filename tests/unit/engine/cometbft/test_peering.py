"""Peers that are called again, and peers of suspended members, which are hung up on in turn."""

from __future__ import annotations

import asyncio

import pytest
from tests.channels import play

from hansa.engine.cometbft.peering import (
    LOOK_MS,
    SETTLE_S,
    TURN_MS,
    Door,
    PeerRules,
    await_expelled,
    keep_dialing,
)
from hansa.kernel.errors import Unavailable
from hansa.kernel.values import NODE_PEERS_MAX

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
        noted = []
        dialing = keep_dialing(rpc, peers, lambda peer: peer != SOUTH, noted.append)
        dialing = asyncio.create_task(dialing)
        await asyncio.sleep(LOOK_MS * 1.5 / 1_000)
        assert rpc.dialed == [[peers[2]]]
        rpc.connected.append(WEST)
        await asyncio.sleep(LOOK_MS / 1_000)
        assert len(rpc.dialed) == 1
        assert noted == [{NORTH}, {NORTH, WEST}]
        dialing.cancel()

    play(run)


class House:
    """A door, and peers by number: one member has those below 100, another those from there on."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.strangers = {bytes([255]) * 20}
        self.door = Door(
            PeerRules(self._may_connect, lambda _: False, self._find_member), lambda: self.now_s
        )

    def _may_connect(self, peer):
        return peer[0] < 200 or peer in self.strangers

    def _find_member(self, peer):
        return None if peer in self.strangers else bytes([peer[0] // 100])

    def knock(self, *numbers):
        return [number for number in numbers if self.door.let_in(bytes([number]) * 20)]

    def note(self, *numbers):
        self.door.note({bytes([number]) * 20 for number in numbers})


def test_no_more_peers_of_one_member_are_let_in_than_it_may_publish():
    """However often it publishes others: those that it took out count while they are connected."""
    house, first = House(), range(NODE_PEERS_MAX)
    assert house.knock(*first) == [*first]
    assert house.knock(50) == []
    assert house.knock(0) == [0]  # again, which CometBFT itself refuses if it is still there
    assert house.knock(100, 255, 220) == [100, 255]
    house.now_s = SETTLE_S
    house.note(*first[1:], 100)
    assert house.knock(50, 51) == [50]
    house.note(*first[1:], 100)  # before CometBFT lists it
    assert house.knock(51) == []
    house.now_s += SETTLE_S
    house.note(*first[1:], 100)
    assert house.knock(51, 52) == [51]


def test_members_do_not_take_one_anothers_places():
    house = House()
    house.knock(*range(NODE_PEERS_MAX))
    others = range(100, 100 + NODE_PEERS_MAX)
    assert house.knock(*others) == [*others]


def test_operators_may_name_as_many_strangers_as_they_like():
    house = House()
    house.strangers = {bytes([number]) * 20 for number in range(200, 250)}
    assert len(house.knock(*range(200, 250))) == 50
