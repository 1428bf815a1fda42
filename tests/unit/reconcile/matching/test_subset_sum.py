"""Sums: one entry as several, what is not picked, and where work ends."""

from __future__ import annotations

import pytest

from hansa.kernel.errors import Invalid
from hansa.reconcile.matching.subset_sum import Outcome, Search, Window, find_sums, match_sums


def test_one_solution_is_a_match():
    sums = find_sums(100, [70, 45, 30, 9], Search(size_max=3))
    assert sums.outcome is Outcome.UNIQUE
    assert sums.solutions == ((0, 2),)
    assert sums.difference_minor == 0


def test_several_solutions_are_counted_and_told():
    sums = find_sums(100, [70, 30, 60, 40, 5], Search(size_max=3))
    assert sums.outcome is Outcome.AMBIGUOUS
    assert sums.found == 2
    assert set(sums.solutions) == {(0, 1), (2, 3)}
    assert sums.members == (0, 1, 2, 3)


def test_one_part_alone_is_no_sum():
    assert find_sums(100, [100, 1], Search(size_max=3)).outcome is Outcome.NONE


def test_equal_parts_are_interchangeable_if_their_class_says_so():
    amounts = [50, 50, 50, 7]
    assert find_sums(100, amounts, Search(4), classes=[1, 1, 1, 1]).outcome is Outcome.UNIQUE
    assert find_sums(100, amounts, Search(4)).found == 3


def test_a_refund_may_be_a_part():
    sums = find_sums(80, [100, -20, 3], Search(size_max=2))
    assert sums.solutions == ((0, 1),)


def test_a_tolerance_takes_fees_and_tells_the_difference():
    sums = find_sums(100, [70, 28, 9], Search(size_max=2, tolerance_minor=2))
    assert (sums.outcome, sums.difference_minor) == (Outcome.UNIQUE, -2)


def test_too_much_work_is_not_decided():
    amounts = list(range(1, 400))
    sums = find_sums(50_000, amounts, Search(size_max=8))
    assert sums.outcome is Outcome.NONE  # not even the largest would do: nothing is laid out
    assert sums.work == 0
    sums = find_sums(1_500, amounts, Search(size_max=8))
    assert sums.outcome is Outcome.UNDECIDED
    assert sums.work > 2_000_000
    assert len(sums.members) == 399


def test_six_of_sixty_are_found():
    amounts = [pow(7, 40 + place, 10**12 + 39) for place in range(60)]
    target = sum(amounts[place] for place in (3, 17, 22, 38, 41, 59))
    sums = find_sums(target, amounts, Search(size_max=6))
    assert sums.outcome is Outcome.UNIQUE
    assert sums.solutions == ((3, 17, 22, 38, 41, 59),)


def test_a_part_that_two_targets_want_goes_to_neither():
    everyone = (0, 1, 2, 3, 4)
    windows = [Window(100, everyone), Window(90, everyone), Window(55, everyone)]
    answers = match_sums(windows, [60, 40, 30, 50, 5], Search(size_max=2))
    assert [sums.outcome for sums in answers] == [Outcome.AMBIGUOUS] * 3
    answers = match_sums(windows[:1], [60, 40, 30, 50, 5], Search(size_max=2))
    assert [sums.outcome for sums in answers] == [Outcome.UNIQUE]


def test_parts_are_told_by_their_place_among_all():
    answers = match_sums([Window(9, (4, 2)), Window(3, (0, 3))], [1, 9, 5, 2, 4])
    assert [sums.solutions for sums in answers] == [((2, 4),), ((0, 3),)]


@pytest.mark.parametrize(
    ("amounts", "search", "classes"),
    [
        ([1, 2], Search(size_max=1), None),
        ([1, 2], Search(size_max=13), None),
        ([1, 2], Search(tolerance_minor=-1), None),
        ([1, 2], Search(), [1]),
        ([1 << 54, 2], Search(), None),
    ],
)
def test_what_does_not_fit_is_refused(amounts, search, classes):
    with pytest.raises(Invalid):
        find_sums(3, amounts, search, classes)
