"""Bounds of a pass as numbers of its entries: amounts in one currency, days of its calendar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hansa.reconcile.batch.rest import NO_DAY, RestSide
from hansa.reconcile.matching.arrays import AMOUNT_MAX, Bools, Ints
from hansa.reconcile.rules.book import Measured as Asked
from hansa.reconcile.rules.calendars import BusinessDays
from hansa.reconcile.rules.rates import RateTable


class Measured(NamedTuple):
    """A side's open entries as one pass compares them; by place among these."""

    places: Ints
    """Of the entries, on their side."""
    amounts: Ints
    days: Ints
    gross: Ints
    """Amounts before the charges that were taken off; of charges too large to add, as they are."""

    def select(self, which: Bools) -> Measured:
        """Select some of them."""
        return Measured(*(each[which] for each in self))

    def negate(self) -> Measured:
        """Turn what comes in into what goes out."""
        return self._replace(amounts=-self.amounts, gross=-self.gross)


class Measuring(NamedTuple):
    """How entries are measured: the rule book's calendar and rates."""

    business_days: BusinessDays
    rates: RateTable | None = None
    currency: str = ""
    """Into which amounts are converted."""

    def measure(self, side: RestSide, bounds: Asked) -> Measured:
        """Measure a side's open entries, but those without a rate where one is needed."""
        places = side.find_open()
        amounts, charges = side.amounts[places], side.charges[places]
        if bounds.converted and self.rates is not None:
            amounts, charges, has_rate = self._convert(side, places, self.rates)
            places, amounts, charges = (each[has_rate] for each in (places, amounts, charges))
        days = side.days[places]
        if bounds.business_days:
            days = self._count_business_days(days)
        room = AMOUNT_MAX - np.abs(amounts)
        is_usable = (charges <= room) & (charges >= -room)
        return Measured(places, amounts, days, amounts + np.where(is_usable, charges, 0))

    def tell_in(self, bounds: Asked) -> str:
        """Tell in which currency amounts are; empty if each is in its own."""
        return self.currency if bounds.converted else ""

    def _count_business_days(self, days: Ints) -> Ints:
        different, of_entry = np.unique(days, return_inverse=True)
        count = self.business_days.count
        counted = [day if day == NO_DAY else count(day) for day in different.tolist()]
        return np.array(counted, np.int64)[of_entry]

    def _convert(self, side: RestSide, places: Ints, rates: RateTable) -> tuple[Ints, Ints, Bools]:
        rows = zip(
            side.entries.column("currency").take(places).to_pylist(),
            side.days[places].tolist(),
            side.amounts[places].tolist(),
            side.charges[places].tolist(),
            strict=True,
        )
        found = []
        for currency, day, *minors in rows:
            both = [rates.convert(each, day, currency, self.currency) for each in minors]
            amounts = [each for each in both if each is not None and abs(each) <= AMOUNT_MAX]
            found.append((*amounts, True) if len(amounts) == len(both) else (0, 0, False))
        columns = np.array(found, np.int64).reshape(-1, 3)
        return columns[:, 0], columns[:, 1], columns[:, 2].astype(np.bool_)


def tell_days(day: int, other: int) -> str:
    """Tell how much later or earlier another day is, for people."""
    if day == other:
        return "no dates" if day == NO_DAY else "the same day"
    count = abs(other - day)
    return f"{count} {'day' if count == 1 else 'days'} {'later' if other > day else 'earlier'}"
