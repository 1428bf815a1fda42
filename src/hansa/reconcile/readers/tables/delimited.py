"""CSV: rows out of bytes, by the mapping's delimiter, quote and encoding.

Source: RFC 4180. A quote that is not closed, or that letters follow, spoils its line alone: what
follows is read anew from the next line.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Part
from hansa.reconcile.readers.tables.mapping import Layout, Mapping
from hansa.reconcile.readers.tables.rows import Row, hold_back, read_rows

ROW_LETTERS_MAX = 65_536


def read_csv(stream: BinaryIO, mapping: Mapping) -> Iterator[Part]:
    """Read a CSV file; memory is bounded by some thousand rows.

    Raises:
      Invalid: there is no header, a column that the mapping names is not there or is there twice,
        or the file is not in the mapping's encoding at all.
    """
    encoding = "utf-8-sig" if codecs.lookup(mapping.rows.encoding).name == "utf-8" else None
    file = io.TextIOWrapper(
        stream, encoding or mapping.rows.encoding, errors="surrogateescape", newline=""
    )
    try:
        yield from read_rows(hold_back(_iterate(file, mapping.rows), mapping.rows.footer), mapping)
    finally:
        file.detach()  # else it closes the stream, which is the caller's


def _iterate(file: TextIO, layout: Layout) -> Iterator[Row]:
    lines = _Lines(file)
    for _ in range(layout.skip):
        if not lines.skip():
            return
    reader = _open_reader(lines, layout)
    while True:
        lines.begin_row()
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            first = lines.give_back()
            fault = (
                f"a quote that is not closed within {ROW_LETTERS_MAX} letters, letters behind a "
                "closing quote, or a line of more letters: correct the line, or the mapping's "
                "rows.quote"
            )
            yield Row(line, [first.rstrip("\r\n")], len(first), fault)
            reader = _open_reader(lines, layout)
            continue
        yield Row(line, cells, lines.letters)


def _open_reader(lines: _Lines, layout: Layout) -> Iterator[list[str]]:
    return csv.reader(
        lines,
        delimiter=layout.delimiter,
        quotechar=layout.quote or None,
        quoting=csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE,
        strict=True,
    )


class _Lines(Iterator[str]):
    """Lines of a file; those of the row that is being read can be given back."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self.letters = 0
        """Of the row so far."""
        self.number = 0
        """Of the line that was read last, from 1."""

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self._row.append(line)
        self.number += 1
        self.letters += len(line)
        if self.letters > ROW_LETTERS_MAX:
            raise csv.Error
        return line

    def skip(self) -> bool:
        """Read over a line, if there is one."""
        self.number += 1
        return self._read() != ""

    def begin_row(self) -> None:
        """Begin a row: lines before it will not be given back."""
        self._row.clear()
        self.letters = 0

    def give_back(self) -> str:
        """Give back the lines of the row but the first, which is returned."""
        first, *others = self._row
        self._again.extendleft(reversed(others))
        self.number -= len(others)
        return first

    def _read(self) -> str:
        """Read a line; of one that is too long, its beginning."""
        try:
            line = rest = self._file.readline(ROW_LETTERS_MAX + 1)
            while len(rest) > ROW_LETTERS_MAX and not rest.endswith(("\n", "\r")):
                rest = self._file.readline(ROW_LETTERS_MAX + 1)
        except UnicodeError as error:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"behind line {self.number}: {error}: name the right rows.encoding in the mapping",
            ) from None
        return line
