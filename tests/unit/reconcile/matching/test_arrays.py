"""Arrays of whole numbers: what is refused, runs, and division without rounding surprises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import (
    AMOUNT_MAX,
    check_amounts,
    count_within,
    find_ends,
    find_starts,
    make_ints,
    scale_down,
)


@pytest.mark.parametrize("column", [[1.5], [[1]], ["1"]])
def test_only_columns_of_whole_numbers_are_taken(column):
    with pytest.raises(Invalid) as refused:
        make_ints(column)
    assert refused.value.code is InvalidCode.ARGUMENTS


def test_an_empty_column_is_one_of_whole_numbers():
    assert make_ints([]).dtype == np.int64


def test_amounts_whose_sums_may_not_fit_are_refused():
    check_amounts(np.array([AMOUNT_MAX, -AMOUNT_MAX]))
    for amount in (AMOUNT_MAX + 1, -AMOUNT_MAX - 1, -(1 << 63)):
        with pytest.raises(Invalid) as refused:
            check_amounts(np.array([amount]))
        assert refused.value.code is InvalidCode.AMOUNT


def test_runs_of_equal_values():
    ordered = np.array([3, 3, 5, 7, 7, 7])
    assert find_starts(ordered).tolist() == [0, 2, 3]
    assert find_ends(ordered).tolist() == [2, 3, 6]
    assert find_ends(ordered[:0]).tolist() == find_starts(ordered[:0]).tolist() == []
    assert count_within(np.array([2, 0, 3])).tolist() == [0, 1, 0, 1, 2]


@given(st.integers(0, 1 << 62), st.integers(1, 1 << 62))
def test_parts_of_a_whole_scale_without_overflow(one, other):
    part, whole = min(one, other), max(one, other)
    (scaled,) = scale_down(np.array([part]), np.array([whole]), 1_000_000).tolist()
    assert abs(scaled - part * 1_000_000 // whole) <= 1
    if whole < 1 << 42:
        assert scaled == part * 1_000_000 // whole
