"""Candidates within tolerances of amount and days, in blocks, with a score of how close they are.

A pair is a candidate if both entries are of one block and differ by no more than the tolerance. Who
has the tighter window, amounts or days, leads: entries are sorted by it once, and each left entry
finds its right ones by binary search. O(n log n + pairs in the tighter windows), in memory that
`CHUNK` bounds for all but the candidates themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import (
    AMOUNT_MAX,
    Bools,
    Ints,
    check_amounts,
    count_within,
    find_ends,
    make_ints,
    scale_down,
)

PPM: Final = 1_000_000
EVERYTHING: Final = 1 << 55
"""Further apart than any two amounts."""
CHUNK: Final = 1 << 18
"""Pairs that are compared at once."""
SCALE: Final = 1_000_000
"""Points of a weight of 1."""
WEIGHT_MAX: Final = 1_000


class Side(NamedTuple):
    """Entries of one side; columns are equally long."""

    block: npt.ArrayLike
    """Number of what both sides must share: account, currency, a key."""
    amount_minor: npt.ArrayLike
    day: npt.ArrayLike
    reference: npt.ArrayLike | None = None
    """Number of the reference; 0 of an entry that has none."""


class Tolerance(NamedTuple):
    """How far two entries may be apart: the larger of two amounts, and a range of days."""

    amount_minor: int = 0
    amount_ppm: int = 0
    """Of the larger of both magnitudes, rounded down; up to 1,000,000."""
    days_before: int = 0
    """How much earlier the right entry may be than the left one."""
    days_after: int = 0


class Weights(NamedTuple):
    """What a candidate is worth, each from 0 to 1,000; the score is the sum, in millionths.

    Amount and days count in full where they are equal and less the nearer they are to the edge of
    the tolerance: `weight × (tolerance + 1 − difference) ÷ (tolerance + 1)`, rounded down. As
    the sum of all scores is made as high as can be, `pair` tells how much two pairs that are less
    close are better than one that is closer.
    """

    pair: int = 4
    amount: int = 2
    days: int = 1
    reference: int = 8


class Candidates(NamedTuple):
    """Pairs by left, then right index."""

    left: Ints
    right: Ints
    score: Ints
    crowded: Ints
    """Blocks that have more pairs than allowed: none of theirs is here. Ascending."""


class _Columns(NamedTuple):
    block: Ints
    amount: Ints
    day: Ints
    reference: Ints | None


class Closeness(NamedTuple):
    """Why a candidate has its score."""

    amount_difference_minor: int
    """Right less left."""
    day_difference: int
    """Right less left."""
    same_reference: bool
    amount_points: int
    day_points: int
    score: int


def find_candidates(
    left: Side,
    right: Side,
    tolerance: Tolerance,
    weights: Weights = Weights(),  # noqa: B008 - a value, never changed
    block_pairs_max: int = 10_000_000,
    pairs_max: int = 200_000_000,
) -> Candidates:
    """Find all pairs within the tolerance.

    A block whose windows hold more than `block_pairs_max` pairs is left out whole and told in
    `crowded`, as a part of its pairs would prove nothing; and so are the largest ones, those of one
    size together, if all windows hold more than `pairs_max`.

    Raises:
      Invalid: `ARGUMENTS`, of columns that do not fit, or of tolerances or weights out of range;
        `AMOUNT`, of an amount beyond 2^53.
    """
    _check(tolerance, weights)
    lefts, rights = _read(left), _read(right)
    windows = _open_windows(lefts, rights, tolerance)
    blocks, number = np.unique(lefts.block, return_inverse=True)
    # Floating point adds these exactly: there are fewer than 2^53 pairs.
    pairs = np.bincount(number, windows.counts, minlength=blocks.size).astype(np.int64)
    is_crowded = pairs > min(block_pairs_max, _find_size_max(pairs, pairs_max))
    windows.counts[is_crowded[number]] = 0
    found: list[tuple[Ints, Ints, Ints]] = []
    for at_left, at_right in _spread(windows):
        keep, score = _score(lefts, rights, (at_left, at_right), tolerance, weights)
        found.append((at_left[keep], at_right[keep], score[keep]))
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)] or [lefts.day[:0]] * 3
    order = np.lexsort((columns[1], columns[0]))
    at_left, at_right, score = (column[order] for column in columns)
    return Candidates(at_left, at_right, score, blocks[is_crowded])


def explain_closeness(
    left: tuple[int, int, int],
    right: tuple[int, int, int],
    tolerance: Tolerance,
    weights: Weights = Weights(),  # noqa: B008 - a value, never changed
) -> Closeness:
    """Explain the score of two entries, each as amount, day and reference's number."""
    sides = [_read(Side([0], *([value] for value in entry))) for entry in (left, right)]
    at = np.zeros(1, np.int64)
    amount, days = _compute_points(sides[0], sides[1], (at, at), tolerance, weights)
    _, score = _score(sides[0], sides[1], (at, at), tolerance, weights)
    is_same = left[2] == right[2] != 0
    return Closeness(
        right[0] - left[0], right[1] - left[1], is_same, int(amount[0]), int(days[0]), int(score[0])
    )


def _check(tolerance: Tolerance, weights: Weights) -> None:
    if min(tolerance) < 0 or tolerance.amount_ppm > PPM or tolerance.amount_minor > AMOUNT_MAX:
        raise Invalid(
            InvalidCode.ARGUMENTS, "a tolerance is from 0 to 2^53 minor units, 1,000,000 ppm"
        )
    if min(weights) < 0 or max(weights) > WEIGHT_MAX or weights.pair < 1:
        raise Invalid(InvalidCode.ARGUMENTS, "a weight is from 0 to 1,000; of `pair` from 1")


def _read(side: Side) -> _Columns:
    block, amount, day = (make_ints(column) for column in side[:3])
    reference = None if side.reference is None else make_ints(side.reference)
    if (
        not block.shape
        == amount.shape
        == day.shape
        == (block if reference is None else reference).shape
    ):
        raise Invalid(InvalidCode.ARGUMENTS, "the columns of a side are equally long")
    check_amounts(amount)
    return _Columns(block, amount, day, reference)


class _Windows(NamedTuple):
    order: Ints
    """Right entries as they are sorted."""
    start: Ints
    """Of each left entry's window there."""
    counts: Ints


def _open_windows(left: _Columns, right: _Columns, tolerance: Tolerance) -> _Windows:
    """Open a window for each left entry, by amount or by day: whichever holds fewer pairs."""
    reach = _reach(left.amount, tolerance)
    by_amount = _search(
        (left.block, left.amount - reach, left.amount + reach), (right.block, right.amount)
    )
    by_day = _search(
        (left.block, left.day - tolerance.days_before, left.day + tolerance.days_after),
        (right.block, right.day),
    )
    return min(by_amount, by_day, key=lambda windows: int(windows.counts.sum()))


def _find_size_max(pairs: Ints, pairs_max: int) -> int:
    """Find how many pairs a block may have, so that all that have no more fit together."""
    ordered = np.sort(pairs)
    last = find_ends(ordered) - 1
    fits = ordered[last][np.cumsum(ordered)[last] <= pairs_max]
    return int(fits.max(initial=0))


def _reach(amount: Ints, tolerance: Tolerance) -> Ints:
    """Compute how far from an amount another may be at most, whichever is the larger one."""
    if not tolerance.amount_ppm:
        return np.full_like(amount, tolerance.amount_minor)
    if tolerance.amount_ppm * 2 > PPM:
        return np.full_like(amount, EVERYTHING)
    # Parts of the larger amount are a little more of the smaller one: p ÷ (1 − p).
    ppm = PPM * tolerance.amount_ppm // (PPM - tolerance.amount_ppm) + 1
    return np.maximum(tolerance.amount_minor, _take_ppm(amount, ppm) + 1)


def _search(wanted: tuple[Ints, Ints, Ints], there: tuple[Ints, Ints]) -> _Windows:
    """Find the places of all that is of one block, from a lowest to a highest value."""
    block, lowest, highest = wanted
    blocks, values = np.unique(there[0]), np.unique(there[1])
    order = np.lexsort((there[1], there[0]))
    width = values.size + 1
    key = np.searchsorted(blocks, there[0]) * width + np.searchsorted(values, there[1])
    key = key[order]
    at = np.searchsorted(blocks, block)
    is_there = np.zeros(block.size, np.bool_)
    is_there[at < blocks.size] = blocks[at[at < blocks.size]] == block[at < blocks.size]
    start = np.searchsorted(key, at * width + np.searchsorted(values, lowest))
    end = np.searchsorted(key, at * width + np.searchsorted(values, highest, side="right"))
    return _Windows(order, start, np.where(is_there, end - start, 0))


def _spread(windows: _Windows) -> Iterator[tuple[Ints, Ints]]:
    """Spread windows into pairs of a left and a right index, about `CHUNK` at a time."""
    total = np.cumsum(windows.counts)
    last = int(total[-1]) if total.size else 0
    cuts = np.searchsorted(total, np.arange(CHUNK, last + CHUNK, CHUNK))
    first = 0
    for cut in np.unique(np.minimum(cuts + 1, total.size)).tolist():
        count = windows.counts[first:cut]
        at_left = np.repeat(np.arange(first, cut), count)
        places = np.repeat(windows.start[first:cut], count) + count_within(count)
        yield at_left, windows.order[places]
        first = cut


def _take_ppm(amount: Ints, ppm: int) -> Ints:
    """Compute ppm of magnitudes, rounded down, without leaving 64 bits."""
    whole, rest = np.divmod(np.abs(amount), PPM)
    taken: Ints = whole * ppm + rest * ppm // PPM
    return taken


def _compute_allowed(left: Ints, right: Ints, tolerance: Tolerance) -> Ints:
    larger = np.maximum(np.abs(left), np.abs(right))
    return np.maximum(tolerance.amount_minor, _take_ppm(larger, tolerance.amount_ppm))


def _compute_points(
    left: _Columns,
    right: _Columns,
    pairs: tuple[Ints, Ints],
    tolerance: Tolerance,
    weights: Weights,
) -> tuple[Ints, Ints]:
    """Compute the points of amounts and of days; of pairs beyond the tolerance, 0."""
    amount_left, amount_right = left.amount[pairs[0]], right.amount[pairs[1]]
    allowed = _compute_allowed(amount_left, amount_right, tolerance) + 1
    close = np.maximum(allowed - np.abs(amount_right - amount_left), 0)
    days = np.abs(right.day[pairs[1]] - left.day[pairs[0]])
    window = np.full_like(days, max(tolerance.days_before, tolerance.days_after) + 1)
    near = np.maximum(window - days, 0)
    return (
        weights.amount * scale_down(close, allowed, SCALE),
        weights.days * scale_down(near, window, SCALE),
    )


def _score(
    left: _Columns,
    right: _Columns,
    pairs: tuple[Ints, Ints],
    tolerance: Tolerance,
    weights: Weights,
) -> tuple[Bools, Ints]:
    """Tell which pairs are within the tolerance, and the scores."""
    amount_left, amount_right = left.amount[pairs[0]], right.amount[pairs[1]]
    later = right.day[pairs[1]] - left.day[pairs[0]]
    allowed = _compute_allowed(amount_left, amount_right, tolerance)
    keep = np.abs(amount_right - amount_left) <= allowed
    keep &= (later >= -tolerance.days_before) & (later <= tolerance.days_after)
    amount, days = _compute_points(left, right, pairs, tolerance, weights)
    score = weights.pair * SCALE + amount + days
    if left.reference is not None and right.reference is not None:
        reference = left.reference[pairs[0]]
        is_same = (reference == right.reference[pairs[1]]) & (reference != 0)
        score += weights.reference * SCALE * is_same
    return keep, score
