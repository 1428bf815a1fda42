"""Assignment: what greedy choice gets wrong, what is left open, and large components."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from hansa.kernel.errors import Invalid
from hansa.reconcile.matching.assignment import SCORE_MAX, Group, Limits, Reason, assign


def pairs_of(assignment):
    return list(zip(assignment.left.tolist(), assignment.right.tolist(), strict=True))


def test_all_scores_together_count_and_not_the_highest_one():
    assignment = assign([0, 0, 1], [0, 1, 0], [10, 9, 9])
    assert pairs_of(assignment) == [(0, 1), (1, 0)]
    assert assignment.groups == ()


def test_a_pair_is_told_with_the_next_best_scores_of_both():
    assignment = assign([0, 0, 1], [0, 1, 1], [10, 4, 7])
    assert pairs_of(assignment) == [(0, 0), (1, 1)]
    assert assignment.score.tolist() == [10, 7]
    assert assignment.other_left.tolist() == [4, 0]
    assert assignment.other_right.tolist() == [0, 4]


def test_truly_equal_candidates_are_not_picked_from():
    assignment = assign([5, 5, 8], [2, 3, 9], [4, 4, 1])
    assert pairs_of(assignment) == [(8, 9)]
    assert assignment.groups == (Group(Reason.AMBIGUOUS, (5,), (2, 3)),)


def test_ambiguity_leaves_alone_what_every_best_pairing_has():
    # 0 and 1 may change places; 2 and 3, though connected to them, may not.
    left = [0, 0, 1, 1, 2, 1]
    right = [0, 1, 0, 1, 2, 2]
    assignment = assign(left, right, [5, 5, 5, 5, 9, 1])
    assert pairs_of(assignment) == [(2, 2)]
    assert assignment.groups == (Group(Reason.AMBIGUOUS, (0, 1), (0, 1)),)


def test_a_tie_along_a_chain_is_found():
    # Four entries of each side in a ring: two pairings of the same worth, eight edges.
    left = [0, 0, 1, 1, 2, 2, 3, 3]
    right = [0, 1, 1, 2, 2, 3, 3, 0]
    assert assign(left, right, [3, 4, 5, 2, 6, 7, 1, 2]).groups == (
        Group(Reason.AMBIGUOUS, (0, 1, 2, 3), (0, 1, 2, 3)),
    )
    assert pairs_of(assign(left, right, [3, 4, 5, 2, 6, 7, 2, 2])) == [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 3),
    ]


def test_interchangeable_entries_are_no_ambiguity():
    # Two equal left entries, two equal right ones and a third left one that is dearer.
    left = [0, 0, 1, 1, 2, 2]
    right = [0, 1, 0, 1, 0, 1]
    scores = [5, 5, 5, 5, 7, 7]
    assignment = assign(left, right, scores, classes=([4, 4, 6], [1, 1]))
    assert len(pairs_of(assignment)) == 2
    assert 2 in assignment.left.tolist()
    assert assignment.groups == ()
    assert len(assign(left, right, scores).groups) == 1


def test_a_candidate_that_is_there_twice_counts_once():
    assert assign([0, 0], [0, 0], [3, 5]).score.tolist() == [5]


def test_no_candidates_make_no_pairs():
    assert pairs_of(assign([], [], [])) == []


@pytest.mark.parametrize("score", [0, -1, SCORE_MAX + 1])
def test_scores_out_of_range_are_refused(score):
    with pytest.raises(Invalid):
        assign([0], [0], [score])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(Invalid):
        assign([0, 1], [0], [1])


def ring(size):
    """Every entry could go with the one at its place, or with the next: all scores equal."""
    places = np.arange(size)
    return (
        np.repeat(places, 2),
        np.column_stack((places, (places + 1) % size)).ravel(),
        [1] * size * 2,
    )


def test_a_component_beyond_the_limits_is_told_and_the_others_are_solved():
    left, right, score = ring(10)
    left, right = np.append(left, [50, 50, 51]), np.append(right, [50, 51, 50])
    score = [*score, 10, 9, 9]
    for limits in (Limits(entries=9), Limits(pairs=19)):
        assignment = assign(left, right, score, limits=limits)
        assert pairs_of(assignment) == [(50, 51), (51, 50)]
        everyone = tuple(range(10))
        assert assignment.groups == (Group(Reason.UNDECIDED, everyone, everyone),)


def test_where_the_search_for_other_pairings_is_cut_off_nothing_is_picked():
    # A chain: each step that displaces the next one gains 1, and only the last one loses more.
    places = np.arange(40)
    left, right = np.repeat(places, 2)[:-1], np.column_stack((places, places + 1)).ravel()[:-1]
    score = [100, 101] * 39 + [100]
    assignment = assign(left, right, score)
    assert len(pairs_of(assignment)) == 40
    cut_off = assign(left, right, score, limits=Limits(paths=3))
    assert [group.reason for group in cut_off.groups] == [Reason.UNDECIDED]
    assert pairs_of(cut_off) == []


def test_large_components_are_solved_as_well_as_by_another_solver():
    rng = np.random.default_rng(6)
    size = 300
    matrix = np.zeros((size, size), np.int64)
    edges = rng.integers(0, size, (2, size * 4))
    matrix[edges[0], edges[1]] = rng.integers(1, 1_000_000, size * 4)
    left, right = np.nonzero(matrix)
    for wide in (matrix, matrix.T, matrix[:200], matrix[:, :200]):
        left, right = np.nonzero(wide)
        assignment = assign(left, right, wide[left, right])
        rows, columns = linear_sum_assignment(wide, maximize=True)
        assert assignment.score.sum() == wide[rows, columns].sum()
        assert assignment.groups == ()


def test_the_order_of_candidates_makes_no_difference():
    rng = np.random.default_rng(7)
    size = 3_000
    left, right = rng.integers(0, size, (2, size * 2))
    score = rng.integers(1, 5, size * 2)
    first = assign(left, right, score)
    order = rng.permutation(size * 2)
    second = assign(left[order], right[order], score[order])
    assert pairs_of(first) == pairs_of(second)
    assert first.groups == second.groups
    assert len(first.groups) > 10
    in_groups = {entry for group in first.groups for entry in group.left}
    assert not in_groups & set(first.left.tolist())
