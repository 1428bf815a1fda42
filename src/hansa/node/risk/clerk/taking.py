"""Taking in: each payment of some transactions, described where it can be, and decided on in turn.

What is held is an attempt, of which nothing is remembered; a transaction is one whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.kernel.errors import Invalid, Unavailable
from hansa.node.risk.clerk.judging import Described, ask, decide_undescribed
from hansa.node.risk.clerk.memory import build_event
from hansa.node.risk.loading import Loaded
from hansa.node.risk.reading import Intended
from hansa.risk.decisions.deciding import Decider, Decision, Listed
from hansa.risk.intake.intake import Intake, Taken
from hansa.risk.packing import pack
from hansa.risk.verdicts import Verdict


class Undecided(NamedTuple):
    """A transaction to be decided on; its signatures are checked."""

    tx_id: bytes
    envelope: bytes
    until_ms: int
    """The end of its validity."""
    device: str
    """Of its payer, as the operator's own systems know it; empty where they do not say."""
    payments: tuple[Intended, ...]
    """At least one."""
    nowhere: frozenset[bytes] = frozenset()
    """Payees that the ledger has not: what is paid to them is refused, and not remembered."""


class Moment(NamedTuple):
    """When, and by what, a block of transactions is decided."""

    now_ms: int
    """The operator's clock, and never before the newest block that it has seen."""
    loaded: Loaded
    is_scored: bool
    """Whether what the champion decides is in force on the ledger."""
    taken_ms: int
    """When transactions are taken in, by the clock that features go by."""

    @property
    def decider(self) -> Decider:
        """Who decides now."""
        return self.loaded.scoring if self.is_scored else self.loaded.unscored

    @property
    def model_id(self) -> bytes:
        """The hash of the model that decides now; all zero if none does."""
        return self.loaded.model_id if self.is_scored else NO_MODEL


class TakenIn(NamedTuple):
    """What was taken in."""

    described: list[Described]
    """All payments, in their order."""
    decisions: list[Decision]
    """On each of them."""
    events: list[Taken]
    """Those that could be described."""


class _LaidOut(NamedTuple):
    """Payments before they are described."""

    payments: list[tuple[Intended, Listed | None, bool]]
    """With what lists say of each, and whether it has an event."""
    events: list[Taken]
    listed: dict[int, Listed]
    """What lists say, by the place of an event."""
    together: list[int]
    """As `Intake.decide` takes it."""


def take_in(asked: Sequence[Undecided], moment: Moment, intake: Intake) -> TakenIn:
    """Take in what can be described, as payments or as attempts, and decide on all."""
    laid_out = _lay_out(asked, moment, intake)
    first, decider = intake.next_number, moment.decider
    try:
        answered = intake.decide(laid_out.events, decider, laid_out.listed, laid_out.together)
    except (Unavailable, Invalid):  # scoring is down: amounts decide
        nothing = [Described(each, -1, False, None, b"", on) for each, on, _ in laid_out.payments]  # noqa: FBT003
        return TakenIn(nothing, ask(decider, nothing), [])
    rows, decided, are_attempts = answered
    found = zip(count(first), are_attempts, rows, pack(rows), decided, strict=False)
    from_minor = decider.policy.unscored.review_from_minor
    described: list[Described] = []
    decisions: list[Decision] = []
    for intended, listed, has_event in laid_out.payments:
        if has_event:
            number, is_attempt, row, packed, decision = next(found)
            described.append(Described(intended, number, not is_attempt, row, packed, listed))
        else:
            described.append(Described(intended, -1, False, None, b"", listed))  # noqa: FBT003
            decision = decide_undescribed(described[-1], from_minor)
        decisions.append(decision)
    events = laid_out.events
    for place, is_attempt in enumerate(are_attempts):
        if is_attempt:
            events[place] = events[place]._replace(is_attempt=True)
    return TakenIn(described, decisions, events)


def _lay_out(asked: Sequence[Undecided], moment: Moment, intake: Intake) -> _LaidOut:
    """Lay payments out; those of a transaction that an undescribed one holds are attempts."""
    loaded, time_ms = moment.loaded, max(moment.taken_ms, intake.now_ms)
    from_minor = moment.decider.policy.unscored.review_from_minor
    laid_out = _LaidOut([], [], {}, [])
    payments, events, listed, together = laid_out
    for each in asked:
        begin, is_held = len(events), False
        for intended in each.payments:
            on = loaded.find_listed(intended.payer, intended.payee, each.device, moment.now_ms)
            event = None
            if intended.payee not in each.nowhere:
                event = build_event(intended, each.device, time_ms, loaded.merchants)
            payments.append((intended, on, event is not None))
            if event is not None:
                if on is not None:
                    listed[len(events)] = on
                together.append(1)
                events.append(event)
                continue
            undescribed = Described(intended, -1, False, None, b"", on)  # noqa: FBT003
            is_held |= decide_undescribed(undescribed, from_minor).verdict is not Verdict.ALLOW
        if is_held:
            events[begin:] = [event._replace(is_attempt=True) for event in events[begin:]]
        if len(events) > begin:
            together[begin] = len(events) - begin
    return laid_out
