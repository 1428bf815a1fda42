"""A node without a vote follows and serves; votes of members make it a validator, or suspend one.

Four validators and an observer, with real CometBFTs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from tests.integration.test_cometbft_engine import (
    WITHIN_S,
    fund,
    list_records,
    pay_round,
    reach,
    running,
    send,
)
from tests.voted import make_network, open_signer, wall_clock_ms
from tests.world import key

from hansa.contracts import governance, nodes
from hansa.contracts.actions import Action, SetRoles, SetWeight, SuspendMember
from hansa.contracts.members import Role
from hansa.kernel.errors import Unavailable
from hansa.node.network.renewal import prove_keys
from hansa.node.network.watch import Watch

pytestmark = pytest.mark.integration

OBSERVER = "department1"
VOTERS = ("officer0", "north", "department0")


async def decide(engine, world, number, kind, action):
    """Have members vote for an action, and carry it out; returns the codes of all steps."""
    first, *others = VOTERS
    steps = [
        (first, governance.Propose(key(first).address, Action.of(kind, action))),
        *((name, governance.Vote(number, key(name).address, approve=True)) for name in others),
        (first, governance.Execute(number)),
    ]
    found = []
    for name, command in steps:
        world.time_ms = engine.chain.head.time_ms  # a minute may be over since the last one
        found += await send(engine, world.batch(world.sign([key(name)], command)))
    return found


async def publish(engine, world, home):
    """Have the observer's officer publish its node with the key that lies in its folder."""
    member, consensus = key(OBSERVER).address, home.load_consensus_key()
    command = nodes.Publish(
        member,
        consensus.public_key,
        (home.load_node_key().address,),
        b"",
        "https://observer.example",
        prove_keys(engine.chain.network, member, consensus),
    )
    world.time_ms = engine.chain.head.time_ms
    return await send(engine, world.batch(world.sign([key(OBSERVER)], command)))


async def watch_until(engine, is_reached):
    """Read how the network does, as the node of an engine sees it, until something is so."""
    watch = Watch(engine.chain, engine, wall_clock_ms)
    came = asyncio.Event()
    engine.listen(lambda _: came.set())
    async with asyncio.timeout(WITHIN_S):
        while not is_reached(found := await watch.read()):
            with suppress(TimeoutError):  # what is seen changes without a block, too
                async with asyncio.timeout(1):
                    await came.wait()
            came.clear()
    return found


def list_voters(found):
    return {each.name: each.power for each in found.validators}


async def play(folders):
    async with running(folders) as engines:
        *voting, observer = engines
        world = open_signer(observer.chain)
        for raw in fund(world, 10):
            assert set(await send(observer, raw)) == {""}
        assert set(await pay_round(observer, world, 0)) == {""}
        await follow(observer)
        await give_a_vote(voting[0], observer, world, folders[-1].home)
        await suspend(engines, world)
        height = min(engines[number].chain.confirmed_height for number in (0, 1, 3, 4))
        for engine in (*voting[:2], voting[3], observer):
            await reach(engine, height)
        return [list_records(engines[number].chain)[: height + 1] for number in (0, 1, 3, 4)]


async def follow(observer):
    """The observer sees all four validators, and is none."""
    found = await watch_until(
        observer, lambda seen: seen.state == "voting" and len(seen.peers) == 4
    )
    assert (found.own_power, found.power, found.present_power) == (0, 40, 40)
    assert not any(each.is_here for each in found.validators)


async def give_a_vote(engine, observer, world, home):
    """Its key and its weight come by the ledger; two blocks later the observer votes."""
    assert await publish(observer, world, home) == [""]
    roles = SetRoles(key(OBSERVER).address, (Role.DEPARTMENT, Role.VALIDATOR))
    assert set(await decide(engine, world, 1, "set_roles", roles)) == {""}
    weight = SetWeight(key(OBSERVER).address, 1)
    assert set(await decide(engine, world, 2, "set_weight", weight)) == {""}
    decided = engine.chain.get_record(engine.chain.confirmed_height).consensus_height
    for number in (1, 2, 3):
        assert set(await pay_round(observer, world, number)) == {""}
    found = await watch_until(observer, lambda seen: seen.own_power > 0)
    assert (found.own_power, found.power) == (1, 41)
    counts = []
    for height in (decided, decided + 1, decided + 2):
        answer = await engine.rpc.call("validators", height=str(height))
        counts.append(int(answer["total"]))
    assert counts == [4, 4, 5]
    found = await watch_until(
        engine, lambda seen: any(each.has_voted and each.power == 1 for each in seen.validators)
    )
    assert list_voters(found)[OBSERVER] == 1


async def pay_between_starts(engine, world, numbers):
    """Pay at a node whose CometBFT is started again at some time meanwhile.

    What was told to be unavailable may still have been taken in: paid again, it is found used.
    """
    for number in numbers:
        codes, expected = set(), {""}
        while not codes:
            try:
                codes = set(await pay_round(engine, world, number))
            except Unavailable:
                expected = {"", "payments.ID_USED"}
                await watch_until(engine, lambda seen: seen.state != "silent")
        assert codes <= expected


async def suspend(engines, world):
    """A member that is suspended has no vote; others hang up on its node, for good, one by one."""
    action = SuspendMember(key("south").address)
    assert set(await decide(engines[0], world, 3, "suspend_member", action)) == {""}
    await pay_between_starts(engines[0], world, (4, 5, 6))
    found = await watch_until(engines[0], lambda seen: len(seen.validators) == 4)
    assert "south" not in list_voters(found)
    await watch_until(engines[2], lambda seen: not seen.peers)
    before = engines[2].chain.confirmed_height
    await pay_between_starts(engines[0], world, (7, 8))
    for number in (0, 1, 3, 4):
        found = await watch_until(engines[number], lambda seen: len(seen.peers) == 3)
        assert "south" not in {each.name for each in found.peers}
    assert engines[2].chain.confirmed_height == before


def test_an_observer_follows_and_is_given_a_vote_and_a_suspended_node_is_shut_out(
    cometbft, tmp_path
):
    logs = asyncio.run(play(make_network(tmp_path, 5, observers=1)))
    assert logs[0] == logs[1] == logs[2] == logs[3]
