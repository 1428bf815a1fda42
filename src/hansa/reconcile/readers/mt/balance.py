"""Fields of a statement's frame: balances, numbers, sums.

Source: SWIFT Standards MT, category 9, fields 28C, 34F, 60, 62 and 90.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.fields import FieldError, parse_amount
from hansa.reconcile.readers.mt.statement_line import parse_date

NUMBER_DIGITS_MAX = 18
PAGE_DIGITS_MAX = 9
_BALANCE = re.compile("([CD])([0-9]{6})([A-Z]{3})? ?([0-9.,]+)")
_CURRENCY = re.compile("[CD]?[0-9]{0,6}([A-Z]{3})")
_NUMBER = re.compile(r"([0-9]*)(?:\s*/\s*([0-9]+))?")
_TOTAL = re.compile("([0-9]*)([A-Z]{3})([0-9.,]+)")
NO_DATE = "000000"
"""What banks write before the first statement of an account."""


class Balance(NamedTuple):
    """What is on an account on a day."""

    amount_minor: int
    """Negative if the account is overdrawn."""
    currency: str
    date: int | None


class Total(NamedTuple):
    """How many movements there are in a direction, and how much, as `:90C:` and `:90D:` say."""

    movements: int | None
    amount_minor: int


def find_currency(text: str) -> str:
    """Find the currency of a balance or a floor limit, also where the rest cannot be read."""
    found = _CURRENCY.match(text)
    return found[1] if found else ""


def parse_balance(text: str, currency: str) -> Balance:
    """Parse a balance, as `C261130EUR1234,5`.

    Args:
      text: what the field says.
      currency: of the account, for banks that leave it out.

    Raises:
      FieldError: it is none, its day does not exist, or no currency is known.
    """
    found = _BALANCE.fullmatch(text)
    if found is None:
        raise FieldError(Fault.FIELD, f"{text[:80]!r} is no balance, as C261130EUR1234,50")
    own = found[3] or currency
    if not own:
        raise FieldError(Fault.CURRENCY, f"the balance {text[:80]!r} has no currency")
    amount = parse_amount(found[4], own)
    date = None if found[2] == NO_DATE else parse_date(found[2])
    return Balance(-amount if found[1] == "D" else amount, own, date)


def parse_number(text: str) -> tuple[int | None, int | None]:
    """Parse number and page, as `00017/001`; zero stands for a bank that does not count.

    Raises:
      FieldError: it is neither.

    Example:
      >>> parse_number("00017/001"), parse_number("0"), parse_number("1810118101")
      ((17, 1), (None, None), (1810118101, None))
    """
    found = _NUMBER.fullmatch(text)
    if (
        not text
        or found is None
        or len(found[1]) > NUMBER_DIGITS_MAX
        or len(found[2] or "") > PAGE_DIGITS_MAX
    ):
        raise FieldError(Fault.FIELD, f"{text[:80]!r} is no statement number, as 00017/001")
    return int(found[1] or 0) or None, int(found[2] or 0) or None


def parse_total(text: str) -> Total:
    """Parse a count with a sum, as `3EUR1234,5`.

    Raises:
      FieldError: it is none.
    """
    found = _TOTAL.fullmatch(text)
    if found is None or len(found[1]) > NUMBER_DIGITS_MAX:
        raise FieldError(Fault.FIELD, f"{text[:80]!r} is no count with a sum, as 3EUR1234,50")
    return Total(int(found[1]) if found[1] else None, parse_amount(found[3], found[2]))
