"""Agreements: two members say by which terms they match their books; each terms once.

The terms are a commitment: rules, the key of the pair and whatever else both hold stay with them.
On the ledger stand the two parties, how long a window is, and how long what is posted stays. The
left party's books lead wherever two amounts within a tolerance are one. Units: days.

Source: docs/concepts/reconciliation.md; bilateral agreements as of nostro and vostro accounts.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.contracts import members
from hansa.contracts.reconciliation import windows
from hansa.kernel.authority import Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows
from hansa.kernel.trees.merkle import Digest
from hansa.kernel.values import Address, Hash, TimeMs

NAME = "agreements"
VERSION = 1

DAY_LATEST = 2**24
WINDOW_DAYS_MAX = 366
KEEP_DAYS_MAX = 3_660
"""Longest time that what was posted stays, so that every row can be swept in the end."""

Day = Annotated[int, Meta(ge=0, le=DAY_LATEST)]
"""Days since 1970-01-01."""
WindowDays = Annotated[int, Meta(ge=1, le=WINDOW_DAYS_MAX)]
KeepDays = Annotated[int, Meta(ge=1, le=KEEP_DAYS_MAX)]


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_AGREEMENT = "agreements.UNKNOWN_AGREEMENT"
    NOT_A_PARTY = "agreements.NOT_A_PARTY"
    SAME_PARTY = "agreements.SAME_PARTY"
    NOT_YOURS_TO_ACCEPT = "agreements.NOT_YOURS_TO_ACCEPT"
    WRONG_STATE = "agreements.WRONG_STATE"
    STILL_ON_RECORD = "agreements.STILL_ON_RECORD"
    ROWS_REMAIN = "agreements.ROWS_REMAIN"
    AGREEMENT_EXISTS = "agreements.AGREEMENT_EXISTS"


class State(IntEnum):
    """Where an agreement stands."""

    PROPOSED = 1
    IN_FORCE = 2
    ENDED = 3
    """Nothing more is posted; what was posted is brought to its end."""


LIFE_CYCLE: dict[tuple[State, str], State] = {
    (State.PROPOSED, "accept"): State.IN_FORCE,
    (State.PROPOSED, "decline"): State.ENDED,
    (State.IN_FORCE, "end"): State.ENDED,
}
"""What may follow what; a pair that is not here is WRONG_STATE."""


class Agreement(Row, frozen=True, array_like=True):
    """What two members agreed on; named by them and the terms."""

    TABLE: ClassVar[bytes] = b"ra"
    KEY: ClassVar[tuple[str, ...]] = ("agreement",)
    CHARGED_TO: ClassVar[str] = "sponsor"

    agreement: Hash
    left: Address
    right: Address
    terms: Hash
    from_day: Day
    """First day of window 0."""
    window_days: WindowDays
    keep_days: KeepDays
    """How long what was posted stays once its window is agreed."""
    proposer: Address
    state: State
    since_ms: TimeMs
    """When it came into this state."""
    sponsor: Address
    """Who brought it in, and is charged for this row until it is swept."""


class Propose(Command, frozen=True, array_like=True):
    """Propose an agreement, as one of its parties."""

    bank: Address
    left: Address
    right: Address
    terms: Hash
    from_day: Day
    window_days: WindowDays
    keep_days: KeepDays


class Accept(Command, frozen=True, array_like=True):
    """Accept what the other party proposed."""

    agreement: Hash
    bank: Address


class Decline(Command, frozen=True, array_like=True):
    """Turn a proposal down, or take one's own back."""

    agreement: Hash
    bank: Address


class End(Command, frozen=True, array_like=True):
    """Post nothing more; either party may."""

    agreement: Hash
    bank: Address


class Sweep(Command, frozen=True, array_like=True):
    """Remove an agreement that ended, after its time and all that hangs on it; anyone may."""

    agreement: Hash


class Proposed(Event, frozen=True, array_like=True):
    """An agreement was proposed."""

    agreement: Hash
    proposer: Address
    left: Address
    right: Address
    terms: Hash


class Accepted(Event, frozen=True, array_like=True):
    """An agreement is in force."""

    agreement: Hash
    left: Address
    right: Address


class Declined(Event, frozen=True, array_like=True):
    """A proposal came to nothing, and its row is removed."""

    agreement: Hash
    bank: Address


class Ended(Event, frozen=True, array_like=True):
    """An agreement has ended."""

    agreement: Hash
    bank: Address


class Swept(Event, frozen=True, array_like=True):
    """The row of an agreement was removed."""

    agreement: Hash


def propose(view: View, context: Context, command: Propose) -> list[Event]:
    """Propose an agreement; both parties must be members in good standing.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    bank, left, right = command.bank, command.left, command.right
    context.require(bank, Purpose.OPERATE)
    if bank not in (left, right):
        raise Refused(Code.NOT_A_PARTY, bank=bank)
    if left == right:
        raise Refused(Code.SAME_PARTY, bank=bank)
    members.require_active(view, left)
    members.require_active(view, right)
    agreement = compute_id(command, context.digest)
    if view.get(Agreement, agreement) is not None:
        raise Refused(Code.AGREEMENT_EXISTS, agreement=agreement)
    # CHANGE
    view.put(
        Agreement(
            agreement,
            left,
            right,
            command.terms,
            command.from_day,
            command.window_days,
            command.keep_days,
            bank,
            State.PROPOSED,
            context.time_ms,
            context.sponsor,
        )
    )
    # TELL
    return [Proposed(NO_MONEY, agreement, bank, left, right, command.terms)]


def accept(view: View, context: Context, command: Accept) -> list[Event]:
    """Bring an agreement in force, as the party that did not propose it.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement = require_party(view, context, command.agreement, command.bank, Purpose.OPERATE)
    if command.bank == agreement.proposer:
        raise Refused(Code.NOT_YOURS_TO_ACCEPT, proposer=agreement.proposer)
    state = _follow(agreement, "accept")
    members.require_active(view, agreement.left)
    members.require_active(view, agreement.right)
    # CHANGE
    view.put(msgspec.structs.replace(agreement, state=state, since_ms=context.time_ms))
    # TELL
    return [Accepted(NO_MONEY, agreement.agreement, agreement.left, agreement.right)]


def decline(view: View, context: Context, command: Decline) -> list[Event]:
    """Turn a proposal down; the same may be proposed again.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement = require_party(view, context, command.agreement, command.bank, Purpose.OPERATE)
    _follow(agreement, "decline")
    # CHANGE
    view.delete(Agreement, agreement.agreement)
    # TELL
    return [Declined(NO_MONEY, agreement.agreement, command.bank)]


def end(view: View, context: Context, command: End) -> list[Event]:
    """End an agreement; what was posted is still agreed on, settled and swept.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement = require_party(view, context, command.agreement, command.bank, Purpose.OPERATE)
    state = _follow(agreement, "end")
    # CHANGE
    view.put(msgspec.structs.replace(agreement, state=state, since_ms=context.time_ms))
    # TELL
    return [Ended(NO_MONEY, agreement.agreement, command.bank)]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove the row of an agreement, once all that hung on it was swept.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement = get_known(view, command.agreement)
    if not is_over(agreement, context.time_ms):
        raise Refused(Code.STILL_ON_RECORD, agreement=command.agreement)
    progress = windows.find_progress(view, command.agreement)
    if progress is not None and progress.rows:
        raise Refused(Code.ROWS_REMAIN, rows=progress.rows)
    # CHANGE
    view.delete(Agreement, agreement.agreement)
    windows.remove_progress(view, agreement.agreement)
    # TELL
    return [Swept(NO_MONEY, agreement.agreement)]


def compute_id(said: Propose | Agreement, digest: Digest) -> bytes:
    """Compute the name of an agreement by the network's hash; it is known before it is sent.

    It is of all that the parties agree on, so that who accepts by name accepts nothing else.
    """
    days = (said.from_day, said.window_days, said.keep_days)
    return digest(b"hansa\x00agreement\x00" + encode((said.left, said.right, said.terms, *days)))


def find_agreement(rows: Rows, agreement: bytes) -> Agreement | None:
    """Find an agreement in whatever state."""
    return rows.get(Agreement, agreement)


def is_over(agreement: Agreement, time_ms: int) -> bool:
    """Whether an agreement ended so long ago that nothing of it need stay on record."""
    ends_ms = agreement.since_ms + agreement.keep_days * DAY_MS
    return agreement.state is State.ENDED and time_ms > ends_ms


def get_known(view: View, agreement: bytes) -> Agreement:
    """Get an agreement.

    Raises:
      Refused: `UNKNOWN_AGREEMENT`.
    """
    found = view.get(Agreement, agreement)
    if found is None:
        raise Refused(Code.UNKNOWN_AGREEMENT, agreement=agreement)
    return found


def require_party(
    view: View, context: Context, agreement: bytes, bank: bytes, purpose: Purpose
) -> Agreement:
    """Get an agreement of which `bank` is a party, for which the signing keys may act.

    Raises:
      Refused: `UNKNOWN_AGREEMENT`, `NOT_A_PARTY`, or by `Context.require`.
    """
    found = get_known(view, agreement)
    context.require(bank, purpose)
    if bank not in (found.left, found.right):
        raise Refused(Code.NOT_A_PARTY, bank=bank)
    return found


def require_accepted(agreement: Agreement, *, may_be_ended: bool = False) -> None:
    """Refuse what an agreement is too young for, or too old.

    Raises:
      Refused: `WRONG_STATE`.
    """
    is_accepted = agreement.state is State.IN_FORCE
    if not is_accepted and not (may_be_ended and agreement.state is State.ENDED):
        raise Refused(Code.WRONG_STATE, state=agreement.state.name)


def _follow(agreement: Agreement, word: str) -> State:
    """Return the state that a step leads to."""
    state = LIFE_CYCLE.get((agreement.state, word))
    if state is None:
        raise Refused(Code.WRONG_STATE, state=agreement.state.name, command=word)
    return state


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "propose": (Propose, propose),
    "accept": (Accept, accept),
    "decline": (Decline, decline),
    "end": (End, end),
    "sweep": (Sweep, sweep),
}
