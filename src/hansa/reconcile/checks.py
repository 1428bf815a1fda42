"""Checks across statements, of one file or of several: doubles, gaps and balances.

Statements of one account and currency are a series. In it, pages of one number are put together;
what has neither a number nor a date stands in no order, and is only looked at by itself. All
findings are warnings: no entry is missing for them, but entries may stand twice, or not at all.

Source: SWIFT MT940 field 28C (statement number and sequence number, which restart each year);
ISO 20022 camt.053 ElctrncSeqNb, LglSeqNb and StmtPgntn.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from hansa.reconcile.currencies import write_amount
from hansa.reconcile.entries import Fault, Finding, Kind, Severity, Statement

_EPOCH = dt.date(1970, 1, 1).toordinal()
_ORDINAL_MAX = dt.date.max.toordinal()
PAGES_TOLD_MAX = 20
_PAGES_MAX = 1_000
_LAST_LINE = 1 << 62
_NEVER = -(1 << 40)
"""Sorts before all days."""


class Placed(NamedTuple):
    """A statement, and where it stands."""

    file: int
    """Number of its file among those of the side, from 0."""
    statement: Statement
    is_whole: bool = True
    """Whether all its entries could be read."""


class Located(NamedTuple):
    """A finding, and the file that it is about."""

    file: int
    finding: Finding


class _Run(NamedTuple):
    """The pages of one statement, in their order; of most there is one."""

    pages: tuple[Placed, ...]

    @property
    def first(self) -> Placed:
        return self.pages[0]

    @property
    def number(self) -> int | None:
        return self.first.statement.number

    @property
    def opening_minor(self) -> int | None:
        return self.first.statement.opening_minor

    @property
    def closing_minor(self) -> int | None:
        return self.pages[-1].statement.closing_minor

    @property
    def begin(self) -> int | None:
        return self.first.statement.from_date

    @property
    def end(self) -> int | None:
        last = self.pages[-1].statement
        return last.from_date if last.to_date is None else last.to_date


def place_statements(
    file: int, statements: Sequence[Statement], error_lines: Iterable[int]
) -> list[Placed]:
    """Place the statements of one file, with what could not be read in each.

    Args:
      file: its number.
      statements: in the order of the file.
      error_lines: lines of its findings of severity error.
    """
    errors = sorted(error_lines)
    placed = []
    ends = [*(statement.line for statement in statements[1:]), _LAST_LINE]
    for statement, end in zip(statements, ends, strict=False):  # one end more if there are none
        is_whole = not any(statement.line <= line < end for line in errors)
        placed.append(Placed(file, statement, is_whole))
    return placed


def check_statements(placed: Iterable[Placed]) -> list[Located]:
    """Check statements against one another, and the balances of each.

    Returns:
      Findings by file and line, the same for the same statements in any order. Cost: sorting.
    """
    kinds: dict[tuple[str, str, str], list[Placed]] = defaultdict(list)
    for each in sorted(placed, key=_rank):
        statement = each.statement
        if statement.kind is not Kind.LIST:
            kinds[statement.account, statement.currency, statement.kind].append(each)
    found: list[Located] = []
    for (_, _, kind), series in kinds.items():
        single, doubles = _part_doubles(series)
        found += doubles
        runs = _build_runs(single)
        for run in runs:
            found += _check_pages(run)
            found += _check_sum(run)
        if kind == Kind.STATEMENT:
            found += _check_sequence(runs)
    return sorted(found, key=lambda each: (each.file, each.finding.line, each.finding))


def _rank(placed: Placed) -> tuple[int, int, str]:
    return placed.file, placed.statement.line, repr(placed)


# --- doubles ------------------------------------------------------------------------------------


def _part_doubles(series: list[Placed]) -> tuple[list[Placed], list[Located]]:
    """Part a series into what is there for the first time, and findings of what is not."""
    seen: dict[Statement, Placed] = {}
    named: dict[tuple[int | None, ...], Placed] = {}
    single, found = [], []
    for each in series:
        statement = each.statement
        content = _get_content(statement)
        before = each if content is None else seen.setdefault(content, each)
        if before is not each:
            found.append(_tell_double(each, before))
            continue
        name = (statement.number, statement.page, statement.to_date)
        before = each if statement.number is None else named.setdefault(name, each)
        if before is not each and not _is_continued(before.statement, statement):
            found.append(_tell_clash(each, before))
            continue
        named[name] = each
        single.append(each)
    return single, found


def _is_continued(one: Statement, other: Statement) -> bool:
    """Whether one goes on where the other ends: a page, of a bank that does not count them."""
    ends = {(one.closing_minor, other.opening_minor), (other.closing_minor, one.opening_minor)}
    return one.opening_minor != other.opening_minor and any(
        closing is not None and closing == opening for closing, opening in ends
    )


def _get_content(statement: Statement) -> Statement | None:
    """Get what two prints of one statement have in common; None if it says too little to tell."""
    has_balances = None not in (statement.opening_minor, statement.closing_minor)
    if statement.number is not None or (has_balances and statement.to_date is not None):
        return statement._replace(id="", line=0)  # each time it is fetched it may get another id
    has_period = None not in (statement.from_date, statement.to_date)
    if has_period and statement.entries and statement.closing_minor is not None:
        return statement._replace(id="", line=0)
    return statement._replace(line=0) if statement.id else None


def _tell_double(each: Placed, before: Placed) -> Located:
    return tell(
        Fault.DUPLICATE,
        each,
        f"{name_statement(each)} was there already, {point_to(before, each)}: its entries stand "
        "twice, leave one of them out",
    )


def _tell_clash(each: Placed, before: Placed) -> Located:
    return tell(
        Fault.CLASH,
        each,
        f"{name_statement(each)} has the number of another, {point_to(before, each)}, and other "
        "content: find out which of them holds, and leave the other out",
    )


# --- pages and sums -----------------------------------------------------------------------------


def _build_runs(single: list[Placed]) -> list[_Run]:
    """Put the pages of a statement together, and the statements into the order of their series."""
    has_numbers = _are_numbers_used(single)
    runs: list[list[Placed]] = []
    for each in sorted(single, key=_get_order):
        if has_numbers and runs and _is_next_page(runs[-1][-1].statement, each.statement):
            runs[-1].append(each)
        else:
            runs.append([each])
    return [_Run(tuple(pages)) for pages in runs]


def _get_order(placed: Placed) -> tuple[int, ...]:
    statement = placed.statement
    days = [day for day in (statement.to_date, statement.from_date) if day is not None]
    number, page = (_NEVER if each is None else each for each in (statement.number, statement.page))
    return max(days, default=_NEVER), number, page, placed.file, statement.line


def _are_numbers_used(single: list[Placed]) -> bool:
    """Whether numbers tell statements apart: some banks write the same one each day."""
    numbered = [each.statement for each in single if each.statement.number is not None]
    numbers = {statement.number for statement in numbered}
    return len(numbers) > 1 or len({statement.to_date for statement in numbered}) == 1


def _is_next_page(last: Statement, following: Statement) -> bool:
    if None in (last.page, following.page, last.number) or last.number != following.number:
        return False
    return (last.page or 0) < (following.page or 0)


def _find_missing_pages(run: _Run) -> list[int]:
    pages = [each.statement.page for each in run.pages if each.statement.page is not None]
    if run.number is None or not pages:
        return []
    expected = range(min(1, pages[0]), pages[-1])
    return sorted(set(expected) - set(pages))[:PAGES_TOLD_MAX] if len(expected) < _PAGES_MAX else []


def _check_pages(run: _Run) -> Iterator[Located]:
    missing = _find_missing_pages(run)
    if missing:
        what = ", ".join(map(str, missing))
        yield tell(
            Fault.GAP,
            run.first,
            f"{name_statement(run.first)} is without its pages {what}: fetch them from the bank",
        )


def _check_sum(run: _Run) -> Iterator[Located]:
    opening, closing = run.opening_minor, run.closing_minor
    is_whole = all(each.is_whole for each in run.pages) and not _find_missing_pages(run)
    if opening is None or closing is None or not is_whole:
        return
    booked = sum(each.statement.booked_minor for each in run.pages)
    if opening + booked != closing:
        currency = run.first.statement.currency
        yield tell(
            Fault.BALANCE,
            run.first,
            f"{name_statement(run.first)} opens with {write_amount(opening, currency)}, its "
            f"entries come to {write_amount(booked, currency)}, and it closes with "
            f"{write_amount(closing, currency)}: it lacks "
            f"{write_amount(closing - opening - booked, currency)}; ask the bank for it anew",
        )


# --- sequence -----------------------------------------------------------------------------------


def _check_sequence(runs: list[_Run]) -> Iterator[Located]:
    """Check that each statement follows on the one before it."""
    has_numbers = _are_numbers_used([each for run in runs for each in run.pages])
    for last, following in pairwise(runs):
        gap = _find_gap(last, following) if has_numbers else None
        if gap is not None:
            yield gap
        elif _is_neighbour(last, following, has_numbers=has_numbers):
            yield from _check_following(last, following)


def _find_gap(last: _Run, following: _Run) -> Located | None:
    before, after = last.number, following.number
    if before is None or after is None or after == before + 1:
        return None
    if after == before:
        return None if last.end == following.end else _tell_clash(following.first, last.first)
    is_dated = _is_numbered_by_day(last) and _is_numbered_by_day(following)
    if is_dated or (after < before and after <= 1):  # it begins anew
        return None
    if after < before:
        what = f"follows number {before}, and those before it in its sequence are missing"
    elif after == before + 2:
        what = f"follows number {before}: number {before + 1} is missing"
    else:
        what = f"follows number {before}: numbers {before + 1} to {after - 1} are missing"
    name = name_statement(following.first)
    return tell(Fault.GAP, following.first, f"{name} {what}; fetch them from the bank")


def _is_neighbour(last: _Run, following: _Run, *, has_numbers: bool) -> bool:
    """Whether one of two statements follows right on the other, as far as they tell."""
    if has_numbers and last.number is not None and following.number is not None:
        return True
    begin = following.end if following.begin is None else following.begin
    if last.end is None or begin is None or last.end == following.end:
        return False  # of one day, nothing tells which is first
    return last.end <= begin


def _check_following(last: _Run, following: _Run) -> Iterator[Located]:
    closing, opening = last.closing_minor, following.opening_minor
    if closing is not None and opening is not None and closing != opening:
        currency = following.first.statement.currency
        yield tell(
            Fault.BALANCE,
            following.first,
            f"{name_statement(following.first)} opens with {write_amount(opening, currency)}, but "
            f"{name_statement(last.first)} before it closes with "
            f"{write_amount(closing, currency)}: "
            "one between them is missing, or one of them is wrong",
        )


def _is_numbered_by_day(run: _Run) -> bool:
    """Whether a statement's number is its day, so that days without one are no gaps."""
    day = _get_date(run.end)
    if day is None or run.number is None:
        return False
    days = {int(day.strftime(form)) for form in ("%Y%m%d", "%y%m%d", "%Y%j", "%y%j", "%j")}
    return run.number in days or run.number // 100 in days  # with the place within the day


def _get_date(day: int | None) -> dt.date | None:
    ordinal = 0 if day is None else day + _EPOCH
    return dt.date.fromordinal(ordinal) if 1 <= ordinal <= _ORDINAL_MAX else None


# --- words --------------------------------------------------------------------------------------


def name_statement(placed: Placed) -> str:
    """Name a statement by what people know it by."""
    statement = placed.statement
    number = "" if statement.number is None else f" {statement.number}"
    name = f"statement{number or ' ' + statement.id}".rstrip()
    page = "" if statement.page is None else f", page {statement.page},"
    until = _get_date(statement.to_date)
    end = "" if until is None else f" to {until.isoformat()}"
    return f"{name}{page} of {statement.account or 'an account without a name'}{end}"


def point_to(placed: Placed, seen_from: Placed) -> str:
    """Say where a statement stands, seen from another."""
    line = f"line {placed.statement.line}"
    return line if placed.file == seen_from.file else f"{line} of file {placed.file + 1}"


def tell(fault: Fault, placed: Placed, text: str) -> Located:
    """Make a warning of a statement."""
    line = placed.statement.line
    return Located(placed.file, Finding(Severity.WARNING, fault, line, "", text))
