"""Who may connect: what the ledger says of a peer counts, and settings where it says nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.channels import change
from tests.world import key, make_genesis, open_world

from hansa.contracts.nodes import Publish
from hansa.engine.cometbft.home import CometKey
from hansa.engine.storage import FileStorage
from hansa.kernel.genesis import GenesisNode
from hansa.node.network.peers import build_peer_rules
from hansa.node.network.renewal import prove_keys

OLD, NEW, STRANGER = (CometKey(bytes([number]) * 32) for number in (1, 2, 3))
NAMED = {each.address for each in (OLD, NEW, STRANGER)}
NORTH = key("north").address


@pytest.fixture
def world(tmp_path):
    node = GenesisNode(NORTH, b"", (OLD.address,), b"", "")
    return open_world(FileStorage(tmp_path), replace(make_genesis(), nodes=(node,)))


def publish(world, node_key):
    proofs = prove_keys(world.network, NORTH, node_key)
    assert world.do("north", Publish(NORTH, b"", (node_key.address,), b"", "", proofs)) == ""


def list_allowed(world, named=()):
    may_connect = build_peer_rules(world.chain, named).may_connect
    return [each for each in (OLD, NEW, STRANGER) if may_connect(each.address)]


def test_published_peers_may_connect_and_strangers_that_the_operator_names(world):
    assert list_allowed(world) == [OLD]
    assert list_allowed(world, NAMED) == [OLD, NEW, STRANGER]


def test_a_peer_that_its_member_took_out_may_not_though_settings_name_it(world):
    publish(world, NEW)
    assert list_allowed(world) == [NEW]
    assert list_allowed(world, NAMED) == [NEW, STRANGER]
    publish(world, OLD)
    assert list_allowed(world, NAMED) == [OLD, STRANGER]


def test_a_peer_that_was_taken_out_is_its_members_still(world):
    publish(world, NEW)
    find_member = build_peer_rules(world.chain, ()).find_member
    owners = [find_member(each.address) for each in (OLD, NEW, STRANGER)]
    assert owners == [NORTH, NORTH, None]


def test_peers_of_a_suspended_member_are_hung_up_on_also_those_it_had(world):
    publish(world, NEW)
    is_expelled = build_peer_rules(world.chain, ()).is_expelled
    assert not any(map(is_expelled, NAMED))
    change(world, "north", suspended=True)
    assert [each for each in (OLD, NEW, STRANGER) if is_expelled(each.address)] == [OLD, NEW]
    assert list_allowed(world, NAMED) == [STRANGER]
    change(world, "north", suspended=False)
    assert list_allowed(world) == [NEW]
    assert not any(map(is_expelled, NAMED))
