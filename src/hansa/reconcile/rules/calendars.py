"""Business days: whether a day is one, how many lie between two, and which day a moment is of.

Days are counted from 1970-01-01, a Thursday.

Source: ISO 8601 (Monday is the first day of a week).
"""

from __future__ import annotations

import bisect
import datetime as dt
from functools import cached_property
from typing import get_args

from hansa.kernel.calendar import DAY_MS, MINUTE_MS
from hansa.reconcile.rules.book import Calendar, Weekday

_NAMES = get_args(Weekday)
_EPOCH = dt.date(1970, 1, 1)
_EPOCH_WEEKDAY = _EPOCH.weekday()
_WEEK = 7


class BusinessDays:
    """The business days of a calendar."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._is_off = [name in calendar.weekend for name in _NAMES]
        self._holidays = sorted(
            {
                day
                for day in ((each - _EPOCH).days for each in calendar.holidays)
                if not self._is_weekend(day)
            }
        )

    def is_business_day(self, day: int) -> bool:
        """Whether a day, from 1970-01-01, is a business day."""
        at = bisect.bisect_left(self._holidays, day)
        is_holiday = at < len(self._holidays) and self._holidays[at] == day
        return not is_holiday and not self._is_weekend(day)

    def count(self, day: int) -> int:
        """Count the business days from 1970-01-01 up to a day, without it; before it, less than 0.

        The difference of two counts is how many business days one is after the other. O(log n) of
        the holidays.
        """
        weeks, rest = divmod(day, _WEEK)
        counted = weeks * self._of_week + self._starts[rest]
        holidays = bisect.bisect_left(self._holidays, day) - bisect.bisect_left(self._holidays, 0)
        return counted - holidays

    def place(self, time_ms: int) -> int:
        """Find the business day that a moment is of: the next one after the cut-off."""
        local_ms = time_ms + self._calendar.offset_minutes * MINUTE_MS
        day, rest_ms = divmod(local_ms, DAY_MS)
        cut_off = self._calendar.cut_off
        if cut_off is not None and rest_ms >= _count_ms(cut_off):
            day += 1
        return self.find_next(day)

    def find_next(self, day: int) -> int:
        """Find the first business day from a day on, itself counted in."""
        while not self.is_business_day(day):
            day += 1
        return day

    @cached_property
    def _starts(self) -> list[int]:
        """Business days of a week that begins like the epoch's, before each of its days."""
        counted = [0]
        for day in range(_WEEK):
            counted.append(counted[-1] + (not self._is_weekend(day)))
        return counted

    @cached_property
    def _of_week(self) -> int:
        return self._starts[_WEEK]

    def _is_weekend(self, day: int) -> bool:
        return self._is_off[(day + _EPOCH_WEEKDAY) % _WEEK]


def _count_ms(time: dt.time) -> int:
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000
