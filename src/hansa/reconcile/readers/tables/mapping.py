"""Mappings: which columns of a table hold which fields of an entry, and how they are written.

A mapping is a TOML file. Nothing about amounts and dates is guessed from the table itself: what
could be read in two ways is read as the mapping says, or not at all.

Source: docs/reference/statements.md, Tables.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import Counter
from typing import Literal

import msgspec

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.currencies import is_currency
from hansa.reconcile.entries import Status
from hansa.reconcile.readers.tables.dates import check_format, is_zone
from hansa.shapes import Unread, read_toml

MAPPING_BYTES_MAX = 1 << 20
HELD_BACK_MAX = 1_000
"""Rows at the end that may be left out: they are held back while the table is read."""

Column = str | int
"""By its name in the header, or by its number from 1."""
Columns = Column | tuple[Column, ...]

AMOUNTS = ("amount", "credit", "debit")
MONEY = (*AMOUNTS, "original_amount", "charges")
DATES = ("booking_date", "value_date")
TEXTS = (
    "account",
    "reference",
    "bank_reference",
    "transaction_id",
    "counterparty",
    "counterparty_account",
    "text",
    "code",
    "batch",
)
SINGLE = (
    *("currency", "original_currency", "indicator"),
    *DATES,
    *MONEY,
)
"""Roles that have one column; the others may have several, which are joined by a blank."""
CONSTANT = ("account", "currency", "code", "counterparty", "text", "status")


class Writing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How amounts are written, and which way they count."""

    unit: Literal["major", "minor"] = "major"
    decimal: Literal["", ".", ","] = ""
    """The mark before decimals; without one, an amount in text has none."""
    thousands: Literal["", ".", ",", " ", "'"] = ""
    debits: Literal["positive", "negative"] = "positive"
    """How the column of debits writes what goes out."""
    sign: Literal[1, -1] = 1
    """-1 turns the table round: it is written from the other side."""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of the indicator that says which way an amount without a sign goes."""

    credit: tuple[str, ...] = ()
    debit: tuple[str, ...] = ()
    credit_reversal: tuple[str, ...] = ()
    """What came in goes back."""
    debit_reversal: tuple[str, ...] = ()

    @property
    def signs(self) -> dict[str, tuple[int, bool]]:
        """Sign, and whether it is a reversal, by word."""
        meanings = [
            (self.credit, 1, False),
            (self.debit, -1, False),
            (self.credit_reversal, -1, True),
            (self.debit_reversal, 1, True),
        ]
        return {word: (sign, turn) for words, sign, turn in meanings for word in words}

    @property
    def all(self) -> list[str]:
        """All words, as often as they stand there."""
        return [*self.credit, *self.debit, *self.credit_reversal, *self.debit_reversal]


class Dates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How dates are written."""

    format: str = "%Y-%m-%d"
    """As of strptime: %d %m %Y %y %b, then %H %M %S %f, the time of booking."""
    zone: str = ""
    """In which moments with a zone become days; without one, the zone of their column."""


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the rows are, and how cells are told apart."""

    skip: int = 0
    """Lines of a CSV file, or rows of a sheet, before the header."""
    header: bool = True
    footer: int = 0
    """Rows at the end that are no entries."""
    delimiter: str = ","
    quote: str = '"'
    """Empty if a quote is a letter like any other."""
    encoding: str = "utf-8"
    sheet: str = ""
    """Of a workbook; empty for its only one."""


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the columns of a table mean."""

    columns: dict[str, Columns]
    constants: dict[str, str] = {}
    amounts: Writing = Writing()
    indicator: Words = Words()
    dates: Dates = Dates()
    rows: Layout = Layout()

    def find(self, role: str) -> tuple[Column, ...]:
        """Find the columns of a role, none if it has none."""
        found = self.columns.get(role, ())
        return found if isinstance(found, tuple) else (found,)

    @property
    def wanted(self) -> list[Column]:
        """All columns that are read, each once."""
        return list(dict.fromkeys(column for role in self.columns for column in self.find(role)))


def parse_mapping(raw: bytes, where: str) -> Mapping:
    """Parse a mapping.

    Args:
      raw: TOML, in UTF-8.
      where: what it is called, for messages.

    Raises:
      Invalid: not TOML, an unknown key, a value that cannot be, or a mapping that does not say
        all that it must; says which.
    """
    try:
        return read_toml(
            raw.removeprefix(BOM_UTF8), Mapping, bytes_max=MAPPING_BYTES_MAX, find_faults=_check
        )
    except Unread as error:
        raise Invalid(InvalidCode.MALFORMED, f"{where}: {error}") from None


def _check(mapping: Mapping) -> list[str]:
    return [*_check_columns(mapping), *_check_amounts(mapping), *_check_layout(mapping)]


def _check_columns(mapping: Mapping) -> list[str]:
    known = {*SINGLE, *TEXTS}
    faults = [
        f"[columns] has no {role!r}: it has {', '.join(sorted(known))}"
        for role in sorted(set(mapping.columns) - known)
    ]
    faults += [
        f"[constants] has no {role!r}: it has {', '.join(sorted(CONSTANT))}"
        for role in sorted(set(mapping.constants) - set(CONSTANT))
    ]
    for role in sorted(set(mapping.columns) & set(mapping.constants)):
        faults.append(f"{role} is both a column and a constant: name one")
    for role in sorted(mapping.columns):
        found = mapping.find(role)
        if not found or (role in SINGLE and len(found) > 1):
            faults.append(f"{role} must have one column, not {len(found)}")
        if len(set(found)) < len(found):
            faults.append(f"{role} names a column twice: {list(found)}")
        if any(isinstance(column, int) and column < 1 for column in found):
            faults.append(f"{role}: columns are numbered from 1")
        if not mapping.rows.header and any(isinstance(column, str) for column in found):
            faults.append(f"{role} names a column, but there is no header: write its number")
    for role in ("account", "currency"):
        if role not in mapping.columns and role not in mapping.constants:
            faults.append(f"{role} is missing: name its column, or write it under [constants]")
    if not {"booking_date", "value_date"} & set(mapping.columns):
        faults.append("booking_date and value_date are missing: name a column for one of them")
    return faults


def _check_amounts(mapping: Mapping) -> list[str]:
    roles = set(mapping.columns)
    ways = [role for role in AMOUNTS if role in roles]
    faults = []
    if ways not in (["amount"], ["credit", "debit"]):
        faults.append("name a column for amount, or one for credit and one for debit")
    if "indicator" in roles and (ways != ["amount"] or not mapping.indicator.all):
        faults.append(
            "an indicator goes with amount, and its words are listed under [indicator]: "
            'credit = ["C"], debit = ["D"]'
        )
    if mapping.indicator.all and "indicator" not in roles:
        faults.append("[indicator] lists words, but no column is the indicator")
    for word, count in Counter(mapping.indicator.all).items():
        if count > 1 or not word.strip():
            faults.append(f"[indicator] must have each word once, and none empty: {word!r}")
    used = Counter(column for role in (*AMOUNTS, "indicator") for column in mapping.find(role))
    for column, count in used.items():
        if count > 1:
            faults.append(f"amounts name the column {column!r} twice: name another for each")
    if mapping.amounts.decimal and mapping.amounts.decimal == mapping.amounts.thousands:
        faults.append("amounts: decimal and thousands are the same mark: one of them is another")
    if mapping.amounts.unit == "minor" and mapping.amounts.decimal:
        faults.append("amounts: minor units are whole, so decimal must be empty")
    currency = mapping.constants.get("currency", "EUR")
    if not is_currency(currency):
        faults.append(f"currency is {currency!r}: write its three capital letters, such as EUR")
    status = mapping.constants.get("status", Status.BOOKED)
    if status not in list(Status):
        faults.append(f"status is {status!r}: it is one of {', '.join(Status)}")
    return faults


def _check_layout(mapping: Mapping) -> list[str]:
    rows = mapping.rows
    faults = []
    if rows.skip < 0 or not 0 <= rows.footer <= HELD_BACK_MAX:
        faults.append(f"rows: skip is 0 or more, footer 0 to {HELD_BACK_MAX}")
    is_letter = len(rows.delimiter) == 1 and len(rows.quote) <= 1
    if not is_letter or rows.delimiter == rows.quote or {rows.delimiter, rows.quote} & {*"\r\n\0"}:
        faults.append(
            "rows: delimiter is one letter, quote another or none, and neither ends lines"
        )
    try:
        "".encode(rows.encoding)
    except (LookupError, ValueError):  # also of codecs that are none of text
        faults.append(f"rows: there is no encoding {rows.encoding!r}: such as utf-8, cp1252")
    fault = check_format(mapping.dates.format)
    if fault:
        faults.append(f"dates: {fault}")
    if mapping.dates.zone and not is_zone(mapping.dates.zone):
        faults.append(f"dates: {mapping.dates.zone!r} is no time zone: such as Europe/Berlin")
    return faults
