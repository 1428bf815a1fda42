"""A run by windows: passes over the entries of each, together with what those before it left.

What matches in a window is final; what does not is carried into the next, also where nothing in
that one is new: passes that look again may match what was ambiguous beside others. Once they have
matched nothing, they would find the same in every window that follows until one has new entries.
These are told together, and looked at no more.

So it goes where entries arrive one by one, too: each window is closed there, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
from ibis.expr.types import Table

from hansa.reconcile.batch.engines import Engine
from hansa.reconcile.batch.running import Reconciled, reconcile
from hansa.reconcile.batch.windows.parting import PartedSide
from hansa.reconcile.entries import NORMALISED
from hansa.reconcile.rules.book import RuleBook
from hansa.reconcile.rules.rates import RateTable

Open = tuple[pa.Table, pa.Table]
"""Entries left and right that are open, by `NORMALISED`."""


class WindowFound(NamedTuple):
    """One window reconciled, or several one after the other in which the same was found."""

    number: int
    through: int
    """Number of the last of these windows."""
    new: tuple[int, int]
    """Entries that are dated in it, left and right; none of several windows."""
    carried: tuple[int, int]
    """Entries that were open before."""
    found: Reconciled
    """Its pairs are there until the next window is asked for."""


def reconcile_windows(
    engine: Engine,
    sides: tuple[PartedSide, PartedSide],
    carried: Open,
    book: RuleBook,
    *,
    first: int = 0,
    rates: RateTable | None = None,
) -> Iterator[WindowFound]:
    """Reconcile two sides window by window, up to the last that has entries of its own.

    Windows in which there is no entry, neither new nor carried, are left out.

    Args:
      engine: that the sides are of; all that it keeps goes after each window.
      sides: parted, left and right.
      carried: what an earlier run left of each, for the first window.
      book: the rules.
      first: the number of the first window.
      rates: where the rules convert.

    Raises:
      Invalid: as `reconcile` does.
    """
    left, right = sides
    number = first
    for dated in sorted({*left.counts, *right.counts}) or [first]:
        while number < dated and any(map(len, carried)):
            found = _look(engine, sides, number, carried, book, rates)
            still = _take_open(found)
            is_still = _count(still) == _count(carried)
            through = dated - 1 if is_still else number
            yield WindowFound(number, through, (0, 0), _count(carried), found)
            engine.let_go()
            number, carried = through + 1, still
        found = _look(engine, sides, dated, carried, book, rates)
        new = left.counts.get(dated, 0), right.counts.get(dated, 0)
        yield WindowFound(dated, dated, new, _count(carried), found)
        number, carried = dated + 1, _take_open(found)
        engine.let_go()


def join(engine: Engine, entries: Table, carried: pa.Table) -> Table:
    """Join entries with others that were carried to them."""
    if not len(carried):
        return entries
    more = engine.add(carried)
    return entries.select(NORMALISED.names).union(more.select(NORMALISED.names))


def _look(
    engine: Engine,
    sides: tuple[PartedSide, PartedSide],
    number: int,
    carried: Sequence[pa.Table],
    book: RuleBook,
    rates: RateTable | None,
) -> Reconciled:
    left, right = (
        join(engine, side.read(engine, number), rows)
        for side, rows in zip(sides, carried, strict=True)
    )
    return reconcile(engine, left, right, book, sides=(sides[0].side, sides[1].side), rates=rates)


def _take_open(found: Reconciled) -> Open:
    return found.rest.left.take_open(), found.rest.right.take_open()


def _count(entries: Open) -> tuple[int, int]:
    return len(entries[0]), len(entries[1])
