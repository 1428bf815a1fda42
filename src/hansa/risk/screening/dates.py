"""Dates of birth as sanctions lists write them, often but a year, as days from one to another."""

from __future__ import annotations

import re

from hansa.risk.screening.entries import Days

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WRITTEN = re.compile(rf"(?:(\d{{1,2}}) )?(?:({'|'.join(_MONTHS)}) )?(\d{{4}})", re.ASCII)
_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_SPAN = re.compile(r"\s*(?:\bto\b|–|(?<=\d{4})-(?=\d{4}))\s*", re.ASCII)
_YEAR = 10_000
"""What a year more is, in whole numbers of the form 19710131."""


def read_born(text: str) -> Days | None:
    """Read `14 Jun 1975`, `Jun 1975`, `1975`, `circa 1975`, `1974 to 1976`; None if it is neither.

    What is *circa* may be a year off.
    """
    bare = text.strip()
    is_rough = bare.startswith(("circa ", "approximately "))
    parts = _SPAN.split(bare.partition(" ")[2] if is_rough else bare)
    first, last = _read_written(parts[0]), _read_written(parts[-1])
    if parts[1:-1] or first is None or last is None or first.first > last.last:
        return None
    return widen(Days(first.first, last.last)) if is_rough else Days(first.first, last.last)


def _read_written(text: str) -> Days | None:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return read_iso(text)
    day, month, year = found[1], found[2], int(found[3])
    if day and not month:
        return None
    return _build_days(year, _MONTHS.index(month) + 1 if month else 0, int(day or 0))


def read_iso(text: str) -> Days | None:
    """Read `1975-06-14`, `1975-06` or `1975`; None if it is neither."""
    found = _ISO.fullmatch(text)
    return _build_days(*(int(part or 0) for part in found.groups())) if found else None


def _build_days(year: int, month: int, day: int) -> Days | None:
    if not month:
        return Days(year * _YEAR + 101, year * _YEAR + 1231)
    if month > len(_MONTHS) or day > _MONTH_DAYS[month - 1]:
        return None
    start = year * _YEAR + month * 100
    return Days(start + (day or 1), start + (day or _MONTH_DAYS[month - 1]))


def widen(days: Days) -> Days:
    """Make days begin a year earlier and end a year later."""
    return Days(days.first - _YEAR, days.last + _YEAR)
