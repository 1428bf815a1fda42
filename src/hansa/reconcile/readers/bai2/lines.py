"""Physical records: a file cut into lines, whatever its sender holds for one.

Most files have a line for each. Some have several on one, after a slash and blanks; others no line
breaks at all, but records of a length that the file header names, or nothing but slashes.

Source: BAI Cash Management Balance Reporting Specifications, version 2, "Physical records".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

HEAD_SIZE = 16_384
LINE_SIZE_MAX = 65_536
"""Of one line; what is beyond it is left out."""
_CHUNK_SIZE = 65_536
_CODES = rb"(?:01|02|03|16|49|88|98|99),"
_SLASH = re.compile(rb"/[ \t]*(?=" + _CODES + rb")")
_SHARED = re.compile(
    rb"/[ \t]+(?=01,[^,]*,[^,]*,[0-9]{6}|02,[^,/]*,[^,/]*,[0-9]?,|03,[^,/]*,[A-Za-z]{0,3}[,/]"
    rb"|16,[0-9]{3},|49,[ +0-9.-]*,[0-9]+|88,|9[89],[ +0-9.-]*,[0-9]*,[0-9]+)"
)
"""Where a record ends and another begins on the same line, so narrow that no text is like it."""
_LENGTH = re.compile(rb"01,(?:[^,/]*,){5} *([0-9]{2,5}) *[,/]")


class Line(NamedTuple):
    """A physical record."""

    number: int
    """Line of the file, from 1; of a file without lines, the physical record."""
    content: bytes
    is_cut: bool = False
    """Whether it was longer than `LINE_SIZE_MAX`, and the rest is gone."""


def read_lines(stream: BinaryIO, head: bytes) -> Iterator[Line]:
    """Read a file's lines that are not blank, after its head was read."""
    for mark in (b"\n", b"\r"):
        if mark in head:
            for number, content, is_cut in _split(stream, head, mark):
                if b"/ " in content or b"/\t" in content:
                    for part in _split_shared(content):
                        yield Line(number, part, is_cut)
                elif content.strip():
                    yield Line(number, content, is_cut)
            return
    length = _find_length(head)
    lines = _split_slashes(stream, head) if length is None else _split_fixed(stream, head, length)
    yield from (line for line in lines if line.content.strip())


def _split(stream: BinaryIO, head: bytes, mark: bytes) -> Iterator[tuple[int, bytes, bool]]:
    number, rest, is_cut = 1, b"", False
    chunk = head
    while chunk:
        *whole, rest = (rest + chunk).split(mark)
        for content in whole:
            yield number, content[:LINE_SIZE_MAX], is_cut or len(content) > LINE_SIZE_MAX
            number += 1
            is_cut = False
        if len(rest) > LINE_SIZE_MAX:
            rest, is_cut = rest[:LINE_SIZE_MAX], True
        chunk = stream.read(_CHUNK_SIZE)
    yield number, rest, is_cut


def _split_shared(content: bytes) -> Iterator[bytes]:
    start = 0
    for found in _SHARED.finditer(content):
        yield content[start : found.start() + 1]
        start = found.end()
    if content[start:].strip():
        yield content[start:]


def _find_length(head: bytes) -> int | None:
    """Find the length of physical records that the header names, if the head bears it out."""
    found = _LENGTH.match(head)
    if found is None:
        return None
    length = int(found[1])
    second = head[length : length + 3]
    return length if length >= found.end() and re.fullmatch(_CODES, second) else None


def _split_fixed(stream: BinaryIO, head: bytes, length: int) -> Iterator[Line]:
    number, rest = 1, b""
    chunk = head
    while chunk:
        rest += chunk
        end = len(rest) - len(rest) % length
        for start in range(0, end, length):
            yield Line(number, rest[start : start + length])
            number += 1
        rest = rest[end:]
        chunk = stream.read(_CHUNK_SIZE)
    yield Line(number, rest)


def _split_slashes(stream: BinaryIO, head: bytes) -> Iterator[Line]:
    number, rest, is_cut = 1, b"", False
    chunk = head
    while chunk:
        rest += chunk
        start = 0
        # A slash close to the end waits for the code after it.
        for found in _SLASH.finditer(rest):
            content = rest[start : found.start() + 1]
            yield Line(number, content[:LINE_SIZE_MAX], is_cut or len(content) > LINE_SIZE_MAX)
            number += 1
            start, is_cut = found.end(), False
        rest = rest[start:]
        if len(rest) > 2 * LINE_SIZE_MAX:
            rest, is_cut = rest[:LINE_SIZE_MAX] + rest[-LINE_SIZE_MAX:], True
        chunk = stream.read(_CHUNK_SIZE)
    yield Line(number, rest[:LINE_SIZE_MAX], is_cut)
