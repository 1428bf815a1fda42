"""Where a document is cut: runs of entries, and the frame between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hansa.reconcile.readers.camt.frame import Frame, refuse
from hansa.reconcile.readers.camt.markup import mask_bytes

ENTRY_BYTES_MAX = 16 << 20
"""Of one entry, or of one tag, comment or text in the frame."""
_ENTRY = re.compile(rb"<((?:[A-Za-z_][A-Za-z0-9_.-]*:)?)Ntry(?=[ \t\n/>])")

_STATEMENT = re.compile(rb"<(?:[A-Za-z_][A-Za-z0-9_.-]*:)?(?:Stmt|Rpt|Ntfctn)(?=[ \t\n/>])")


class Cutter:
    """Cuts a document: gives pieces of its frame, to be fed before it goes on, and runs.

    Comments, CDATA and instructions are masked first: what looks like a tag in them is none.
    """

    def __init__(self, blocks: Iterator[bytes], frame: Frame) -> None:
        self._blocks = blocks
        self._frame = frame
        self._buffer = b""
        self._masked = b""
        self._place = 0
        self._is_last = False
        self.line = 1
        """Up to where it was given."""
        self.has_specials = False
        """Whether there are comments, CDATA or instructions about where it is given from."""

    def cut(self) -> Iterator[tuple[bytes, str | None, int]]:
        """Cut the document, in its order.

        Yields:
          A piece of the frame and None, or a run of entries and the prefix of their names, and the
          line at which it begins. The last run may be cut off.

        Raises:
          Invalid: something in it is larger than anything should be.
        """
        while not self._is_last:
            self._read_on()
            while True:
                start = _ENTRY.search(self._masked, self._place)
                until = start.start() if start else self._find_safe_end()
                if until > self._place:
                    line = self.line
                    yield self._give(until), None, line
                if self._place != until:  # something was skipped meanwhile
                    continue
                if start is None:
                    break
                end = self._find_run_end()
                if end is None:
                    break
                line = self.line
                yield self._give(end), start[1].decode(), line

    def skip_to_statement(self, unread: int) -> tuple[int, bool]:
        """Skip what comes before the next statement.

        Args:
          unread: how many bytes of what was given last are looked through again.

        Returns:
          How many entries that leaves out, and whether there is another statement.
        """
        self.line -= self._buffer.count(b"\n", self._place - unread, self._place)
        self._place -= unread
        count = 0
        while True:
            found = _STATEMENT.search(self._masked, self._place)
            until = found.start() if found else self._find_safe_end()
            count += len(_ENTRY.findall(self._masked, self._place, until))
            self._give(until)
            if found or self._is_last:
                return count, found is not None
            self._read_on()

    def _read_on(self) -> None:
        """Read about as much again as is left, and a block at least.

        What has no end is then looked through a few times until it is too large, not once a block.
        """
        parts = [self._buffer[self._place :]]
        left = size = len(parts[0])
        while not self._is_last:
            block = next(self._blocks, None)
            self._is_last = block is None
            parts.append(block or b"")
            size += len(parts[-1])
            if size >= 2 * left or size + 2 * len(parts[-1]) > ENTRY_BYTES_MAX:
                break
        self._buffer = b"".join(parts)
        self._place = 0
        if len(self._buffer) > ENTRY_BYTES_MAX:
            raise refuse(f"an entry is larger than {ENTRY_BYTES_MAX} bytes", self.line)
        self._masked = self._buffer
        self.has_specials = b"<!" in self._buffer or b"<?" in self._buffer
        if self.has_specials:
            self._masked = mask_bytes(self._buffer)
            if b"<!DOCTYPE" in self._masked:
                raise refuse(
                    "it has a document type, which no statement needs and attacks use", self.line
                )

    def _give(self, end: int) -> bytes:
        piece = self._buffer[self._place : end]
        self._place = end
        self.line += piece.count(b"\n")
        return piece

    def _find_safe_end(self) -> int:
        """Find up to where the frame goes for sure."""
        if self._is_last:
            return len(self._buffer)
        return max(self._masked.rfind(b">") + 1, self._place)

    def _find_run_end(self) -> int | None:
        """Find the end of the last entry that is there whole, before its statement ends."""
        prefix = _ENTRY.match(self._masked, self._place)
        if self._frame.statement is None:  # it is none, so that what it holds is frame
            return self._masked.find(b">", self._place) + 1 or (
                len(self._buffer) if self._is_last else None
            )
        name = (prefix[1] if prefix else b"") + b"Ntry"
        statement = self._frame.statement_name.encode()
        closing = re.compile(b"</" + re.escape(statement) + b"[ \t\n]*>").search(
            self._masked, self._place
        )
        limit = closing.start() if closing else len(self._masked)
        end = self._masked.rfind(b"</" + name + b">", self._place, limit)
        if end >= 0:
            return end + len(name) + 3
        blank = re.compile(b"</" + re.escape(name) + b"[ \t\n]+>")
        ends = [found.end() for found in blank.finditer(self._masked, self._place, limit)]
        if ends:
            return ends[-1]
        return limit if closing or self._is_last else None
