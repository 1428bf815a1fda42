"""Candidates within tolerances: bounds that are met exactly, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.reconcile.matching.tolerance import (
    SCALE,
    Side,
    Tolerance,
    Weights,
    explain_closeness,
    find_candidates,
)


def found(left, right, tolerance):
    candidates = find_candidates(
        Side([0] * len(left), left, [0] * len(left)),
        Side([0] * len(right), right, [0] * len(right)),
        tolerance,
    )
    return list(zip(candidates.left.tolist(), candidates.right.tolist(), strict=True))


def test_the_larger_amount_gives_the_tolerance_whichever_side_it_is_on():
    one_percent = Tolerance(amount_ppm=10_000)
    assert found([9_900, 9_899], [10_000], one_percent) == [(0, 0)]
    assert found([10_000], [9_900, 9_899], one_percent) == [(0, 0)]
    assert found([-10_000], [-9_900, 9_900], one_percent) == [(0, 0)]


def test_the_wider_of_both_tolerances_counts():
    assert found([100, 100_000], [103, 100_900], Tolerance(3, 10_000)) == [(0, 0), (1, 1)]


def test_equal_and_near_and_referenced_pairs_score_as_documented():
    tolerance, weights = Tolerance(9, 0, 1, 3), Weights(4, 2, 1, 8)
    exact = explain_closeness((500, 10, 7), (500, 10, 7), tolerance, weights)
    assert exact.score == 15 * SCALE
    near = explain_closeness((500, 10, 7), (495, 11, 0), tolerance, weights)
    assert (near.amount_difference_minor, near.day_difference) == (-5, 1)
    assert (near.amount_points, near.day_points, near.same_reference) == (SCALE, 750_000, False)
    assert near.score == 5_750_000


def test_many_equal_amounts_are_told_apart_by_days():
    """Whichever window is tighter leads: here no more than 3 pairs per entry are looked at."""
    size = 20_000
    side = Side(np.zeros(size, np.int64), np.full(size, 100), np.arange(size))
    tolerance = Tolerance(1, 0, 1, 1)
    candidates = find_candidates(side, side, tolerance, block_pairs_max=3 * size)
    assert candidates.crowded.size == 0
    assert candidates.left.size == 3 * size - 2


def test_unequal_blocks_are_never_paired():
    candidates = find_candidates(
        Side([1, 5], [7, 7], [0, 0]), Side([2, 5], [7, 7], [0, 0]), Tolerance()
    )
    assert candidates.left.tolist() == candidates.right.tolist() == [1]


@pytest.mark.parametrize(
    ("tolerance", "weights"),
    [
        (Tolerance(-1), Weights()),
        (Tolerance((1 << 53) + 1), Weights()),
        (Tolerance(0, 1_000_001), Weights()),
        (Tolerance(), Weights(pair=0)),
        (Tolerance(), Weights(days=1_001)),
    ],
)
def test_what_is_out_of_range_is_refused(tolerance, weights):
    side = Side([0], [1], [0])
    with pytest.raises(Invalid):
        find_candidates(side, side, tolerance, weights)


def test_columns_that_do_not_fit_are_refused():
    for side in (Side([0], [1, 2], [0]), Side([0], [1 << 60], [0]), Side([0], [1], [0], [])):
        with pytest.raises(Invalid):
            find_candidates(side, Side([0], [1], [0]), Tolerance())


@pytest.mark.parametrize(
    ("pairs_max", "crowded"), [(9, []), (8, [1, 2]), (5, [1, 2]), (0, [0, 1, 2])]
)
def test_the_largest_blocks_are_left_out_if_all_are_too_many(pairs_max, crowded):
    """One block of 1 pair and two of 4, which are left out together or not at all."""
    side = Side([0, 1, 1, 2, 2], [5] * 5, [0] * 5)
    candidates = find_candidates(side, side, Tolerance(), pairs_max=pairs_max)
    assert candidates.crowded.tolist() == crowded
    assert candidates.left.size == sum(
        size for at, size in enumerate((1, 4, 4)) if at not in crowded
    )
