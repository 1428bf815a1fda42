"""The calendar against Python's `datetime`; every day of its years 1 to 9999 in `make soak`."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from hansa.kernel.calendar import (
    DAY_MS,
    civil_date,
    civil_from_days,
    day_number,
    days_from_civil,
    format_iso,
    year_of,
)
from hansa.kernel.errors import Invalid, InvalidCode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
OFFSETS = [-720, -210, -1, 0, 1, 330, 480, 840]
AROUND = (-60, -59, -2, -1, 0, 305)
"""From 1 March: the year's first day or the one before, the end of February, the last day."""
TIMES = [0, -1, 1, 1_522_540_800_000, 1_735_689_599_999, 951_782_400_000, -62_000_000_000_000]


def local(time_ms, offset_minutes):
    zone = timezone(timedelta(minutes=offset_minutes))
    return (EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone)


def test_every_day_of_a_cycle_of_400_years_and_the_ends_of_all_years(soak):
    last = date.max.toordinal()
    cycle = range(date(1800, 1, 1).toordinal(), date(2200, 1, 1).toordinal())
    ends = [date(year, 3, 1).toordinal() + days for year in range(1, 10_000) for days in AROUND]
    for ordinal in range(1, last + 1) if soak else sorted({*cycle, *ends} - {0}):
        expected = date.fromordinal(ordinal)
        days = ordinal - EPOCH_ORDINAL
        civil = civil_from_days.__wrapped__(days)
        assert civil == (expected.year, expected.month, expected.day)
        if expected.day in {1, 28, 29, 31}:
            assert days_from_civil(*civil) == days


@pytest.mark.parametrize("offset", OFFSETS)
def test_dates_at_an_offset(offset):
    for base in TIMES:
        midnight = base - base % DAY_MS - offset * 60_000
        for time_ms in (base, midnight - 1, midnight, midnight + DAY_MS - 1, midnight + DAY_MS):
            expected = local(time_ms, offset)
            assert civil_date(time_ms, offset) == (expected.year, expected.month, expected.day)
            assert year_of(time_ms, offset) == expected.year
            assert day_number(time_ms, offset) == expected.date().toordinal() - EPOCH_ORDINAL


@pytest.mark.parametrize("offset", OFFSETS)
def test_iso_text_is_that_of_datetime(offset):
    for time_ms in TIMES:
        expected = local(time_ms, offset).isoformat(timespec="milliseconds")
        assert format_iso(time_ms, offset) == expected.replace("+00:00", "Z")


def test_iso_text_of_known_times():
    assert format_iso(0, 0) == "1970-01-01T00:00:00.000Z"
    assert format_iso(1_522_540_800_123, 480) == "2018-04-01T08:00:00.123+08:00"
    assert format_iso(0, -210) == "1969-12-31T20:30:00.000-03:30"


def test_a_day_number_begins_at_the_offset_s_midnight():
    midnight_in_macao = 16 * 3_600_000
    assert day_number(midnight_in_macao - 1, 480) == 0
    assert day_number(midnight_in_macao, 480) == 1
    assert day_number(-1, 0) == -1


def test_years_outside_datetime():
    assert civil_from_days(days_from_civil(0, 2, 29)) == (0, 2, 29)
    assert civil_from_days(days_from_civil(-400, 12, 31)) == (-400, 12, 31)
    assert days_from_civil(10_000, 1, 1) == days_from_civil(9_999, 12, 31) + 1


@pytest.mark.parametrize(
    "civil",
    [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1), (2024, 1, 0)],
)
def test_a_date_that_does_not_exist_is_invalid(civil):
    with pytest.raises(Invalid) as raised:
        days_from_civil(*civil)
    assert raised.value.code == InvalidCode.MALFORMED


@pytest.mark.parametrize("civil", [(10_000, 1, 1), (-1, 12, 31)])
def test_years_that_iso_cannot_write_are_invalid(civil):
    with pytest.raises(Invalid):
        format_iso(days_from_civil(*civil) * DAY_MS, 0)
