"""The civil calendar over ledger time: days and years for limits, ISO 8601 for people.

Ledger time is a whole number of milliseconds since 1970-01-01T00:00Z, without leap seconds. A
network's policy sets its offset from UTC in minutes (east is positive); there are no time zones
and no daylight saving here. Times before 1970 and years before 1 work by the same formulas.

Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
https://howardhinnant.github.io/date_algorithms.html; ISO 8601; RFC 3339 section 5.6.
"""

from __future__ import annotations

from functools import lru_cache

from hansa.kernel.errors import Invalid, InvalidCode

DAY_MS = 86_400_000
MINUTE_MS = 60_000

_DAYS_OF_ERA = 146_097  # 400 Gregorian years
_DAYS_TO_EPOCH = 719_468  # from 0000-03-01 to 1970-01-01
_CACHED_DAYS_MAX = 4_096
YEAR_MAX = 9_999
_FEBRUARY = 2


def day_number(time_ms: int, offset_minutes: int) -> int:
    """Count the civil days since 1970-01-01 that have begun at the offset's midnight."""
    return (time_ms + offset_minutes * MINUTE_MS) // DAY_MS


def civil_date(time_ms: int, offset_minutes: int) -> tuple[int, int, int]:
    """Compute (year, month 1-12, day 1-31) of a ledger time."""
    return civil_from_days((time_ms + offset_minutes * MINUTE_MS) // DAY_MS)


def year_of(time_ms: int, offset_minutes: int) -> int:
    """Compute the civil year of a ledger time."""
    return civil_from_days((time_ms + offset_minutes * MINUTE_MS) // DAY_MS)[0]


@lru_cache(maxsize=_CACHED_DAYS_MAX)
def civil_from_days(days: int) -> tuple[int, int, int]:
    """Compute (year, month, day) of a day counted from 1970-01-01.

    Years are counted from 1 March, so that the leap day is the last of its year.
    """
    era, day_of_era = divmod(days + _DAYS_TO_EPOCH, _DAYS_OF_ERA)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * march_month + 2) // 5 + 1
    month = (march_month + 2) % 12 + 1
    year = era * 400 + year_of_era + (1 if month <= _FEBRUARY else 0)
    return year, month, day


def days_from_civil(year: int, month: int, day: int) -> int:
    """Count the days from 1970-01-01 to a civil date; negative before it.

    Raises:
      Invalid: `MALFORMED` if the calendar has no such date.
    """
    march_year = year - 1 if month <= _FEBRUARY else year
    era, year_of_era = divmod(march_year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    days = era * _DAYS_OF_ERA + day_of_era - _DAYS_TO_EPOCH
    if civil_from_days(days) != (year, month, day):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"the calendar has no date {year}-{month}-{day}",
            year=year,
            month=month,
            day=day,
        )
    return days


def format_iso(time_ms: int, offset_minutes: int) -> str:
    """Write a ledger time as `2018-04-01T08:30:00.000+08:00`, with `Z` where the offset is 0.

    Raises:
      Invalid: `MALFORMED` if the year is not one of 0 to 9999.
    """
    local_ms = time_ms + offset_minutes * MINUTE_MS
    year, month, day = civil_from_days(local_ms // DAY_MS)
    if not 0 <= year <= YEAR_MAX:
        raise Invalid(InvalidCode.MALFORMED, f"year {year} cannot be written", year=year)
    seconds, milliseconds = divmod(local_ms % DAY_MS, 1_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    date = f"{year:04d}-{month:02d}-{day:02d}"
    clock = f"{hour:02d}:{minute:02d}:{second:02d}.{milliseconds:03d}"
    if offset_minutes == 0:
        return f"{date}T{clock}Z"
    offset_hours, offset_rest = divmod(abs(offset_minutes), 60)
    sign = "+" if offset_minutes > 0 else "-"
    return f"{date}T{clock}{sign}{offset_hours:02d}:{offset_rest:02d}"
