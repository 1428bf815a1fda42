"""What a bank keeps of a pair: its entries as they are to be posted, and what came of windows.

The node keeps it on the disk; tests and the demo keep it in memory. Whatever a method does takes
effect all at once or not at all, and lasts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from hansa.reconcile.stream.entries import Tagged


class Posting(NamedTuple):
    """An entry in its window; entries of a window are posted in the order of their numbers."""

    number: int
    """From 0, within its window."""
    tagged: Tagged


class Journal(Protocol):
    """Entries of one bank under one agreement, and records by name."""

    def add(self, entries: Sequence[Tagged], record: tuple[str, bytes] | None = None) -> None:
        """Add entries, each at the end of its window, and put a record by its name with them."""

    def list_windows(self) -> list[int]:
        """List the windows that have entries and are not finished, ascending."""

    def count(self, window: int) -> int:
        """Count the entries of a window."""

    def list_postings(self, window: int, start: int, limit: int) -> list[Posting]:
        """List entries of a window from a number on, in their order."""

    def list_tags(self, window: int) -> list[bytes]:
        """List the tags of a window, each once, in any order."""

    def list_tagged(self, window: int, tags: Collection[bytes]) -> Iterator[Posting]:
        """List the entries under these tags, in their order."""

    def sum_up(self, window: int, without: Collection[bytes]) -> dict[str, tuple[int, int]]:
        """Count and add up a window's entries by currency, those under some tags left out."""

    def finish(self, window: int, carried: Sequence[Tagged], names: Sequence[str]) -> None:
        """Finish a window, whose entries stay, add others, and remove records; all at once."""

    def get(self, name: str) -> bytes | None:
        """Get a record."""

    def put(self, name: str, record: bytes | None) -> None:
        """Put a record in place of an earlier one; None removes it."""

    def list_names(self, prefix: str) -> list[str]:
        """List the names of records that begin so, sorted."""


class MemoryJournal:
    """A journal that lasts as long as its process."""

    def __init__(self) -> None:
        self._windows: dict[int, list[Tagged]] = defaultdict(list)
        self._finished: set[int] = set()
        self._records: dict[str, bytes] = {}

    def add(self, entries: Sequence[Tagged], record: tuple[str, bytes] | None = None) -> None:
        """As `Journal.add`."""
        for each in entries:
            self._windows[each.window].append(each)
        if record is not None:
            self.put(*record)

    def list_windows(self) -> list[int]:
        """As `Journal.list_windows`."""
        return sorted(self._windows.keys() - self._finished)

    def count(self, window: int) -> int:
        """As `Journal.count`."""
        return len(self._windows[window]) if window in self._windows else 0

    def list_postings(self, window: int, start: int, limit: int) -> list[Posting]:
        """As `Journal.list_postings`."""
        entries = self._windows.get(window, ())
        numbered = enumerate(islice(entries, start, start + limit), start)
        return [Posting(number, each) for number, each in numbered]

    def list_tags(self, window: int) -> list[bytes]:
        """As `Journal.list_tags`."""
        return list(dict.fromkeys(each.tag for each in self._windows.get(window, ())))

    def list_tagged(self, window: int, tags: Collection[bytes]) -> Iterator[Posting]:
        """As `Journal.list_tagged`."""
        wanted = set(tags)
        for number, each in enumerate(self._windows.get(window, ())):
            if each.tag in wanted:
                yield Posting(number, each)

    def sum_up(self, window: int, without: Collection[bytes]) -> dict[str, tuple[int, int]]:
        """As `Journal.sum_up`."""
        left_out = set(without)
        sums: dict[str, tuple[int, int]] = {}
        for each in self._windows.get(window, ()):
            if each.tag not in left_out:
                entries, net_minor = sums.get(each.currency, (0, 0))
                sums[each.currency] = entries + 1, net_minor + each.amount_minor
        return sums

    def finish(self, window: int, carried: Sequence[Tagged], names: Sequence[str]) -> None:
        """As `Journal.finish`."""
        self._finished.add(window)
        self.add(carried)
        for each in names:
            self._records.pop(each, None)

    def get(self, name: str) -> bytes | None:
        """As `Journal.get`."""
        return self._records.get(name)

    def put(self, name: str, record: bytes | None) -> None:
        """As `Journal.put`."""
        if record is None:
            self._records.pop(name, None)
        else:
            self._records[name] = record

    def list_names(self, prefix: str) -> list[str]:
        """As `Journal.list_names`."""
        return sorted(name for name in self._records if name.startswith(prefix))
