"""Candidates within tolerances, held to looking at every pair."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.matching.tolerance import (
    SCALE,
    Side,
    Tolerance,
    Weights,
    explain_closeness,
    find_candidates,
)

AMOUNTS = st.one_of(
    st.integers(-12, 12), st.integers(990, 1_010), st.sampled_from([10**15, 10**15 + 3, -(10**15)])
)
ENTRY = st.tuples(st.integers(0, 1), AMOUNTS, st.integers(0, 4), st.integers(0, 2))
SIDES = st.lists(ENTRY, max_size=8)
TOLERANCES = st.builds(
    Tolerance,
    st.integers(0, 5),
    st.sampled_from([0, 1, 5_000, 500_000, 500_001, 1_000_000]),
    st.integers(0, 2),
    st.integers(0, 2),
)


def columns(entries):
    return Side(*(list(zip(*entries, strict=True)) or [(), (), (), ()]))


def score_slowly(left, right, tolerance, weights):
    """What the docstrings say, in whole numbers of any size; None beyond the tolerance."""
    larger = max(abs(left[1]), abs(right[1]))
    allowed = max(tolerance.amount_minor, larger * tolerance.amount_ppm // 1_000_000)
    difference, later = abs(left[1] - right[1]), right[2] - left[2]
    if left[0] != right[0] or difference > allowed:
        return None
    if not -tolerance.days_before <= later <= tolerance.days_after:
        return None
    window = max(tolerance.days_before, tolerance.days_after) + 1
    shift = max(0, (allowed + 1).bit_length() - 42)
    return (
        weights.pair * SCALE
        + weights.amount
        * (((allowed + 1 - difference) >> shift) * SCALE // ((allowed + 1) >> shift))
        + weights.days * ((window - abs(later)) * SCALE // window)
        + weights.reference * SCALE * (left[3] == right[3] != 0)
    )


@given(SIDES, SIDES, TOLERANCES)
def test_candidates_are_all_pairs_within_the_tolerance(left, right, tolerance):
    weights = Weights()
    expected = [
        (i, j, score)
        for i, a in enumerate(left)
        for j, b in enumerate(right)
        if (score := score_slowly(a, b, tolerance, weights)) is not None
    ]
    found = find_candidates(columns(left), columns(right), tolerance, weights)
    assert list(zip(*(c.tolist() for c in found[:3]), strict=True)) == expected
    for i, j, score in expected:
        closeness = explain_closeness(left[i][1:], right[j][1:], tolerance, weights)
        assert closeness.score == score


@given(SIDES, SIDES, TOLERANCES, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_only_the_indexes(left, right, tolerance, random):
    def told(left, right):
        found = find_candidates(columns(left), columns(right), tolerance)
        pairs = zip(*(column.tolist() for column in found[:3]), strict=True)
        return sorted((left[i], right[j], score) for i, j, score in pairs)

    before = told(left, right)
    assert told(random.sample(left, len(left)), random.sample(right, len(right))) == before


@given(SIDES, SIDES, TOLERANCES, st.integers(0, 6))
def test_crowded_blocks_are_told_and_left_out_whole(left, right, tolerance, most):
    everything = find_candidates(columns(left), columns(right), tolerance)
    found = find_candidates(columns(left), columns(right), tolerance, block_pairs_max=most)
    crowded = set(found.crowded.tolist())
    pairs = list(zip(*(column.tolist() for column in found[:3]), strict=True))
    assert pairs == [
        pair
        for pair in zip(*(column.tolist() for column in everything[:3]), strict=True)
        if left[pair[0]][0] not in crowded
    ]
    for block in (0, 1):
        if sum(left[i][0] == block for i, *_ in pairs) > most:
            assert block in crowded
