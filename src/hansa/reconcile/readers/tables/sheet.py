"""Sheets of a workbook: rows of cells out of SpreadsheetML, as it streams by.

Numbers are taken as they are written, in decimal, so that they need no mark of the mapping; what
binary fractions leave behind (0.30000000000000004) is put right. Cells of a style that shows a date
become days. Of formulas, what they came to when the workbook was saved is read.

Source: ECMA-376 part 1, 18.3.1 (sheetData, row, c, f, v, is, mergeCell), 18.18.11 (cell types),
18.17.4 (dates as serial numbers).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import IO
from xml.parsers import expat

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.readers.tables.rows import Day, Number, Row

READ_BYTES = 1 << 16
COLUMNS_MAX = 16_384
INDEX_DIGITS_MAX = 9
CELL_LETTERS_MAX = 65_536
"""Excel allows half of it."""
ROW_LETTERS_MAX = 1 << 20
DIGITS_KEPT = 15
"""Of a number in a workbook; more are lost when it is saved."""
_NOISE = Decimal("1e-9")
_FINEST = Decimal("0.000001")
_SERIAL_MAX = 2_958_465
_REFERENCE = re.compile("([A-Z]{1,3})[0-9]{0,7}")
_FALSE_LEAP_DAY = 60
"""29 February 1900, which Lotus 1-2-3 had, and all others since."""


class Damaged(Exception):  # noqa: N818 - what a sheet is, said to whoever reads it
    """A sheet that cannot be read any further."""


def open_parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> expat.XMLParserType:
    """Open a parser of XML without document types, so without entities; names without namespace.

    Raises:
      Invalid: later, while parsing, if there is a document type.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, given: start(name.rpartition(" ")[2], given)
    parser.EndElementHandler = lambda name: end(name.rpartition(" ")[2])
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: object) -> None:
    raise Invalid(
        InvalidCode.MALFORMED,
        "it is unsafe: XML with a document type, as no workbook has; do not open it elsewhere",
    )


class Sheet:
    """Rows of one sheet."""

    def __init__(
        self, texts: Sequence[str], date_styles: Collection[int], *, is_1904: bool
    ) -> None:
        self._texts, self._date_styles, self._is_1904 = texts, date_styles, is_1904
        self._rows: list[Row] = []
        self._number = 0
        self._open_row()
        self._open_cell({})
        self._is_in_cell = self._takes_text = False
        self.merged = ""
        """The first cells that are merged over several rows, empty if none are."""

    def iterate(self, stream: IO[bytes]) -> Iterator[Row]:
        """Iterate the rows that have cells.

        Raises:
          Damaged: the XML is cut off or no XML.
          Invalid: it has a document type.
        """
        parser = open_parser(self._start, self._end, self._take)
        data = b" "
        while data:
            data = stream.read(READ_BYTES)
            try:
                parser.Parse(data, not data)
            except expat.ExpatError as error:
                rows, self._rows = self._rows, []
                yield from rows
                raise Damaged(str(error)) from None
            rows, self._rows = self._rows, []
            yield from rows

    def _start(self, name: str, given: dict[str, str]) -> None:
        if name == "row":
            self._number = _read_index(given.get("r", ""), self._number + 1)
            self._open_row()
        elif name == "c":
            self._open_cell(given)
            self._is_in_cell = True
        elif name == "f":
            self._has_formula = True
        elif name in ("v", "t") and self._is_in_cell:
            self._takes_text = True
        elif name == "rPh":  # how it is pronounced
            self._is_in_cell = False
        elif name == "mergeCell" and not self.merged:
            self.merged = _find_rows_merged(given.get("ref", ""))

    def _end(self, name: str) -> None:
        if name in ("v", "t"):
            self._takes_text = False
        elif name == "rPh":
            self._is_in_cell = True
        elif name == "c":
            self._is_in_cell = False
            self._close_cell()
        elif name == "row" and self._cells:
            cells = [""] * (max(self._cells) + 1)
            for place, cell in self._cells.items():
                cells[place] = cell
            self._rows.append(Row(self._number, cells, self._letters, faults=self._faults))

    def _take(self, text: str) -> None:
        if self._takes_text:
            self._letters += len(text)
            self._cell_letters += len(text)
            if self._cell_letters <= CELL_LETTERS_MAX and self._letters <= ROW_LETTERS_MAX:
                self._value.append(text)
            else:
                self._is_long = True

    def _open_row(self) -> None:
        self._cells: dict[int, str] = {}
        self._faults: dict[int, str] = {}
        self._place = -1
        self._letters = 0

    def _open_cell(self, given: dict[str, str]) -> None:
        found = _REFERENCE.fullmatch(given.get("r", ""))
        self._place = _read_column(found[1]) if found else self._place + 1
        self._kind = given.get("t", "n")
        self._style = _read_index(given.get("s", ""), 0)
        self._value: list[str] = []
        self._cell_letters = 0
        self._has_formula = self._is_long = False

    def _close_cell(self) -> None:
        text = "".join(self._value)
        cell, fault = "", ""
        if self._is_long:
            fault = f"more than {CELL_LETTERS_MAX} letters: shorten it"
        elif self._has_formula and not text and self._kind != "str":
            fault = "a formula that was never computed: open the workbook, and save it again"
        elif self._kind == "e":
            fault = f"the error {text[:20]}: correct the formula"
        else:
            cell, fault = self._read_value(text)
        if self._place < COLUMNS_MAX and (cell or fault):
            self._cells[self._place] = cell
            if fault:
                self._faults[self._place] = fault

    def _read_value(self, text: str) -> tuple[str, str]:
        """Read a value: the cell, and what is wrong with it."""
        if self._kind == "s":
            at = _read_index(text, len(self._texts))
            if at >= len(self._texts):
                return "", f"text {text[:20]} of the workbook is not there: save it again"
            return self._texts[at], ""
        if self._kind == "b":
            return ("TRUE" if text == "1" else "FALSE"), ""
        if self._kind == "d":
            return read_iso(text)
        if self._kind != "n" or not text:
            return text, ""
        try:
            number = Decimal(text.strip())
            return self._read_number(number)
        except (InvalidOperation, ValueError, OverflowError):
            return "", f"{text[:20]!r} is no number"

    def _read_number(self, number: Decimal) -> tuple[str, str]:
        if not number.is_finite() or abs(number) >= 10**DIGITS_KEPT:
            return "", (
                f"a number of more than {DIGITS_KEPT} digits, of which a workbook keeps no more: "
                "format the column as text, and fill it in anew"
            )
        if self._style in self._date_styles:
            return read_serial(number, is_1904=self._is_1904)
        nearest = number.quantize(_FINEST)
        number = nearest if abs(number - nearest) < _NOISE else number
        text = f"{number:f}"
        return Number(text.rstrip("0").rstrip(".") if "." in text else text), ""


def read_serial(number: Decimal, *, is_1904: bool) -> tuple[str, str]:
    """Read a serial number as a day and a time: the cell, and what is wrong with it."""
    serial = int(number)
    is_false = not is_1904 and serial in (0, _FALSE_LEAP_DAY)
    if not 0 <= number <= _SERIAL_MAX or is_false:
        return "", f"{number} is shown as a date, but is no day"
    if is_1904:
        start = dt.datetime(1904, 1, 1)  # noqa: DTZ001 - a workbook knows no zones
    else:
        start = dt.datetime(1899, 12, 31 if serial < _FALSE_LEAP_DAY else 30)  # noqa: DTZ001
    time_s = min(round((number - serial) * 86_400), 86_399)
    return Day.of(start + dt.timedelta(days=serial, seconds=time_s)), ""


def read_iso(text: str) -> tuple[str, str]:
    """Read a cell that holds a date in ISO 8601: the cell, and what is wrong with it."""
    try:
        return Day.of(dt.datetime.fromisoformat(text).replace(tzinfo=None)), ""
    except ValueError:
        pass  # the time is none; perhaps the day is one
    try:
        return Day.of(dt.datetime.fromisoformat(text[:10])), ""
    except ValueError:
        return "", f"{text[:20]!r} is no date"


def _read_column(letters: str) -> int:
    """Read the letters of a column, from A, as its place from 0."""
    place = 0
    for letter in letters:
        place = 26 * place + ord(letter) - 64
    return place - 1


def _read_index(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and len(text) <= INDEX_DIGITS_MAX else otherwise


def _find_rows_merged(reference: str) -> str:
    """Find whether a range of merged cells has several rows; gives the range if so."""
    rows = {re.sub("[A-Z]", "", cell) for cell in reference.split(":")}
    return reference[:40] if len(rows) > 1 else ""
