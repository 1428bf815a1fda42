"""Excerpts of a result: its most urgent breaks, and the first findings of its readers.

They are bounded however large the result is; the rest stays in the files that they are taken from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hansa.reconcile.entries import Fault, Finding, Severity

_AGELESS = -1
"""Stands for the age of a break without a date, behind all others of its priority."""


class UrgentBreak(NamedTuple):
    """A break with its first entries."""

    number: int
    kind: str
    """A `BreakClass`."""
    reason: str
    age_days: int | None
    priority: int
    entries: tuple[dict[str, Any], ...]
    """Rows of the result's breaks; their dates are days from 1970-01-01."""
    more: int
    """Entries that it has beyond these."""


class Located(NamedTuple):
    """A finding, and the number of the file that it is in."""

    file: int
    finding: Finding


def read_urgent(path: Path, breaks_max: int, entries_max: int) -> list[UrgentBreak]:
    """Read the most urgent breaks: by priority, of one priority the oldest, and then by number.

    Args:
      path: the result's breaks.
      breaks_max: how many at most.
      entries_max: how many entries of each.
    """
    heads = pq.read_table(path, columns=["break", "priority", "age_days"])
    number, priority = (heads.column(name).to_numpy() for name in ("break", "priority"))
    age = pc.fill_null(heads.column("age_days"), _AGELESS).to_numpy()
    first = np.flatnonzero(np.r_[True, number[1:] != number[:-1]]) if len(number) else number
    order = first[np.lexsort((number[first], -age[first], priority[first]))][:breaks_max]
    ends = np.r_[first[1:], len(number)]
    rows: list[int] = []
    counts = []
    for start in order.tolist():
        count = int(ends[np.searchsorted(first, start)]) - start
        counts.append(count)
        rows += range(start, start + min(count, entries_max))
    table = iter(_take(path, rows))
    urgent = []
    for count in counts:
        entries = tuple(islice(table, min(count, entries_max)))
        head = entries[0]
        urgent.append(
            UrgentBreak(
                head["break"],
                head["class"],
                head["reason"],
                head["age_days"],
                head["priority"],
                entries,
                count - len(entries),
            )
        )
    return urgent


def read_rows(path: Path) -> Iterator[pa.RecordBatch]:
    """Read rows of a result, a part at a time; dates as days from 1970-01-01."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=16_384):
            yield _count_days(batch)


def read_findings(path: Path, each_max: int) -> dict[Severity, list[Located]]:
    """Read the first findings of a side, so many of each severity at most."""
    found: dict[Severity, list[Located]] = {each: [] for each in Severity}
    with path.open("rb") as lines:
        for line in lines:
            told = json.loads(line)
            severity, fault = Severity(told.pop("severity")), Fault(told.pop("fault"))
            if len(found[severity]) < each_max:
                found[severity].append(Located(told.pop("file"), Finding(severity, fault, **told)))
            elif all(len(each) >= each_max for each in found.values()):
                break
    return found


def _take(path: Path, rows: list[int]) -> list[dict[str, Any]]:
    """Take rows by their numbers, in this order, without holding all others in memory."""
    wanted = np.array(rows, np.int64)
    taken: dict[int, dict[str, Any]] = {}
    start = 0
    for batch in read_rows(path):
        end = start + batch.num_rows
        inside = np.unique(wanted[(wanted >= start) & (wanted < end)])
        picked = batch.take(pa.array(inside - start)).to_pylist()
        taken.update(zip(inside.tolist(), picked, strict=True))
        start = end
    return [taken[row] for row in rows]


def _count_days(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Turn dates into days: a file may have some that Python's dates cannot tell."""
    for name in ("booking_date", "value_date"):
        place = batch.schema.get_field_index(name)
        batch = batch.set_column(place, name, batch.column(place).cast(pa.int32()))
    return batch
