"""Columns of dates: to days, by a format that is given, whole columns at a time.

Years of two digits are those of POSIX: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068. The
day of a moment is that which is written there.

Source: POSIX strptime; Howard Hinnant, chrono-Compatible Low-Level Date Algorithms
(days_from_civil).
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from hansa.reconcile.readers.fields import DAY_S
from hansa.reconcile.readers.tables.kinds import is_text

ISO = "%Y-%m-%d"
DAY_MIN, DAY_MAX = -719_162, 2_932_896
"""The years 1 to 9999."""
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
_PARTS = {
    "%d": "(?P<day>[0-9]{1,2})",
    "%m": "(?P<month>[0-9]{1,2})",
    "%b": "(?P<name>[A-Za-z]{3})",
    "%Y": "(?P<year>[0-9]{4})",
    "%y": "(?P<short>[0-9]{2})",
    "%H": "(?P<hour>[0-9]{2})",
    "%M": "(?P<minute>[0-9]{2})",
    "%S": "(?P<second>[0-9]{2})",
    "%f": "[0-9]{1,9}",
}
_DIRECTIVE = re.compile("(%.)", re.DOTALL)
_PIVOT = 69
_SIZES = {"hour": (3_600, 23), "minute": (60, 59), "second": (1, 60)}
"""Seconds of a part of a time, and the most that it can be."""


def check_format(text: str) -> str:
    """Check a format of dates.

    Returns:
      What is wrong with it; nothing if it is well.
    """
    found = _DIRECTIVE.findall(text)
    unknown = [part for part in found if part not in _PARTS]
    if unknown or "%" in _DIRECTIVE.sub("", text):
        return f"format has {', '.join(unknown) or 'a lone %'}: it can have {' '.join(_PARTS)}"
    if len(set(found)) < len(found):
        return "format has a part twice"
    is_whole = (
        "%d" in found and ("%m" in found) != ("%b" in found) and ("%Y" in found) != ("%y" in found)
    )
    return "" if is_whole else "format must have %d, one of %m and %b, and one of %Y and %y"


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        pc.local_timestamp(pa.scalar(0, pa.timestamp("s", name)))
    except pa.ArrowException:
        return False
    return True


def parse_dates(column: pa.Array, form: str, zone: str) -> pa.Array:
    """Parse a column of dates, timestamps or text.

    Returns:
      date32; null where there is none, or none that can be read.
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            column = pc.local_timestamp(column.cast(pa.timestamp(kind.unit, zone or kind.tz)))
        days = pc.floor_temporal(column, unit="day").cast(pa.date32())
    elif pa.types.is_date(kind):
        days = column.cast(pa.date32())
    else:
        days = _parse_text(column, form)
    numbers = days.cast(pa.int32())
    is_good = _lies_between(numbers, DAY_MIN, DAY_MAX)
    return pc.if_else(is_good, days, pa.scalar(None, pa.date32()))


def parse_times(
    column: pa.Array, days: pa.Array, form: str, zone: str
) -> tuple[pa.Array, pa.Array] | None:
    """Parse the times of the moments of a column whose days are known.

    Midnight to the second tells no time: it is what programs write that know the day alone.

    Returns:
      `booked_at_s` and `booked_offset_minutes` of entries, null where there is no time; None if a
      column of this kind, or this format, tells none.
    """
    kind = column.type
    offset = pa.nulls(len(column), pa.int64())
    if pa.types.is_timestamp(kind):
        moment = column
        if kind.tz is not None:
            moment = pc.local_timestamp(column.cast(pa.timestamp(kind.unit, zone or kind.tz)))
            offset = pc.divide(pc.subtract(_count_s(moment), _count_s(column)), 60)
        time = pc.subtract(_count_s(moment), pc.multiply(_count_days_of(moment), DAY_S))
    elif is_text(kind) and "%H" in form:
        parts = _extract(column, form)
        names = {field.name for field in parts.type}
        time = pa.repeat(pa.scalar(0, pa.int64()), len(column))
        for name, (size_s, most) in _SIZES.items():
            if name in names:
                number = pc.struct_field(parts, name).cast(pa.int64())
                number = pc.if_else(pc.less_equal(number, most), number, None)
                time = pc.add(time, pc.multiply(number, size_s))
    else:
        return None
    at = pc.add(pc.multiply(days.cast(pa.int32()).cast(pa.int64()), DAY_S), time)
    is_told = pc.fill_null(pc.and_(pc.greater(time, 0), at.is_valid()), False)  # noqa: FBT003
    return (
        pc.if_else(is_told, at, pa.scalar(None, pa.int64())),
        pc.if_else(is_told, offset, pa.scalar(None, pa.int64())),
    )


def _count_s(moment: pa.Array) -> pa.Array:
    """Count seconds since 1970-01-01, rounded down."""
    whole = pc.floor_temporal(moment, unit="second")
    return whole.cast(pa.timestamp("s", moment.type.tz)).cast(pa.int64())


def _count_days_of(moment: pa.Array) -> pa.Array:
    day = pc.floor_temporal(moment, unit="day").cast(pa.date32())
    return day.cast(pa.int32()).cast(pa.int64())


def _extract(column: pa.Array, form: str) -> pa.Array:
    """Extract the parts of a format; all are null of what does not fit."""
    pattern = "".join(
        _PARTS[part] if part in _PARTS else re.escape(part) for part in _DIRECTIVE.split(form)
    )
    return pc.extract_regex(pc.utf8_trim_whitespace(column), f"^{pattern}$")


def _parse_text(column: pa.Array, form: str) -> pa.Array:
    if form == ISO:
        try:
            return pc.utf8_trim_whitespace(column).cast(pa.date32())
        except pa.ArrowInvalid:
            pass  # one of them is none: which, comes out below
    parts = _extract(column, form)
    names = [field.name for field in parts.type]
    year = _read_year(parts, names)
    if "month" in names:
        month = pc.struct_field(parts, "month").cast(pa.int32())
    else:
        name = pc.utf8_lower(pc.struct_field(parts, "name"))
        month = pc.add(pc.index_in(name, value_set=pa.array(MONTHS)), 1)
    return _count_days(year, month, pc.struct_field(parts, "day").cast(pa.int32()))


def _read_year(parts: pa.Array, names: list[str]) -> pa.Array:
    if "year" in names:
        return pc.struct_field(parts, "year").cast(pa.int32())
    short = pc.struct_field(parts, "short").cast(pa.int32())
    return pc.add(short, pc.if_else(pc.less(short, _PIVOT), 2_000, 1_900))


def _count_days(year: pa.Array, month: pa.Array, day: pa.Array) -> pa.Array:
    """Count the days from 1970-01-01; null where there is no such day."""
    is_month = pc.and_(_lies_between(month, 1, 12), pc.greater_equal(year, 1))
    safe = pc.if_else(pc.fill_null(is_month, False), month, 1)  # noqa: FBT003
    is_leap = pc.and_(
        _divides(year, 4), pc.or_(pc.invert(_divides(year, 100)), _divides(year, 400))
    )
    lengths = pc.take(pa.array(_LENGTHS, pa.int32()), pc.subtract(safe, 1))
    length = pc.add(lengths, pc.and_(is_leap, pc.equal(safe, 2)).cast(pa.int32()))
    is_day = _lies_between(day, 1, length)
    is_late = pc.greater(safe, 2)
    shifted = pc.if_else(is_late, pc.subtract(safe, 3), pc.add(safe, 9))  # March is 0
    years = pc.if_else(is_late, year, pc.subtract(year, 1))
    of_year = pc.add(pc.divide(pc.add(pc.multiply(shifted, 153), 2), 5), pc.subtract(day, 1))
    leaps = pc.add(pc.subtract(pc.divide(years, 4), pc.divide(years, 100)), pc.divide(years, 400))
    days = pc.subtract(pc.add(pc.add(pc.multiply(years, 365), leaps), of_year), 719_468)
    nothing = pa.scalar(None, pa.int32())
    is_good = pc.fill_null(pc.and_(is_month, is_day), False)  # noqa: FBT003 - Arrow's
    return pc.if_else(is_good, days.cast(pa.int32()), nothing).cast(pa.date32())


def _divides(number: pa.Array, by: int) -> pa.Array:
    return pc.equal(pc.multiply(pc.divide(number, by), by), number)


def _lies_between(number: pa.Array, least: int, most: pa.Array) -> pa.Array:
    return pc.and_(pc.greater_equal(number, least), pc.less_equal(number, most))
