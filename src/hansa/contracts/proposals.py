"""Proposals: what `governance` keeps of them, their classes and rules, and their life.

Part of the contract `governance`, kept apart for reading; it has no commands of its own.

Source: docs/reference/governance.md; docs/decisions/0002-governance.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from hansa.kernel.contract import Event
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, Name, NonNegative, Positive, TimeMs

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_PROPOSAL = "governance.UNKNOWN_PROPOSAL"
    WRONG_STATE = "governance.WRONG_STATE"
    LOCK_OVER = "governance.LOCK_OVER"
    LOCKED = "governance.LOCKED"
    UNKNOWN_ACTION = "governance.UNKNOWN_ACTION"
    WRONG_ARGUMENTS = "governance.WRONG_ARGUMENTS"
    NOT_CARRIED = "governance.NOT_CARRIED"
    NOT_PROPOSER = "governance.NOT_PROPOSER"
    NOT_ELECTOR = "governance.NOT_ELECTOR"
    ALREADY_VOTED = "governance.ALREADY_VOTED"
    TOO_MANY_PROPOSALS = "governance.TOO_MANY_PROPOSALS"
    HEIGHT_NOT_AHEAD = "governance.HEIGHT_NOT_AHEAD"
    VERSION_NOT_NEWER = "governance.VERSION_NOT_NEWER"
    TOO_MANY_CONTRACTS = "governance.TOO_MANY_CONTRACTS"
    CODE_NOT_REPORTED = "governance.CODE_NOT_REPORTED"


class ProposalClass(StrEnum):
    """What a proposal is about: decides who votes, how many it takes, and who may veto."""

    MEMBERSHIP = "membership"
    POLICY = "policy"
    ACTIVATION = "activation"
    CONSTITUTION = "constitution"
    """Thresholds, time locks and voting times of the classes themselves."""
    KEYS = "keys"
    """New keys for a member that has lost its own: a membership matter with a longer lock."""
    MONETARY = "monetary"
    """Voted on by the central bank's officers and nobody else."""


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """How a class decides: the policy value `governance.<class>`."""

    numerator: Positive
    denominator: Positive
    time_lock_ms: NonNegative
    voting_ms: Positive

    def higher_threshold(self, other: Rule) -> Rule:
        """Return whichever of the two asks for the larger share."""
        is_higher = other.numerator * self.denominator > self.numerator * other.denominator
        return other if is_higher else self

    def compute_needed(self, total: int) -> int:
        """Compute the least weight that carries a proposal: the share, rounded up."""
        return max(1, -(-total * self.numerator // self.denominator))


DEFAULT_RULES: dict[ProposalClass, Rule] = {
    ProposalClass.MEMBERSHIP: Rule(2, 3, DAY_MS, 7 * DAY_MS),
    ProposalClass.POLICY: Rule(2, 3, DAY_MS, 7 * DAY_MS),
    ProposalClass.ACTIVATION: Rule(2, 3, DAY_MS, 7 * DAY_MS),
    ProposalClass.CONSTITUTION: Rule(3, 4, 7 * DAY_MS, 14 * DAY_MS),
    ProposalClass.KEYS: Rule(2, 3, 7 * DAY_MS, 14 * DAY_MS),
    ProposalClass.MONETARY: Rule(1, 1, 0, 7 * DAY_MS),
}
"""Where policy is silent. Of MONETARY the share is not used: the account's threshold is."""

CENTRAL_BANK_VETO = frozenset(
    {
        ProposalClass.MEMBERSHIP,
        ProposalClass.POLICY,
        ProposalClass.ACTIVATION,
        ProposalClass.KEYS,
    }
)


class State(StrEnum):
    """Where a proposal stands; it only moves forward."""

    OPEN = "open"
    PASSED = "passed"
    EXECUTED = "executed"
    REJECTED = "rejected"
    VETOED = "vetoed"
    EXPIRED = "expired"


class Step(StrEnum):
    """What can happen to a proposal."""

    VOTE = "vote"
    CARRY = "carry"
    DEFEAT = "defeat"
    OBJECT = "object"
    VETO = "veto"
    EXECUTE = "execute"
    LAPSE = "lapse"


LIFE: dict[tuple[State, Step], State] = {
    (State.OPEN, Step.VOTE): State.OPEN,
    (State.OPEN, Step.CARRY): State.PASSED,
    (State.OPEN, Step.DEFEAT): State.REJECTED,
    (State.OPEN, Step.LAPSE): State.EXPIRED,
    (State.PASSED, Step.OBJECT): State.PASSED,
    (State.PASSED, Step.VETO): State.VETOED,
    (State.PASSED, Step.EXECUTE): State.EXECUTED,
    (State.PASSED, Step.LAPSE): State.EXPIRED,
}
"""Every step that a proposal can take; any other pair is refused."""

ENDED = frozenset({State.EXECUTED, State.REJECTED, State.VETOED, State.EXPIRED})


class Elector(msgspec.Struct, frozen=True, array_like=True):
    """One vote: whose, its weight when the proposal was made, and what became of it."""

    address: Address
    weight: Positive
    approves: bool | None = None
    objects: bool = False


class Proposal(Row, frozen=True, array_like=True):
    """One proposal with its votes."""

    TABLE: ClassVar[bytes] = b"gp"
    KEY: ClassVar[tuple[str, ...]] = ("number",)

    number: Positive
    proposer: Address
    group: ProposalClass
    kind: Name
    arguments: bytes
    state: State
    """As of the last command; see `standing`."""
    roster_version: Positive
    electors: tuple[Elector, ...]
    """Fixed when the proposal was made, sorted by address."""
    needed: Positive
    """Weight that carries it."""
    opened_ms: TimeMs
    closes_ms: TimeMs
    """Last moment of voting."""
    time_lock_ms: NonNegative
    maker: Address
    """In whose docket it stands: the proposer's, or of money the officer's who made it."""
    ready_ms: TimeMs = 0
    """First moment of execution, once passed."""
    expires_ms: TimeMs = 0
    """Last moment of execution, once passed."""

    @property
    def total(self) -> int:
        """All weights together."""
        return sum(elector.weight for elector in self.electors)

    @property
    def approved(self) -> int:
        """Weight in favour."""
        return sum(elector.weight for elector in self.electors if elector.approves)

    @property
    def rejected(self) -> int:
        """Weight against."""
        return sum(elector.weight for elector in self.electors if elector.approves is False)

    @property
    def objected(self) -> int:
        """Weight that objects during the time lock."""
        return sum(elector.weight for elector in self.electors if elector.objects)

    def standing(self, time_ms: int) -> State:
        """Return the state as of a moment: what nobody acted on in time has expired."""
        deadline = {State.OPEN: self.closes_ms, State.PASSED: self.expires_ms}.get(self.state)
        if deadline is not None and time_ms > deadline:
            return LIFE[self.state, Step.LAPSE]
        return self.state


class Docket(Row, frozen=True, array_like=True):
    """Numbers of one maker's proposals that are still kept, oldest first."""

    TABLE: ClassVar[bytes] = b"gd"
    KEY: ClassVar[tuple[str, ...]] = ("maker",)

    maker: Address
    numbers: tuple[Positive, ...]


class LastNumber(Row, frozen=True, array_like=True):
    """The number that the latest proposal got."""

    TABLE: ClassVar[bytes] = b"gn"

    number: NonNegative


class Proposed(Event, frozen=True, array_like=True):
    """A proposal was made."""

    number: Positive
    proposer: Address
    group: ProposalClass
    kind: Name
    arguments: bytes
    closes_ms: TimeMs
    needed: Positive
    total: NonNegative


class Voted(Event, frozen=True, array_like=True):
    """An elector voted."""

    number: Positive
    voter: Address
    approve: bool
    weight: Positive


class Passed(Event, frozen=True, array_like=True):
    """A proposal was carried; it may be executed from a moment on, until another."""

    number: Positive
    ready_ms: TimeMs
    expires_ms: TimeMs


class Rejected(Event, frozen=True, array_like=True):
    """A proposal can no longer be carried."""

    number: Positive


class Objected(Event, frozen=True, array_like=True):
    """An elector objected during the time lock."""

    number: Positive
    voter: Address
    weight: Positive


class Vetoed(Event, frozen=True, array_like=True):
    """A passed proposal was stopped; the last objection is this voter's."""

    number: Positive
    voter: Address


class Executed(Event, frozen=True, array_like=True):
    """A proposal was carried out; what it did stands in the events before."""

    number: Positive


class Swept(Event, frozen=True, array_like=True):
    """An ended proposal was removed."""

    number: Positive
