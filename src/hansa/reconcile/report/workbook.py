"""The report as a workbook: figures, breaks and matches, for whoever sorts and filters them.

Amounts are written as decimals and never pass through floats; what has more digits than a
spreadsheet keeps is written as text. Texts of files are always texts: none becomes a formula, a
link or markup. Rows are written as they come, so memory does not grow with them.

Source: ECMA-376 part 1, 18.3 (worksheets); Excel's limits, https://support.microsoft.com/office/
excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from hansa.reconcile.batch.results import BREAKS, MATCHES
from hansa.reconcile.batch.summary import UNDATED, BreakCount, SideCount, Summary, WindowCount
from hansa.reconcile.currencies import count_digits
from hansa.reconcile.report.excerpts import read_rows
from hansa.reconcile.report.texts import name_class, name_file, show, show_amount, show_day

WORKBOOK = "report.xlsx"
ROWS_MAX = 1_048_575
"""Of a sheet, beside its head."""
DIGITS_MAX = 15
"""That a spreadsheet keeps of a number."""
LETTERS_MAX = 10_000
"""Of a text in a cell, which takes 32,767 at most, escapes counted in."""
_EPOCH_SERIAL = 25_569
"""1970-01-01 in the days of a spreadsheet."""
_SERIAL_MIN, _SERIAL_MAX = 61, 2_958_465
"""1900-03-01, before which spreadsheets count a day that never was, and 9999-12-31."""
_NAMES_MAX = 1_024
"""Names of files and classes that are remembered from row to row."""
_NUMBERS = {"break", "match", "age_days", "priority", "line"}
_DAYS = {"booking_date", "value_date"}
_HEADS = {
    "break": ("Break", 8),
    "match": ("Match", 8),
    "pass": ("Pass", 14),
    "class": ("Class", 20),
    "priority": ("Priority", 8),
    "age_days": ("Age, business days", 9),
    "side": ("Side", 12),
    "account": ("Account", 26),
    "currency": ("Currency", 9),
    "amount_minor": ("Amount", 16),
    "booking_date": ("Booking date", 12),
    "value_date": ("Value date", 12),
    "reference": ("Reference", 24),
    "bank_reference": ("Bank's reference", 24),
    "counterparty": ("Counterparty", 24),
    "text": ("Text", 32),
    "source": ("File", 20),
    "line": ("Line", 9),
    "reason": ("Reason", 40),
}
"""Of columns of results: how a sheet calls them, and how many letters wide they are."""
_ENTRY = list(_HEADS)[list(_HEADS).index("side") :]
_BREAK = ["break", "class", "priority", "age_days", *_ENTRY]
_MATCH = ["match", "pass", *_ENTRY]


class _Formats(NamedTuple):
    """How cells look."""

    head: Format
    title: Format
    date: Format
    amounts: dict[int, Format]
    """By decimal places."""
    wrapped: Format


def write_workbook(
    summary: Summary, folder: Path, scratch: Path, *, rows_max: int = ROWS_MAX
) -> None:
    """Write the workbook into the folder of a result, from the files that stand there already.

    Args:
      summary: of the result.
      folder: of the result.
      scratch: a folder for rows until the workbook is put together.
      rows_max: rows of a sheet; what does not fit is told in the first one.
    """
    options = {
        "constant_memory": True,
        "tmpdir": str(scratch),
        "strings_to_formulas": False,
        "strings_to_urls": False,
    }
    with xlsxwriter.Workbook(str(folder / WORKBOOK), options) as book:
        formats = _make_formats(book)
        _Figures(book.add_worksheet("Summary"), formats).write(summary, folder, rows_max)
        for name, path, columns in (("Breaks", BREAKS, _BREAK), ("Matches", MATCHES, _MATCH)):
            sheet = book.add_worksheet(name)
            _EntrySheet(sheet, formats, summary, columns).write(folder / path, rows_max)


def _make_formats(book: xlsxwriter.Workbook) -> _Formats:
    places = {0: "#,##0", 2: "#,##0.00", 3: "#,##0.000", 4: "#,##0.0000"}
    return _Formats(
        book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
        book.add_format({"bold": True, "font_size": 14}),
        book.add_format({"num_format": "yyyy-mm-dd", "align": "left"}),
        {digits: book.add_format({"num_format": form}) for digits, form in places.items()},
        book.add_format({"text_wrap": True, "valign": "top"}),
    )


def write_text(sheet: Worksheet, row: int, column: int, text: str, form: Format | None) -> None:
    """Write a text that stays one; an empty one is no cell."""
    if not text:
        return
    shown = show(text, LETTERS_MAX)
    if shown.startswith("<r>") and shown.endswith("</r>"):
        shown = "\\x3c" + shown[1:]  # XlsxWriter takes such a text for markup, and copies it
    sheet.write_string(row, column, shown, form)


def write_amount(
    sheet: Worksheet, row: int, column: int, minor: int, currency: str, formats: _Formats
) -> None:
    """Write an amount as a decimal; as text, if a spreadsheet would round it."""
    places = count_digits(currency)
    if len(str(abs(minor))) > DIGITS_MAX:
        sheet.write_string(row, column, show_amount(minor, currency).replace("−", "-"))
    else:  # XlsxWriter writes decimals digit by digit
        sheet.write_number(row, column, Decimal(minor).scaleb(-places), formats.amounts[places])


class _EntrySheet:
    """A sheet of entries: of breaks or of matches."""

    def __init__(
        self, sheet: Worksheet, formats: _Formats, summary: Summary, columns: Sequence[str]
    ) -> None:
        self._sheet = sheet
        self._formats = formats
        self._sides = {each.name: each for each in summary.sides}
        self._columns = list(enumerate(columns))
        names = list(self._sides)
        remember = lru_cache(_NAMES_MAX)
        self._name_class = remember(lambda kind: name_class(kind, *names))
        self._name_file = remember(lambda side, source: name_file(self._sides[side], source))

    def write(self, path: Path, rows_max: int) -> None:
        """Write rows of a result, as many as may be."""
        for column, name in self._columns:
            head, letters = _HEADS[name]
            self._sheet.set_column(column, column, letters)
            self._sheet.write_string(0, column, head, self._formats.head)
        count = 0
        for entry in _iterate(path, rows_max):
            count += 1
            self._write_entry(count, entry)
        self._sheet.freeze_panes(1, 1)
        self._sheet.autofilter(0, 0, count, len(self._columns) - 1)
        self._sheet.set_landscape()
        self._sheet.repeat_rows(0)
        self._sheet.fit_to_pages(1, 0)

    def _write_entry(self, row: int, entry: dict[str, Any]) -> None:
        sheet = self._sheet
        entry["source"] = self._name_file(entry["side"], entry["source"])
        if "class" in entry:
            entry["class"] = self._name_class(entry["class"])
        for column, name in self._columns:
            value = entry[name]
            if value is None:
                continue
            if name == "amount_minor":
                write_amount(sheet, row, column, value, entry["currency"], self._formats)
            elif name in _DAYS:
                _write_day(sheet, row, column, value, self._formats)
            elif name in _NUMBERS:
                sheet.write_number(row, column, value)
            else:
                write_text(sheet, row, column, value, None)


def _iterate(path: Path, rows_max: int) -> Iterator[dict[str, Any]]:
    for batch in read_rows(path):
        yield from batch.slice(0, rows_max).to_pylist()
        rows_max -= batch.num_rows
        if rows_max <= 0:
            return


def _write_day(sheet: Worksheet, row: int, column: int, day: int, formats: _Formats) -> None:
    serial = day + _EPOCH_SERIAL
    if _SERIAL_MIN <= serial <= _SERIAL_MAX:
        sheet.write_number(row, column, serial, formats.date)
    else:
        sheet.write_string(row, column, show_day(day))


class _Figures:
    """The first sheet: figures, row by row."""

    def __init__(self, sheet: Worksheet, formats: _Formats) -> None:
        self._sheet = sheet
        self._formats = formats
        self._row = 0

    def write(self, summary: Summary, folder: Path, rows_max: int) -> None:
        """Write all figures of a summary, and what the other sheets have no room for."""
        self._sheet.set_column(0, 0, 30)
        self._sheet.set_column(1, 7, 18)
        self._add([summary.title], self._formats.title)
        self._add(["As of", summary.as_of])
        self._add(["Rules, SHA-256", summary.rules_sha256])
        self._add(["Result, SHA-256", summary.result_sha256])
        for name, path in (("Breaks", BREAKS), ("Matches", MATCHES)):
            count = pq.read_metadata(folder / path).num_rows
            told = f"{min(count, rows_max):,} of {count:,} entries"
            more = f"; the sheet has no room for the others, {path} has all"
            self._add([f"Sheet {name}", told + (more if count > rows_max else "")])
        self._add_sides(summary.sides)
        left, right = (each.name for each in summary.sides)
        self._head(["Pass", "Kind", "Matches", f"Entries of {left}", f"Entries of {right}"])
        for each in summary.passes:
            self._add(each)
        self._add(["The sheet Matches has those after the first pass; pairs.parquet has its own."])
        if summary.windows:
            self._add_windows(summary.windows, left, right)
        classes = [
            each._replace(name=name_class(each.name, left, right)) for each in summary.by_class
        ]
        for column, counts in (
            ("Class of breaks", classes),
            ("Age, business days", summary.by_age),
            ("Priority", summary.by_priority),
        ):
            self._add_breaks(column, counts, left, right)

    def _add_sides(self, sides: Sequence[SideCount]) -> None:
        self._head(
            ["Side", "Entries", "Matched", "Unmatched", "Left out by status", "Errors", "Warnings"]
        )
        for each in sides:
            self._add([each.name, each.entries, *each[4:]])
        self._head(["File", "Side", "Format", "Entries", "Bytes", "Errors", "Warnings", "SHA-256"])
        for each in sides:
            for file in each.files:
                self._add(
                    [
                        file.name, each.name, file.format, file.entries, file.size, file.errors,
                        file.warnings, file.sha256,
                    ]
                )  # fmt: skip

    def _add_windows(self, windows: Sequence[WindowCount], left: str, right: str) -> None:
        of_sides = [f"{what}, {side}" for what in ("New", "Carried") for side in (left, right)]
        still = [f"Open, {side}" for side in (left, right)]
        self._head(
            ["First day", "Last day", *of_sides, "Matches", "Breaks", *still, "Result, SHA-256"]
        )
        for each in windows:
            self._add(
                [
                    each.first_day, each.last_day, *each.new, *each.carried, each.matches,
                    each.breaks, *each.unmatched, each.result_sha256,
                ]
            )  # fmt: skip

    def _add_breaks(self, column: str, counts: Sequence[BreakCount], left: str, right: str) -> None:
        self._head([column, "Breaks", f"Entries of {left}", f"Entries of {right}"])
        for each in counts:
            name = "No date" if each.name == UNDATED else each.name
            self._add([name, each.breaks, each.left, each.right])
        self._head([column, "Currency", left, right, "Difference"])
        for each in counts:
            for amount in each.amounts:
                self._add([each.name, amount.currency])
                for place, minor in enumerate(amount[3:], 2):
                    write_amount(
                        self._sheet, self._row - 1, place, minor, amount.currency, self._formats
                    )

    def _head(self, names: Sequence[str]) -> None:
        self._row += 1
        self._add(names, self._formats.head)

    def _add(self, cells: Sequence[str | int], form: Format | None = None) -> None:
        for column, value in enumerate(cells):
            if isinstance(value, int):
                self._sheet.write_number(self._row, column, value, self._formats.amounts[0])
            else:
                write_text(self._sheet, self._row, column, value, form)
        self._row += 1
