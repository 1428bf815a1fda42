"""Rates of exchange: amounts of one currency compared in another, rounded half to even.

A rate says how many units of the second currency one unit of the first is worth; if only the
opposite is there, its inverse counts.

Source: IEEE 754-2019 section 4.3.1, roundTiesToEven, for the rounding.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from fractions import Fraction

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.currencies import count_digits, is_currency
from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.fields import FieldError, parse_iso_date

RATES_BYTES_MAX = 1 << 24
HEADER = ["date", "from", "to", "rate"]
DIGITS_MAX = 30


class RateTable:
    """Rates by day and pair of currencies."""

    def __init__(self, days: int) -> None:
        """Let a rate be used for so many days after its own."""
        self._days = days
        self._rates: dict[tuple[str, str, int], Fraction] = {}

    def add(self, day: int, source: str, target: str, rate: Fraction) -> bool:
        """Add a rate; returns False, and keeps the first, if another is there for that day."""
        return self._rates.setdefault((source, target, day), rate) == rate

    def find(self, day: int, source: str, target: str) -> Fraction | None:
        """Find the newest rate that may be used on a day, or None. O(days)."""
        if source == target:
            return Fraction(1)
        for each in range(day, day - self._days - 1, -1):
            rate = self._rates.get((source, target, each))
            if rate is not None:
                return rate
            inverse = self._rates.get((target, source, each))
            if inverse is not None:
                return 1 / inverse
        return None

    def convert(self, amount_minor: int, day: int, source: str, target: str) -> int | None:
        """Convert an amount into another currency's minor units, or None without a rate."""
        rate = self.find(day, source, target)
        if rate is None:
            return None
        shift = Fraction(10) ** (count_digits(target) - count_digits(source))
        return round(amount_minor * rate * shift)


def load_rates(raw: bytes, name: str, days: int) -> RateTable:
    """Load rates from CSV with the columns date, from, to, rate.

    Args:
      raw: the file's content, UTF-8.
      name: what it is called in errors.
      days: how many days after its own a rate may be used.

    Raises:
      Invalid: it is not such a file; tells the line.
    """
    table = RateTable(days)
    for line, cells in _iterate_rows(raw, name):
        try:
            day, source, target, rate = _read_row(cells)
        except FieldError as error:
            raise _wrong(name, line, error.text) from None
        if not table.add(day, source, target, rate):
            raise _wrong(name, line, f"there is another rate of {source} in {target} for that day")
    return table


def _iterate_rows(raw: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    if len(raw) > RATES_BYTES_MAX:
        raise Invalid(InvalidCode.MALFORMED, f"{name}: has more than {RATES_BYTES_MAX} bytes")
    try:
        rows = csv.reader(io.StringIO(raw.decode("utf-8-sig")), strict=True)
        header = next(rows, [])
        if header != HEADER:
            raise _wrong(name, 1, f"the columns must be {','.join(HEADER)}")
        for cells in rows:
            if cells:
                yield rows.line_num, cells
    except UnicodeDecodeError:
        raise Invalid(InvalidCode.MALFORMED, f"{name}: is no UTF-8") from None
    except csv.Error as error:
        raise Invalid(InvalidCode.MALFORMED, f"{name}: is no CSV: {error}") from None


def _read_row(cells: list[str]) -> tuple[int, str, str, Fraction]:
    if len(cells) != len(HEADER):
        raise FieldError(Fault.STRUCTURE, f"has {len(cells)} cells instead of {len(HEADER)}")
    date, source, target, rate = (each.strip() for each in cells)
    for code in (source, target):
        if not is_currency(code):
            raise FieldError(Fault.CURRENCY, f"{code[:8]!r} is no currency, as EUR")
    whole, point, decimals = rate.partition(".")
    digits = whole + decimals
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX
    if not is_number or not whole or (point and not decimals) or not int(digits):
        raise FieldError(Fault.FIELD, f"{rate[:40]!r} is no rate: digits, with a point, above zero")
    return parse_iso_date(date), source, target, Fraction(int(digits), 10 ** len(decimals))


def _wrong(name: str, line: int, what: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"{name}, line {line}: {what}")
