"""A run by windows: passes over the entries of each, together with what those before it left.

What matches in a window is final; what does not is carried into the next, also where nothing in
that one is new: passes that look again may match what was ambiguous beside others. Once they have
matched nothing, they would find the same in every window that follows until one has new entries.
These are told together, and looked at no more.

So it goes where entries arrive one by one, too: each window is closed there, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
from ibis.expr.types import Table

from hansa.reconcile.batch.engines import Engine
from hansa.reconcile.batch.preparing import LEFT, RIGHT
from hansa.reconcile.batch.running import Reconciled, reconcile
from hansa.reconcile.batch.windows.few import reconcile_few
from hansa.reconcile.batch.windows.parting import PartedSide
from hansa.reconcile.entries import NORMALISED
from hansa.reconcile.rules.book import RuleBook
from hansa.reconcile.rules.rates import RateTable

FEW_MAX = 5_000
"""Entries of a window, carried ones too, that are reconciled in this process without an engine."""
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


class _Looking(NamedTuple):
    """What every window is looked at by."""

    engine: Engine
    sides: tuple[PartedSide, PartedSide]
    book: RuleBook
    rates: RateTable | None
    few_max: int

    def look(self, number: int, carried: Open) -> Reconciled:
        """Look at a window: what is new in it together with what is carried."""
        both = self.sides[0].side, self.sides[1].side
        size = sum(side.counts.get(number, 0) for side in self.sides) + sum(_count(carried))
        if size > self.few_max:
            left, right = (
                join(self.engine, side.read(self.engine, number), rows)
                for side, rows in zip(self.sides, carried, strict=True)
            )
            return reconcile(self.engine, left, right, self.book, sides=both, rates=self.rates)
        ours, theirs = (
            pa.concat_tables([side.fetch(self.engine, number), rows])
            for side, rows in zip(self.sides, carried, strict=True)
        )
        found = reconcile_few(ours, theirs, self.book, sides=both, rates=self.rates)
        rows = zip(*found.pairs, strict=True) if found.pairs else ((), ())
        pairs = {
            name: pa.array(row, pa.int64()) for name, row in zip((LEFT, RIGHT), rows, strict=True)
        }
        return Reconciled(self.book.passes[0].name, self.engine.add(pa.table(pairs)), *found.passed)


def reconcile_windows(
    engine: Engine,
    sides: tuple[PartedSide, PartedSide],
    carried: Open,
    rules: tuple[RuleBook, RateTable | None],
    *,
    first: int = 0,
    few_max: int = FEW_MAX,
) -> Iterator[WindowFound]:
    """Reconcile two sides window by window, up to the last that has entries of its own.

    Windows in which there is no entry, neither new nor carried, are left out.

    Args:
      engine: that the sides are of; all that it keeps goes after each window.
      sides: parted, left and right.
      carried: what an earlier run left of each, for the first window.
      rules: with the rates where they convert.
      first: the number of the first window.
      few_max: entries of a window that need no engine; the same is found with it.

    Raises:
      Invalid: as `reconcile` does.
    """
    left, right = sides
    look = _Looking(engine, sides, *rules, few_max).look
    number = first
    for dated in sorted({*left.counts, *right.counts}) or [first]:
        while number < dated and any(map(len, carried)):
            found = look(number, carried)
            still = _take_open(found)
            is_still = _count(still) == _count(carried)
            through = dated - 1 if is_still else number
            yield WindowFound(number, through, (0, 0), _count(carried), found)
            engine.let_go()
            number, carried = through + 1, still
        found = look(dated, carried)
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


def _take_open(found: Reconciled) -> Open:
    return found.rest.left.take_open(), found.rest.right.take_open()


def _count(entries: Open) -> tuple[int, int]:
    return len(entries[0]), len(entries[1])
