"""Whose server a key is: one answer, whether it signs a batch, a message, or starts a node."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.simulation.disk import SimulatedDisk
from tests.world import key, make_genesis, open_world, pay

from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.errors import HansaError, Invalid
from hansa.node import founding, running
from hansa.node.channel.directory import Directory

NORTH = key("north").address
SERVER = key("north server").address


def make_world(purpose: Purpose, weight: int):
    """A world in which north's account asks for a weight of 2."""
    keys = (
        AccountKey(NORTH, int(ALL_PURPOSES & ~Purpose.SPONSOR), 2),
        AccountKey(SERVER, int(purpose), weight),
    )
    genesis = make_genesis()
    members = tuple(
        replace(each, keys=keys, threshold=2) if each.address == NORTH else each
        for each in genesis.members
    )
    return open_world(SimulatedDisk(1), replace(genesis, members=members))


def is_let(call, *arguments):
    try:
        return call(*arguments) in (None, NORTH)
    except HansaError:
        return False


@pytest.mark.parametrize(
    ("purpose", "weight", "may_sign"),
    [(Purpose.SPONSOR, 2, True), (Purpose.SPONSOR, 1, False), (Purpose.PAY, 2, False)],
)
def test_who_signs_batches_signs_messages_and_starts_the_node(purpose, weight, may_sign):
    world = make_world(purpose, weight)
    (outcome,) = world.send(world.sign([key("north")], pay("north", "north", 1, "r")))
    assert isinstance(outcome, Invalid) is not may_sign
    assert is_let(Directory(world.chain).require_signer, NORTH, SERVER) is may_sign
    assert is_let(running.find_sponsor, world.chain, SERVER) is may_sign
    assert is_let(founding.find_sponsor, world.network.genesis, SERVER) is may_sign
