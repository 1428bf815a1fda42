"""From columns of a table, some ten thousand rows at a time, to entries and the rows that are none.

Every row becomes one entry, or one finding: of the first field, in the order of the checks here,
that cannot be read. Rows that are well become no objects of Python.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from functools import reduce
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hansa.reconcile.entries import SCHEMA, TIMES, Fault, Status
from hansa.reconcile.readers.tables.amounts import count_places, explain_amount, parse_amounts
from hansa.reconcile.readers.tables.dates import parse_dates, parse_times
from hansa.reconcile.readers.tables.kinds import is_text, write_cell
from hansa.reconcile.readers.tables.mapping import TEXTS, Column, Mapping

_CURRENCY = "^[A-Z]{3}$"
TOLD_MAX = 40


class BadRow(NamedTuple):
    """A row that is no entry."""

    place: int
    """From 0, within the rows that were given."""
    fault: Fault
    column: str
    text: str


Explain = Callable[[int], str]
"""Says what is wrong in a row, by its place."""


class _Check(NamedTuple):
    """What makes rows bad, and why it does."""

    is_bad: pa.Array
    column: str
    fault: Fault
    explain: str | Explain

    def tell(self, place: int) -> BadRow:
        text = self.explain if isinstance(self.explain, str) else self.explain(place)
        return BadRow(place, self.fault, self.column, text)


class Converted(NamedTuple):
    """Rows as entries, and those that are none."""

    entries: pa.RecordBatch
    bad: list[BadRow]


class Converter:
    """Makes entries of rows, by a mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    def convert(self, columns: Dictionary[Column, pa.Array], lines: pa.Array) -> Converted:
        """Convert rows.

        Args:
          columns: the mapping's columns, simplified, each as long as there are rows.
          lines: where each row stands, int64.

        Raises:
          pa.ArrowInvalid: the mapping's time zone is none.
        """
        rows = _Rows(self._mapping, columns, len(lines))
        fields = rows.read()
        fields["statement"] = pa.repeat(pa.scalar(0, pa.int32()), len(lines))
        fields["line"] = lines
        is_bad, bad = rows.find_bad()
        if bad:
            is_good = pc.invert(is_bad)
            fields = {name: column.filter(is_good) for name, column in fields.items()}
        return Converted(
            pa.RecordBatch.from_arrays([fields[name] for name in SCHEMA.names], schema=SCHEMA), bad
        )


class _Rows:
    """Rows that are being converted, and what was found to be wrong with them."""

    def __init__(self, mapping: Mapping, columns: Dictionary[Column, pa.Array], count: int) -> None:
        self._mapping = mapping
        self._columns = columns
        self._count = count
        self._checks: list[_Check] = []

    def read(self) -> dict[str, pa.Array]:
        """Read all fields but where the rows stand."""
        fields: dict[str, pa.Array] = {name: self._read_text(name) for name in TEXTS}
        self._check(
            pc.equal(fields["account"], ""), "account", Fault.MISSING, "no account: fill it in"
        )
        fields["currency"] = self._read_currency()
        places = count_places(fields["currency"])
        fields["amount_minor"], fields["is_reversal"] = self._read_amount(places)
        fields["booking_date"], fields["value_date"] = self._read_dates()
        fields |= self._read_times(fields["booking_date"])
        fields["original_currency"] = self._read_original_currency()
        fields["original_minor"] = self._read_optional(
            "original_amount", count_places(fields["original_currency"])
        )
        fields["charges_minor"] = self._read_optional("charges", places)
        self._check_charges(fields["charges_minor"])
        status = self._mapping.constants.get("status", Status.BOOKED)
        fields["status"] = pa.repeat(status, self._count)
        return fields

    def find_bad(self) -> tuple[pa.Array, list[BadRow]]:
        """Find the rows of which a check said so, and the first that did, for each."""
        if not self._checks:
            return None, []
        masks = [pc.fill_null(check.is_bad, True) for check in self._checks]  # noqa: FBT003
        is_bad = masks[0]
        for mask in masks[1:]:
            is_bad = pc.or_(is_bad, mask)
        checked = list(zip(self._checks, masks, strict=True))
        bad = [
            next(check for check, mask in checked if mask[place].as_py()).tell(place)
            for place in pc.indices_nonzero(is_bad).to_pylist()
        ]
        return is_bad, bad

    def _check(self, is_bad: pa.Array, role: str, fault: Fault, explain: str | Explain) -> None:
        """Add a check, if there is a row that is bad by it; null counts as bad."""
        if pc.any(pc.fill_null(is_bad, True)).as_py():  # noqa: FBT003 - Arrow's
            name = ", ".join(map(self._name, role.split()))
            self._checks.append(_Check(is_bad, name, fault, explain))

    def _name(self, role: str) -> str:
        return " + ".join(map(str, self._mapping.find(role))) or role

    def _get(self, role: str) -> pa.Array:
        return self._columns[self._mapping.find(role)[0]]

    def _read_text(self, role: str) -> pa.Array:
        found = [clean(self._columns[column]) for column in self._mapping.find(role)]
        if not found:
            return pa.repeat(self._mapping.constants.get(role, ""), self._count)
        return reduce(_join, found)

    def _read_currency(self) -> pa.Array:
        currencies = self._read_text("currency")
        if "currency" in self._mapping.columns:
            self._check_currency(currencies, "currency", pc.equal(currencies, ""))
        return currencies

    def _check_currency(self, currencies: pa.Array, role: str, is_bad: pa.Array) -> None:
        distinct = pc.unique(currencies)
        is_code = pc.match_substring_regex(distinct, _CURRENCY)
        if not pc.all(is_code).as_py():
            unknown = distinct.filter(pc.and_(pc.invert(is_code), pc.not_equal(distinct, "")))
            is_bad = pc.or_(is_bad, pc.is_in(currencies, value_set=unknown))

        def explain(place: int) -> str:
            found = currencies[place].as_py()[:TOLD_MAX]
            return f"{found!r} is no currency: write its three capital letters, such as EUR"

        self._check(is_bad, role, Fault.CURRENCY, explain)

    def _read_original_currency(self) -> pa.Array:
        currencies = self._read_text("original_currency")
        if "original_currency" in self._mapping.columns:
            self._check_currency(currencies, "original_currency", pc.is_null(currencies))
        return currencies

    def _read_amount(self, places: pa.Array) -> tuple[pa.Array, pa.Array]:
        no_reversal = pa.repeat(False, self._count)  # noqa: FBT003 - Arrow's
        if "amount" not in self._mapping.columns:
            return self._turn(self._read_two(places)), no_reversal
        minor = self._read_one("amount", places)
        if "indicator" not in self._mapping.columns:
            return self._turn(minor), no_reversal
        words, signs = self._read_indicator()
        text = "a negative amount with an indicator can be read in two ways: leave its sign out"
        self._check(pc.less(minor, 0), "amount", Fault.FIELD, text)
        turns = self._mapping.indicator.signs
        reversals = [word for word, (_, is_reversal) in turns.items() if is_reversal]
        is_reversal = pc.is_in(words, value_set=pa.array(reversals, pa.string()))
        return self._turn(pc.multiply(minor, signs)), is_reversal

    def _turn(self, minor: pa.Array) -> pa.Array:
        return pc.negate(minor) if self._mapping.amounts.sign < 0 else minor

    def _read_one(self, role: str, places: pa.Array) -> pa.Array:
        """Read the amounts of a role, which must be there."""
        is_missing = is_empty(self._get(role))
        self._check(is_missing, role, Fault.MISSING, "no amount: fill it in, or leave the row out")
        return self._read_optional(role, places)

    def _read_optional(self, role: str, places: pa.Array) -> pa.Array:
        """Read the amounts of a role, which may be missing in a row or in all."""
        if role not in self._mapping.columns:
            return pa.nulls(self._count, pa.int64())
        column, writing = self._get(role), self._mapping.amounts
        minor = parse_amounts(column, places, writing)

        def explain(place: int) -> str:
            digits = 0 if writing.unit == "minor" else places[place].as_py()
            return explain_amount(column[place].as_py(), digits, writing)

        is_bad = pc.and_(pc.is_null(minor), pc.invert(is_empty(column)))
        self._check(is_bad, role, Fault.FIELD, explain)
        return self._turn(minor) if role == "original_amount" else minor

    def _check_charges(self, charges: pa.Array) -> None:
        is_bad = pc.fill_null(pc.less(charges, 0), False)  # noqa: FBT003 - Arrow's
        text = "charges below zero: they are what the bank took off, without a sign"
        self._check(is_bad, "charges", Fault.FIELD, text)

    def _read_two(self, places: pa.Array) -> pa.Array:
        """Read credits less debits, of which each row has one, or one that is not zero."""
        credit = self._read_optional("credit", places)
        debit = self._read_optional("debit", places)
        is_missing = pc.and_(pc.is_null(credit), pc.is_null(debit))
        text = "neither a credit nor a debit: fill one in, or leave the row out"
        self._check(is_missing, "credit debit", Fault.MISSING, text)
        credit, debit = pc.fill_null(credit, 0), pc.fill_null(debit, 0)
        is_both = pc.and_(pc.not_equal(credit, 0), pc.not_equal(debit, 0))
        text = "both a credit and a debit: write two rows"
        self._check(is_both, "credit debit", Fault.FIELD, text)
        if self._mapping.amounts.debits == "negative":
            debit = pc.negate(debit)
        text = (
            "a sign that is not expected here: if the table writes debits with a minus, say "
            'debits = "negative" under [amounts] of the mapping'
        )
        is_signed = pc.or_(pc.less(credit, 0), pc.less(debit, 0))
        self._check(is_signed, "credit debit", Fault.FIELD, text)
        return pc.if_else(pc.not_equal(debit, 0), pc.negate(debit), credit)

    def _read_indicator(self) -> tuple[pa.Array, pa.Array]:
        signs = self._mapping.indicator.signs
        words = self._read_text("indicator")
        at = pc.index_in(words, value_set=pa.array(signs, pa.string()))

        def explain(place: int) -> str:
            word, listed = words[place].as_py()[:TOLD_MAX], ", ".join(signs)
            return f"{word!r} is none of the words under [indicator] of the mapping: {listed}"

        self._check(pc.is_null(at), "indicator", Fault.FIELD, explain)
        return words, pc.take(pa.array([sign for sign, _ in signs.values()], pa.int64()), at)

    def _read_dates(self) -> tuple[pa.Array, pa.Array]:
        booking, value = self._read_date("booking_date"), self._read_date("value_date")
        roles = [role for role in ("booking_date", "value_date") if role in self._mapping.columns]
        is_missing = pc.and_(pc.is_null(booking), pc.is_null(value))
        text = "no date: fill it in, or leave the row out"
        self._check(is_missing, " ".join(roles), Fault.MISSING, text)
        return booking, value

    def _read_times(self, days: pa.Array) -> dict[str, pa.Array]:
        """Read when entries were booked, where the column of the booking date tells it."""
        times = None
        if "booking_date" in self._mapping.columns:
            dates = self._mapping.dates
            times = parse_times(self._get("booking_date"), days, dates.format, dates.zone)
        if times is None:
            return {each.name: pa.nulls(self._count, each.type) for each in TIMES}
        return {each.name: time for each, time in zip(TIMES, times, strict=True)}

    def _read_date(self, role: str) -> pa.Array:
        if role not in self._mapping.columns:
            return pa.nulls(self._count, pa.date32())
        column, dates = self._get(role), self._mapping.dates
        days = parse_dates(column, dates.format, dates.zone)

        def explain(place: int) -> str:
            found = (write_cell(column, place) or "")[:TOLD_MAX]
            return f"{found!r} is no day in the format {dates.format!r} of the mapping: correct one"

        is_bad = pc.and_(pc.is_null(days), pc.invert(is_empty(column)))
        self._check(is_bad, role, Fault.FIELD, explain)
        return days


def clean(column: pa.Array) -> pa.Array:
    """Make text of names: nothing is empty, no blanks around it, its lines joined by a blank."""
    if not is_text(column.type):
        column = column.cast(pa.string())
    column = pc.utf8_trim_whitespace(pc.fill_null(column, ""))
    letters = column.buffers()[2]
    raw = letters.to_pybytes() if letters else b""  # ten times as fast as Arrow's own search
    if b"\n" in raw or b"\r" in raw:
        column = pc.replace_substring_regex(column, r"\s*[\r\n]\s*", " ")
    return column


def is_empty(column: pa.Array) -> pa.Array:
    """Whether there is nothing in a cell but blanks."""
    if not is_text(column.type):
        return pc.is_null(column)
    return pc.equal(clean(column), "")


def _join(left: pa.Array, right: pa.Array) -> pa.Array:
    """Join texts by a blank, if there are two."""
    # Told to skip nulls, Arrow's own join loses the rows where all of them are null.
    both = pc.binary_join_element_wise(left, right, " ")
    is_one = pc.or_(pc.equal(left, ""), pc.equal(right, ""))
    return pc.if_else(is_one, pc.binary_join_element_wise(left, right, ""), both)
