"""Payments files: which columns mean what, and rows out of CSV or Parquet.

A small TOML file names the columns and how to read them; the one that ships as the default reads
the simulated data of the Fraud Detection Handbook. Amounts in text or decimal columns are exact;
doubles are taken if they lie within 1e-6 of a whole minor unit.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.kernel.values import INT64_MAX

ROWS_PER_READ = 32_768
DOUBLE_MAX = 2**53
"""In minor units: beyond it doubles do not hold every whole number."""
DOUBLE_TOLERANCE = 1e-6
"""How far a double may lie from a whole minor unit, in minor units."""

_EXACT = Context(prec=100, traps=[Inexact])

DEFAULT_MAP = """\
# Columns of the simulated payments of the Fraud Detection Handbook.
id = "TRANSACTION_ID"
time = "TX_DATETIME"
payer = "CUSTOMER_ID"
payee = "TERMINAL_ID"
amount = "TX_AMOUNT"
currency = "USD"
exponent = 2
"""


class Payments(NamedTuple):
    """Payments of consecutive rows of the file, as columns."""

    first: int
    """Number of the first row, from 0."""
    columns: pa.RecordBatch
    """id, payer, payee: text; time_ms, amount_minor: int64; no value is missing."""

    def cut(self, start: int, end: int) -> Payments:
        """Cut out the rows from `start` up to `end`, counted within these."""
        return Payments(self.first + start, self.columns.slice(start, end - start))

    def copied(self) -> Payments:
        """Copy the rows: what was cut out holds on to the whole, and would travel with it."""
        numbers = pa.array(range(self.columns.num_rows))
        return Payments(self.first, self.columns.take(numbers))


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which columns hold what."""

    id: str
    time: str
    payer: str
    payee: str
    amount: str
    currency: str
    exponent: int = 2

    @staticmethod
    def parse(text: str, where: str) -> ColumnMap:
        """Parse a TOML map.

        Raises:
          Invalid: not TOML, an unknown or missing key, a value of a wrong type.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise _malformed(f"{where} is not TOML: {error}") from None
        known = set(ColumnMap.__dataclass_fields__)
        unknown, missing = set(values) - known, known - set(values) - {"exponent"}
        if unknown or missing:
            raise _malformed(
                f"{where}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}; "
                f"a map has {sorted(known)}"
            )
        for key, value in values.items():
            if not isinstance(value, int if key == "exponent" else str):
                raise _malformed(f"{where}: {key} has a value of a wrong type: {value!r}")
        return ColumnMap(**values)


class PaymentsFile:
    """A payments file, opened and its columns checked; read in order, in bounded memory."""

    def __init__(self, path: Path, columns: ColumnMap) -> None:
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
        self.path = path
        self.columns = columns
        self._is_parquet = path.suffix == ".parquet"
        if not self._is_parquet and path.suffix != ".csv":
            raise _malformed(f"{path} ends neither in .csv nor in .parquet")
        names = self._read_names()
        for name in self._wanted():
            if name not in names:
                raise _malformed(
                    f"{path} has no column {name!r}; it has {sorted(names)}. "
                    "Name the columns in a map file (--map)"
                )

    @property
    def fingerprint(self) -> bytes:
        """Compute 8 bytes that tell this file and map from others: size and first megabyte."""
        with self.path.open("rb") as file:
            head = file.read(1 << 20)
        size = str(self.path.stat().st_size).encode()
        return hashlib.sha256(size + repr(self.columns).encode() + head).digest()[:8]

    def iterate(self, from_row: int = 0) -> Iterator[Payments]:
        """Iterate the payments in file order, some ten thousand at a time.

        Raises:
          Invalid: a value cannot be read; names row and column.
        """
        number = 0
        for batch in self._iterate_batches():
            count = batch.num_rows
            if number + count > from_row:
                skip = max(0, from_row - number)
                try:
                    part = self._normalize(batch.slice(skip), number + skip)
                except pa.ArrowException as error:
                    first = number + skip
                    raise _malformed(f"{self.path}, from row {first} on: {error}") from None
                yield part
            number += count

    def _normalize(self, batch: pa.RecordBatch, first: int) -> Payments:
        columns = self.columns
        texts = {"id": columns.id, "payer": columns.payer, "payee": columns.payee}
        found = {name: batch.column(column).cast(pa.string()) for name, column in texts.items()}
        found["time_ms"] = parse_times(batch.column(columns.time), columns.time, first)
        found["amount_minor"] = parse_amounts(batch.column(columns.amount), columns, first)
        for name, column in found.items():
            if column.null_count:
                row = first + pc.index(column.is_null(), True).as_py()
                column_name = texts.get(name, columns.time)
                raise _malformed(f"row {row}, column {column_name!r}: no value", row=row)
        return Payments(first, pa.record_batch(found))

    def _wanted(self) -> list[str]:
        columns = self.columns
        return [columns.id, columns.time, columns.payer, columns.payee, columns.amount]

    def _read_names(self) -> set[str]:
        try:
            if self._is_parquet:
                return set(pa.parquet.read_schema(self.path).names)
            with self.path.open(encoding="utf-8") as file:
                return {name.strip().strip('"') for name in file.readline().split(",")}
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise _malformed(f"{self.path} cannot be read: {error}") from None

    def _iterate_batches(self) -> Iterator[pa.RecordBatch]:
        try:
            if self._is_parquet:
                file = pa.parquet.ParquetFile(self.path)
                yield from file.iter_batches(ROWS_PER_READ, columns=self._wanted())
            else:
                text = dict.fromkeys(self._wanted(), pa.string())
                yield from pyarrow.csv.open_csv(
                    self.path,
                    convert_options=pyarrow.csv.ConvertOptions(
                        column_types=text, include_columns=self._wanted()
                    ),
                )
        except pa.ArrowInvalid as error:
            raise _malformed(f"{self.path} cannot be read: {error}") from None


def parse_amounts(column: Any, columns: ColumnMap, first: int) -> Any:  # noqa: ANN401
    """Parse a column of amounts into an Arrow array of minor units, int64.

    Args:
      column: Arrow array of doubles, decimals, integers (major units) or text.
      columns: names the column for errors, and the currency's exponent.
      first: row number of its first value.

    Raises:
      Invalid: a value is no number or no whole number of minor units; names the row.
    """
    if pa.types.is_floating(column.type):
        scaled = pc.multiply(column.cast(pa.float64()), float(10**columns.exponent))
        rounded = pc.round(scaled, round_mode="half_to_even")
        is_near = pc.less_equal(pc.abs(pc.subtract(scaled, rounded)), DOUBLE_TOLERANCE)
        is_exact = pc.less_equal(pc.abs(scaled), float(DOUBLE_MAX))
        is_good = pc.fill_null(pc.and_(is_near, is_exact), False)  # noqa: FBT003 - Arrow's
        row = pc.index(is_good, False).as_py()
        if row >= 0:
            raise _bad_amount(column[row].as_py(), columns, first + row)
        return rounded.cast(pa.int64())
    amounts = []
    for row, value in enumerate(column.to_pylist()):
        try:
            scaled_value = Decimal(value).scaleb(columns.exponent, _EXACT)
            is_whole = abs(scaled_value) <= INT64_MAX and scaled_value == int(scaled_value)
        except (ArithmeticError, TypeError, ValueError):
            is_whole = False
        if not is_whole:
            raise _bad_amount(value, columns, first + row)
        amounts.append(int(scaled_value))
    return pa.array(amounts, pa.int64())


def parse_times(column: Any, name: str, first: int) -> Any:  # noqa: ANN401
    """Parse a column of timestamps (or text in ISO 8601 without a zone), in UTC, into ms, int64."""
    try:
        if pa.types.is_string(column.type):
            column = column.cast(pa.timestamp("ms"))
        return column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise _malformed(f"column {name!r} from row {first}: {error}") from None


def _bad_amount(value: object, columns: ColumnMap, row: int) -> Invalid:
    return Invalid(
        InvalidCode.AMOUNT,
        f"row {row}, column {columns.amount!r}: {value!r} is no amount with at most "
        f"{columns.exponent} decimals",
        row=row,
    )


def _malformed(message: str, **facts: int) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message, **facts)
