"""Weights of agreement, learnt from the entries themselves: nobody says which pairs are true.

For each level of each comparison, m is how often true pairs are in it and u how often pairs at
random are; the weight of the level is log2(m ÷ u), in thousandths of a bit, rounded to the nearest.

- u comes from pairs drawn evenly, each as likely, as nearly all of them are not true.
- m comes by expectation maximisation: each block's candidates are a mixture of true pairs and
  random ones, and only comparisons that the block does not already fix are learnt there.
- Then m is taken again from pairs that assignment chose: each entry has one partner, which says
  more than any pair by itself. (`linking` does so.)

Results do not depend on the order of rows, on threads or on how a library adds: rows are in
canonical order, pairs of the same levels are counted as whole numbers, and what is fractional is
summed over the few patterns of levels, in ascending order, one after another or rounded once;
nothing is multiplied as matrices.

Source: I. P. Fellegi, A. B. Sunter, "A theory for record linkage", JASA 64 (1969); W. E. Winkler,
"Using the EM algorithm for weight computation in the Fellegi-Sunter model" (1988).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, log2
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.matching.comparisons import Comparison

MILLIBITS: Final = 1_000
PATTERNS_MAX: Final = 1 << 62
ITERATIONS_MAX: Final = 50
SETTLED: Final = 1e-6
"""Change of the share of true pairs below which learning ends."""
SHARE_AT_FIRST: Final = 0.1
GRAIN_RANDOM: Final = 0.5
"""Added to counts of random pairs, so that no level is impossible."""
GRAIN_TRUE: Final = 0.1
"""Added to counts of true pairs."""

Rates = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
"""Of many pairs; there are few levels."""


class Patterns(NamedTuple):
    """Combinations of levels that pairs have, ascending, and how many pairs have each."""

    levels: tuple[Levels, ...]
    """Of each comparison."""
    counts: Ints


def draw_pairs(rows_left: int, rows_right: int, number: int) -> tuple[Ints, Ints]:
    """Draw pairs of rows evenly, the same ones for the same numbers on every machine.

    Source: G. L. Steele et al., "Fast splittable pseudorandom number generators" (2014).
    """
    mixed = np.arange(1, 2 * number + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    left, right = mixed[:number] % np.uint64(rows_left), mixed[number:] % np.uint64(rows_right)
    return left.astype(np.int64), right.astype(np.int64)


def count_patterns(comparisons: Sequence[Comparison], levels: Sequence[Levels]) -> Patterns:
    """Count pairs by the levels that they have.

    Raises:
      Invalid: `ARGUMENTS`, if the comparisons have too many combinations to be numbered.
    """
    widths = [comparison.levels for comparison in comparisons]
    code = np.zeros(levels[0].size, np.int64)
    combinations = 1
    for width, column in zip(widths, levels, strict=True):
        combinations *= width
        if combinations > PATTERNS_MAX:
            raise Invalid(InvalidCode.ARGUMENTS, "too many comparisons, or levels of them")
        code = code * width + column
    code, count = np.unique(code, return_counts=True)
    columns: list[Levels] = []
    for width in reversed(widths):
        code, column = np.divmod(code, width)
        columns.insert(0, column.astype(np.int8))
    return Patterns(tuple(columns), count.astype(np.int64))


def estimate_rates(
    comparison: Comparison, levels: Levels, weights: Rates | Ints, grain: float
) -> Rates:
    """Estimate how often each level is met; the last, of what is missing, apart from the rest."""
    counts = np.bincount(levels, weights, minlength=comparison.levels)[: comparison.levels - 1]
    total = fsum(counts.tolist()) + grain * counts.size
    return ((counts + grain) / total).astype(np.float64)


def learn_rates(
    comparisons: Sequence[Comparison], patterns: Patterns, random: Sequence[Rates]
) -> tuple[list[Rates], float]:
    """Learn how often true pairs are in each level, from candidates of which some are true.

    Gives also how many candidates are expected to be true. O(patterns) per iteration.
    """
    count = patterns.counts.astype(np.float64)
    total = int(patterns.counts.sum())
    share = SHARE_AT_FIRST
    true = [
        estimate_rates(comparison, levels, count, GRAIN_TRUE)
        for comparison, levels in zip(comparisons, patterns.levels, strict=True)
    ]
    expected = count
    for _ in range(ITERATIONS_MAX):
        odds = np.full(count.size, share / (1 - share))
        for rates, others, levels in zip(true, random, patterns.levels, strict=True):
            odds *= np.append(rates / others, 1)[levels]
        expected = count * (odds / (1 + odds))
        was, share = share, min(max(fsum(expected.tolist()) / total, 1e-9), 1 - 1e-9)
        true = [
            estimate_rates(comparison, levels, expected, GRAIN_TRUE)
            for comparison, levels in zip(comparisons, patterns.levels, strict=True)
        ]
        if abs(share - was) < SETTLED:
            break
    return true, fsum(expected.tolist())


def weigh(true: Rates, random: Rates) -> tuple[int, ...]:
    """Compute the weight of each level, in millibits; that of what is missing is 0."""
    ratios = zip(true.tolist(), random.tolist(), strict=True)
    return (*(round(MILLIBITS * log2(m / u)) for m, u in ratios), 0)


def weigh_prior(pairs: int, rows_left: int, rows_right: int) -> int:
    """Compute the weight of being a true pair before anything is compared, in millibits."""
    share = min(max(pairs, 1), rows_left * rows_right - 1) / max(rows_left * rows_right, 2)
    return round(MILLIBITS * log2(share / (1 - share))) if share else 0
