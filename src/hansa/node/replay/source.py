"""Payments files: which columns mean what, and rows out of CSV or Parquet.

A small TOML file names the columns and how to read them; the one that ships as the default reads
the simulated data of the Fraud Detection Handbook. Amounts in text or decimal columns are exact;
doubles are taken if they lie within 1e-6 of a whole minor unit.

Inside, rows count from 0; messages count them from 1 and name the line of a CSV file, too.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from hansa.contracts.currency import CURRENCY_LETTERS, EXPONENT_MAX
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import TIME_MAX_MS
from hansa.kernel.values import INT64_MAX
from hansa.node.replay.lines import HEADER, find_fault, find_line, name_row
from hansa.reconcile.readers.tables.kinds import (
    get_value_kind,
    is_amount,
    is_name,
    is_time,
    round_doubles,
    simplify,
)
from hansa.sdk.files import check_file, read_file

ROWS_PER_READ = 32_768
MAP_BYTES_MAX = 1 << 20
ID_LETTERS_MAX = 35
"""What a payment holds as its reference (`hansa.kernel.values.EndToEndId`)."""

_PARSING = pyarrow.csv.ParseOptions(newlines_in_values=True)  # else not where it cuts the file
_EXACT = Context(prec=100, traps=[Inexact])
_CURRENCY = re.compile(f"[A-Z]{{{CURRENCY_LETTERS}}}")
_ZONED = r"[T ]\d\d.*(Z|[+-]\d\d(:?\d\d)?)$"
_DATE_ONLY = r"^\d{4}-\d\d-\d\d$"

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

    @property
    def by_role(self) -> dict[str, str]:
        """The columns by what they hold."""
        return {role: getattr(self, role) for role in ROLES}

    @staticmethod
    def load(path: Path) -> ColumnMap:
        """Load a TOML map.

        Raises:
          NotFound: there is no such file.
          Unavailable: it cannot be read.
          Invalid: as in `parse`, or it is no UTF-8.
        """
        raw = read_file(path, MAP_BYTES_MAX)
        if len(raw) > MAP_BYTES_MAX:
            raise _malformed(f"{path} has more than {MAP_BYTES_MAX} bytes: it is no map")
        try:
            return ColumnMap.parse(raw.decode(), str(path))
        except UnicodeDecodeError as error:
            raise _malformed(f"{path} is not UTF-8, save it as that: {error}") from None

    @staticmethod
    def parse(text: str, where: str) -> ColumnMap:
        """Parse a TOML map.

        Raises:
          Invalid: not TOML, an unknown or missing key, a value that cannot be, a column twice.
        """
        try:
            values = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # also of numbers with too many digits
            raise _malformed(f"{where} is not TOML: {error}") from None
        known = set(ColumnMap.__dataclass_fields__)
        unknown, missing = set(values) - known, known - set(values) - {"exponent"}
        if unknown or missing:
            raise _malformed(
                f"{where}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}; "
                f"a map has {sorted(known)}"
            )
        for key, value in values.items():
            if type(value) is not (int if key == "exponent" else str):
                raise _malformed(f"{where}: {key} has a value of a wrong type: {value!r}")
        columns = ColumnMap(**values)
        columns._check(where)
        return columns

    def _check(self, where: str) -> None:
        if not _CURRENCY.fullmatch(self.currency):
            raise _malformed(
                f"{where}: currency is {self.currency!r}: write its {CURRENCY_LETTERS} capital "
                "letters, such as EUR"
            )
        if not 0 <= self.exponent <= EXPONENT_MAX:
            raise _malformed(
                f"{where}: exponent is {self.exponent}: write how many decimals the currency has, "
                f"0 to {EXPONENT_MAX}"
            )
        for column, count in Counter(self.by_role.values()).items():
            if count > 1:
                roles = [role for role, name in self.by_role.items() if name == column]
                raise _malformed(
                    f"{where}: {' and '.join(roles)} name one column, {column!r}: "
                    "name another for each"
                )


class Place(NamedTuple):
    """Where values of a column lie, for messages."""

    path: Path
    first: int
    """Row of the first value, from 0."""

    def describe(self, index: int) -> str:
        """Name the row of a value as its reader finds it: from 1, in CSV also the line."""
        row = self.first + index
        line = find_line(self.path, row) if self.path.suffix == ".csv" else None
        return f"{self.path}: {name_row(row, line)}"


class PaymentsFile:
    """A payments file, opened and its columns checked; read in order, in bounded memory."""

    def __init__(self, path: Path, columns: ColumnMap) -> None:
        check_file(path)
        self.path = path
        self.columns = columns
        self._is_parquet = path.suffix == ".parquet"
        if not self._is_parquet and path.suffix != ".csv":
            raise _malformed(f"{path} ends neither in .csv nor in .parquet")
        self._check_columns()

    @property
    def fingerprint(self) -> bytes:
        """Compute 8 bytes that tell this file and map from all others."""
        # A pass of its own, though the plan reads the file, too: of a Parquet file that reads only
        # some columns, in its own order, so what was hashed on the way would not be the file to
        # the byte. It costs seconds a gigabyte; the payments in one take an hour to replay.
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        digest.update(repr(self.columns).encode())
        return digest.digest()[:8]

    def iterate(self, from_row: int = 0) -> Iterator[Payments]:
        """Iterate the payments in file order, some ten thousand at a time.

        Raises:
          Invalid: a value cannot be read; names row and column.
        """
        number = 0
        day: int | None = None
        for batch in self._iterate_batches():
            count = batch.num_rows
            if number + count > from_row:
                skip = max(0, from_row - number)
                place = Place(self.path, number + skip)
                try:
                    part = self._normalize(batch.slice(skip), place)
                except pa.ArrowException as error:
                    raise _malformed(f"{place.describe(0)} or later: {_flatten(error)}") from None
                day = self._check_order(part, day, place)
                yield part
            number += count

    def _normalize(self, batch: pa.RecordBatch, place: Place) -> Payments:
        columns = self.columns
        plain = {role: simplify(batch.column(name)) for role, name in columns.by_role.items()}
        found = {role: plain[role].cast(pa.string()) for role in ("id", "payer", "payee")}
        for role, column in found.items():
            self._check_filled(pc.index(column, "").as_py(), role, place)
        self._check_ids(found["id"], place)
        found["time_ms"] = parse_times(plain["time"], columns.time, place)
        found["amount_minor"] = parse_amounts(plain["amount"], columns, place)
        for role, column in found.items():
            if column.null_count:
                index = pc.index(column.is_null(), True).as_py()
                self._check_filled(index, role.removesuffix("_ms"), place)
        return Payments(place.first, pa.record_batch(found))

    def _check_filled(self, empty_at: int, role: str, place: Place) -> None:
        if empty_at >= 0:
            column = self.columns.by_role[role]
            raise _malformed(
                f"{place.describe(empty_at)}, column {column!r}: no value: fill it in or leave "
                "the row out",
                row=place.first + empty_at + 1,
            )

    def _check_ids(self, ids: Any, place: Place) -> None:  # noqa: ANN401 - Arrow array
        is_long = pc.greater(pc.utf8_length(ids), ID_LETTERS_MAX)
        index = pc.index(is_long, True).as_py()
        if index >= 0:
            raise _malformed(
                f"{place.describe(index)}, column {self.columns.id!r}: an id of "
                f"{len(ids[index].as_py())} characters: a payment has one of at most "
                f"{ID_LETTERS_MAX}; shorten it, or name another column in a map file (--map)",
                row=place.first + index + 1,
            )

    def _check_order(self, part: Payments, day: int | None, place: Place) -> int:
        """Check that no row lies on an earlier day than the one before it; returns the last."""
        days = count_days(part.columns.column("time_ms"))
        before = pa.array([days[0].as_py() if day is None else day], pa.int32())
        index = pc.index(pc.less(days, pa.concat_arrays([before, days[:-1]])), True).as_py()
        if index >= 0:
            raise _malformed(
                f"{place.describe(index)}, column {self.columns.time!r}: an earlier day than "
                "that of the row before it: sort the file by time",
                row=place.first + index + 1,
            )
        return int(days[-1].as_py())

    def _check_columns(self) -> None:
        schema = self._read_schema()
        for role, name in self.columns.by_role.items():
            found = schema.get_all_field_indices(name)
            if not found:
                raise _malformed(
                    f"{self.path} has no column {name!r}; it has {sorted(schema.names)}. "
                    "Name the columns in a map file (--map)"
                )
            if len(found) > 1:
                raise _malformed(
                    f"{self.path} has {len(found)} columns {name!r}: rename all but one"
                )
            kind = schema.field(found[0]).type
            needed, is_fit = ROLES[role]
            if self._is_parquet and not is_fit(get_value_kind(kind)):
                raise _malformed(
                    f"{self.path}: column {name!r} holds {kind}; as {role} it must hold {needed}: "
                    "name another in a map file (--map), or convert it"
                )

    def _read_schema(self) -> pa.Schema:
        try:
            if self._is_parquet:
                return pa.parquet.read_schema(self.path)
            with pyarrow.csv.open_csv(self.path, parse_options=_PARSING) as reader:
                schema = reader.schema
                _ = schema.names
                return schema
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> Invalid:
        advice = "write it anew, it is damaged or no Parquet"
        if not self._is_parquet:
            fault = find_fault(self.path, self.columns.by_role.values())
            if fault is not None:
                facts = {} if fault.row == HEADER else {"row": fault.row + 1}
                return _malformed(f"{self.path}: {fault.what}", **facts)
            advice = (
                "it must be UTF-8, with a header and as many cells in each row as in the header"
            )
        return _malformed(f"{self.path} cannot be read ({_flatten(error)}): {advice}")

    def _iterate_batches(self) -> Iterator[pa.RecordBatch]:
        wanted = [*self.columns.by_role.values()]
        try:
            if self._is_parquet:
                file = pa.parquet.ParquetFile(self.path)
                yield from file.iter_batches(ROWS_PER_READ, columns=wanted)
            else:
                text = dict.fromkeys(wanted, pa.string())
                yield from pyarrow.csv.open_csv(
                    self.path,
                    parse_options=_PARSING,
                    convert_options=pyarrow.csv.ConvertOptions(
                        column_types=text, include_columns=wanted
                    ),
                )
        except pa.ArrowException as error:
            raise self._unreadable(error) from None


def parse_amounts(column: Any, columns: ColumnMap, place: Place) -> Any:  # noqa: ANN401
    """Parse a column of amounts into an Arrow array of minor units, int64.

    Args:
      column: Arrow array of doubles, decimals, integers (major units) or text.
      columns: names the column for errors, and the currency's exponent.
      place: where its values lie.

    Raises:
      Invalid: a value is no number or no whole number of minor units; names the row.
    """
    if pa.types.is_floating(column.type):
        rounded, is_good = round_doubles(column, columns.exponent)
        row = pc.index(is_good, False).as_py()
        if row >= 0:
            raise _bad_amount(column[row].as_py(), columns, place, row)
        return rounded
    amounts = []
    for row, value in enumerate(column.to_pylist()):
        try:
            scaled_value = Decimal(value).scaleb(columns.exponent, _EXACT)
            is_whole = abs(scaled_value) <= INT64_MAX and scaled_value == int(scaled_value)
        except (ArithmeticError, TypeError, ValueError):
            is_whole = False
        if not is_whole:
            raise _bad_amount(value, columns, place, row)
        amounts.append(int(scaled_value))
    return pa.array(amounts, pa.int64())


def parse_times(column: Any, name: str, place: Place) -> Any:  # noqa: ANN401
    """Parse a column of times into ms since 1970 UTC, int64; what is missing stays missing.

    Args:
      column: Arrow array of timestamps, dates, or text in ISO 8601; without a zone, UTC.
      name: of the column, for errors.
      place: where its values lie.

    Raises:
      Invalid: a value is no time, or none that ledger time holds; names the row.
    """
    parse = _parse_text_times if pa.types.is_string(column.type) else _parse_stamps
    try:
        times = parse(column)
    except pa.ArrowInvalid:
        index = _find_bad(column, parse)
        raise _bad_time(
            f"{column[index]} is no time: write it as 2024-05-31T14:30:00, with Z or an offset "
            "such as +02:00 at its end if it has a zone",
            name,
            place,
            index,
        ) from None
    is_outside = pc.or_(pc.less(times, 0), pc.greater_equal(times, TIME_MAX_MS))
    index = pc.index(is_outside, True).as_py()
    if index >= 0:
        raise _bad_time(
            f"{column[index]} lies outside the years 1970 to 2099, which ledger time holds: "
            "correct it or leave the row out",
            name,
            place,
            index,
        )
    return times


def count_days(times_ms: Any) -> Any:  # noqa: ANN401 - Arrow arrays
    """Count the days since 1970 of an Arrow array of times, in UTC."""
    return times_ms.cast(pa.timestamp("ms")).cast(pa.date32()).cast(pa.int32())


def _parse_text_times(texts: Any) -> Any:  # noqa: ANN401
    is_zoned = pc.match_substring_regex(texts, _ZONED)
    if not pc.any(is_zoned).as_py():
        return _parse_stamps(texts.cast(pa.timestamp("us")))
    times = pc.if_else(
        pc.match_substring_regex(texts, _DATE_ONLY),
        pc.binary_join_element_wise(texts, "00:00:00", "T"),
        texts,
    )
    zoned = pc.if_else(is_zoned, times, pc.binary_join_element_wise(times, "Z", ""))
    return _parse_stamps(zoned.cast(pa.timestamp("us", "UTC")))


def _parse_stamps(stamps: Any) -> Any:  # noqa: ANN401
    zone = stamps.type.tz if pa.types.is_timestamp(stamps.type) else None
    truncating = pc.CastOptions(pa.timestamp("ms", zone), allow_time_truncate=True)
    return stamps.cast(options=truncating).cast(pa.int64())


def _find_bad(column: Any, parse: Callable[[Any], Any]) -> int:  # noqa: ANN401
    """Find the first value that does not parse, in a column that has one."""
    good, bad = 0, len(column)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            parse(column[good:middle])
            good = middle
        except pa.ArrowInvalid:
            bad = middle
    return good


_NAMES = "text or whole numbers", is_name
ROLES: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "id": _NAMES,
    "time": ("timestamps, dates or text", is_time),
    "payer": _NAMES,
    "payee": _NAMES,
    "amount": ("text, decimals, doubles or whole numbers", is_amount),
}
"""What a column can hold, and what kinds of columns will do."""


def _bad_time(what: str, name: str, place: Place, index: int) -> Invalid:
    row = place.first + index + 1
    return _malformed(f"{place.describe(index)}, column {name!r}: {what}", row=row)


def _bad_amount(value: object, columns: ColumnMap, place: Place, index: int) -> Invalid:
    return Invalid(
        InvalidCode.AMOUNT,
        f"{place.describe(index)}, column {columns.amount!r}: {value!r} is no amount with at most "
        f"{columns.exponent} decimals: correct it or leave the row out",
        row=place.first + index + 1,
    )


def _flatten(error: Exception) -> str:
    """Write a message in one line."""
    return " ".join(str(error).split())


def _malformed(message: str, **facts: int) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message, **facts)
