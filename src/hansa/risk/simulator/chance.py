"""Chance in whole numbers: from the same seed come the same numbers, on every machine.

Only the raw bits of PCG64 are drawn, which numpy promises never to change; what is made of them is
made here, without floating point, whose logarithms differ from one machine to another.

Source: https://numpy.org/doc/stable/reference/random/compatibility.html; O'Neill, PCG: a family
of simple fast space-efficient statistically good algorithms for random number generation (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
T = TypeVar("T")

UNIT = 1 << 12
"""Of logarithms, standard deviations and shares: 4096 of them are one."""
BOUND_MAX = 1 << 32
_POWER_BITS = 40
_EXPONENT_MAX = 36 * UNIT
_IN_STORE = 1024


def _tabulate_powers() -> Integers:
    """Tabulate 2**(i / 4096) for i below 4096, as multiples of 2**-40."""
    precision = 200
    root = 2 << precision
    for _ in range(UNIT.bit_length() - 1):
        root = isqrt(root << precision)
    powers = [1 << precision]
    for _ in range(UNIT - 1):
        powers.append(powers[-1] * root >> precision)
    return np.array([power >> (precision - _POWER_BITS) for power in powers], np.int64)


_POWERS = _tabulate_powers()


def compute_powers(exponents: Integers) -> Integers:
    """Compute two to the power of each exponent, a multiple of 1/4096, rounded down.

    Exponents below 0 and above 36 count as 0 and 36, so that no amount exceeds 2**36.
    """
    exponents = np.clip(exponents, 0, _EXPONENT_MAX)
    powers: Integers = _POWERS[exponents & (UNIT - 1)] >> (_POWER_BITS - (exponents >> 12))
    return powers


def find_logarithm(number: int) -> int:
    """Find the logarithm to base two of a number from 1 to 2**36, in multiples of 1/4096."""
    whole = number.bit_length() - 1
    rest = number << (_POWER_BITS - whole)
    return whole * UNIT + int(np.searchsorted(_POWERS, rest, side="right")) - 1


class Chance:
    """Draws from one stream of bits, named by a seed and a path."""

    def __init__(self, seed: int, *path: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, *path]))
        self._store: list[int] = []

    def draw(self, count: int) -> npt.NDArray[np.uint64]:
        """Draw numbers of 64 bits."""
        return self._bits.random_raw(count)

    def below(self, bound: int | Integers, count: int) -> Integers:
        """Draw numbers from 0 to below a bound, or each to below its own; none above 2**32.

        Some are likelier than others by up to bound / 2**32.
        """
        bounds = np.asarray(bound).astype(np.uint64)
        drawn = (self.draw(count) >> np.uint64(32)) * bounds >> np.uint64(32)
        return drawn.astype(np.int64)

    def between(self, least: int, most: int, count: int) -> Integers:
        """Draw numbers from the least to the most, both among them."""
        return least + self.below(most - least + 1, count)

    def is_true(self, share: int, count: int) -> npt.NDArray[np.bool_]:
        """Draw which ones are true: a share of them, in multiples of 1/4096."""
        return (self.draw(count) >> np.uint64(52)).astype(np.int64) < share

    def normal(self, count: int) -> Integers:
        """Draw normal numbers in multiples of 1/4096 of their standard deviation.

        They are made of 48 coins and a uniform number as wide as one coin, and lie within
        seven standard deviations.
        """
        bits = self.draw(count)
        heads = np.bitwise_count(bits >> np.uint64(16)).astype(np.int64)
        fine = (bits & np.uint64(0xFFFF)).astype(np.int64)
        spread: Integers = (((heads - 24) << 16) + fine - (1 << 15)) * 1178 >> 16
        return spread

    def amounts(self, median: int | Integers, spread: int, count: int) -> Integers:
        """Draw amounts whose logarithm to base two is normal.

        Args:
          median: logarithm of the median, in multiples of 1/4096.
          spread: standard deviation of the logarithm, in multiples of 1/4096.
          count: how many.
        """
        return compute_powers(np.asarray(median) + (self.normal(count) * spread >> 12))

    def pick(self, cumulative: Integers, count: int) -> Integers:
        """Draw places by weight.

        Args:
          cumulative: the sum of weights up to and with each place; at most 2**32 in all.
          count: how many.
        """
        drawn = self.below(int(cumulative[-1]), count)
        return np.searchsorted(cumulative, drawn, side="right").astype(np.int64)

    def shuffle(self, count: int) -> Integers:
        """Draw an order of the numbers from 0 to below a count."""
        return np.argsort(self.draw(count), kind="stable").astype(np.int64)

    def one(self, bound: int) -> int:
        """Draw one number from 0 to below a bound of at most 2**32."""
        if not self._store:
            self._store = (self.draw(_IN_STORE) >> np.uint64(32)).tolist()
        return self._store.pop() * bound >> 32

    def one_of(self, least: int, most: int) -> int:
        """Draw one number from the least to the most, both among them."""
        return least + self.one(most - least + 1)

    def happens(self, percent: int) -> bool:
        """Draw whether something happens that does so in some percent of cases."""
        return self.one(100) < percent

    def amount(self, median: int, spread: int) -> int:
        """Draw one amount whose logarithm to base two is normal; as for many."""
        return int(self.amounts(median, spread, 1)[0])

    def choose(self, things: Sequence[T]) -> T:
        """Draw one of some things."""
        return things[self.one(len(things))]

    def sample(self, things: Sequence[T], count: int) -> list[T]:
        """Draw different things, in a drawn order; all of them where there are fewer."""
        left = list(things)
        drawn = []
        for _ in range(min(count, len(left))):
            at = self.one(len(left))
            drawn.append(left[at])
            left[at] = left[-1]
            left.pop()
        return drawn


def cumulate(weights: Integers) -> Integers:
    """Sum weights up to and with each, for `Chance.pick`; raises where they exceed 2**32."""
    cumulative = np.cumsum(weights, dtype=np.int64)
    if not 0 < cumulative[-1] <= BOUND_MAX:
        raise ValueError(f"weights add up to {cumulative[-1]}")
    return cumulative


def rank_weights(count: int) -> Integers:
    """Weigh places by Zipf's law: the first twice as much as the second, after a flat start."""
    scale = (1 << 22) if count < (1 << 18) else (1 << 16)
    return scale // (np.arange(count, dtype=np.int64) + 3)
