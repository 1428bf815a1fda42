"""Rows of text cells, as CSV and workbooks have them: header, columns, and what is no row."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Dictionary
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec
import pyarrow as pa

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Part
from hansa.reconcile.readers.tables.building import TableBuilder
from hansa.reconcile.readers.tables.mapping import DATES, MONEY, Column, Mapping

ROWS_PER_READ = 8_192
LETTERS_PER_READ = 1 << 24
"""So that rows of many letters are read in smaller parts."""
NAMES_TOLD_MAX = 50


class Number(str):
    """A cell that is a number: digits, a point before decimals, a minus before all."""

    __slots__ = ()


class Day(str):
    """A cell that is a day, or a moment of it, in ISO 8601."""

    __slots__ = ()

    @staticmethod
    def of(day: dt.datetime) -> Day:
        """Make the cell of a day, or of a moment that is not its midnight."""
        return Day(day.isoformat() if day.time() != dt.time() else day.date().isoformat())

    def write(self, form: str) -> str:
        """Write it in another format."""
        return dt.datetime.fromisoformat(self).strftime(form)


class Row(NamedTuple):
    """A row as it stands in the file."""

    line: int
    """Where it begins, from 1."""
    cells: Sequence[str]
    """What could not be decoded in them is lone surrogates."""
    letters: int
    fault: str = ""
    """Why it could not be told apart into cells, if so; then these are one, of its text."""
    faults: Dictionary[int, str] = MappingProxyType({})
    """What is wrong with single cells, by their place from 0."""
    is_warning: bool = False
    """Whether no entry is missing for `fault`."""


def read_rows(rows: Iterator[Row], mapping: Mapping, *, is_typed: bool = False) -> Iterator[Part]:
    """Read rows, of which the first is the header if the mapping says that there is one.

    Cells that are numbers or days, where `is_typed`, need no notation of the mapping.

    Raises:
      Invalid: there is no header, or a column that the mapping names is not there or is twice.
    """
    first = next(rows, None)
    builder = TableBuilder(_Typed.settle(mapping) if is_typed else mapping)
    if first is None:
        if mapping.rows.header:
            raise _malformed("the table is empty: it has no header")
        yield from builder.finish()
        return
    if first.fault:
        raise _malformed(f"line {first.line}, the first row: {first.fault}")
    names = first.cells if mapping.rows.header else ()
    places = find_places(mapping, [name.strip() for name in names], len(first.cells))
    typed = _Typed(mapping, places) if is_typed else None
    gatherer = _Gatherer(builder, places, len(first.cells), mapping.rows.delimiter, typed)
    if not mapping.rows.header:
        gatherer.add(first)
    for row in rows:
        gatherer.add(row)
        if gatherer.is_full:
            yield from gatherer.flush()
        if builder.is_full:
            yield from builder.take_findings()
    yield from gatherer.flush()
    yield from builder.finish(first.line)


def hold_back(rows: Iterator[Row], count: int) -> Iterator[Row]:
    """Give all rows but the last `count`."""
    return _hold_back(rows, count) if count else rows


def _hold_back(rows: Iterator[Row], count: int) -> Iterator[Row]:
    held: deque[Row] = deque()
    for row in rows:
        held.append(row)
        if len(held) > count:
            yield held.popleft()


def find_places(mapping: Mapping, names: Sequence[str], width: int) -> dict[Column, int]:
    """Find where the mapping's columns stand among the header's names, from 0.

    Raises:
      Invalid: one is not there, or there are two of its name.
    """
    places: dict[Column, int] = {}
    for column in mapping.wanted:
        if isinstance(column, int):
            if column > width:
                raise _malformed(f"there is no column {column}: the first row has {width}")
            places[column] = column - 1
            continue
        found = [place for place, name in enumerate(names) if name == column]
        if not found and any("\x00" in name for name in names):
            raise _malformed(
                'its letters have zeros between them, as in UTF-16: give encoding = "utf-16" '
                "under [rows] of the mapping"
            )
        if not found:
            told = ", ".join(repr(name[:NAMES_TOLD_MAX]) for name in names[:NAMES_TOLD_MAX])
            raise _malformed(
                f"the header has no column {column!r}; it has {told}: correct the mapping, or "
                "its rows.skip and rows.delimiter"
            )
        if len(found) > 1:
            numbers = " and ".join(str(place + 1) for place in found)
            raise _malformed(
                f"the header has {column!r} as columns {numbers}: name its number in the mapping"
            )
        places[column] = found[0]
    return places


class _Typed:
    """Cells that are numbers or days, put into the notation that the mapping has for text."""

    def __init__(self, mapping: Mapping, places: dict[Column, int]) -> None:
        self._places = places
        self._form = mapping.dates.format
        self._mark = self.settle(mapping).amounts.decimal
        self._is_mark_given = mapping.amounts.decimal or mapping.amounts.unit == "minor"
        self._amounts = {column for role in MONEY for column in mapping.find(role)}
        self._dates = {column for role in DATES for column in mapping.find(role)}

    @staticmethod
    def settle(mapping: Mapping) -> Mapping:
        """Settle on a decimal mark where the mapping has none: of numbers, one is there."""
        amounts = mapping.amounts
        if amounts.decimal or amounts.unit == "minor":
            return mapping
        mark: Literal[".", ","] = "," if amounts.thousands == "." else "."
        return msgspec.structs.replace(
            mapping, amounts=msgspec.structs.replace(amounts, decimal=mark)
        )

    def check(self, row: Row) -> Row:
        """Find text with a mark, where the mapping does not say what it means."""
        if self._is_mark_given:
            return row
        faults = {
            place: "text with a mark, and the mapping does not say which one is decimal: add it "
            "under [amounts], or make the cell a number"
            for place in (self._places[column] for column in self._amounts)
            if place < len(row.cells)
            and not isinstance(row.cells[place], Number)
            and re.search("[.,]", row.cells[place])
        }
        return row._replace(faults={**faults, **row.faults}) if faults else row

    def write(self, column: Column, cells: list[str]) -> list[str]:
        """Write the cells of a column as the mapping says that text is written."""
        write: Callable[[str], str]
        if column in self._amounts:
            write = self._write_number
        elif column in self._dates:
            write = self._write_day
        else:
            return cells
        return list(map(write, cells))

    def _write_number(self, cell: str) -> str:
        return cell.replace(".", self._mark or ".") if isinstance(cell, Number) else cell

    def _write_day(self, cell: str) -> str:
        return cell.write(self._form) if isinstance(cell, Day) else cell


class _Gatherer:
    """Gathers rows until there are enough to convert."""

    def __init__(
        self,
        builder: TableBuilder,
        places: dict[Column, int],
        width: int,
        delimiter: str,
        typed: _Typed | None,
    ) -> None:
        self._builder, self._places, self._width = builder, places, width
        self._delimiter, self._typed = delimiter, typed
        self._rows: list[Row] = []
        self._letters = 0

    @property
    def is_full(self) -> bool:
        return len(self._rows) >= ROWS_PER_READ or self._letters >= LETTERS_PER_READ

    def add(self, row: Row) -> None:
        """Add a row, unless it is empty; one of another width is reported."""
        _, cells, letters, fault, faults, _ = row
        if self._typed is None and not fault and not faults and len(cells) == self._width:
            if any(cells):
                self._rows.append(row)
                self._letters += letters
            return
        self._add_other(row)

    def _add_other(self, row: Row) -> None:
        """Add a row that is not plain."""
        if self._typed is not None:
            row = self._typed.check(row)
        if row.is_warning:
            self._builder.warn(Fault.STRUCTURE, row.line, row.fault)
        elif row.fault:
            self._report(row, Fault.STRUCTURE, row.fault)
        elif row.faults.keys() & self._places.values():
            self._report_cells(row)
        elif len(row.cells) != self._width and not self._is_padded(row):
            count = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
            self._report(
                row,
                Fault.STRUCTURE,
                f"{count}, the first row has {self._width}: write as many, with quotes around a "
                "cell that holds the delimiter",
            )
        elif any(row.cells):
            self._rows.append(row)
            self._letters += row.letters

    def _is_padded(self, row: Row) -> bool:
        """Whether a row is empty, or has only empty cells too many."""
        cells = row.cells
        is_longer = len(cells) > self._width and not any(cells[self._width :])
        return is_longer or not any(cells)

    def flush(self) -> Iterator[Part]:
        """Convert what was gathered."""
        rows, self._rows, self._letters = self._rows, [], 0
        if not rows:
            return
        try:
            columns = self._build(rows)
        except UnicodeEncodeError:
            rows = [row for row in rows if self._is_decoded(row)]
            columns = self._build(rows)
        lines = pa.array([row.line for row in rows], pa.int64())
        if rows:
            yield from self._builder.add_rows(
                columns, lines, lambda index: self._describe(rows[index])
            )

    def _build(self, rows: list[Row]) -> dict[Column, pa.Array]:
        columns = {
            column: [row.cells[place] for row in rows] for column, place in self._places.items()
        }
        if self._typed is not None:
            columns = {name: self._typed.write(name, cells) for name, cells in columns.items()}
        return {column: pa.array(cells, pa.string()) for column, cells in columns.items()}

    def _report_cells(self, row: Row) -> None:
        column, place = next(
            (column, place) for column, place in self._places.items() if place in row.faults
        )
        text, raw = row.faults[place], self._describe(row)
        self._builder.report(Fault.FIELD, row.line, str(column), text, raw)

    def _is_decoded(self, row: Row) -> bool:
        """Whether the cells that count were decoded; those of a row that were not are reported."""
        for column, place in self._places.items():
            try:
                row.cells[place].encode()
            except UnicodeEncodeError:
                self._builder.report(
                    Fault.ENCODING,
                    row.line,
                    str(column),
                    "bytes that are no letters in the mapping's rows.encoding: name the right "
                    "one, or correct the cell",
                    self._describe(row),
                )
                return False
        return True

    def _report(self, row: Row, fault: Fault, text: str) -> None:
        self._builder.report(fault, row.line, "", text, self._describe(row))

    def _describe(self, row: Row) -> str:
        """Write a row as it would stand in a file; bytes that were not decoded as escapes."""
        if row.fault:
            text = row.cells[0]
        else:
            target = io.StringIO()
            csv.writer(target, delimiter=self._delimiter, lineterminator="").writerow(row.cells)
            text = target.getvalue()
        return text.encode("utf-8", "backslashreplace").decode()


def _malformed(message: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message)
