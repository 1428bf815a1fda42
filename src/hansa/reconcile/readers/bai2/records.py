"""Logical records: a code and its fields, with those of the continuations (88) behind it.

Source: BAI Cash Management Balance Reporting Specifications, version 2, "Logical records",
"Delimiters" and record 88.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.bai2.lines import LINE_SIZE_MAX, Line
from hansa.reconcile.readers.parts import PartBuilder

FILE_HEADER, GROUP_HEADER, ACCOUNT, DETAIL = "01", "02", "03", "16"
ACCOUNT_TRAILER, CONTINUATION, GROUP_TRAILER, FILE_TRAILER = "49", "88", "98", "99"
TRAILERS = frozenset([ACCOUNT_TRAILER, GROUP_TRAILER, FILE_TRAILER])
CODES = TRAILERS | {FILE_HEADER, GROUP_HEADER, ACCOUNT, DETAIL, CONTINUATION}
RECORD_SIZE_MAX = 262_144
"""Of a record with its continuations; what is beyond it is left out."""
_START = re.compile(r"([0-9]{2}) *[,/]")
_LIKE_DETAIL = re.compile(r".{0,4},[0-9]{3},[-+0-9 .]*,")
_BLANKS = " \t\r\n\x00\x1a"
"""What surrounds records: line ends, padding, and the end-of-file mark of DOS."""


@dataclass(slots=True)
class Record:
    """A logical record."""

    code: str
    line: int
    segments: list[str]
    """Its own content after the code, and that of each continuation, without closing slashes."""
    physical: int = 1
    """How many physical records it takes."""
    size: int = field(default=0)

    @property
    def raw(self) -> str:
        """The record as it was, continuations on lines of their own."""
        return f"{self.code}," + f"\n{CONTINUATION},".join(self.segments)

    def split(self) -> list[str]:
        """Split it into its fields, which go on from one segment to the next."""
        return [each.strip() for each in ",".join(self.segments).split(",")]


class RecordReader:
    """Puts lines together to logical records."""

    def __init__(self, builder: PartBuilder) -> None:
        self._builder = builder
        self._is_utf8 = True

    def read(self, lines: Iterable[Line]) -> Iterator[Record]:
        """Read logical records; what is none is a finding."""
        record: Record | None = None
        for line in lines:
            text = self._decode(line).strip(_BLANKS)
            found = _START.match(text)
            code = found[1] if found else ""
            content = text[found.end() :] if found and text[found.end() - 1] == "," else ""
            if code == CONTINUATION:
                if record is None:
                    self._report_orphan(line, text)
                else:
                    self._extend(record, line, content)
                    record.physical += 1
            elif code in CODES:
                if record:
                    yield record
                content = content.partition("/")[0] if code in TRAILERS else _close(content)
                record = Record(code, line.number, [content], size=len(content))
            elif text:
                self._take_odd(record, line, text)
        if record:
            yield record

    def _extend(self, record: Record, line: Line, content: str) -> None:
        record.size += len(content) + 1
        if record.size <= RECORD_SIZE_MAX:
            record.segments.append(_close(content))
        elif record.size - len(content) - 1 <= RECORD_SIZE_MAX:  # the first that is too much
            self._builder.warn(
                Fault.UNSAFE,
                line.number,
                CONTINUATION,
                f"the record of line {record.line} is longer than {RECORD_SIZE_MAX} letters with "
                "its continuations: from here on they are left out",
            )

    def _take_odd(self, record: Record | None, line: Line, text: str) -> None:
        """Take a line without a code: broken text, unless it looks like something of its own."""
        known = _START.match(text)
        if record is None:
            self._builder.warn(
                Fault.IGNORED, line.number, "", "a line before the file header (01): passed over"
            )
        elif record.code == DETAIL and not known and not _LIKE_DETAIL.match(text):
            self._extend(record, line, text)
            self._builder.warn(
                Fault.STRUCTURE,
                line.number,
                DETAIL,
                f"a line without a record code: taken as text of the record of line {record.line}",
            )
        else:
            self._builder.report(
                Fault.STRUCTURE,
                line.number,
                known[1] if known else "",
                "a line that begins with no code of a record (01 02 03 16 49 88 98 99): if it is "
                "an entry, it is missing",
                text,
            )

    def _report_orphan(self, line: Line, text: str) -> None:
        self._builder.report(
            Fault.STRUCTURE, line.number, CONTINUATION, "a continuation of nothing", text
        )

    def _decode(self, line: Line) -> str:
        if line.is_cut:
            self._builder.report(
                Fault.UNSAFE,
                line.number,
                "",
                f"a line of more than {LINE_SIZE_MAX} bytes: what is beyond them is left out",
                line.content[:80].decode("latin-1"),
            )
        try:
            return line.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            if self._is_utf8:
                self._is_utf8 = False
                self._builder.warn(
                    Fault.ENCODING,
                    line.number,
                    "",
                    "letters that are neither ASCII nor UTF-8: taken as Windows-1252, from here on",
                )
            return line.content.decode("cp1252", errors="replace")


def _close(content: str) -> str:
    """Take off the slash that closes a record."""
    return content[:-1].rstrip() if content.endswith("/") else content
