"""Fields as banks write them: amounts to minor units, dates to days; both exact or refused."""

from __future__ import annotations

import datetime as dt
import re

from hansa.kernel.values import INT64_MAX
from hansa.reconcile.currencies import count_digits
from hansa.reconcile.entries import Fault

AMOUNT_LETTERS_MAX = 40
_AMOUNT = re.compile(r"([+-]?)([0-9]*)(?:[.,]([0-9]*))?")
_EPOCH = dt.date(1970, 1, 1).toordinal()
_ISO_DATE = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")
_ISO_TIME = re.compile(
    r"T([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?(?:[.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?\Z"
)
_OFFSET = re.compile("([+-])([0-9]{1,2}):?([0-9]{2})?")
DAY_S = 86_400


class FieldError(Exception):
    """A field that cannot be read: a reader makes a finding of it, with its place."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault
        self.text = text


def parse_amount(text: str, currency: str) -> int:
    """Parse an amount with at most one separator, point or comma, which is the decimal one.

    Zeros beyond the minor unit are nothing; other digits there are refused.

    Raises:
      FieldError: it is none, is finer than the minor unit, or too large.

    Example:
      >>> parse_amount("1234,50", "EUR"), parse_amount("-0.5", "KWD"), parse_amount("70", "JPY")
      (123450, -500, 70)
    """
    found = _AMOUNT.fullmatch(text) if len(text) <= AMOUNT_LETTERS_MAX else None
    if found is None or not (found[2] or found[3]):
        raise FieldError(
            Fault.FIELD,
            f"{text[:AMOUNT_LETTERS_MAX]!r} is no amount: digits, with one point or comma before "
            "the decimals, and no other separator",
        )
    places = count_digits(currency)
    decimals = (found[3] or "").rstrip("0")
    if len(decimals) > places:
        raise FieldError(
            Fault.FIELD,
            f"{text!r} is finer than the minor unit of {currency}, which has {places} decimals",
        )
    minor = int(found[2] + decimals.ljust(places, "0") or "0")
    if minor > INT64_MAX:
        raise FieldError(Fault.FIELD, f"{text!r} is more than {INT64_MAX} minor units")
    return -minor if found[1] == "-" else minor


def parse_iso_date(text: str) -> int:
    """Parse a date of ISO 8601, and of a moment its date as written, in its own zone.

    Returns:
      The days since 1970-01-01.

    Raises:
      FieldError: it is none.

    Example:
      >>> parse_iso_date("1970-01-03"), parse_iso_date("1970-01-03T23:59:00-05:00")
      (2, 2)
    """
    found = _ISO_DATE.match(text)
    rest = text[10:]
    if found is None or (rest and rest[0] not in "TZ+-"):
        raise FieldError(Fault.FIELD, f"{text[:40]!r} is no date, as 2026-11-30")
    return count_days(int(found[1]), int(found[2]), int(found[3]))


def parse_time(
    time: re.Match[str] | None, day: int | None, offset_minutes: int | None
) -> tuple[int | None, int | None]:
    """Make of a day and a time of it when something was booked, and by which clock.

    Midnight to the second tells no time: it is what programs write that know the day alone.

    Args:
      time: hour, minute and second, the last of which may be missing, as its first three groups.
      day: since 1970-01-01, or None.
      offset_minutes: of the clock, east of UTC, if it is told.

    Returns:
      `Entry.booked_at_s` and `Entry.booked_offset_minutes`; None twice where there is no such time.
    """
    if time is None or day is None:
        return None, None
    hour, minute, second = (int(each or 0) for each in time.groups()[:3])
    time_s = (hour * 60 + minute) * 60 + second
    if not time_s or hour >= 24 or minute >= 60 or second > 60:  # noqa: PLR2004 - of a clock
        return None, None
    return day * DAY_S + time_s, offset_minutes


def parse_offset(text: str) -> int | None:
    """Parse how far a clock is east of UTC, in minutes: `Z`, `+02:00`; None if it does not say.

    Example:
      >>> parse_offset("Z"), parse_offset("-05:30"), parse_offset("")
      (0, -330, None)
    """
    if text == "Z":
        return 0
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    return -minutes if found[1] == "-" else minutes


def parse_iso_time(text: str) -> tuple[int | None, int | None]:
    """Parse when a moment of ISO 8601 is, as `parse_time` tells it; of a date, None twice.

    Example:
      >>> parse_iso_time("1970-01-02T00:00:05+01:00"), parse_iso_time("1970-01-02")
      ((86405, 60), (None, None))
    """
    found = _ISO_TIME.match(text, 10)
    if found is None:
        return None, None
    return parse_time(found, parse_iso_date(text), parse_offset(found[4] or ""))


def count_days(year: int, month: int, day: int) -> int:
    """Count the days from 1970-01-01 to a date.

    Raises:
      FieldError: there is no such day.
    """
    try:
        return dt.date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        raise FieldError(Fault.FIELD, f"there is no day {year:04}-{month:02}-{day:02}") from None
