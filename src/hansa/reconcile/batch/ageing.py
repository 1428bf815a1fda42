"""How old and how urgent breaks are, by the rules of `[breaks]`.

A break is as old as its oldest entry, in business days up to the day as of which it is looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.rules.book import Breaks
from hansa.reconcile.rules.calendars import BusinessDays

PRIORITY_LEAST = 5
Magnitudes = npt.NDArray[np.uint64]


class Age(NamedTuple):
    """How old a break is."""

    days: int
    """Business days; 0 of what is of that day, or later."""
    label: str
    """Its class, as `2-3` or `31+`."""


class Ageing:
    """Tells ages as of one day."""

    def __init__(self, breaks: Breaks, business_days: BusinessDays, as_of_day: int) -> None:
        self._breaks = breaks
        self._count = business_days.count
        self._today = business_days.count(as_of_day)
        ends = breaks.ageing_days
        starts = [0, *(each + 1 for each in ends)]
        last = f"{starts[-1]}+"
        ranges = zip(starts, ends, strict=False)
        self.labels = (
            *(f"{start}-{end}" if start < end else str(end) for start, end in ranges),
            last,
        )
        """Classes of age, the youngest first."""

    def tell_age(self, day: int) -> Age:
        """Tell the age of what is of this day."""
        days = max(0, self._today - self._count(day))
        return Age(days, self.labels[bisect_left(self._breaks.ageing_days, days)])

    def tell_priority(self, amounts_minor: Sequence[int], days: int) -> int:
        """Tell how urgent a break of these amounts is, that is so many days old: 1 is the most."""
        largest = max(map(abs, amounts_minor), default=0)
        for each in self._breaks.priorities:
            if largest >= each.over_minor and days >= each.over_days:
                return each.priority
        return PRIORITY_LEAST

    def tell_priorities(self, largest_minor: Magnitudes, days: Ints) -> Ints:
        """Tell likewise of many breaks, each by the largest magnitude of its amounts."""
        told = np.full(days.shape, PRIORITY_LEAST)
        for each in reversed(self._breaks.priorities):
            told[(largest_minor >= each.over_minor) & (days >= each.over_days)] = each.priority
        return told
