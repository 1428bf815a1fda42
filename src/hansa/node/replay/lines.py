"""Lines of a CSV file: where a row begins, and which row the fast reader could not take.

Arrow says neither on which line a row begins, as quoted cells may hold line ends, nor which row is
not whole. This reads the file a second time, slowly, once something is wrong with it.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from hansa.sdk.arguments import is_unicode

LINE_LETTERS_MAX = 1 << 20
HEADER = -1
"""Number of the header, among rows that count from 0."""


class Record(NamedTuple):
    """A row as it stands in the file; empty lines are none."""

    row: int
    line: int
    """On which it begins, from 1."""
    cells: list[str] | None
    """What is no UTF-8 in them is a lone surrogate; None if a line or cell goes on for too long."""


class Fault(NamedTuple):
    """What is wrong in a row."""

    row: int
    what: str
    """With the name of the row, for people."""


def name_row(row: int, line: int | None) -> str:
    """Name a row as people find it: rows from 1, and the line, unless it is not known."""
    if row == HEADER:
        return f"the header (line {line})"
    return f"row {row + 1}" + ("" if line is None else f" (line {line})")


def find_line(path: Path, row: int) -> int | None:
    """Find the line of a CSV file, from 1, on which a row begins; None if there is no such row."""
    for record in _iterate_records(path):
        if record.row == row:
            return record.line
    return None


def find_fault(path: Path, wanted: Collection[str]) -> Fault | None:
    """Find the first row that has not as many cells as the header, or is no UTF-8.

    Args:
      path: of the CSV file.
      wanted: names of the columns that must be UTF-8; others may be anything.
    """
    names: list[str] = []
    for record in _iterate_records(path):
        what = _find_lack(record.cells, names, wanted)
        if what:
            return Fault(record.row, f"{name_row(record.row, record.line)}{what}")
        names = names or record.cells or []
    return None


def _find_lack(cells: list[str] | None, names: list[str], wanted: Collection[str]) -> str:
    """Say what a row lacks; nothing if it is whole. There are no names before the header."""
    if cells is None:
        return (
            f" has a cell of more than {csv.field_size_limit()} characters: a quote that begins it "
            "may not be closed; close it, or shorten the cell"
        )
    if not names:
        is_text = all(map(is_unicode, cells))
        return "" if is_text else " is no UTF-8: save the file as UTF-8"
    if len(cells) != len(names):
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        return (
            f" has {count}, the header {len(names)}: write as many, with quotes around "
            "a cell that holds a comma, or leave the row out"
        )
    for name, cell in zip(names, cells, strict=True):
        if name in wanted and not is_unicode(cell):
            return f", column {name!r}: it is no UTF-8: save the file as UTF-8, or correct the cell"
    return ""


def _iterate_records(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(_iterate_lines(file))
        row, line = HEADER, 1
        try:
            for cells in reader:
                if cells:
                    yield Record(row, line, cells)
                    row += 1
                line = reader.line_num + 1
        except csv.Error:
            yield Record(row, line, None)


def _iterate_lines(file: TextIO) -> Iterator[str]:
    """Iterate lines; memory stays bounded in what is no text."""
    while line := file.readline(LINE_LETTERS_MAX):
        if len(line) == LINE_LETTERS_MAX:
            raise csv.Error
        yield line
