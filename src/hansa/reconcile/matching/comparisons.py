"""How two entries are compared: measures in whole numbers, and the levels that they fall into.

A comparison takes one column of both sides, measures, and puts the result in a level: how many of
its bounds it is above. Weights are learnt for levels, so that nothing need be said of how good a
level is, nor need weights rise with it. Where either side has nothing there is no evidence either
way: the weight is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import Ints, check_amounts, make_ints, scale_down
from hansa.reconcile.matching.text import Texts

MISSING: Final = -(1 << 63)
"""Of a number: the entry has none."""
BOUNDS_MAX: Final = 30
PPM: Final = 1_000_000


class Measure(StrEnum):
    """What is measured of two values."""

    DIFFERENCE = "difference"
    """Of numbers: right less left; days, for example, which mostly go one way."""
    PPM = "ppm"
    """Of numbers: their distance in millionths of the larger magnitude, rounded down; up to
    1,000,000 where signs differ."""
    EQUAL = "equal"
    """Of numbers or texts: 1 if they are, 0 if not."""
    LETTERS = "letters"
    """Of texts: letters shared in their order, in permille."""
    BEGINNING = "beginning"
    """Of texts: rarity of the longest shared beginning, in bits; banks cut texts off."""
    WORDS = "words"
    """Of texts: rarity of the rarest shared word, in bits."""


ON_TEXT = {Measure.LETTERS, Measure.BEGINNING, Measure.WORDS}


class Comparison(NamedTuple):
    """A column, how it is measured, and where levels end."""

    name: str
    column: str
    measure: Measure
    bounds: tuple[int, ...]
    """Ascending; level i is of measures up to `bounds[i]`, the last of those above all."""

    @property
    def levels(self) -> int:
        """How many levels there are, and one more for what is missing."""
        return len(self.bounds) + 2


class Table(NamedTuple):
    """Entries of one side by column; all columns are equally long."""

    numbers: Mapping[str, Sequence[int] | Ints]
    """Amounts in minor units, days; `MISSING` where there is none."""
    texts: Mapping[str, Sequence[str]]
    """Empty where there is none."""

    @property
    def rows(self) -> int:
        """How many entries there are."""
        return next((len(column) for column in (*self.numbers.values(), *self.texts.values())), 0)


class Columns:
    """Both sides' columns, ready to be compared; rows are in canonical order.

    Canonical is by content: by all columns in the order of their names. So whatever is summed or
    drawn in this order is the same for any order of rows. Equal rows are of one class.
    """

    def __init__(self, left: Table, right: Table, columns: Sequence[str]) -> None:
        self.numbers: dict[str, tuple[Ints, Ints]] = {}
        self.texts: dict[str, Texts] = {}
        for name in sorted(set(columns)):
            if name in left.texts and name in right.texts:
                self.texts[name] = Texts(left.texts[name], right.texts[name])
            elif name in left.numbers and name in right.numbers:
                both = make_ints(left.numbers[name]), make_ints(right.numbers[name])
                for column in both:
                    check_amounts(column[column != MISSING])
                self.numbers[name] = both
            else:
                raise Invalid(InvalidCode.ARGUMENTS, "both sides need the column", column=name)
        self.sizes = left.rows, right.rows
        if any(
            self._get(name, side).size != self.sizes[side]
            for name in set(columns)
            for side in (0, 1)
        ):
            raise Invalid(InvalidCode.ARGUMENTS, "the columns of a side are equally long")
        self.order = self._sort(0), self._sort(1)
        """Row of the caller's table that each canonical row is."""
        self.classes = self._classify(0), self._classify(1)
        """Ascending numbers; equal rows have the same."""

    def _get(self, name: str, side: int) -> Ints:
        """Get a column of numbers, or of the numbers of texts, as it was given."""
        if name in self.numbers:
            return self.numbers[name][side]
        texts = self.texts[name]
        return texts.right if side else texts.left

    def _sort(self, side: int) -> Ints:
        names = sorted({*self.numbers, *self.texts})
        return np.lexsort([self._get(name, side) for name in reversed(names)]).astype(np.int64)

    def _classify(self, side: int) -> Ints:
        changes = np.zeros(self.sizes[side], np.bool_)
        for name in (*self.numbers, *self.texts):
            column = self.get(name, side)
            changes[1:] |= column[1:] != column[:-1]
        return np.cumsum(changes)

    def get(self, name: str, side: int) -> Ints:
        """Get a column of numbers, or of the numbers of texts, in canonical order."""
        return self._get(name, side)[self.order[side]]

    def measure(self, comparison: Comparison, left: Ints, right: Ints) -> Ints:
        """Measure pairs of canonical rows; `MISSING` where either has nothing."""
        name, measure = comparison.column, comparison.measure
        one, other = self.get(name, 0)[left], self.get(name, 1)[right]
        if name in self.numbers:
            is_missing = (one == MISSING) | (other == MISSING)
            one, other = (np.where(is_missing, 0, column) for column in (one, other))
            values = _measure_numbers(measure, one, other)
        else:
            is_missing = self.texts[name].is_missing[one] | self.texts[name].is_missing[other]
            values = _measure_texts(measure, self.texts[name], one, other)
        return np.where(is_missing, MISSING, values)

    def find_levels(self, comparison: Comparison, left: Ints, right: Ints) -> Ints:
        """Find the levels of pairs of canonical rows; the last is of what is missing."""
        values = self.measure(comparison, left, right)
        levels = np.searchsorted(np.array(comparison.bounds, np.int64), values)
        return np.where(values == MISSING, comparison.levels - 1, levels)

    def check(self, comparison: Comparison) -> None:
        """Refuse a comparison that does not fit its column.

        Raises:
          Invalid: `ARGUMENTS`.
        """
        is_text = comparison.column in self.texts
        on_text = comparison.measure in ON_TEXT
        on_number = comparison.measure in {Measure.DIFFERENCE, Measure.PPM}
        bounds = comparison.bounds
        is_rising = all(one < other for one, other in pairwise(bounds))
        if (on_text and not is_text) or (on_number and is_text):
            raise Invalid(
                InvalidCode.ARGUMENTS, "the measure is not of such a column", name=comparison.name
            )
        if not bounds or not is_rising or len(bounds) > BOUNDS_MAX:
            raise Invalid(
                InvalidCode.ARGUMENTS, "1 to 30 bounds that rise are needed", name=comparison.name
            )


def _measure_numbers(measure: Measure, one: Ints, other: Ints) -> Ints:
    if measure is Measure.EQUAL:
        return np.equal(one, other).astype(np.int64)
    if measure is Measure.DIFFERENCE:
        return other - one
    larger = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1)
    return scale_down(np.minimum(np.abs(other - one), larger), larger, PPM)


def _measure_texts(measure: Measure, texts: Texts, one: Ints, other: Ints) -> Ints:
    if measure is Measure.LETTERS:
        return texts.compare_letters(one, other)
    if measure is Measure.BEGINNING:
        return texts.compare_beginnings(one, other)
    if measure is Measure.WORDS:
        return texts.compare_words(one, other)
    return np.equal(one, other).astype(np.int64)
