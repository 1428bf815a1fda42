"""Fields of records 03 and 16: amounts, dates, funds types, summaries and transactions.

Source: BAI Cash Management Balance Reporting Specifications, version 2, records 03 and 16, and
"Funds type".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from hansa.kernel.values import INT64_MAX
from hansa.reconcile.currencies import count_digits
from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.bai2.codes import DIRECTIONS, Funds
from hansa.reconcile.readers.fields import FieldError, count_days, parse_amount

_FUNDS = frozenset(Funds)
_WHOLE = re.compile("[+-]?[0-9]{1,40}")
_BEHIND_COMMA = re.compile(r"[0-9]{2,3}(\.[0-9]*)?")
"""What a comma within an amount leaves behind where the next field is due: `00`, `000.00`."""
_DATE = re.compile("([0-9]{2}|[0-9]{4})([0-9]{2})([0-9]{2})")
_CENTURY_TURN = 70
"""Years of two digits from here on are of the twentieth century."""
_PAIRS_MAX = 99


class Detail(NamedTuple):
    """A transaction, its fields as they are written."""

    type: str
    amount: str
    funds: str
    value_date: str
    """Of funds type V; YYMMDD."""
    bank_reference: str
    customer_reference: str
    text: tuple[str, ...]
    """By continuation."""


class Summary(NamedTuple):
    """A balance or a total of an account."""

    type: str
    amount: str
    items: str
    """How many it sums; empty if that is not said."""


def parse_minor(text: str, currency: str) -> int:
    """Parse an amount, which is in minor units and has no point; one with a point is in major ones.

    Raises:
      FieldError: it is none, or too large, or has more behind the point than the currency has
        decimals, be it zeros: `1.000` may be a thousand.
    """
    if "." in text:
        if len(text.partition(".")[2]) > count_digits(currency):
            raise FieldError(
                Fault.FIELD,
                f"{text[:40]!r} has a point before more digits than {currency or 'money'} has "
                "decimals; amounts of BAI2 are digits alone, in the minor unit",
            )
        return parse_amount(text, currency)
    if _WHOLE.fullmatch(text) is None:
        raise FieldError(
            Fault.FIELD, f"{text[:40]!r} is no amount: digits alone, in the minor unit"
        )
    minor = int(text)
    if abs(minor) > INT64_MAX:
        raise FieldError(Fault.FIELD, f"{text!r} is more than {INT64_MAX} minor units")
    return minor


def require_whole(amount: str, following: str) -> None:
    """Refuse an amount that a comma within it has cut off, by the field that follows it.

    Raises:
      FieldError: what follows is the rest of a number, not a field.

    Example:
      >>> require_whole("1000", "V")
    """
    if _BEHIND_COMMA.fullmatch(following) is not None:
        raise FieldError(
            Fault.FIELD,
            f"'{amount[:40]},{following}' is no amount: a comma ends the field, so that its rest "
            "would be lost; amounts of BAI2 are digits alone, in the minor unit",
        )


def parse_date(text: str) -> int:
    """Parse a date, YYMMDD, or YYYYMMDD as X9.121 has it.

    Raises:
      FieldError: it is none.

    Example:
      >>> parse_date("700103"), parse_date("19700103")
      (2, 2)
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise FieldError(Fault.FIELD, f"{text[:40]!r} is no date, YYMMDD")
    year = int(found[1])
    if len(found[1]) == 2:  # noqa: PLR2004 - digits
        year += 1900 if year >= _CENTURY_TURN else 2000
    return count_days(year, int(found[2]), int(found[3]))


class _Fields:
    """Takes fields one by one, from one segment to the next."""

    def __init__(self, segments: list[str]) -> None:
        self._segments = segments
        self._index = 0
        self._rest: list[str] = segments[0].split(",")
        self._rest.reverse()
        self._is_fresh = False
        """Whether this segment is a continuation of which nothing was taken."""

    def _advance(self) -> bool:
        if self._rest:
            return True
        if self._index + 1 >= len(self._segments):
            return False
        self._index += 1
        self._rest = self._segments[self._index].split(",")
        self._rest.reverse()
        self._is_fresh = True
        return True

    @property
    def is_at_end(self) -> bool:
        return not self._advance()

    def peek(self) -> str:
        return self._rest[-1].strip() if self._rest else ""

    def take(self) -> str:
        if not self._advance():
            return ""
        self._is_fresh = False
        return self._rest.pop().strip()

    def is_text_next(self, first: frozenset[str] = frozenset(), commas: int = 0) -> bool:
        """Whether a continuation is next that cannot be fields, by its first or their number."""
        if not self._advance() or not self._is_fresh:
            return False
        return self.peek() not in first if first else len(self._rest) <= commas

    def take_text(self) -> tuple[str, ...]:
        lines = [",".join(reversed(self._rest))] if self._rest else []
        return (*lines, *self._segments[self._index + 1 :])


def parse_detail(segments: list[str]) -> Detail:
    """Parse a transaction.

    Continuations go on with the fields, as the format has it, if what they hold can be these;
    else they are text: banks end the first record early and leave out the commas.

    Raises:
      FieldError: how many distributions there are cannot be read.
    """
    fields = _Fields(segments)
    type_code, amount = fields.take(), fields.take()
    funds, value_date = "", ""
    if not fields.is_text_next(_FUNDS):
        funds = fields.take()
        value_date = _skip_distribution(fields, funds)
    bank_reference = "" if fields.is_text_next(commas=2) else fields.take()
    customer_reference = "" if fields.is_text_next(commas=1) else fields.take()
    text = fields.take_text()
    return Detail(type_code, amount, funds, value_date, bank_reference, customer_reference, text)


def _skip_distribution(fields: _Fields, funds: str) -> str:
    """Skip what follows a funds type, and return its date if it has one."""
    if funds == Funds.VALUE_DATED:
        value_date = fields.take()
        fields.take()  # the time, which may be empty
        return value_date
    count = 0
    if funds == Funds.DISTRIBUTED:
        count = 3
    elif funds == Funds.DISTRIBUTED_BY_DAYS:
        count = 2 * _parse_count(fields.take())
    for _ in range(count):
        fields.take()
    return ""


def parse_summaries(fields: list[str]) -> Iterator[Summary]:
    """Parse the summaries of an account, from the fields after its currency.

    Fields that are empty where a type code is due are passed over: some banks write one comma too
    many before a continuation, and a summary may be defaulted whole.

    Raises:
      FieldError: something else stands where a type code is due, or a number of items, or a funds
        type.
    """
    rest = _Fields([",".join(fields)])
    while not rest.is_at_end:
        type_code = rest.take()
        if not type_code:
            continue
        if type_code not in DIRECTIONS:
            raise FieldError(
                Fault.FIELD, f"{type_code[:40]!r} is no type code of a summary, as 010"
            )
        amount, items = rest.take(), rest.take()
        if "." in items or ("." in amount and items.startswith("0")):
            require_whole(amount, items)
        if rest.peek() not in DIRECTIONS:  # a bank that leaves out the funds type altogether
            _skip_distribution(rest, _check_funds(rest.take()))
        yield Summary(type_code, amount, items)


def _check_funds(funds: str) -> str:
    if funds not in _FUNDS:
        raise FieldError(Fault.FIELD, f"{funds[:40]!r} is no funds type: 0 1 2 S V D Z or nothing")
    return funds


def _parse_count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,2}", text):
        raise FieldError(
            Fault.FIELD, f"{text[:40]!r} is no number of distributions, 0 to {_PAIRS_MAX}"
        )
    return int(text)
