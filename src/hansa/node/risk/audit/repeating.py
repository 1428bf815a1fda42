"""Take all events of a journal in anew, and compare every row that was kept, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hansa.kernel.errors import Corrupt
from hansa.node.risk.clerk.journal import Journal
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.intake.describing import FEATURES, FEATURES_HASH
from hansa.risk.intake.intake import Taken, begin_intake, load_intake
from hansa.risk.packing import unpack


class Difference(NamedTuple):
    """A kept row that came out otherwise."""

    tx_id: bytes
    number: int
    features: tuple[str, ...]
    """Those that differ."""


class Repeated(NamedTuple):
    """What came of taking everything in anew."""

    events: int
    payments: int
    """That are remembered: let through, or shown by blocks."""
    compared: int
    """Rows that were kept, of payments that were decided on, and came out again."""
    other_sets: int
    """Rows of another set of features, which cannot be compared."""
    missing: int
    """Rows that were kept of payments that are not among the events."""
    differing: int
    first: Difference | None
    is_remembered_same: bool | None
    """Whether what is remembered came out again, too; None if the journal has gone on since."""

    @property
    def is_identical(self) -> bool | None:
        """Whether every kept row came out again as it is, and what is remembered.

        None where nothing is wrong, and no row was compared either: that shows nothing.
        """
        if self.missing or self.differing or self.is_remembered_same is False:
            return False
        return True if self.compared else None

    @property
    def words(self) -> str:
        """Why it is not known whether all is identical; empty where it is."""
        if self.is_identical is not None:
            return ""
        if self.other_sets:
            return (
                f"nothing was compared: all {self.other_sets} rows are of other sets of features "
                "than this program's; those programs that decided can compare them"
            )
        return "nothing was compared: no row of a payment was kept"


class _Kept(NamedTuple):
    number: int
    tx_id: bytes
    row: bytes
    """Packed; empty if it is of another set of features."""


def repeat(journal: Journal) -> Repeated:
    """Take all events in anew, from the first on.

    Args:
      journal: open.

    Raises:
      Corrupt: the journal is damaged.
      Unavailable: it cannot be read.
    """
    intake = begin_intake(zone_offset_ms=journal.zone_offset_ms)
    try:
        remembered, through = journal.load_remembered() or (b"", 0)
        load_intake(remembered)
    except Corrupt:  # or of another version of the program: there is nothing to compare it with
        remembered, through = b"", 0
    kept = _iterate_kept(journal)
    due = next(kept, None)
    events = payments = compared = other_sets = differing = 0
    first: Difference | None = None
    for block in journal.iterate_events():
        begin = intake.next_number
        rows = intake.take(block)
        events += len(block)
        payments += sum(isinstance(each, Taken) and not each.is_attempt for each in block)
        while due is not None and due.number < intake.next_number:
            if not due.row:
                other_sets += 1
            else:
                compared += 1
                other = np.flatnonzero(rows[due.number - begin] != unpack(due.row))
                if len(other):
                    differing += 1
                    names = tuple(FEATURES[place] for place in other)
                    first = first or Difference(due.tx_id, due.number, names)
            due = next(kept, None)
    missing = 0 if due is None else 1 + sum(1 for _ in kept)
    is_same = intake.save() == remembered if remembered and through == events else None
    return Repeated(events, payments, compared, other_sets, missing, differing, first, is_same)


def warm_up() -> None:
    """Have compiled code loaded, so that whoever measures does not measure that."""
    begin_intake().try_out()


def _iterate_kept(journal: Journal) -> Iterator[_Kept]:
    """Iterate the rows that were kept, in the order of intake."""
    for placed in journal.iterate_decisions():
        record = decode_record(placed.kept.record)
        is_known = record.features == FEATURES_HASH
        for each in placed.kept.payments:
            if each.number >= 0:
                yield _Kept(each.number, record.tx_id, each.row if is_known else b"")
