"""Governance under any order of commands: no weight counts twice, nothing happens unvoted."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import (
    HOUR_MS,
    Harness,
    make_address,
    make_genesis,
    make_member,
)

from hansa.contracts import governance, members, policy
from hansa.contracts.actions import Action, SetWeight
from hansa.contracts.governance import Execute, Propose, Sweep, Veto, Vote
from hansa.contracts.members import Role
from hansa.contracts.proposals import LIFE, Executed, Proposal, Proposed, State
from hansa.kernel.contract import Command, Event
from hansa.kernel.errors import Refused

VALIDATORS = ("north", "east", "south", "west", "centre")
PEOPLE = (*VALIDATORS, "bank", "stranger")
LOCK_MS, VOTING_MS = 2 * HOUR_MS, 5 * HOUR_MS


@dataclass
class Ballot:
    """What the test itself wrote down about a proposal."""

    weights: dict[str, int]
    opened_ms: int
    votes: dict[str, bool] = field(default_factory=dict)
    objections: set[str] = field(default_factory=set)
    carried_ms: int | None = None
    stopped: bool = False

    def weight_of(self, names: object) -> int:
        return sum(self.weights[name] for name in names)

    @property
    def is_carried(self) -> bool:
        approved = self.weight_of(name for name, approve in self.votes.items() if approve)
        return 3 * approved >= 2 * sum(self.weights.values())


class GovernanceMachine(RuleBasedStateMachine):
    """Five validators of different weight and a central bank, proposing to change weights."""

    def __init__(self) -> None:
        super().__init__()
        people = [
            make_member("bank", Role.CENTRAL_BANK),
            *(
                make_member(name, Role.VALIDATOR, weight=weight)
                for name, weight in zip(VALIDATORS, (100, 120, 140, 160, 480), strict=True)
            ),
        ]
        rule_of_class = (2, 3, LOCK_MS, VOTING_MS)
        genesis = make_genesis(people, policy={"governance.membership": rule_of_class})
        installs = (members.install, policy.install, governance.install)
        self.harness = Harness(genesis, *installs)
        self.ballots: dict[int, Ballot] = {}
        self.states: dict[int, State] = {}

    def weights(self) -> dict[str, int]:
        roster = members.get_roster(self.harness.view)
        assert roster is not None
        found = {entry.address: entry.weight for entry in roster.entries}
        return {name: found[make_address(name)] for name in VALIDATORS}

    def attempt(self, command: Command, *signers: str) -> list[Event] | None:
        """Send a command; if it is refused, see that it changed nothing."""
        function = dict(governance.COMMANDS.values())[type(command)]
        before = dict(self.harness.rows)
        try:
            return self.harness.do(function, command, *signers)
        except Refused:
            assert self.harness.view.writes == {}
            assert self.harness.rows == before
            return None

    @rule(
        proposer=st.sampled_from(PEOPLE),
        validator=st.sampled_from(VALIDATORS),
        weight=st.integers(100, 200),
    )
    def propose(self, proposer: str, validator: str, weight: int) -> None:
        action = Action.of("set_weight", SetWeight(make_address(validator), weight))
        events = self.attempt(Propose(make_address(proposer), action), proposer)
        assert (events is None) == (proposer == "stranger") or len(self.ballots) >= 32
        if events is None:
            return
        number = next(event.number for event in events if isinstance(event, Proposed))
        ballot = Ballot(self.weights(), self.harness.time_ms)
        if proposer in VALIDATORS:
            ballot.votes[proposer] = True
        self.ballots[number] = ballot

    @precondition(lambda self: self.ballots)
    @rule(data=st.data(), voter=st.sampled_from(PEOPLE), approve=st.booleans())
    def vote(self, data: st.DataObject, voter: str, approve: bool) -> None:
        self.cast(self.draw_number(data), voter, approve=approve)

    @precondition(lambda self: self.ballots)
    @rule(data=st.data(), voters=st.permutations(VALIDATORS))
    def rally(self, data: st.DataObject, voters: list[str]) -> None:
        """Let most of the weight approve, or nothing would ever be executed."""
        number = self.draw_number(data)
        for voter in voters[:4]:
            self.cast(number, voter, approve=True)

    def draw_number(self, data: st.DataObject) -> int:
        """Draw one of the latest proposals: older ones have mostly ended."""
        return data.draw(st.sampled_from(sorted(self.ballots)[-3:]))

    def cast(self, number: int, voter: str, *, approve: bool) -> None:
        ballot = self.ballots[number]
        if self.attempt(Vote(number, make_address(voter), approve), voter) is None:
            return
        assert voter not in ballot.votes
        assert not ballot.is_carried
        assert self.harness.time_ms <= ballot.opened_ms + VOTING_MS
        ballot.votes[voter] = approve
        if ballot.is_carried:
            ballot.carried_ms = self.harness.time_ms

    @precondition(lambda self: self.ballots)
    @rule(data=st.data(), voter=st.sampled_from(PEOPLE))
    def veto(self, data: st.DataObject, voter: str) -> None:
        number = self.draw_number(data)
        ballot = self.ballots[number]
        if self.attempt(Veto(number, make_address(voter)), voter) is None:
            return
        assert ballot.carried_ms is not None
        assert self.harness.time_ms < ballot.carried_ms + LOCK_MS
        assert voter not in ballot.objections
        if voter == "bank":
            ballot.stopped = True
        else:
            ballot.objections.add(voter)
            objected = ballot.weight_of(ballot.objections)
            ballot.stopped = 3 * objected >= sum(ballot.weights.values())

    @precondition(lambda self: self.ballots)
    @rule(data=st.data())
    def execute(self, data: st.DataObject) -> None:
        number = self.draw_number(data)
        ballot = self.ballots[number]
        events = self.attempt(Execute(number), "stranger")
        if events is None:
            return
        assert events[-1] == Executed((), number)
        assert ballot.is_carried
        assert not ballot.stopped
        assert ballot.carried_ms is not None
        assert self.harness.time_ms >= ballot.carried_ms + LOCK_MS
        assert self.states[number] is State.PASSED

    @precondition(lambda self: self.ballots)
    @rule(data=st.data())
    def sweep(self, data: st.DataObject) -> None:
        number = self.draw_number(data)
        if self.attempt(Sweep(number), "stranger") is not None:
            del self.ballots[number], self.states[number]

    @rule(hours=st.sampled_from((1, 1, 2, 2, 4, 30)))
    def wait(self, hours: int) -> None:
        self.harness.pass_time(hours * HOUR_MS)

    @invariant()
    def weights_are_counted_once_and_as_of_the_proposal(self) -> None:
        for number, ballot in self.ballots.items():
            proposal = self.harness.get(Proposal, number)
            assert proposal is not None
            approving = [name for name, approve in ballot.votes.items() if approve]
            assert proposal.approved == ballot.weight_of(approving)
            assert proposal.total == sum(ballot.weights.values())
            assert ballot.stopped == (proposal.state is State.VETOED)
            assert proposal.objected == ballot.weight_of(ballot.objections)
            assert proposal.approved + proposal.rejected <= proposal.total

    @invariant()
    def states_only_move_forward(self) -> None:
        for number in self.ballots:
            proposal = self.harness.get(Proposal, number)
            assert proposal is not None
            before = self.states.get(number, State.OPEN)
            assert proposal.state is before or proposal.state in LIFE.values()
            moves = {after for (state, _), after in LIFE.items() if state is before}
            assert proposal.state is before or proposal.state in moves
            self.states[number] = proposal.state


TestGovernance = GovernanceMachine.TestCase
TestGovernance.settings = settings(
    max_examples=2_000 if IS_SOAK else 80, stateful_step_count=50, deadline=None
)
