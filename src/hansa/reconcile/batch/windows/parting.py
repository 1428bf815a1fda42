"""Sides parted by their windows, once, so that each window reads its own entries alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table

from hansa.reconcile.batch.engines import Engine
from hansa.reconcile.batch.results import WINDOW
from hansa.reconcile.entries import NORMALISED
from hansa.reconcile.rules.book import Side, Window
from hansa.reconcile.rules.windows import express_window


class PartedSide(NamedTuple):
    """One side's entries that count, by their windows."""

    side: Side
    counts: Mapping[int, int]
    """How many there are in each window that has any."""
    whole: Table
    folder: Path
    """Where parts lie, unless there is but one."""

    def read(self, engine: Engine, number: int) -> Table:
        """Read the entries of a window, by `NORMALISED`."""
        if number not in self.counts:
            return self.whole.limit(0)
        if len(self.counts) == 1:
            return self.whole
        return engine.read(self.folder / f"{WINDOW}={number}").select(NORMALISED.names)

    def fetch(self, engine: Engine, number: int) -> pa.Table:
        """Fetch the entries of a window, which must be few, by `NORMALISED`."""
        if number not in self.counts:
            return NORMALISED.empty_table()
        if len(self.counts) == 1:
            return engine.fetch(self.whole).cast(NORMALISED)
        part = self.folder / f"{WINDOW}={number}"
        names = NORMALISED.names
        tables = [pq.read_table(each, columns=names) for each in sorted(part.glob("*.parquet"))]
        return pa.concat_tables(each.cast(NORMALISED) for each in tables)


def part_side(
    engine: Engine, entries: Table, side: Side, window: Window, folder: Path, *, first: int = 0
) -> PartedSide:
    """Part a side.

    Args:
      engine: that the entries are of.
      entries: by `NORMALISED`.
      side: says which of them count.
      window: how long windows are.
      folder: for the parts; it must not be there yet.
      first: the number of the first window: entries of those before it come late, and are of it.
    """
    counting = entries.filter(entries.status.isin(side.statuses)).select(NORMALISED.names)
    number = ibis.greatest(express_window(window, counting), first).cast("int32")
    placed = counting.mutate(**{WINDOW: number})
    counted = engine.fetch(placed.group_by(WINDOW).agg(entries=placed.count())).to_pylist()
    counts = {each[WINDOW]: each["entries"] for each in counted}
    if len(counts) > 1:
        engine.part(placed, WINDOW, folder)
    return PartedSide(side, counts, counting, folder)
