"""Files of banks for tests: all that a reader finds in one, damage to it, and files without end."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import strategies as st

from hansa.reconcile.entries import SCHEMA, Entry, Fault, Finding, Severity, Statement
from hansa.reconcile.readers.parts import ENTRIES_MAX, FINDINGS_MAX, read_entries

EPOCH = dt.date(1970, 1, 1)


class Read(NamedTuple):
    """All that a file has."""

    entries: list[Entry]
    statements: list[Statement]
    findings: list[Finding]

    def tell(self) -> list[tuple[str, str, int, str]]:
        return [(found.severity, found.fault, found.line, found.field) for found in self.findings]

    def summarize(self) -> list[tuple[str, str, int, int, int | None, int | None]]:
        return [
            (
                each.account,
                each.currency,
                each.entries,
                each.booked_minor,
                each.opening_minor,
                each.closing_minor,
            )
            for each in self.statements
        ]

    @property
    def errors(self) -> list[Finding]:
        return [found for found in self.findings if found.severity is Severity.ERROR]


def read_all(reader, data: bytes | str | io.RawIOBase, **options) -> Read:
    """Read a file, and check what holds of all that is read."""
    if isinstance(data, str):
        data = data.encode()
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    result = Read([], [], [])
    for part in reader(stream, **options):
        assert part.entries.schema == SCHEMA
        assert part.entries.num_rows <= ENTRIES_MAX
        assert len(part.findings) <= 2 * FINDINGS_MAX
        result.entries.extend(read_entries(part.entries))
        result.statements.extend(part.statements)
        result.findings.extend(part.findings)
    assert sum(each.entries for each in result.statements) == len(result.entries)
    assert all(found.raw or found.fault is not Fault.FIELD for found in result.errors)
    return result


def day(text: str) -> int:
    """Days since 1970-01-01 of `2026-11-30`."""
    return (dt.date.fromisoformat(text) - EPOCH).days


# --- damage -------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """A piece of a file, in thousandths of its length, which goes elsewhere or is lost."""

    start: int
    size: int
    goes_to: int | None
    instead: bytes

    def make(self, data: bytes) -> bytes:
        start = self.start * len(data) // 1000
        piece = data[start : start + self.size]
        left = data[:start] + self.instead + data[start + self.size :]
        if self.goes_to is None:
            return left
        target = self.goes_to * len(left) // 1000
        return left[:target] + piece + left[target:]


def make_cuts(words: Iterable[bytes]) -> st.SearchStrategy[list[Cut]]:
    """Make damage out of bytes and of words of the format."""
    instead = st.binary(max_size=3) | st.sampled_from(sorted(words))
    thousandths = st.integers(0, 1000)
    cuts = st.builds(Cut, thousandths, st.integers(0, 200), st.none() | thousandths, instead)
    return st.lists(cuts, min_size=1, max_size=8)


def damage(data: bytes, cuts: list[Cut]) -> bytes:
    for cut in cuts:
        data = cut.make(data)
    return data


# --- files without end --------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A stream of a beginning and of `size` bytes of one piece again and again."""

    def __init__(self, beginning: bytes, piece: bytes, size: int, end: bytes = b"") -> None:
        self._rest = beginning
        self._piece = piece * (1 + 65_536 // len(piece))
        self._left = size // len(self._piece)
        self._end = end

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (self._left or self._end):
            if self._left:
                self._rest += self._piece
                self._left -= 1
            else:
                self._rest += self._end
                self._end = b""
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
