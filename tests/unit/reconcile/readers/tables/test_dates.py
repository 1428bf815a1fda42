"""Columns of dates: only days that there are, in the format that is given."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.readers.tables.dates import (
    ISO,
    check_format,
    is_zone,
    parse_dates,
    parse_times,
)

DAY = dt.date(2026, 4, 3)
IN_UTC = pa.timestamp("us", "UTC")


def at(text, kind=None):
    """Make a column of one moment."""
    return pa.array([dt.datetime.fromisoformat(text)], kind or pa.timestamp("us"))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2026-04-03", ISO),
        (" 2026-04-03 ", ISO),
        ("03/04/2026", "%d/%m/%Y"),
        ("04/03/2026", "%m/%d/%Y"),
        ("3.4.26", "%d.%m.%y"),
        ("20260403", "%Y%m%d"),
        ("03-APR-2026", "%d-%b-%Y"),
        ("2026-04-03 23:59:59.123", "%Y-%m-%d %H:%M:%S.%f"),
        ("2026-04-03T00:00Z", "%Y-%m-%dT%H:%MZ"),
    ],
)
def test_text_is_read_by_its_format(text, form):
    assert check_format(form) == ""
    assert parse_dates(pa.array([text]), form, "").to_pylist() == [DAY]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("03/04/2026", ISO),
        ("2026-02-29", ISO),
        ("2026-04-03T10:00", ISO),
        ("31/04/2026", "%d/%m/%Y"),
        ("12/13/2026", "%d/%m/%Y"),
        ("00/01/2026", "%d/%m/%Y"),
        ("01/01/0000", "%d/%m/%Y"),
        ("29.02.1900", "%d.%m.%Y"),
        ("03-MAI-2026", "%d-%b-%Y"),
        ("1/1/20261", "%d/%m/%Y"),
        ("", ISO),
        ("٠٣/٠٤/٢٠٢٦", "%d/%m/%Y"),
    ],
)
def test_what_is_no_day_is_nothing(text, form):
    assert parse_dates(pa.array([text, None]), form, "").to_pylist() == [None, None]


def test_years_of_two_digits_turn_at_69():
    texts = pa.array(["01.01.68", "01.01.69"])
    days = parse_dates(texts, "%d.%m.%y", "").to_pylist()
    assert [day.year for day in days] == [2068, 1969]


@given(st.lists(st.dates(), min_size=1), st.sampled_from(["%d/%m/%Y", "%Y%m%d", "%m.%d.%Y"]))
def test_every_day_is_read(days, form):
    texts = [
        form.replace("%d", f"{day.day:02}")
        .replace("%m", f"{day.month:02}")
        .replace("%Y", f"{day.year:04}")
        for day in days
    ]
    assert parse_dates(pa.array(texts), form, "").to_pylist() == days


def test_moments_become_the_day_of_their_zone():
    moment = dt.datetime(2026, 4, 2, 22, 30, tzinfo=dt.UTC)
    in_utc = pa.array([moment], pa.timestamp("us", "UTC"))
    assert parse_dates(in_utc, ISO, "").to_pylist() == [dt.date(2026, 4, 2)]
    assert parse_dates(in_utc, ISO, "Europe/Berlin").to_pylist() == [DAY]
    there = in_utc.cast(pa.timestamp("us", "Europe/Berlin"))
    assert parse_dates(there, ISO, "").to_pylist() == [DAY]
    plain = pa.array([dt.datetime(2026, 4, 3, 23, 59), dt.datetime(1969, 12, 31, 1)])  # noqa: DTZ001
    assert parse_dates(plain, ISO, "").to_pylist() == [DAY, dt.date(1969, 12, 31)]


def test_days_that_no_calendar_has_are_nothing():
    beyond = pa.array([3_000_000, -800_000, 0], pa.int32()).cast(pa.date32())
    assert parse_dates(beyond, ISO, "").to_pylist() == [None, None, dt.date(1970, 1, 1)]


@pytest.mark.parametrize(
    "form", ["", "%d.%m", "%d.%m.%Y %d", "%d.%m.%b.%Y", "%Y-%m-%d%", "%d.%m.%Y %Z", "%y%Y%m%d"]
)
def test_formats_that_say_too_little_or_too_much_are_told(form):
    assert check_format(form)


def test_zones_are_known_or_not():
    assert is_zone("Europe/Berlin")
    assert not any(map(is_zone, ("Mars/Olympus", "../etc/passwd", "é")))


@pytest.mark.parametrize(
    ("column", "form", "zone", "time", "offset"),
    [
        (pa.array(["2026-04-03 18:30"]), "%Y-%m-%d %H:%M", "", (18, 30, 0), None),
        (pa.array(["03.04.26 06.07.08"]), "%d.%m.%y %H.%M.%S", "", (6, 7, 8), None),
        (pa.array(["2026-04-03 24:30"]), "%Y-%m-%d %H:%M", "", None, None),
        (pa.array(["2026-04-03 00:00"]), "%Y-%m-%d %H:%M", "", None, None),
        (at("2026-04-03T18:30"), ISO, "", (18, 30, 0), None),
        (at("2026-04-03T16:30", IN_UTC), ISO, "", (16, 30, 0), 0),
        (at("2026-04-03T01:00", IN_UTC), ISO, "Asia/Tokyo", (10, 0, 0), 540),
        (at("2026-04-04T03:00", IN_UTC), ISO, "America/New_York", (23, 0, 0), -240),
        (at("2026-04-03"), ISO, "", None, None),
    ],
)
def test_times_are_those_that_are_written(column, form, zone, time, offset):
    days = parse_dates(column, form, zone)
    assert days.to_pylist() == [DAY]
    at, offsets = parse_times(column, days, form, zone)
    midnight = (DAY - dt.date(1970, 1, 1)).days * 86_400
    expected = time and midnight + (time[0] * 60 + time[1]) * 60 + time[2]
    assert (at.to_pylist(), offsets.to_pylist()) == ([expected], [offset])


def test_dates_tell_no_time():
    assert parse_times(pa.array(["2026-04-03"]), pa.array([DAY]), ISO, "") is None
    assert parse_times(pa.array([DAY]), pa.array([DAY]), ISO, "") is None
