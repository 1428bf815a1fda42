"""Entries that stand in two statements, where a format names each transaction once for all.

OFX has no number of a statement and no opening balance, but a `FITID` of each transaction, which is
unique within its account, so that whoever fetches a period again can tell what is there already.

Source: OFX 2.2 section 3.2.3 (FITID).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import ibis
from ibis.expr.types import Table

from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.checks import Located, Placed, name_statement, point_to, tell
from hansa.reconcile.entries import Fault, Statement, Status

MEMORY_MB = 500
_TRANSACTION = ("account", "currency", "bank_reference")
_PLACE = ("source", "statement")
_BEFORE = ("source_before", "statement_before")
_COUNT = "transactions"


def find_repeats(entries: Path, placed: Sequence[Placed]) -> Iterator[Located]:
    """Find statements of OFX with transactions of one before them, over the same days.

    A name that a statement has twice is none, nor is one of periods apart: some banks number the
    transactions of each download anew.

    Args:
      entries: a side's, normalised.
      placed: the statements of its files of OFX, in their order.
    """
    statements: dict[tuple[int, int], Placed] = {}
    counts: Counter[int] = Counter()
    for each in placed:
        statements[each.file, counts[each.file]] = each
        counts[each.file] += 1
    for place, (before, count) in sorted(_find_most(entries, statements).items()):
        each = statements[place]
        yield tell(
            Fault.DUPLICATE,
            each,
            f"{name_statement(each)} has, by their FITID, {count} of its {each.statement.entries} "
            f"transactions in common with another of these days, {point_to(before, each)}: these "
            "stand twice, leave one of the statements out or fetch periods that do not overlap",
        )


def _find_most(
    entries: Path, statements: dict[tuple[int, int], Placed]
) -> dict[tuple[int, int], tuple[Placed, int]]:
    """Find, by the place of a statement, the one with which it has most in common, and how much."""
    files = sorted({file for file, _ in statements})
    with (
        tempfile.TemporaryDirectory(dir=entries.parent) as work,
        opened_duckdb(Path(work), memory_mb=MEMORY_MB) as engine,
    ):
        rows = engine.fetch(_pair(engine.read(entries), files)).to_pylist()
    found: dict[tuple[int, int], tuple[Placed, int]] = {}
    for row in sorted(rows, key=lambda row: (row[_COUNT], *(row[name] for name in _BEFORE))):
        place, before = (row[_PLACE[0]], row[_PLACE[1]]), (row[_BEFORE[0]], row[_BEFORE[1]])
        if _is_overlapping(statements[place].statement, statements[before].statement):
            found[place] = statements[before], row[_COUNT]
    return found


def _pair(entries: Table, files: list[int]) -> Table:
    """Pair each statement with those right before it that have a transaction of the same name."""
    named = entries.filter(
        entries.source.isin(files),
        entries.bank_reference != "",
        entries.status == Status.BOOKED.value,
    )
    counted = named.group_by([*_TRANSACTION, *_PLACE]).agg(copies=named.count())
    once = counted.filter(counted.copies == 1)
    window = ibis.window(group_by=_TRANSACTION, order_by=_PLACE)
    earlier = {
        before: once[name].lag().over(window) for name, before in zip(_PLACE, _BEFORE, strict=True)
    }
    paired = once.mutate(**earlier)
    paired = paired.filter(paired[_BEFORE[0]].notnull())
    return paired.group_by([*_PLACE, *_BEFORE]).agg(**{_COUNT: paired.count()})


def _is_overlapping(one: Statement, other: Statement) -> bool:
    """Whether two statements may be of the same days; one without days may be of any."""
    return not any(
        first.to_date is not None
        and second.from_date is not None
        and first.to_date < second.from_date
        for first, second in ((one, other), (other, one))
    )
