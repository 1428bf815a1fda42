"""Nodes under any order of commands: no key votes twice, and no power comes from nowhere."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import (
    HOUR_MS,
    Harness,
    make_address,
    make_genesis,
    make_member,
)

from hansa.contracts import members, nodes
from hansa.contracts.actions import ACTIONS, ReinstateMember, SetWeight, SuspendMember
from hansa.contracts.members import Role
from hansa.contracts.nodes import Node, Publish
from hansa.contracts.registry import Registry
from hansa.engine.cometbft.home import CometKey
from hansa.kernel.contract import Command
from hansa.kernel.crypto.possession import prove_possession
from hansa.kernel.errors import Refused
from hansa.kernel.genesis import GenesisNode

VALIDATORS = ("north", "east", "south", "west")
PEOPLE = ("bank", *VALIDATORS)
CONSENSUS = [CometKey(bytes([number]) * 32) for number in range(20, 26)]
NODES = [CometKey(bytes([number]) * 32) for number in range(40, 45)]
KEYS = (b"", *(key.public_key for key in CONSENSUS))
PEERS = tuple(key.address for key in NODES)
SEEDS = {
    **{key.public_key: key.seed for key in CONSENSUS},
    **{key.address: key.seed for key in NODES},
}


class NodesMachine(RuleBasedStateMachine):
    """A central bank and four validators, of whom one has a node at first, or three."""

    @initialize(names=st.sampled_from((("north",), ("north", "east", "south"))))
    def begin(self, names: tuple[str, ...]) -> None:
        people = [
            make_member("bank", Role.CENTRAL_BANK),
            *(make_member(name, Role.VALIDATOR, weight=100) for name in VALIDATORS),
        ]
        keys = {name: name[:1].encode() * 32 for name in names}
        first = [
            GenesisNode(make_address(name), key, (key[:20],), b"", "") for name, key in keys.items()
        ]
        genesis = make_genesis(people, nodes=first)
        self.harness = Harness(genesis, members.install, nodes.install)
        self.registry = Registry(genesis)
        self.owners = {key: name for name, key in keys.items()}
        self.past: list[tuple[int, dict[bytes, int]]] = []
        """(time, power on blocks by member) since the network was assembled."""
        self.known = {name: set[bytes]() for name in PEOPLE}
        self.changed_ms = dict.fromkeys(PEOPLE, -nodes.KEY_CHANGE_MS)
        """When each last put a key with power in the place of another."""

    def attempt(self, function, command: Command, *signers: str) -> bool:
        """Send a command; if it is refused, see that it changed nothing."""
        view = self.harness.view
        try:
            view.begin()
            function(view, self.harness.context(*signers), command)
        except Refused as refusal:
            found = refusal.code
            assert view.writes == {}
            view.begin()
        else:
            self.harness.do(function, command, *signers)
            return True
        is_free = isinstance(command, Publish) and not self.past
        assert not (is_free and found == members.Code.POWER_CHANGE), "a network that cannot begin"
        return False

    @rule(
        name=st.sampled_from(PEOPLE),
        key=st.sampled_from(KEYS),
        peers=st.lists(st.sampled_from(PEERS), max_size=3).map(tuple),
        forger=st.sampled_from((None, None, None, *PEOPLE)),
    )
    def publish(self, name: str, key: bytes, peers: tuple[bytes, ...], forger: str | None) -> None:
        prover = forger or name
        named = [each for each in (key, *peers) if each]
        proofs = [
            prove_possession(self.harness.genesis_hash, make_address(prover), SEEDS[each])
            for each in named
        ]
        command = Publish(make_address(name), key, peers, b"", "", tuple(proofs))
        view, now_ms = self.harness.view, self.harness.time_ms
        view.begin()
        before = dict(nodes.list_validators(view))
        if self.attempt(nodes.publish, command, name):
            assert prover == name or self.known[name].issuperset(named), "without a proof"
            if key:
                assert self.owners.setdefault(key, name) == name, "a key has two owners"
            self.known[name] = set(named)
            view.begin()
            if before.keys() - dict(nodes.list_validators(view)).keys():
                assert now_ms - self.changed_ms[name] >= nodes.KEY_CHANGE_MS, "twice within a day"
                self.changed_ms[name] = now_ms

    @rule(name=st.sampled_from(VALIDATORS), weight=st.integers(0, 200))
    def set_weight(self, name: str, weight: int) -> None:
        self.act("set_weight", SetWeight(make_address(name), weight))

    @rule(name=st.sampled_from(VALIDATORS), ends=st.booleans())
    def suspend(self, name: str, *, ends: bool) -> None:
        if ends:
            self.act("reinstate_member", ReinstateMember(make_address(name)))
        else:
            self.act("suspend_member", SuspendMember(make_address(name)))

    def act(self, kind: str, action: Command) -> None:
        self.attempt(ACTIONS[kind].function, action)

    @rule(hours=st.integers(1, 23))
    def pass_hours(self, hours: int) -> None:
        self.harness.pass_time(hours * HOUR_MS)

    @rule()
    def pass_a_day(self) -> None:
        self.harness.pass_time(members.POWER_WINDOW_MS)

    @invariant()
    def blocks_are_voted_by_weights_that_have_keys(self) -> None:
        view = self.harness.view
        view.begin()
        found = nodes.list_validators(view)
        assert found, "nobody could sign a block"
        assert list(found) == sorted(found)
        assert len(dict(found)) == len(found), "a key votes twice"
        roster = members.get_roster(view)
        assert roster is not None
        expected = {}
        for entry in roster.entries:
            node = view.get(Node, entry.address)
            if node is not None and node.consensus_key:
                expected[node.consensus_key] = entry.weight
        assert dict(found) == expected
        assert self.registry.validators(view) == found

    @invariant()
    def who_knew_the_validators_a_day_ago_knows_two_thirds_of_them(self) -> None:
        view, now_ms = self.harness.view, self.harness.time_ms
        view.begin()
        roster = members.get_roster(view)
        assert roster is not None
        entries = {entry.address: entry.weight for entry in roster.entries}
        nodes_of = {address: view.get(Node, address) for address in entries}
        powers = {
            address: weight
            for address, weight in entries.items()
            if (node := nodes_of[address]) is not None and node.consensus_key
        }
        present = sum(powers.values())
        if not self.past and 3 * present <= 2 * roster.total:
            return
        self.past.append((now_ms, powers))
        for time_ms, before in self.past:
            if time_ms > now_ms - members.POWER_WINDOW_MS:
                both = sum(min(before[each], powers[each]) for each in before.keys() & powers)
                assert 3 * both > 2 * max(sum(before.values()), present)

    @invariant()
    def peers_are_of_the_member_that_names_them(self) -> None:
        view = self.harness.view
        view.begin()
        named = {}
        for name in PEOPLE:
            node = view.get(Node, make_address(name))
            for peer in () if node is None else node.peers:
                assert named.setdefault(peer, node.member) == node.member
        assert {peer: nodes.find_peer(view, peer) for peer in PEERS} == {
            peer: named.get(peer) for peer in PEERS
        }


TestNodes = NodesMachine.TestCase
TestNodes.settings = settings(
    max_examples=500 if IS_SOAK else 40, stateful_step_count=30, deadline=None
)
