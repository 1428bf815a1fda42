"""Cases: what becomes of a break, on the record of both parties.

What the break is, and how it is to be resolved, are commitments: the parties exchange the details
between themselves. Four eyes each: one officer of a party proposes or accepts and another one
confirms, in the same transaction or a later one; officers are keys with the purpose OPERATE. A
dispute needs nobody else's consent. A break that a later window matched is healed by both.

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
    (State.PROPOSED, "confirm"): State.OFFERED,
    (State.PROPOSED, "confirm_dispute"): State.DISPUTED,
    (State.OFFERED, "withdraw"): State.OPEN,
    (State.OFFERED, "decline"): State.OPEN,
    (State.OFFERED, "accept"): State.ACCEPTED,
    (State.ACCEPTED, "decline"): State.OPEN,
    (State.ACCEPTED, "confirm"): State.RESOLVED,
} | {
    (state, "heal"): State.HEALED
    for state in (State.OPEN, State.PROPOSED, State.OFFERED, State.ACCEPTED, State.DISPUTED)
}
"""What may follow what; a pair that is not here is WRONG_STATE."""


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
    """Open a case; a window has at most as many as it has breaks.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement = agreements.require_party(
        view, context, command.agreement, command.bank, Purpose.OPERATE
    )
    window = windows.require_closed(view, agreement.agreement, command.window)
    if window.cases >= window.left.open + window.right.open:
        raise Refused(Code.TOO_MANY_CASES, cases=window.cases)
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
    windows.count_case(view, window)
    # TELL
    return [Opened(NO_MONEY, agreement.agreement, command.case_id, command.window, command.bank)]


def propose(view: View, context: Context, command: Propose) -> list[Event]:
    """Propose a resolution; with two officers' signatures it is confirmed at once.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _require_case(view, context, command)
    _follow(case, "propose")
    officers = _list_officers(view, context, command.bank)
    proposed = msgspec.structs.replace(
        case,
        kind=command.kind,
        terms=command.terms,
        proposer=command.bank,
        state=State.PROPOSED,
        officers=officers,
        since_ms=context.time_ms,
    )
    if len(officers) >= EYES:
        proposed = _confirm(proposed, context)
    # CHANGE
    view.put(proposed)
    # TELL
    return [_tell(proposed, command.bank)]


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
    officers = _list_officers(view, context, command.bank)
    accepted = msgspec.structs.replace(
        case, state=state, officers=officers, since_ms=context.time_ms
    )
    if len(officers) >= EYES:
        accepted = _confirm(accepted, context)
    # CHANGE
    view.put(accepted)
    # TELL
    return [_tell(accepted, command.bank)]


def confirm(view: View, context: Context, command: Confirm) -> list[Event]:
    """Confirm a step of one's own party with another key than the one that made it.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _require_case(view, context, command)
    _require_turn(case, is_proposer=case.state is not State.ACCEPTED, bank=command.bank)
    confirmed = _confirm(case, context)
    _require_terms(case, command.terms)
    if not set(_list_officers(view, context, command.bank)) - set(case.officers):
        raise Refused(Code.SAME_OFFICER, officer=case.officers[0])
    # CHANGE
    view.put(confirmed)
    # TELL
    return [_tell(confirmed, command.bank)]


def decline(view: View, context: Context, command: Decline) -> list[Event]:
    """Turn a resolution down; one officer is enough.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _require_case(view, context, command)
    _require_turn(case, is_proposer=False, bank=command.bank)
    reopened = _reopen(case, context, "decline")
    # CHANGE
    view.put(reopened)
    # TELL
    return [_tell(msgspec.structs.replace(case, state=State.OPEN), command.bank)]


def withdraw(view: View, context: Context, command: Withdraw) -> list[Event]:
    """Take a proposal back; one officer is enough.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _require_case(view, context, command)
    _require_turn(case, is_proposer=True, bank=command.bank)
    reopened = _reopen(case, context, "withdraw")
    # CHANGE
    view.put(reopened)
    # TELL
    return [_tell(msgspec.structs.replace(case, state=State.OPEN), command.bank)]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove the row of a case that is closed, or whose agreement is over, after its time.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    case = _get_known(view, command.agreement, command.case_id)
    agreement = agreements.find_agreement(view, command.agreement)
    if not agreements.is_over(agreement, context.time_ms):
        is_closed = case.state in (State.RESOLVED, State.HEALED)
        keep_ms = agreement.keep_days * DAY_MS if agreement else 0
        if not is_closed or context.time_ms <= case.since_ms + keep_ms:
            raise Refused(Code.STILL_ON_RECORD, state=case.state.name)
    # CHANGE
    view.delete(Case, command.agreement, command.case_id)
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
        state = None if case is None else LIFE_CYCLE.get((case.state, "heal"))
        if case is not None and state is not None:
            view.put(_clear(case, state, context.time_ms))
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


def _confirm(case: Case, context: Context) -> Case:
    """Compute a case once four eyes have seen a step."""
    is_dispute = case.state is State.PROPOSED and case.kind == Kind.DISPUTE
    state = _follow(case, "confirm_dispute" if is_dispute else "confirm")
    return msgspec.structs.replace(case, state=state, officers=(), since_ms=context.time_ms)


def _reopen(case: Case, context: Context, word: str) -> Case:
    """Compute a case for which nothing is proposed any more."""
    return _clear(case, _follow(case, word), context.time_ms)


def _clear(case: Case, state: State, time_ms: int) -> Case:
    return Case(
        case.agreement, case.case_id, case.window, case.opener, state, time_ms, case.sponsor
    )


def _list_officers(view: View, context: Context, bank: bytes) -> tuple[bytes, ...]:
    """List the keys with the purpose OPERATE of a party's account that signed, in their order."""
    account = view.get(Account, bank)
    if account is None:
        return (bank,)
    keys = [key.address for key in account.keys if key.purposes & Purpose.OPERATE]
    return tuple(key for key in keys if key in context.signers)[:OFFICERS_MAX]


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
