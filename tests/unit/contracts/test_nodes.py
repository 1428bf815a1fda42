"""Nodes: who publishes one, which keys are refused, and who votes on blocks in the end."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts import council
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_key

from hansa.contracts import members, nodes
from hansa.contracts.actions import (
    ACTIONS,
    Action,
    AdmitMember,
    ReinstateMember,
    SetWeight,
    SuspendMember,
)
from hansa.contracts.members import PowerChange, Role
from hansa.contracts.nodes import BlockPower, Code, Node, NodePublished, Peer, Publish, UsedKey
from hansa.contracts.registry import Registry
from hansa.engine.cometbft.home import CometKey
from hansa.kernel.contract import NO_MONEY, Command, Event
from hansa.kernel.crypto.possession import KeyProof, prove_possession
from hansa.kernel.genesis import GenesisNode

NORTH, EAST, SOUTH, WEST = (make_address(name) for name in council.VALIDATORS)
OPERATOR = council.OPERATOR
CONSENSUS = [CometKey(bytes([number]) * 32) for number in range(20, 30)]
NODES = [CometKey(bytes([number]) * 32) for number in range(40, 60)]
KEYS = [key.public_key for key in CONSENSUS]
PEERS = [key.address for key in NODES]
HOLDERS = dict(zip((*KEYS, *PEERS), (*CONSENSUS, *NODES), strict=True))
"""The key behind what is published of it."""
CHANNEL_KEY = b"c" * 32
URL = "https://node.example:26600/"


def make_node(member: bytes, number: int, **changes: object) -> GenesisNode:
    node = GenesisNode(member, KEYS[number], (PEERS[number],), CHANNEL_KEY, URL)
    return msgspec.structs.replace(node, **changes)


def make_harness() -> Harness:
    """Four validators of 100 votes each, all with nodes."""
    return council.make_harness(
        *(make_node(make_address(name), at) for at, name in enumerate(council.VALIDATORS))
    )


def make_publish(member: bytes = NORTH, **changes: object) -> Publish:
    """What north's node says of itself already, with changes."""
    return msgspec.structs.replace(
        Publish(member, KEYS[0], (PEERS[0],), CHANNEL_KEY, URL), **changes
    )


def proven(harness: Harness, command: Publish) -> Publish:
    """The same, with proofs of all keys in it."""
    named = [key for key in (command.consensus_key, *command.peers) if key in HOLDERS]
    seeds = [HOLDERS[key].seed for key in named]
    signed = [prove_possession(harness.genesis_hash, command.member, seed) for seed in seeds]
    return msgspec.structs.replace(command, proofs=tuple(signed))


def publish(harness: Harness, command: Publish, signer: str = "north") -> list[Event]:
    return harness.do(nodes.publish, proven(harness, command), signer)


def powers(harness: Harness) -> dict[bytes, int]:
    harness.view.begin()
    found = nodes.list_validators(harness.view)
    assert list(found) == sorted(found)
    assert len(dict(found)) == len(found)
    return dict(found)


ALL = dict.fromkeys(KEYS[:4], 100)


def test_genesis_names_nodes_keys_and_peers() -> None:
    harness = make_harness()
    assert powers(harness) == ALL
    assert nodes.get_node(harness.view, NORTH) == Node(
        NORTH, KEYS[0], (PEERS[0],), CHANNEL_KEY, URL, 0
    )
    assert nodes.find_peer(harness.view, PEERS[1]) == EAST
    assert nodes.find_peer(harness.view, PEERS[9]) is None
    assert harness.get(UsedKey, KEYS[2]) == UsedKey(KEYS[2], SOUTH)


def test_a_network_without_nodes_has_no_validators_of_blocks() -> None:
    assert powers(council.make_harness()) == {}


def test_a_member_publishes_its_first_node() -> None:
    harness = make_harness()
    command = Publish(OPERATOR, KEYS[5], (PEERS[5], PEERS[6]), b"", "")
    events = publish(harness, command, "operator")
    assert events == [NodePublished(NO_MONEY, OPERATOR, KEYS[5], (PEERS[5], PEERS[6]), b"", "")]
    node = nodes.get_node(harness.view, OPERATOR)
    assert node is not None
    assert node.since_height == harness.height - 1
    assert nodes.find_peer(harness.view, PEERS[6]) == OPERATOR
    assert powers(harness) == ALL, "it has a key, and no weight"


def test_an_observer_may_come_without_keys_and_drop_one_it_has() -> None:
    harness = make_harness()
    publish(harness, Publish(OPERATOR, b"", (PEERS[5],), b"", ""), "operator")
    publish(harness, Publish(OPERATOR, KEYS[5], (), b"", ""), "operator")
    publish(harness, Publish(OPERATOR, b"", (), b"", ""), "operator")
    again = Publish(OPERATOR, KEYS[5], (), b"", "")
    assert harness.refuse(nodes.publish, again, "operator") == Code.KEY_USED


def test_a_new_key_takes_the_place_of_the_old_one() -> None:
    harness = make_harness()
    publish(harness, make_publish(consensus_key=KEYS[4]))
    assert powers(harness) == {**dict.fromkeys(KEYS[1:4], 100), KEYS[4]: 100}
    assert harness.get(UsedKey, KEYS[0]) == UsedKey(KEYS[0], NORTH), "it stays used"


def test_publishing_the_same_again_changes_nothing_but_the_height() -> None:
    harness = make_harness()
    publish(harness, make_publish())
    assert powers(harness) == ALL
    assert nodes.find_peer(harness.view, PEERS[0]) == NORTH


def test_peers_come_and_go_with_their_member() -> None:
    harness = make_harness()
    publish(harness, make_publish(peers=(PEERS[7], PEERS[8])))
    assert nodes.find_peer(harness.view, PEERS[0]) is None
    assert harness.get(Peer, PEERS[0]) == Peer(PEERS[0], NORTH, revoked=True)
    assert harness.get(Peer, PEERS[7]) == Peer(PEERS[7], NORTH, revoked=False)
    publish(harness, make_publish(EAST, consensus_key=KEYS[1], peers=(PEERS[0],)), "east")
    assert nodes.find_peer(harness.view, PEERS[0]) == EAST


@pytest.mark.parametrize(
    "changes",
    [
        {"consensus_key": bytes(32)},
        {"consensus_key": b"k" * 31},
        {"channel_key": b"c" * 31},
        {"peers": (PEERS[0], PEERS[0])},
        {"url": "javascript:alert(1)"},
        {"url": "https://node example"},
        {"url": "https://städtchen.example"},
    ],
)
def test_a_node_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    assert make_harness().refuse(nodes.publish, make_publish(**changes), "north") == Code.UNSOUND


def test_only_its_member_publishes_a_node_and_only_in_standing() -> None:
    harness = make_harness()
    assert harness.refuse(nodes.publish, make_publish(), "east") == "kernel.NOT_AUTHORIZED"
    stranger = make_publish(make_address("stranger"), consensus_key=KEYS[9], peers=())
    assert harness.refuse(nodes.publish, stranger, "stranger") == members.Code.NOT_A_MEMBER
    council.decide(harness, Action.of("suspend_member", SuspendMember(NORTH)))
    assert harness.refuse(nodes.publish, make_publish(), "north") == members.Code.SUSPENDED


def test_a_validator_with_a_weight_keeps_a_key() -> None:
    harness = make_harness()
    command = make_publish(consensus_key=b"")
    assert harness.refuse(nodes.publish, command, "north") == Code.KEY_NEEDED
    council.decide(harness, Action.of("set_weight", SetWeight(NORTH, 0)))
    publish(harness, command)
    assert powers(harness) == dict.fromkeys(KEYS[1:4], 100)


@pytest.mark.parametrize("key", [KEYS[1], KEYS[0]])
def test_a_key_is_never_used_again(key: bytes) -> None:
    harness = make_harness()
    publish(harness, make_publish(consensus_key=KEYS[4]))
    publish(harness, make_publish(EAST, consensus_key=KEYS[5], peers=(PEERS[1],)), "east")
    command = make_publish(consensus_key=key)
    assert harness.refuse(nodes.publish, command, "north") == Code.KEY_USED


def test_a_validator_changes_its_key_once_a_day() -> None:
    harness = make_harness()
    publish(harness, make_publish(consensus_key=KEYS[4]))
    changed_ms = harness.time_ms
    again = proven(harness, make_publish(consensus_key=KEYS[5]))
    harness.pass_time(nodes.KEY_CHANGE_MS - 1)
    assert harness.refuse(nodes.publish, again, "north") == Code.KEY_RECENT
    publish(harness, make_publish(consensus_key=KEYS[4], url="https://other.example/"))
    publish(harness, make_publish(EAST, consensus_key=KEYS[6], peers=(PEERS[1],)), "east")
    harness.pass_time(1)
    assert harness.time_ms == changed_ms + nodes.KEY_CHANGE_MS
    publish(harness, again)
    assert powers(harness) == {KEYS[5]: 100, KEYS[6]: 100, KEYS[2]: 100, KEYS[3]: 100}


def test_governance_lets_a_validator_change_its_key_again() -> None:
    harness = make_harness()
    publish(harness, make_publish(consensus_key=KEYS[4]))
    command = make_publish(consensus_key=KEYS[5])
    assert harness.refuse(nodes.publish, proven(harness, command), "north") == Code.KEY_RECENT
    harness.do(ACTIONS["set_weight"].function, SetWeight(NORTH, 0))
    publish(harness, command)
    publish(harness, make_publish(consensus_key=KEYS[6]))
    assert powers(harness) == dict.fromkeys(KEYS[1:4], 100)


def test_a_key_or_peer_of_another_is_refused() -> None:
    harness = make_harness()
    both = make_publish(consensus_key=KEYS[1], peers=(PEERS[1],))
    assert harness.refuse(nodes.publish, both, "north") == Code.KEY_USED
    command = make_publish(peers=(PEERS[0], PEERS[1]))
    assert harness.refuse(nodes.publish, command, "north") == Code.PEER_TAKEN


def refuse(harness: Harness, command: Publish) -> str:
    return harness.refuse(nodes.publish, command, "north")


def test_whoever_publishes_a_key_proves_to_hold_it() -> None:
    """The proofs are of one network, one member and one key, and each new key needs its own."""
    harness = make_harness()
    with_peer = make_publish(consensus_key=KEYS[4], peers=(PEERS[0], PEERS[4]))
    for new in (make_publish(consensus_key=KEYS[4]), with_peer):
        assert refuse(harness, new) == Code.UNPROVEN, "without a proof"
        good = proven(harness, new)
        key = HOLDERS[PEERS[4] if new is with_peer else KEYS[4]]
        for proof in (
            prove_possession(bytes(32), NORTH, key.seed),
            prove_possession(harness.genesis_hash, EAST, key.seed),
            prove_possession(harness.genesis_hash, NORTH, CONSENSUS[5].seed),
            KeyProof(key.public_key, bytes(64)),
        ):
            wrong = msgspec.structs.replace(new, proofs=(proof,))
            assert refuse(harness, wrong) == Code.UNPROVEN, proof
        harness.do(nodes.publish, good, "north")
        harness.pass_time(nodes.KEY_CHANGE_MS)
    both = proven(harness, make_publish(consensus_key=KEYS[6], peers=(PEERS[6],)))
    for at in range(2):
        one = msgspec.structs.replace(both, proofs=both.proofs[at : at + 1])
        assert refuse(harness, one) == Code.UNPROVEN
    harness.do(nodes.publish, both, "north")


def test_a_first_key_moves_power_on_blocks_less_than_a_third_a_day() -> None:
    """A member without a key has weights as it may, and then no more than anyone moves at once."""
    harness, new = make_harness(), make_address("new")
    admission = AdmitMember(new, "New", (Role.VALIDATOR,), 190, (make_key("new"),), 1)

    def act(kind: str, action: Command) -> None:
        harness.do(ACTIONS[kind].function, action, "new")

    def refuse_weight(name: str, weight: int) -> str:
        action = SetWeight(make_address(name), weight)
        return harness.refuse(ACTIONS["set_weight"].function, action)

    act("admit_member", admission)
    harness.pass_time(members.POWER_WINDOW_MS)
    act("set_weight", SetWeight(new, 250))
    first = proven(harness, Publish(new, KEYS[5], (), b"", ""))
    assert harness.refuse(nodes.publish, first, "new") == members.Code.POWER_CHANGE
    harness.pass_time(members.POWER_WINDOW_MS)
    assert harness.refuse(nodes.publish, first, "new") == members.Code.POWER_CHANGE
    act("set_weight", SetWeight(new, 190))
    harness.do(nodes.publish, first, "new")
    assert powers(harness) == {**ALL, KEYS[5]: 190}
    harness.pass_time(members.POWER_WINDOW_MS - 1)
    assert refuse_weight("north", 90) == members.Code.POWER_CHANGE
    act("set_weight", SetWeight(NORTH, 105))
    harness.pass_time(1)
    act("set_weight", SetWeight(NORTH, 90))


def test_a_network_that_began_with_one_key_takes_the_others_as_they_come() -> None:
    """Until more than two thirds of the power have one; what comes then is counted."""
    harness = council.make_harness(make_node(NORTH, 0))
    for at, name in enumerate(council.VALIDATORS[1:3], start=1):
        publish(harness, Publish(make_address(name), KEYS[at], (), b"", ""), name)
    assert powers(harness) == dict.fromkeys(KEYS[:3], 100)
    assert harness.get(BlockPower) == BlockPower()
    publish(harness, Publish(WEST, KEYS[3], (), b"", ""), "west")
    assert powers(harness) == ALL
    assert harness.get(BlockPower) == BlockPower((PowerChange(harness.time_ms, 100, 300),))


def test_cuts_of_members_without_a_key_may_assemble_a_network() -> None:
    harness = council.make_harness(*(make_node(who, at) for at, who in enumerate((NORTH, EAST))))
    assert harness.get(BlockPower) is None
    for name in ("south", "west"):
        council.decide(harness, Action.of("set_weight", SetWeight(make_address(name), 49)))
        harness.pass_time(members.POWER_WINDOW_MS)
    assert harness.get(BlockPower) == BlockPower()


def test_a_new_key_in_the_place_of_another_moves_nothing() -> None:
    harness = make_harness()
    for at, name in enumerate(council.VALIDATORS):
        member = make_address(name)
        publish(harness, Publish(member, KEYS[at + 4], (), b"", ""), name)
    assert powers(harness) == dict.fromkeys(KEYS[4:8], 100)
    assert harness.get(BlockPower) == BlockPower()


def test_what_stays_needs_no_proof() -> None:
    harness = make_harness()
    moved = make_publish(url="https://elsewhere.example", channel_key=b"d" * 32)
    harness.do(nodes.publish, moved, "north")
    harness.do(nodes.publish, make_publish(peers=()), "north")
    assert refuse(harness, make_publish()) == Code.UNPROVEN, "it was gone"


def test_the_only_validator_left_keeps_its_power() -> None:
    harness = council.make_harness(make_node(NORTH, 0))
    for action in (
        Action.of("suspend_member", SuspendMember(NORTH)),
        Action.of("set_weight", SetWeight(NORTH, 0)),
    ):
        number = council.carry(harness, action)
        assert council.refuse_execute(harness, number) == Code.LAST_VALIDATOR
    council.decide(harness, Action.of("set_weight", SetWeight(NORTH, 1)))
    assert powers(harness) == {KEYS[0]: 1}
    publish(harness, make_publish(EAST, consensus_key=KEYS[1], peers=()), "east")
    council.decide(harness, Action.of("suspend_member", SuspendMember(NORTH)))
    assert powers(harness) == {KEYS[1]: 100}


def test_governance_moves_who_votes_on_blocks() -> None:
    """Admission, node, weight, suspension, rotation and return, each as it should be."""
    harness = make_harness()
    new = make_address("new")
    admission = AdmitMember(new, "New", (Role.VALIDATOR,), 60, (), 1)
    council.decide(harness, Action.of("admit_member", admission), "new")
    assert powers(harness) == ALL, "no node yet"
    publish(harness, Publish(new, KEYS[5], (PEERS[5],), CHANNEL_KEY, URL), "new")
    assert powers(harness) == {**ALL, KEYS[5]: 60}
    harness.pass_time(members.POWER_WINDOW_MS)
    council.decide(harness, Action.of("set_weight", SetWeight(new, 90)))
    assert powers(harness) == {**ALL, KEYS[5]: 90}
    harness.pass_time(members.POWER_WINDOW_MS)
    council.decide(harness, Action.of("suspend_member", SuspendMember(new)))
    assert powers(harness) == ALL
    harness.pass_time(members.POWER_WINDOW_MS)
    council.decide(harness, Action.of("reinstate_member", ReinstateMember(new)))
    publish(harness, Publish(new, KEYS[6], (PEERS[5],), CHANNEL_KEY, URL), "new")
    assert powers(harness) == {**ALL, KEYS[6]: 90}
    harness.pass_time(members.POWER_WINDOW_MS)
    council.decide(harness, Action.of("set_weight", SetWeight(new, 0)))
    assert powers(harness) == ALL


def test_the_registry_answers_with_the_same_tuple_until_something_changes() -> None:
    harness = make_harness()
    registry = Registry(make_genesis())
    harness.view.begin()
    first = registry.validators(harness.view)
    assert dict(first) == ALL
    assert registry.validators(harness.view) is first
    publish(harness, make_publish(consensus_key=KEYS[4]))
    harness.view.begin()
    second = registry.validators(harness.view)
    assert dict(second) == powers(harness)
    assert second != first
    assert registry.validators(harness.view) is second
