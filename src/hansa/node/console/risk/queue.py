"""What was not allowed at once, in lines: until when it waits, why, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hansa.kernel.block import Status, decode_receipt
from hansa.kernel.errors import NotFound
from hansa.node.console.reading import Pace, Reader
from hansa.node.console.risk.reasons import tell_reason
from hansa.node.console.text.formatting import Money
from hansa.node.risk.clerk.format import KeptAnswer, KeptDecision, KeptPayment
from hansa.node.risk.clerk.journal import Held
from hansa.node.risk.desk import RiskDesk
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.rules.book import Rule
from hansa.risk.verdicts import Verdict

LINES_PER_PAGE: Final = 25
PASSED_MAX: Final = 1_000
"""Transactions that are looked through for those of a page."""
REASONS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One transaction that waits, or waited."""

    held: Held
    verdict: Verdict
    payments: tuple[KeptPayment, ...]
    reasons: tuple[str, ...]
    """Sentences, the weightiest first; not all of many."""
    reasons_left: int
    ppm: int
    """Probability of fraud in millionths; -1 if no model was asked."""
    answer: KeptAnswer | None
    fate: str
    """A key of `words.FATES`."""

    @property
    def largest(self) -> Money:
        """The largest payment."""
        return Money(self.held.amount_minor, self.held.asset)


class Choice(NamedTuple):
    """What of the queue is asked for."""

    verdict: Verdict | None = None
    from_major: int = 0
    """Least amount of the largest payment, in units of its asset."""

    def admits(self, held: Held, exponents: Mapping[str, int]) -> bool:
        """Whether a transaction is of this kind."""
        if self.verdict is not None and held.verdict != self.verdict:
            return False
        unit: int = 10 ** exponents.get(held.asset, 0)
        return held.amount_minor >= self.from_major * unit


class Page(NamedTuple):
    """A page of the queue."""

    lines: tuple[Line, ...]
    next: int
    """Place before which the next page begins; 0 if there is none."""
    passed: int
    """How many were looked through."""


async def read_waiting(
    reader: Reader, desk: RiskDesk, rules: Mapping[str, Rule], choice: Choice, first: int
) -> tuple[list[Line], int]:
    """Read what may be answered, what ends soonest first.

    Returns:
      A page of lines from a number on, and how many there are in all of this kind.
    """
    exponents = reader.get_format().exponents
    pace = Pace()
    found = []
    for held in desk.list_open():
        if choice.admits(held, exponents):
            found.append(held)
        await pace.rest()
    found.sort(key=lambda held: (held.until_ms, held.place))
    shown = found[first : first + LINES_PER_PAGE]
    return await _read_lines(reader, desk, rules, shown), len(found)


async def read_held(
    reader: Reader, desk: RiskDesk, rules: Mapping[str, Rule], choice: Choice, before: int
) -> Page:
    """Read what was held, the newest first, from before a place on."""
    exponents = reader.get_format().exponents
    found: list[Held] = []
    passed, place = 0, before
    while len(found) < LINES_PER_PAGE and passed < PASSED_MAX and place > 1:
        some = await desk.list_held(place, LINES_PER_PAGE)
        for held in some:
            passed, place = passed + 1, held.place
            if choice.admits(held, exponents):
                found.append(held)
            if len(found) == LINES_PER_PAGE:
                break
        if len(some) < LINES_PER_PAGE and len(found) < LINES_PER_PAGE:
            place = 0
    lines = await _read_lines(reader, desk, rules, found)
    return Page(tuple(lines), place if place > 1 else 0, passed)


async def read_line(reader: Reader, desk: RiskDesk, rules: Mapping[str, Rule], held: Held) -> Line:
    """Read one transaction that waits, or waited."""
    return (await _read_lines(reader, desk, rules, [held]))[0]


async def _read_lines(
    reader: Reader, desk: RiskDesk, rules: Mapping[str, Rule], held: Sequence[Held]
) -> list[Line]:
    open_ids = {each.tx_id for each in desk.list_open()}
    pace = Pace()
    lines = []
    for each, kept, answer in await desk.read_held(held):
        is_waiting = each.tx_id in open_ids
        fate = tell_fate(reader, each.tx_id, each, answer, is_waiting=is_waiting)
        lines.append(_put_together(each, kept, answer, rules, fate))
        await pace.rest()
    return lines


def _put_together(
    held: Held,
    kept: KeptDecision,
    answer: KeptAnswer | None,
    rules: Mapping[str, Rule],
    fate: str,
) -> Line:
    record = decode_record(kept.record)
    codes = record.reasons[:REASONS_SHOWN]
    return Line(
        held,
        record.verdict,
        kept.payments,
        tuple(tell_reason(code, rules) for code in codes),
        len(record.reasons) - len(codes),
        kept.ppm,
        answer,
        fate,
    )


def tell_fate(
    reader: Reader, tx_id: bytes, held: Held | None, answer: KeptAnswer | None, *, is_waiting: bool
) -> str:
    """Tell what became of a transaction that was decided on.

    Args:
      reader: of the chain.
      tx_id: of the transaction.
      held: how it was held; None if it was allowed at once.
      answer: what was answered for it, if anything.
      is_waiting: whether it may still be answered.
    """
    status = find_status(reader, tx_id)
    if status is not None:
        return "paid" if status is Status.OK else "failed"
    if answer is not None:
        return "sent" if answer.record else "refused"
    if held is None:
        return "under_way"
    if held.verdict == Verdict.BLOCK:
        return "blocked"
    return "waiting" if is_waiting else "expired"


def find_status(reader: Reader, tx_id: bytes) -> Status | None:
    """Find how a transaction came out on the ledger; None if it is not confirmed there."""
    try:
        height, index = reader.chain.find_position(tx_id)
    except NotFound:
        return None
    if height > reader.chain.confirmed_height:
        return None
    return decode_receipt(reader.get_record(height).receipts[index]).status
