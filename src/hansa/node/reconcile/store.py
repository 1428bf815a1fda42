"""The file of a bank's journals: SQLite, every entry and record encrypted.

What the ledger has of an entry lies in it as it is: agreement, window, number and tag; so do names
of records, and how many entries a window has. Amounts, texts, terms and secrets are encrypted, each
bound to its place. A window's sums are kept beside it, so that nothing is added up anew. How values
are encrypted: `hansa.encrypted_file`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansa.encrypted_file import Draw, EncryptedFile
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.node.reconcile.format import FORM
from hansa.passphrases import DEFAULT_COST, ScryptCost
from hansa.reconcile.stream.entries import Tagged
from hansa.reconcile.stream.journal import Posting

_LAST = "\U0010ffff"
"""Sorts behind whatever a name goes on with."""


class _Kept(Document, frozen=True, array_like=True):
    """What is encrypted of an entry."""

    currency: str
    amount_minor: int
    entry: bytes


_decode_kept = Decoder[_Kept](_Kept, "entry of the journal").decode_trusted
_decode_sums = Decoder[tuple[tuple[str, int, str], ...]](
    tuple[tuple[str, int, str], ...], "sums of the journal"
).decode_trusted


@dataclass(slots=True)
class _Window:
    """How far a window is."""

    entries: int = 0
    is_finished: bool = False
    sums: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By currency: entries, and their sum."""


class JournalFile:
    """One open file of journals; a `hansa.node.reconcile.opened.Store`. For one thread."""

    def __init__(self, file: EncryptedFile) -> None:
        self._file = file

    @classmethod
    def open(
        cls, path: Path, passphrase: str, draw: Draw = os.urandom, cost: ScryptCost = DEFAULT_COST
    ) -> JournalFile:
        """Open the file, or make it, mode 0600.

        Raises:
          Invalid: `UNAUTHENTICATED` for a wrong passphrase; a later program wrote it.
          Corrupt: it is damaged, or something else.
          Unavailable: the disk refuses.
        """
        return cls(EncryptedFile.open_or_create(path, passphrase, FORM, draw, cost))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def secret(self) -> bytes:
        """As `Store.secret`."""
        return self._file.hash_name(b"secret")

    def list_agreements(self) -> list[bytes]:
        """As `Store.list_agreements`."""
        with self._file.telling():
            rows = self._file.connection.execute(
                "SELECT agreement FROM journals ORDER BY agreement"
            ).fetchall()
        return [agreement for (agreement,) in rows]

    def open_journal(self, agreement: bytes) -> SqliteJournal:
        """As `Store.open_journal`."""
        with self._file.at_once() as connection:
            number = _find_journal(connection, agreement)
            if number is None:
                number = connection.execute(
                    "INSERT INTO journals (agreement) VALUES (?)", (agreement,)
                ).lastrowid
        return SqliteJournal(self._file, number or 0, agreement)

    def drop_journal(self, agreement: bytes) -> None:
        """As `Store.drop_journal`; nobody may work with it any more."""
        with self._file.at_once() as connection:
            number = _find_journal(connection, agreement)
            connection.execute("DELETE FROM entries WHERE journal = ?", (number,))
            connection.execute("DELETE FROM windows WHERE journal = ?", (number,))
            connection.execute("DELETE FROM records WHERE journal = ?", (number,))
            connection.execute("DELETE FROM journals WHERE id = ?", (number,))


class SqliteJournal:
    """The journal of one agreement; a `hansa.reconcile.stream.journal.Journal`."""

    def __init__(self, file: EncryptedFile, number: int, agreement: bytes) -> None:
        self._file = file
        self._number = number
        self._agreement = agreement

    def add(self, entries: Sequence[Tagged], record: tuple[str, bytes] | None = None) -> None:
        """As `Journal.add`."""
        with self._file.at_once():
            self._add(entries)
            if record is not None:
                self.put(*record)

    def list_windows(self) -> list[int]:
        """As `Journal.list_windows`."""
        rows = self._fetch(
            "SELECT window FROM windows WHERE journal = ? AND NOT is_finished AND entries "
            "ORDER BY window"
        )
        return [window for (window,) in rows]

    def count(self, window: int) -> int:
        """As `Journal.count`."""
        rows = self._fetch("SELECT entries FROM windows WHERE journal = ? AND window = ?", window)
        return rows[0][0] if rows else 0

    def list_postings(self, window: int, start: int, limit: int) -> list[Posting]:
        """As `Journal.list_postings`."""
        rows = self._fetch(
            "SELECT number, tag, value FROM entries "
            "WHERE journal = ? AND window = ? AND number >= ? ORDER BY number LIMIT ?",
            window,
            start,
            limit,
        )
        return [self._read(window, *row) for row in rows]

    def list_tags(self, window: int) -> list[bytes]:
        """As `Journal.list_tags`."""
        rows = self._fetch(
            "SELECT DISTINCT tag FROM entries WHERE journal = ? AND window = ?", window
        )
        return [tag for (tag,) in rows]

    def list_tagged(self, window: int, tags: Collection[bytes]) -> Iterator[Posting]:
        """As `Journal.list_tagged`."""
        numbers = sorted(number for tag in set(tags) for number in self._list_numbers(window, tag))
        for number in numbers:
            yield self.list_postings(window, number, 1)[0]

    def sum_up(self, window: int, without: Collection[bytes]) -> dict[str, tuple[int, int]]:
        """As `Journal.sum_up`."""
        sums = self._load(window).sums
        for tag in set(without):
            for number in self._list_numbers(window, tag):
                tagged = self.list_postings(window, number, 1)[0].tagged
                entries, net_minor = sums[tagged.currency]
                sums[tagged.currency] = entries - 1, net_minor - tagged.amount_minor
        return {currency: found for currency, found in sums.items() if found[0]}

    def finish(self, window: int, carried: Sequence[Tagged], names: Sequence[str]) -> None:
        """As `Journal.finish`."""
        with self._file.at_once() as connection:
            found = self._load(window)
            found.is_finished = True
            self._save(window, found)
            self._add(carried)
            connection.executemany(
                "DELETE FROM records WHERE journal = ? AND name = ?",
                [(self._number, name) for name in names],
            )

    def get(self, name: str) -> bytes | None:
        """As `Journal.get`."""
        rows = self._fetch("SELECT value FROM records WHERE journal = ? AND name = ?", name)
        return self._file.decrypt(rows[0][0], self._name("record", name)) if rows else None

    def put(self, name: str, record: bytes | None) -> None:
        """As `Journal.put`."""
        with self._file.at_once() as connection:
            if record is None:
                connection.execute(
                    "DELETE FROM records WHERE journal = ? AND name = ?", (self._number, name)
                )
                return
            value = self._file.encrypt(record, self._name("record", name))
            connection.execute(
                "INSERT INTO records (journal, name, value) VALUES (?, ?, ?) "
                "ON CONFLICT (journal, name) DO UPDATE SET value = excluded.value",
                (self._number, name, value),
            )

    def list_names(self, prefix: str) -> list[str]:
        """As `Journal.list_names`."""
        rows = self._fetch(
            "SELECT name FROM records WHERE journal = ? AND name >= ? AND name < ? ORDER BY name",
            prefix,
            prefix + _LAST,
        )
        return [name for (name,) in rows]

    def _add(self, entries: Iterable[Tagged]) -> None:
        """Add entries within a transaction; each is encrypted only as it is written."""
        windows: dict[int, _Window] = {}

        def write() -> Iterator[tuple[object, ...]]:
            for each in entries:
                window = windows.get(each.window)
                if window is None:
                    windows[each.window] = window = self._load(each.window)
                number = window.entries
                window.entries += 1
                counted, net_minor = window.sums.get(each.currency, (0, 0))
                window.sums[each.currency] = counted + 1, net_minor + each.amount_minor
                kept = encode(_Kept(each.currency, each.amount_minor, each.entry))
                name = self._name("entry", each.window, number, each.tag)
                value = self._file.encrypt(kept, name)
                yield self._number, each.window, number, each.tag, value

        statement = "INSERT INTO entries VALUES (?, ?, ?, ?, ?)"
        self._file.connection.executemany(statement, write())
        for number, window in windows.items():
            self._save(number, window)

    def _read(self, window: int, number: int, tag: bytes, value: bytes) -> Posting:
        raw = self._file.decrypt(value, self._name("entry", window, number, tag))
        kept = _decode_kept(raw)
        return Posting(number, Tagged(window, tag, kept.currency, kept.amount_minor, kept.entry))

    def _list_numbers(self, window: int, tag: bytes) -> list[int]:
        rows = self._fetch(
            "SELECT number FROM entries WHERE journal = ? AND window = ? AND tag = ?", window, tag
        )
        return [number for (number,) in rows]

    def _load(self, window: int) -> _Window:
        rows = self._fetch(
            "SELECT entries, is_finished, sums FROM windows WHERE journal = ? AND window = ?",
            window,
        )
        if not rows:
            return _Window()
        entries, is_finished, sums = rows[0]
        found = _decode_sums(self._file.decrypt(sums, self._name("window", window, entries)))
        # Digits, as a sum may be beyond what 64 bits hold.
        read = {currency: (counted, int(digits)) for currency, counted, digits in found}
        return _Window(entries, bool(is_finished), read)

    def _save(self, window: int, found: _Window) -> None:
        sums = [(name, counted, str(net)) for name, (counted, net) in sorted(found.sums.items())]
        name = self._name("window", window, found.entries)
        self._file.connection.execute(
            "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?)",
            (
                self._number,
                window,
                found.entries,
                found.is_finished,
                self._file.encrypt(encode(sums), name),
            ),
        )

    def _fetch(self, query: str, *values: object) -> list[Any]:
        """Fetch rows of this journal: the query's first value."""
        with self._file.telling():
            return self._file.connection.execute(query, (self._number, *values)).fetchall()

    def _name(self, *parts: object) -> bytes:
        """Name the place of a value, for all journals."""
        return encode((self._agreement, *parts))


def _find_journal(connection: sqlite3.Connection, agreement: bytes) -> int | None:
    row = connection.execute("SELECT id FROM journals WHERE agreement = ?", (agreement,)).fetchone()
    return None if row is None else row[0]
