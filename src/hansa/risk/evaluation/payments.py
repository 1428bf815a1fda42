"""Labelled payments by cards at terminals, in files as the Fraud Detection Handbook has them.

A file is Parquet, or CSV with a header if its name ends so. It needs the columns

    TX_DATETIME     timestamp, or text as 2018-09-01 00:00:31
    CUSTOMER_ID     whole number from 0: the card
    TERMINAL_ID     whole number from 0
    TX_AMOUNT       of a currency of two decimals; what is finer is rounded
    TX_FRAUD        0 or 1

and may have others, which are not read.

Source: https://github.com/Fraud-Detection-Handbook/simulated-data-raw.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv, parquet

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.evaluation.metrics import Bools, Whole
from hansa.risk.features.layout import AMOUNT_MAX, DAY_MS, PARTY_MAX

_TIME, _CARD, _TERMINAL, _AMOUNT, _IS_FRAUD = (
    "TX_DATETIME",
    "CUSTOMER_ID",
    "TERMINAL_ID",
    "TX_AMOUNT",
    "TX_FRAUD",
)
COLUMNS = (_TIME, _CARD, _TERMINAL, _AMOUNT, _IS_FRAUD)


class Payments(NamedTuple):
    """Payments by cards at terminals, in the order of their times; all of shape (n,)."""

    time_ms: Whole
    cards: Whole
    terminals: Whole
    amount_minor: Whole
    is_fraud: Bools

    @property
    def days(self) -> Whole:
        """Since 1970."""
        return self.time_ms // DAY_MS

    def take(self, places: npt.NDArray[np.int64] | Bools) -> Payments:
        """Take some of them, in their order."""
        times, cards, terminals, amounts, frauds = self
        return Payments(
            times[places], cards[places], terminals[places], amounts[places], frauds[places]
        )


def read_files(files: Sequence[Path]) -> Payments:
    """Read payments from files, put in the order of their times.

    Raises:
      Invalid: as `read_payments`; or two files overlap in time.
    """
    parts = [each for each in map(read_payments, files) if len(each.time_ms)]
    if not parts:
        raise Invalid(
            InvalidCode.MALFORMED, f"there are no payments in {', '.join(map(str, files))}"
        )
    parts.sort(key=lambda part: (int(part.time_ms[0]), int(part.time_ms[-1])))
    read = parts[0]
    for part in parts[1:]:
        if part.time_ms[0] < read.time_ms[-1]:
            raise Invalid(
                InvalidCode.MALFORMED,
                "files overlap in time: each goes on where another one ends",
            )
        read = _put_after(read, part)
    return read


def read_payments(path: Path) -> Payments:
    """Read payments from a file; amounts to whole cents.

    Raises:
      Invalid: it is not there, lacks a column, has something else in one, or its payments are not
        in the order of their times.
    """
    table = _read_columns(path)
    for name in COLUMNS:
        is_there = table.column(name).is_valid().to_numpy()
        _require(path, name, is_there, "there, or not one that can be read")
    if not len(table):  # of which a CSV file does not tell the types
        none = np.empty(0, np.int64)
        return Payments(none, none, none, none, np.empty(0, np.bool_))
    times, amounts = _read_times(path, table), _read_numbers(path, table, _AMOUNT)
    _require(path, _TIME, np.diff(times, prepend=times[:1]) >= 0, "in order: put rows by times")
    cents = np.rint(amounts * 100)
    _require(path, _AMOUNT, (cents >= 0) & (cents <= AMOUNT_MAX), "an amount from 0 on")
    cards, terminals, frauds = (
        _read_numbers(path, table, name) for name in (_CARD, _TERMINAL, _IS_FRAUD)
    )
    for name, numbers in ((_CARD, cards), (_TERMINAL, terminals)):
        is_number = (numbers >= 0) & (numbers <= PARTY_MAX) & (numbers == np.rint(numbers))
        _require(path, name, is_number, f"a whole number from 0 to {PARTY_MAX}")
    _require(path, _IS_FRAUD, (frauds == 0) | (frauds == 1), "0 or 1")
    return Payments(
        times,
        cards.astype(np.int64),
        terminals.astype(np.int64),
        cents.astype(np.int64),
        frauds == 1,
    )


def _read_columns(path: Path) -> pa.Table:
    try:
        if path.suffix.lower() == ".csv":
            alone = csv.ReadOptions(use_threads=False)  # else errors do not say which row it is
            table = csv.read_csv(path, alone)
        else:
            table = parquet.read_table(path, columns=list(COLUMNS))
        return table.select(COLUMNS)
    except (pa.ArrowException, OSError, KeyError) as error:
        what = f" ({str(error).splitlines()[0]})" if isinstance(error, pa.ArrowInvalid) else ""
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} is no table of payments{what}: it needs the columns {', '.join(COLUMNS)}, as "
            "Parquet, or as CSV if its name ends in .csv",
        ) from error


def _read_times(path: Path, table: pa.Table) -> Whole:
    """Read times to milliseconds since 1970; those without a zone as UTC."""
    column = table.column(_TIME)
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _parse_times(path, column)
        if not pa.types.is_timestamp(column.type):
            raise TypeError(str(column.type))
        times: Whole = column.to_numpy().astype("datetime64[ms]").astype(np.int64)
    except (pa.ArrowException, TypeError) as error:
        raise Invalid(
            InvalidCode.MALFORMED, f"{path}: {_TIME} is {column.type}, and no timestamp"
        ) from error
    if len(times) and times[0] < 0:
        raise Invalid(InvalidCode.MALFORMED, f"{path}: {_TIME} begins before 1970")
    return times


def _parse_times(path: Path, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Parse texts as times; raises `Invalid` that says which row holds none."""
    try:
        return column.cast(pa.timestamp("ms"))
    except pa.ArrowInvalid:
        for row, text in enumerate(column, 1):
            try:
                text.cast(pa.timestamp("ms"))
            except pa.ArrowInvalid:
                told = f"{path}: {_TIME} of row {row} is no timestamp: {text.as_py()[:40]!r}"
                raise Invalid(InvalidCode.MALFORMED, told) from None
        raise


def _read_numbers(path: Path, table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    column = table.column(name)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        if not pa.types.is_boolean(column.type) and not pa.types.is_decimal(column.type):
            raise Invalid(InvalidCode.MALFORMED, f"{path}: {name} is {column.type}, and no number")
        column = column.cast(pa.float64())
    numbers: npt.NDArray[np.float64] = column.to_numpy().astype(np.float64)
    return numbers


def _require(path: Path, name: str, is_such: Bools, what: str) -> None:
    """Require something of each row; NaN is never such."""
    if not is_such.all():
        row = int(np.flatnonzero(~is_such)[0]) + 1
        raise Invalid(InvalidCode.MALFORMED, f"{path}: {name} of row {row} is not {what}")


def join(sooner: Payments, later: Payments) -> Payments:
    """Put payments after others.

    Raises:
      Invalid: they begin before the others end.
    """
    if len(sooner.time_ms) and len(later.time_ms) and later.time_ms[0] < sooner.time_ms[-1]:
        raise Invalid(InvalidCode.ARGUMENTS, "payments to test begin before those to train end")
    return _put_after(sooner, later)


def _put_after(sooner: Payments, later: Payments) -> Payments:
    return Payments._make(np.concatenate(both) for both in zip(sooner, later, strict=True))
