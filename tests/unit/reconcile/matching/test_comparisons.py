"""Comparisons: measures, levels, what is missing and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.reconcile.matching.comparisons import MISSING, Columns, Comparison, Measure, Table

LEFT = Table({"amount": [1_000, MISSING, -500]}, {"memo": ["AB", "", "CD"]})
RIGHT = Table({"amount": [1_100, 1_000, 500]}, {"memo": ["AB", "X", "CD"]})


def measure(column, kind, bounds=(0,)):
    """Of the first rows as given, the second ones, the third ones."""
    columns = Columns(LEFT, RIGHT, ["amount", "memo"])
    rows = [np.argsort(order) for order in columns.order]
    comparison = Comparison("it", column, kind, bounds)
    return (
        columns.measure(comparison, *rows).tolist(),
        columns.find_levels(comparison, *rows).tolist(),
    )


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        ("amount", Measure.DIFFERENCE, [100, MISSING, 1_000]),
        ("amount", Measure.PPM, [90_909, MISSING, 1_000_000]),
        ("amount", Measure.EQUAL, [0, MISSING, 0]),
        ("memo", Measure.EQUAL, [1, MISSING, 1]),
        ("memo", Measure.LETTERS, [1_000, MISSING, 1_000]),
        ("memo", Measure.BEGINNING, [1, MISSING, 1]),
        ("memo", Measure.WORDS, [1, MISSING, 1]),
    ],
)
def test_measures(column, kind, values):
    assert measure(column, kind)[0] == values


def test_a_level_ends_at_its_bound_and_what_is_missing_has_its_own():
    assert measure("amount", Measure.DIFFERENCE, (99, 100, 999))[1] == [1, 4, 3]


def test_rows_are_sorted_by_content_and_equal_ones_are_of_one_class():
    table = Table({"amount": [5, 3, 5, 5]}, {"memo": ["B", "Z", "A", "B"]})
    columns = Columns(table, table, ["memo", "amount"])
    assert columns.order[0].tolist() == [1, 2, 0, 3]
    assert columns.classes[0].tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize(
    "comparison",
    [
        Comparison("it", "amount", Measure.LETTERS, (0,)),
        Comparison("it", "memo", Measure.PPM, (0,)),
        Comparison("it", "memo", Measure.EQUAL, ()),
        Comparison("it", "memo", Measure.EQUAL, (1, 1)),
        Comparison("it", "memo", Measure.EQUAL, tuple(range(31))),
    ],
)
def test_comparisons_that_do_not_fit_are_refused(comparison):
    with pytest.raises(Invalid):
        Columns(LEFT, RIGHT, ["amount", "memo"]).check(comparison)


@pytest.mark.parametrize(
    ("right", "names"),
    [
        (RIGHT, ["day"]),
        (Table({"amount": [1]}, {"memo": ["A", "B"]}), ["amount", "memo"]),
        (Table({"amount": [1 << 60]}, {"memo": ["A"]}), ["amount"]),
        (Table({}, {"amount": ["A"]}), ["amount"]),
    ],
)
def test_columns_that_do_not_fit_are_refused(right, names):
    with pytest.raises(Invalid):
        Columns(LEFT, right, names)
