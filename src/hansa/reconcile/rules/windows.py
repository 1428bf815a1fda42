"""Windows: which entries are reconciled together, by their day.

An entry is of the window of its booking date, or of its value date where it has none. What is dated
before window 0 is of window 0, and so is what has no date. The same rule stands here three
times, for one entry, for rows of this process and for what an engine holds.

Days are counted from 1970-01-01.

Source: docs/reference/reconciliation-rules.md, "Window".
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.rules.book import Window

if TYPE_CHECKING:  # loads slowly, and whoever has few rows needs no engine
    from ibis.expr.types import DateValue, IntegerValue, Table

_EPOCH = dt.date(1970, 1, 1)
_DATE_MAX = dt.date.max
_DAY_MAX = (_DATE_MAX - _EPOCH).days
"""What is dated later, as Parquet can be, counts as of this day: engines differ about it."""


def find_window(window: Window, booking_date: int | None, value_date: int | None) -> int:
    """Find the number of the window that an entry is of, from 0.

    Example:
      >>> weekly = Window(days=7, start=dt.date(1970, 1, 5))
      >>> find_window(weekly, 10, None), find_window(weekly, 11, 3), find_window(weekly, None, None)
      (0, 1, 0)
    """
    day = value_date if booking_date is None else booking_date
    if day is None:
        return 0
    return max(0, min(day, _DAY_MAX) - _count_start(window)) // window.days


def find_windows(window: Window, entries: pa.Table) -> Ints:
    """Find the window of each of many entries, by their `booking_date` and `value_date`."""
    date = pc.coalesce(entries.column("booking_date"), entries.column("value_date"))
    days = pc.fill_null(date.cast(pa.int32()), _count_start(window)).to_numpy().astype(np.int64)
    found: Ints = np.maximum(0, np.minimum(days, _DAY_MAX) - _count_start(window)) // window.days
    return found


def express_window(window: Window, entries: Table) -> IntegerValue:
    """Express the window of each entry of a table."""
    import ibis  # noqa: PLC0415 - only where there is an engine

    dates: DateValue = entries.booking_date.coalesce(entries.value_date).fill_null(window.start)
    days = ibis.least(dates, ibis.literal(_DATE_MAX)).delta(window.start, unit="day")
    return ibis.greatest(days, 0) // window.days


def get_days(window: Window, number: int) -> tuple[dt.date, dt.date]:
    """Get the first and the last day of a window; the last that there is ends at the calendar's.

    Example:
      >>> first, last = get_days(Window(days=7, start=dt.date(2026, 3, 2)), 1)
      >>> first.isoformat(), last.isoformat()
      ('2026-03-09', '2026-03-15')
    """
    first = window.start.toordinal() + number * window.days
    last = min(first + window.days - 1, _DATE_MAX.toordinal())
    return dt.date.fromordinal(first), dt.date.fromordinal(last)


def _count_start(window: Window) -> int:
    return (window.start - _EPOCH).days
