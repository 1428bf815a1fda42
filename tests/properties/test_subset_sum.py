"""Sums of parts, held to trying every set of them."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.matching.subset_sum import (
    TOLD_MAX,
    Outcome,
    Search,
    Window,
    find_sums,
    match_sums,
)

PARTS = st.lists(st.tuples(st.integers(-6, 12), st.integers(0, 1)), max_size=9)
"""Amount and class: few of each, so that many are interchangeable."""


def solve_slowly(target, parts, size_max, tolerance):
    """All solutions, as what they consist of."""
    return {
        tuple(sorted(parts[place] for place in places))
        for size in range(2, size_max + 1)
        for places in combinations(range(len(parts)), size)
        if abs(sum(parts[place][0] for place in places) - target) <= tolerance
    }


def ask(target, parts, size_max, tolerance):
    amounts, classes = zip(*parts, strict=True) if parts else ((), ())
    return find_sums(target, amounts, Search(size_max, tolerance), classes)


@given(st.integers(-10, 30), PARTS, st.integers(2, 6), st.integers(0, 2))
def test_all_solutions_are_found_and_counted_once(target, parts, size_max, tolerance):
    expected = solve_slowly(target, parts, size_max, tolerance)
    sums = ask(target, parts, size_max, tolerance)
    assert sums.found == len(expected)
    names = {0: Outcome.NONE, 1: Outcome.UNIQUE}
    assert sums.outcome is names.get(len(expected), Outcome.AMBIGUOUS)
    told = [tuple(sorted(parts[place] for place in places)) for places in sums.solutions]
    assert len(set(told)) == len(told) == min(len(expected), TOLD_MAX)
    assert set(told) <= expected
    assert {parts[place] for place in sums.members} == {part for each in expected for part in each}
    if sums.outcome is Outcome.UNIQUE:
        assert sums.difference_minor == sum(amount for amount, _ in told[0]) - target


@given(st.integers(-10, 30), PARTS, st.randoms(use_true_random=False))
def test_the_order_of_parts_changes_only_the_indexes(target, parts, random):
    def told(parts):
        sums = ask(target, parts, 4, 1)
        solutions = [sorted(parts[place] for place in places) for places in sums.solutions]
        members = Counter(parts[place] for place in sums.members)
        return sums.outcome, sums.found, solutions, members, sums.difference_minor, sums.work

    assert told(random.sample(parts, len(parts))) == told(parts)


@given(PARTS, st.integers(1, 40))
def test_work_is_bounded_and_what_that_leaves_is_said(parts, work_max):
    amounts, classes = zip(*parts, strict=True) if parts else ((), ())
    sums = find_sums(10, amounts, Search(4, 0, work_max), classes)
    everything = ask(10, parts, 4, 0)
    if sums.outcome is Outcome.UNDECIDED:
        assert sums.work > work_max
        assert (sums.found, sums.solutions) == (0, ())
        assert set(everything.members) <= set(sums.members)
    else:
        assert sums == everything


@given(st.lists(st.integers(1, 12), max_size=8), st.lists(st.integers(5, 20), max_size=3))
def test_no_two_targets_get_the_same_part(amounts, targets):
    parts = tuple(range(len(amounts)))
    answers = match_sums([Window(target, parts) for target in targets], amounts, Search(3))
    alone = [find_sums(target, amounts, Search(3)) for target in targets]
    for place, (sums, single) in enumerate(zip(answers, alone, strict=True)):
        others = {part for other in (*alone[:place], *alone[place + 1 :]) for part in other.members}
        is_sure = single.outcome is Outcome.UNIQUE and not others & set(single.members)
        assert (sums.outcome is Outcome.UNIQUE) == is_sure
