"""One pair of sides: reconciled, its result written, and its figures and reports beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.expr.types import Table

from hansa.reconcile.batch.ageing import Ageing
from hansa.reconcile.batch.engines import Engine
from hansa.reconcile.batch.preparing import ROW
from hansa.reconcile.batch.results import (
    BREAKS,
    MATCHES,
    Input,
    Origin,
    RatesFile,
    write_by_side,
    write_results,
)
from hansa.reconcile.batch.running import reconcile
from hansa.reconcile.batch.summary import (
    BREAK_COLUMNS,
    MATCH_COLUMNS,
    SUMMARY,
    SideFacts,
    Summary,
    summarise,
    write_summary,
)
from hansa.reconcile.batch.windows.carrying import Open, join, reconcile_windows
from hansa.reconcile.batch.windows.earlier import Earlier, find_first, renumber
from hansa.reconcile.batch.windows.parting import PartedSide
from hansa.reconcile.batch.windows.writing import write_windows
from hansa.reconcile.entries import NORMALISED
from hansa.reconcile.report.writing import write_report
from hansa.reconcile.rules.book import Calendar, RuleBook, Side
from hansa.reconcile.rules.calendars import BusinessDays
from hansa.reconcile.rules.cut_offs import CutOff
from hansa.reconcile.rules.rates import RateTable

CARRIED = "carried.parquet"
"""What an earlier run left open, as this one numbers it."""
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class OpenedSide:
    """A side that is normalised."""

    side: Side
    entries: Path
    count: int
    facts: SideFacts
    reading: Mapping[str, str] = field(default_factory=dict)
    """How its files were read, as the manifest tells it."""
    parted: PartedSide | None = None
    """By windows, where rules cut time into such."""

    def tell(self) -> Input:
        """Tell what was read, for the manifest."""
        digests = tuple(file.sha256 for file in self.facts.files)
        return Input(self.side.name, digests, self.count, self.reading)

    def read(self, engine: Engine, calendar: Calendar) -> Table:
        """Read the entries, by `NORMALISED`, each on the day that it counts for."""
        return CutOff(calendar).express(engine.read(self.entries))


class Rules(NamedTuple):
    """A rule file, with what it names."""

    book: RuleBook
    rates: RateTable | None
    sha256: str
    rates_file: RatesFile | None


class Pair(NamedTuple):
    """Two sides that are reconciled."""

    left: OpenedSide
    right: OpenedSide
    earlier: Earlier | None = None
    """What an earlier run of the same two left open."""


class Places(NamedTuple):
    """Folders of a pair."""

    result: Path
    sides: Path
    """Where what was read of each side lies, in a folder of its name."""
    work: Path
    """For what is not kept; it must be there, and empty."""


def run_pair(
    engine: Engine,
    pair: Pair,
    rules: Rules,
    as_of: dt.date,
    places: Places,
    *,
    with_report: bool,
) -> tuple[dict[str, Any], Summary]:
    """Reconcile a pair and write its files; returns what its manifest tells, and the summary.

    Args:
      engine: for both sides.
      pair: the sides.
      rules: what counts as the same.
      as_of: day as of which breaks have an age.
      places: where files go.
      with_report: whether the page and the workbook are written, too.

    Raises:
      Invalid: as `reconcile` does.
    """
    book = rules.book
    pair, carried = _take_over(engine, pair)
    if pair.earlier is not None:
        write_by_side(carried, [each.side.name for each in pair[:2]], places.result / CARRIED)
    left, right = (
        rows.filter(pc.is_in(rows.column("status"), pa.array(each.side.statuses, pa.string())))
        for rows, each in zip(carried, pair[:2], strict=True)
    )
    ageing = Ageing(book.breaks, BusinessDays(book.calendar), (as_of - _EPOCH).days)
    origin = _tell_origin(pair, rules, as_of)
    told = _write(engine, pair, (left, right), rules, (origin, ageing), places)
    engine.let_go()
    facts = pair.left.facts, pair.right.facts
    return told, _report(told, rules, facts, ageing, places, with_report=with_report)


def _take_over(engine: Engine, pair: Pair) -> tuple[Pair, list[pa.Table]]:
    """Take over what an earlier run left, as entries of both sides; gives it as it counts here."""
    if pair.earlier is None:
        return pair, [NORMALISED.empty_table()] * 2
    opened, carried = [], []
    left_open = pair.earlier.left, pair.earlier.right
    for each, rows, source in zip(pair[:2], left_open, pair.earlier.sources, strict=True):
        table = engine.read(each.entries)
        newest = engine.fetch(table.aggregate(row=table[ROW].max()))["row"][0].as_py()
        facts, first = each.facts, 0 if newest is None else newest + 1
        carried.append(renumber(rows, first, len(facts.files) if facts.is_read else None))
        facts = facts._replace(files=(*facts.files, source))
        opened.append(replace(each, count=each.count + len(rows), facts=facts))
    return Pair(opened[0], opened[1], pair.earlier), carried


def _write(
    engine: Engine,
    pair: Pair,
    carried: Open,
    rules: Rules,
    asked: tuple[Origin, Ageing],
    places: Places,
) -> dict[str, Any]:
    """Reconcile a pair, whole or window by window, and write what is found."""
    (origin, ageing), book = asked, rules.book
    parted = pair.left.parted, pair.right.parted
    if book.window is None or parted[0] is None or parted[1] is None:
        tables = [
            join(engine, each.read(engine, book.calendar), rows)
            for each, rows in zip(pair[:2], carried, strict=True)
        ]
        sides = pair.left.side, pair.right.side
        found = reconcile(engine, tables[0], tables[1], book, sides=sides, rates=rules.rates)
        return write_results(engine, found, origin, ageing, places.result)
    both = parted[0], parted[1]
    first = find_first(pair.earlier, book.window)
    windows = reconcile_windows(engine, both, carried, (book, rules.rates), first=first)
    cut = book.window, ageing
    return write_windows(engine, windows, cut, origin, places.result, places.work)


def _tell_origin(pair: Pair, rules: Rules, as_of: dt.date) -> Origin:
    left, right = pair.left.tell(), pair.right.tell()
    carried_from = None if pair.earlier is None else pair.earlier.origin
    return Origin(left, right, rules.sha256, rules.rates_file, as_of.isoformat(), carried_from)


def _report(
    manifest: dict[str, Any],
    rules: Rules,
    facts: tuple[SideFacts, SideFacts],
    ageing: Ageing,
    places: Places,
    *,
    with_report: bool,
) -> Summary:
    """Write figures, and the reports where they are wanted."""
    folder = places.result
    results = (
        pq.read_table(folder / MATCHES, columns=MATCH_COLUMNS),
        pq.read_table(folder / BREAKS, columns=BREAK_COLUMNS),
    )
    summary = summarise(manifest, rules.book, facts, ageing.labels, results)
    write_summary(summary, folder / SUMMARY)
    if with_report:
        write_report(summary, folder, places.sides, places.work)
    return summary


def find_newest(engine: Engine, pairs: list[Pair], calendar: Calendar) -> dt.date:
    """Find the newest date of an entry; the first day of all where none has one."""
    dates = []
    for each in {side.entries: side for pair in pairs for side in pair[:2]}.values():
        table = each.read(engine, calendar)
        newest = table.aggregate(value=table.value_date.max(), booking=table.booking_date.max())
        dates += engine.fetch(newest).to_pylist()[0].values()
    carried = [rows for pair in pairs if pair.earlier is not None for rows in pair.earlier[1:3]]
    for rows in carried:
        dates += [pc.max(rows.column(name)).as_py() for name in ("value_date", "booking_date")]
    return max((each for each in dates if each is not None), default=_EPOCH)
