"""Lines of a file of text, in bounded memory: whatever ends them, however long they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from hansa.reconcile.entries import Fault, Finding, Severity
from hansa.reconcile.readers.parts import PartBuilder

LINE_BYTES_MAX = 8_192
CHUNK_BYTES = 65_536
_FRAMING = bytes([0x01, 0x02, 0x03, 0x04, 0x1A])
"""What lines of telecommunication and old systems put around messages: it is no content."""
_CONTROLS = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])


def read_lines(
    stream: BinaryIO, builder: PartBuilder, encoding: str | None
) -> Iterator[tuple[int, str]]:
    """Read the lines of a file, each with its number, from 1, without its end and control signs.

    Of a longer line than `LINE_BYTES_MAX` only the beginning is read, which is reported.

    Args:
      stream: the file.
      builder: gets the findings.
      encoding: of all lines; None for UTF-8, and Windows-1252 where a line is not in that.
    """
    decoder = _Decoder(builder, encoding)
    for number, (raw, is_cut) in enumerate(_split(stream), 1):
        text = decoder.decode(raw, number)
        if is_cut:
            builder.report(
                Fault.STRUCTURE,
                number,
                "",
                f"the line is longer than {LINE_BYTES_MAX} bytes: the rest of it was left out. "
                "Ask the bank for a file with lines",
                text,
            )
        yield number, text


def _split(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Split at CR, LF or both; a line that is too long comes cut, with True."""
    rest, is_skipping = b"", False
    while chunk := stream.read(CHUNK_BYTES):
        lines = (rest + chunk).splitlines(keepends=True)
        rest = lines.pop()  # it may go on, or its CR be followed by LF
        for line in lines:
            if not is_skipping:
                yield _cut(line)
            is_skipping = False
        if len(rest) > LINE_BYTES_MAX and not rest.endswith((b"\r", b"\n")):
            if not is_skipping:
                yield _cut(rest)
            rest, is_skipping = b"", True
    if rest and not is_skipping:
        yield _cut(rest)


def _cut(line: bytes) -> tuple[bytes, bool]:
    line = line.rstrip(b"\r\n")
    return line[:LINE_BYTES_MAX], len(line) > LINE_BYTES_MAX


class _Decoder:
    """Decodes lines one by one; what is wrong is told once a file, where it is seen first."""

    def __init__(self, builder: PartBuilder, encoding: str | None) -> None:
        self._builder = builder
        self._encoding = encoding
        self._told: set[str] = set()

    def decode(self, raw: bytes, line: int) -> str:
        clean = raw.translate(None, _CONTROLS)
        if len(clean) != len(raw) and raw.strip(_FRAMING) != clean:
            self._warn_once(line, "control signs, which were left out")
        if line == 1:
            clean = clean.removeprefix(b"\xef\xbb\xbf")
        if self._encoding:
            text = clean.decode(self._encoding, errors="replace")
            if "\N{REPLACEMENT CHARACTER}" in text:
                self._warn_once(line, f"bytes that are not {self._encoding}: say which encoding")
            return text
        try:
            return clean.decode()
        except UnicodeDecodeError:
            self._warn_once(
                line, "bytes that are not UTF-8, read as Windows-1252: say which encoding, if not"
            )
        try:
            return clean.decode("cp1252")
        except UnicodeDecodeError:
            return clean.decode("latin-1")

    def _warn_once(self, line: int, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            text = f"there are {what} (told once a file)"
            self._builder.add_finding(Finding(Severity.WARNING, Fault.ENCODING, line, "", text))
