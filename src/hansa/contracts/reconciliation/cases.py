"""Cases: what becomes of a break, on the record of both parties.

What the break is, and how it is to be resolved, are commitments: the parties exchange the details
between themselves. Four eyes each: one officer of a party proposes or accepts and another one
confirms, in the same transaction or a later one; officers are keys with the purpose OPERATE, and
none counts for both parties. A dispute needs nobody else's consent, and stands until the parties
resolve it. A break that a later window matched is healed by both.

Source: docs/concepts/reconciliation.md; four-eyes principle as of the Basel core principles.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.contracts.reconciliation import agreements, windows
from hansa.contracts.reconciliation.windows import WindowNumber
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows
from hansa.kernel.values import Address, Hash, NonNegative, TimeMs

NAME = "cases"
VERSION = 1

OFFICERS_MAX = 16
EYES = 2
"""Officers of one party who must have signed, each with a key of their own."""

Officers = Annotated[tuple[Address, ...], Meta(max_length=OFFICERS_MAX)]


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_CASE = "cases.UNKNOWN_CASE"
    STILL_ON_RECORD = "cases.STILL_ON_RECORD"
    WRONG_PARTY = "cases.WRONG_PARTY"
    WRONG_STATE = "cases.WRONG_STATE"
    OTHER_TERMS = "cases.OTHER_TERMS"
    SAME_OFFICER = "cases.SAME_OFFICER"
    TOO_MANY_CASES = "cases.TOO_MANY_CASES"
    CASE_EXISTS = "cases.CASE_EXISTS"


class Kind(IntEnum):
    """How a break is to be resolved."""

    CORRECT = 1
    """A party enters in its books what was missing or wrong."""
    WRITE_OFF = 2
    """It is too small to look into, and borne by whom the terms name."""
    REVERSE = 3
    """A movement is undone."""
    DISPUTE = 4
    """The parties do not agree; it goes to whom the terms name."""


class State(IntEnum):
    """Where a case stands."""

    OPEN = 1
    PROPOSED = 2
    """One officer proposes a resolution; another one has yet to confirm it."""
    OFFERED = 3
    """A party proposes it; the other one has yet to accept."""
    ACCEPTED = 4
    """One officer of the other party accepts; another one has yet to confirm it."""
    RESOLVED = 5
    DISPUTED = 6
    HEALED = 7
    """A later entry matched."""


LIFE_CYCLE: dict[tuple[State, str], State] = {
    (State.OPEN, "propose"): State.PROPOSED,
    (State.DISPUTED, "propose"): State.PROPOSED,
    (State.PROPOSED, "withdraw"): State.OPEN,
    (State.PROPOSED, "decline"): State.OPEN,
    (State.PROPOSED, "confirm"): State.OFFERED,
    (State.PROPOSED, "confirm_dispute"): State.DISPUTED,
    (State.OFFERED, "withdraw"): State.OPEN,
    (State.OFFERED, "decline"): State.OPEN,
    (State.OFFERED, "accept"): State.ACCEPTED,
    (State.ACCEPTED, "withdraw"): State.OPEN,
    (State.ACCEPTED, "decline"): State.OPEN,
    (State.ACCEPTED, "confirm"): State.RESOLVED,
} | {
    (state, "heal"): State.HEALED
    for state in (State.OPEN, State.PROPOSED, State.OFFERED, State.ACCEPTED, State.DISPUTED)
}
"""What may follow what; a pair that is not here is WRONG_STATE. What is disputed goes back to
DISPUTED, not to OPEN. Neither party keeps the other from its turn: that declines, or withdraws."""


class Case(Row, frozen=True, array_like=True):
    """A break that somebody looks into."""

    TABLE: ClassVar[bytes] = b"bk"
    KEY: ClassVar[tuple[str, ...]] = ("agreement", "case_id")
    CHARGED_TO: ClassVar[str] = "sponsor"

    agreement: Hash
    case_id: Hash
    """Commitment to what the break is; both parties compute the same."""
    window: WindowNumber
    opener: Address
    state: State
    since_ms: TimeMs
    """When it came into this state."""
    sponsor: Address
    """Who brought it in, and is charged for this row until it is swept."""
    kind: NonNegative = 0
    """Of the resolution that is proposed, a `Kind`; 0 where there is none."""
    terms: Hash = ZERO_HASH
    """Commitment to that resolution."""
    proposer: bytes = b""
    """The party that proposes it."""
    officers: Officers = ()
    """Keys that signed the step that is to be confirmed."""
    offered_by: Officers = ()
    """Keys that signed what the other party has yet to accept; they do not count for it."""
    disputed: Hash = ZERO_HASH
    """Commitment to why it is disputed; zero if it is not."""

    @property
    def can_heal(self) -> bool:
        """Whether it closes when a later entry matches."""
        return (self.state, "heal") in LIFE_CYCLE


class Open(Command, frozen=True, array_like=True):
    """Open a case for a break of a closed window."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    case_id: Hash


class Propose(Command, frozen=True, array_like=True):
    """Propose how a case is to be resolved."""

    agreement: Hash
    bank: Address
    case_id: Hash
    kind: Kind
    terms: Hash


class Accept(Command, frozen=True, array_like=True):
    """Accept what the other party proposes."""

    agreement: Hash
    bank: Address
    case_id: Hash
    terms: Hash


class Confirm(Command, frozen=True, array_like=True):
    """Confirm, as a second officer, what a first one of the same party proposed or accepted."""

    agreement: Hash
    bank: Address
    case_id: Hash
    terms: Hash


class Decline(Command, frozen=True, array_like=True):
    """Turn down what the other party proposes, or what one's own officer accepted."""

    agreement: Hash
    bank: Address
    case_id: Hash


class Withdraw(Command, frozen=True, array_like=True):
    """Take back what one's own party proposes, before it is accepted."""

    agreement: Hash
    bank: Address
    case_id: Hash


class Sweep(Command, frozen=True, array_like=True):
    """Remove a case after its time on record; anyone may."""

    agreement: Hash
    case_id: Hash


class Opened(Event, frozen=True, array_like=True):
    """A case was opened."""

    agreement: Hash
    case_id: Hash
    window: WindowNumber
    bank: Address


class Moved(Event, frozen=True, array_like=True):
    """A case went on."""

    agreement: Hash
    case_id: Hash
    bank: Address
    """Whose officers moved it."""
    kind: Kind
    terms: Hash
    state: State


class Healed(Event, frozen=True, array_like=True):
    """A later entry matched: the case is closed."""

    agreement: Hash
    case_id: Hash


class Swept(Event, frozen=True, array_like=True):
    """The record of a case was removed."""

    agreement: Hash
    case_id: Hash


def open_case(view: View, context: Context, command: Open) -> list[Event]:
    """Open a case; each party opens at most as many as there are or were breaks in the window.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement = agreements.require_party(
        view, context, command.agreement, command.bank, Purpose.OPERATE
    )
    window = windows.require_closed(view, agreement.agreement, command.window)
    is_left = command.bank == agreement.left
    opened = (window.left if is_left else window.right).cases
    if opened >= window.left.open + window.right.open + window.healed:
        raise Refused(Code.TOO_MANY_CASES, cases=opened)
    if view.get(Case, agreement.agreement, command.case_id) is not None:
        raise Refused(Code.CASE_EXISTS, case_id=command.case_id)
    # CHANGE
    view.put(
        Case(
            agreement.agreement,
            command.case_id,
            command.window,
            command.bank,
            State.OPEN,
            context.time_ms,
            context.sponsor,
        )
    )
    windows.count_case(view, window, is_left=is_left)
    windows.count_row(view, agreement.agreement, 1)
    # TELL
    return [Opened(NO_MONEY, agreement.agreement, command.case_id, command.window, command.bank)]


def propose(view: View, context: Context, command: Propose) -> list[Event]:
    """Propose a resolution; with two officers' signatures it is confirmed at once.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _require_case(view, context, command)
    state = _follow(case, "propose")
    proposed = msgspec.structs.replace(
        case,
        kind=command.kind,
        terms=command.terms,
        proposer=command.bank,
        state=state,
        since_ms=context.time_ms,
    )
    signed = _sign(view, context, proposed, command.bank)
    # CHANGE
    view.put(signed)
    # TELL
    return [_tell(signed, command.bank)]


def accept(view: View, context: Context, command: Accept) -> list[Event]:
    """Accept a resolution; with two officers' signatures it is confirmed at once.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _require_case(view, context, command)
    _require_turn(case, is_proposer=False, bank=command.bank)
    state = _follow(case, "accept")
    _require_terms(case, command.terms)
    accepted = msgspec.structs.replace(case, state=state, since_ms=context.time_ms)
    signed = _sign(view, context, accepted, command.bank)
    # CHANGE
    view.put(signed)
    # TELL
    return [_tell(signed, command.bank)]


def confirm(view: View, context: Context, command: Confirm) -> list[Event]:
    """Confirm a step of one's own party with another key than the one that made it.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _require_case(view, context, command)
    _require_turn(case, is_proposer=case.state is not State.ACCEPTED, bank=command.bank)
    _follow(case, "confirm")
    _require_terms(case, command.terms)
    confirmed = _sign(view, context, case, command.bank)
    if confirmed.state is case.state:
        raise Refused(Code.SAME_OFFICER, officers=len(confirmed.officers))
    # CHANGE
    view.put(confirmed)
    # TELL
    return [_tell(confirmed, command.bank)]


def decline(view: View, context: Context, command: Decline) -> list[Event]:
    """Turn a resolution down; one officer is enough.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    return _end_proposal(view, context, command, "decline")


def withdraw(view: View, context: Context, command: Withdraw) -> list[Event]:
    """Take a proposal back, until four eyes have accepted it; one officer is enough.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    return _end_proposal(view, context, command, "withdraw")


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove the row of a case that is closed, or whose agreement is over, after its time.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _get_known(view, command.agreement, command.case_id)
    agreement = agreements.get_known(view, command.agreement)
    if not agreements.is_over(agreement, context.time_ms):
        is_closed = case.state in (State.RESOLVED, State.HEALED)
        keep_ms = agreement.keep_days * DAY_MS
        if not is_closed or context.time_ms <= case.since_ms + keep_ms:
            raise Refused(Code.STILL_ON_RECORD, state=case.state.name)
    # CHANGE
    view.delete(Case, command.agreement, command.case_id)
    windows.count_row(view, command.agreement, -1)
    # TELL
    return [Swept(NO_MONEY, command.agreement, command.case_id)]


def find_case(rows: Rows, agreement: bytes, case_id: bytes) -> Case | None:
    """Find a case, in whatever state."""
    return rows.get(Case, agreement, case_id)


def heal(view: View, context: Context, agreement: bytes, ids: Sequence[bytes]) -> list[Event]:
    """Close the cases of breaks that a later entry matched, as both parties have stated.

    For `reconciliation`. What is resolved, healed or unknown stays as it is.
    """
    events: list[Event] = []
    for case_id in ids:
        case = view.get(Case, agreement, case_id)
        if case is not None and case.can_heal:
            view.put(_clear(case, _follow(case, "heal"), context.time_ms, ZERO_HASH))
            events.append(Healed(NO_MONEY, agreement, case_id))
    return events


def _require_case(
    view: View, context: Context, command: Propose | Accept | Confirm | Decline | Withdraw
) -> Case:
    """Get a case, for a party to it."""
    agreements.require_party(view, context, command.agreement, command.bank, Purpose.OPERATE)
    return _get_known(view, command.agreement, command.case_id)


def _get_known(view: View, agreement: bytes, case_id: bytes) -> Case:
    case = view.get(Case, agreement, case_id)
    if case is None:
        raise Refused(Code.UNKNOWN_CASE, case_id=case_id)
    return case


def _require_turn(case: Case, *, is_proposer: bool, bank: bytes) -> None:
    """Refuse what is not this party's to do; nothing is, where nothing is proposed."""
    if case.proposer and (bank == case.proposer) is not is_proposer:
        raise Refused(Code.WRONG_PARTY, proposer=case.proposer)


def _follow(case: Case, word: str) -> State:
    """Return the state that a step leads to."""
    state = LIFE_CYCLE.get((case.state, word))
    if state is None:
        raise Refused(Code.WRONG_STATE, state=case.state.name, command=word)
    return state


def _require_terms(case: Case, terms: bytes) -> None:
    """Refuse to sign other terms than those that are proposed by now."""
    if terms != case.terms:
        raise Refused(Code.OTHER_TERMS, terms=case.terms)


def _sign(view: View, context: Context, case: Case, bank: bytes) -> Case:
    """Compute a case that a party's officers sign, confirmed if four eyes have seen it by now.

    Who has signed counts as long as the key is one of an officer; a new key in its place is
    nobody else's eyes.

    Raises:
      Refused: `SAME_OFFICER` where only the other party's officers sign.
    """
    signed = {*context.signers, *case.officers} - set(case.offered_by)
    officers = tuple(key for key in _list_officers(view, bank) if key in signed)
    if not officers:
        raise Refused(Code.SAME_OFFICER, officers=0)
    if len(officers) < EYES:
        return msgspec.structs.replace(case, officers=officers)
    is_dispute = case.state is State.PROPOSED and case.kind == Kind.DISPUTE
    state = _follow(case, "confirm_dispute" if is_dispute else "confirm")
    return msgspec.structs.replace(
        case,
        state=state,
        since_ms=context.time_ms,
        officers=(),
        offered_by=officers if state is State.OFFERED else (),
        disputed=case.terms if is_dispute else case.disputed,
    )


def _end_proposal(
    view: View, context: Context, command: Decline | Withdraw, word: str
) -> list[Event]:
    """Have nothing proposed any more; a dispute stands as before."""
    # CHECK
    case = _require_case(view, context, command)
    _require_turn(case, is_proposer=word == "withdraw", bank=command.bank)
    state = _follow(case, word)
    # CHANGE
    state = state if case.disputed == ZERO_HASH else State.DISPUTED
    view.put(_clear(case, state, context.time_ms, case.disputed))
    # TELL
    return [_tell(msgspec.structs.replace(case, state=state), command.bank)]


def _clear(case: Case, state: State, time_ms: int, disputed: bytes) -> Case:
    kept = (case.agreement, case.case_id, case.window, case.opener)
    return Case(*kept, state, time_ms, case.sponsor, disputed=disputed)


def _list_officers(view: View, bank: bytes) -> list[bytes]:
    """List the keys with the purpose OPERATE of a party's account, in their order."""
    account = view.get(Account, bank)
    if account is None:
        return [bank]
    return [key.address for key in account.keys if key.purposes & Purpose.OPERATE]


def _tell(case: Case, bank: bytes) -> Moved:
    return Moved(
        NO_MONEY, case.agreement, case.case_id, bank, Kind(case.kind), case.terms, case.state
    )


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "open": (Open, open_case),
    "propose": (Propose, propose),
    "accept": (Accept, accept),
    "confirm": (Confirm, confirm),
    "decline": (Decline, decline),
    "withdraw": (Withdraw, withdraw),
    "sweep": (Sweep, sweep),
}
