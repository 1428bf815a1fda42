"""Field `:61:`, the statement line: one movement, its dates, its sign and its references.

Source: SWIFT Standards MT, category 9, field 61: `6!n[4!n]2a[1!a]15d1!a3!c16x[//16x]` and `[34x]`
on a line of its own; what banks write beside it, from the files that tests name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.fields import FieldError, count_days

CENTURY_PIVOT = 80
"""Two digits of a year from here on are of the twentieth century (SWIFT: 1980 to 2079)."""
REFERENCE_LETTERS = 16
LONG_REFERENCE_LETTERS_MAX = 34
"""Of banks that write an IBAN where the reference stands."""
NO_REFERENCE = {"", "NONREF", "NOTPROVIDED", "NOT PROVIDED", "NONE"}
"""What stands for a reference that nobody gave."""
_SIX_DIGITS = re.compile("[0-9]{6}")
_LINE = re.compile(
    r"([0-9]{6})([0-9]{4}| {4})?(R?[CD]|E[CD])([A-Z])? ?([0-9][0-9.,]*|,[0-9.,]+)"
    r" ?((?!NONREF(?://|$))[A-Z][A-Z0-9 ]{3})?(.*)"
)


class StatementLine(NamedTuple):
    """A movement as `:61:` tells it; the amount still as text, as its currency stands elsewhere."""

    value_date: int | None
    booking_date: int | None
    mark: str
    """`C`, `D`, `RC`, `RD`, or of expected movements `EC`, `ED`."""
    funds_code: str
    """Third letter of the currency, or empty."""
    amount: str
    type: str
    """`NTRF`, `F103`, `S051`; empty where the bank wrote none."""
    reference: str
    """Of whoever ordered it, as written: `NONREF` where there is none, `KREF+` if below."""
    bank_reference: str
    beside: str
    """What stands behind a padded reference, on the same line: at Rabobank, a name."""
    supplement: str
    faults: tuple[str, ...]
    """What is wrong, and left it readable."""


def parse_statement_line(lines: list[str]) -> StatementLine | None:
    """Parse the lines of a field `:61:`, of which a bank may have wrapped the first anywhere.

    A date that does not exist is None, and a fault: some banks reckon interest in months of 30
    days, and value movements on 30 February. Without an entry date the movement is booked on its
    value date, as the standard has it.

    Returns:
      What it says; None if it is no statement line.
    """
    found = _LINE.fullmatch(lines[0].rstrip())
    rest = lines[1:]
    if found is None and rest:
        found, rest = _LINE.fullmatch((lines[0] + rest[0]).rstrip()), rest[1:]
    if found is None:
        return None
    value_text, entry_text, mark, funds_code, amount, kind, tail = found.groups(default="")
    faults: list[str] = []
    value_date = _find_day(value_text)
    booking_date = value_date
    if value_date is None:
        faults.append(f"there is no value date {value_text}")
    if entry_text.strip():
        booking_date = find_entry_date(value_text, entry_text)
        if booking_date is None:
            faults.append(f"there is no entry date {entry_text}")
    reference, bank_reference, beside = _split_references(tail)
    supplement = " ".join(filter(None, (line.strip() for line in rest)))
    return StatementLine(
        value_date,
        booking_date,
        mark,
        funds_code,
        amount,
        kind.rstrip(),
        reference,
        bank_reference,
        beside,
        supplement,
        tuple(faults),
    )


def parse_date(text: str) -> int:
    """Parse six digits, YYMMDD.

    Returns:
      The days since 1970-01-01.

    Raises:
      FieldError: they are no day.

    Example:
      >>> parse_date("700101"), parse_date("800101")
      (36525, 3652)
    """
    days = _find_day(text)
    if days is None:
        raise FieldError(Fault.FIELD, f"there is no day {text} (YYMMDD)")
    return days


@lru_cache(maxsize=4_096)
def _find_day(text: str) -> int | None:
    if not _SIX_DIGITS.fullmatch(text):
        return None
    try:
        return count_days(_full_year(text), int(text[2:4]), int(text[4:6]))
    except FieldError:
        return None


def _full_year(text: str) -> int:
    year = int(text[:2])
    return year + (1900 if year >= CENTURY_PIVOT else 2000)


@lru_cache(maxsize=4_096)
def find_entry_date(value_text: str, entry_text: str) -> int | None:
    """Find the day MMDD that is nearest to a value date, YYMMDD, which need not exist itself.

    The entry date has no year: around New Year it is not that of the value date.

    Example:
      >>> find_entry_date("191231", "0102") == parse_date("200102")
      True
    """
    year = _full_year(value_text)
    first = _find_day(f"{value_text[:4]}01")
    if first is None:
        return None
    about = first + int(value_text[4:6]) - 1
    days = []
    for nearby in (year, year - 1, year + 1):
        try:
            days.append(count_days(nearby, int(entry_text[:2]), int(entry_text[2:])))
        except FieldError:
            continue
    return min(days, key=lambda day: abs(day - about), default=None)


def _split_references(tail: str) -> tuple[str, str, str]:
    """Split what follows the type into reference, bank's reference and what stands beside them.

    The standard has 16 letters for the reference; some banks pad it and go on with a name, others
    write an IBAN or more there.
    """
    reference, mark, bank_reference = tail.partition("//")
    if mark:
        return reference.strip(), bank_reference.strip(), ""
    tail = tail.rstrip()
    if len(tail) <= REFERENCE_LETTERS:
        return tail.strip(), "", ""
    if " " not in tail and len(tail) <= LONG_REFERENCE_LETTERS_MAX:
        return tail, "", ""
    return tail[:REFERENCE_LETTERS].strip(), "", tail[REFERENCE_LETTERS:].strip()
