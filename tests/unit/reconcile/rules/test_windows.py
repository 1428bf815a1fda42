"""Windows: one rule in three forms, which agree for every date that a file can hold."""

import datetime as dt
from itertools import product

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.rules.book import Window
from hansa.reconcile.rules.windows import express_window, find_window, find_windows, get_days

FROM = dt.date(2026, 3, 2)
DAY_0 = (FROM - dt.date(1970, 1, 1)).days
WEEKLY = Window(days=7, start=FROM)
DAYS = st.none() | st.integers(DAY_0 - 40, DAY_0 + 400) | st.integers(-(1 << 31), (1 << 31) - 1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with opened_duckdb(tmp_path_factory.mktemp("duckdb"), threads=1) as opened:
        yield opened


@pytest.mark.parametrize(
    ("booking", "value", "expected"),
    [
        (DAY_0, None, 0),
        (DAY_0 + 6, DAY_0 + 7, 0),
        (DAY_0 + 7, DAY_0, 1),
        (None, DAY_0 + 14, 2),
        (DAY_0 - 1, None, 0),
        (-40_000, DAY_0 + 30, 0),
        (None, None, 0),
    ],
)
def test_the_booking_date_decides_else_the_value_date(booking, value, expected):
    assert find_window(WEEKLY, booking, value) == expected


@given(st.lists(st.tuples(DAYS, DAYS), min_size=1), st.integers(1, 366))
def test_rows_are_placed_as_entries_are(dates, days):
    window = Window(days=days, start=FROM)
    assert find_windows(window, make_rows(dates)).tolist() == [
        find_window(window, *each) for each in dates
    ]


@pytest.mark.parametrize("days", [1, 7, 366])
def test_an_engine_places_them_so_too(engine, days):
    window = Window(days=days, start=FROM)
    ends = [None, -(1 << 31), -719_163, DAY_0 - 1, DAY_0, DAY_0 + 6, 2_932_897, (1 << 31) - 1]
    dates = list(product(ends, ends))
    table = engine.add(make_rows(dates))
    found = table.select("row", found=express_window(window, table)).order_by("row")
    assert engine.fetch(found).column("found").to_pylist() == [
        find_window(window, *each) for each in dates
    ]


def make_rows(dates):
    columns = [pa.array(each, pa.int32()).cast(pa.date32()) for each in zip(*dates, strict=True)]
    rows = pa.array(range(len(dates)), pa.int64())
    return pa.table([*columns, rows], ["booking_date", "value_date", "row"])


def test_the_days_of_a_window_are_those_that_are_found_in_it():
    for number in (0, 3):
        first, last = ((each - dt.date(1970, 1, 1)).days for each in get_days(WEEKLY, number))
        found = [find_window(WEEKLY, day, None) for day in (first, last, last + 1)]
        assert found == [number, number, number + 1]


def test_the_last_window_ends_with_the_calendar():
    number = find_window(WEEKLY, 1 << 31, None)
    assert get_days(WEEKLY, number)[1] == dt.date.max
