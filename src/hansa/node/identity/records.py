"""The file of an issuer's or verifier's records: SQLite, encrypted but for dates and statuses.

A record's name is a keyed hash, so that the file tells neither whose records it holds nor which of
them belong to one person; a value is bound to its name, so that none can be put in another's place.
How they are encrypted: `hansa.encrypted_file`.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hansa.encrypted_file import Draw, EncryptedFile, Form
from hansa.identity.store import Kind
from hansa.kernel.errors import Corrupt, HansaError
from hansa.node.identity.migration import FORMAT_VERSION, SCHEMA, migrate
from hansa.passphrases import DEFAULT_COST, ScryptCost

_FORM = Form(
    "records",
    b"hansa-identity-records 1",
    FORMAT_VERSION,
    SCHEMA,
    "put a copy back, or make the service anew",
)
_ISSUED, _OWNER = b"issued", b"owner"


class RecordFile:
    """One open file of records; a `hansa.identity.store.Store`. For one thread at a time."""

    def __init__(self, file: EncryptedFile) -> None:
        self._file = file

    @classmethod
    def create(
        cls, path: Path, passphrase: str, draw: Draw, cost: ScryptCost = DEFAULT_COST
    ) -> RecordFile:
        """Make a new file, mode 0600.

        Raises:
          Invalid: there is a file already, or the passphrase is empty or no text.
          Unavailable: the disk refuses.
        """
        return cls(EncryptedFile.create(path, passphrase, _FORM, draw, cost))

    @classmethod
    def open(cls, path: Path, passphrase: str, draw: Draw) -> RecordFile:
        """Open a file; one of an earlier format is brought up to date.

        Raises:
          NotFound: there is none.
          Invalid: `UNAUTHENTICATED` for a wrong passphrase; a later program wrote it.
          Corrupt: it is damaged, or something else.
          Unavailable: the disk refuses.
        """
        file = EncryptedFile.open(path, passphrase, _FORM, draw)
        try:
            with file.telling():
                migrate(file.connection, lambda value: file.decrypt(value, _ISSUED))
        except BaseException:
            file.close()
            raise
        return cls(file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def bind(self, owner: bytes) -> bool:
        """Bind the file to its owner, at first; whether this is who it is bound to."""
        with self.at_once():
            row = self._file.connection.execute("SELECT value FROM owner").fetchone()
            if row is None:
                self._file.connection.execute(
                    "INSERT INTO owner VALUES (?)", (self._file.encrypt(owner, _OWNER),)
                )
                return True
        return hmac.compare_digest(self._file.decrypt(row[0], _OWNER), owner)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Have all that is done within take effect at once, also against other processes.

        What is refused by a `HansaError` stays done as far as it went: a wrong code must count.
        Within another such block this is part of it.

        Raises:
          Unavailable: the disk refuses, or another process does not end.
        """
        with self._file.at_once(_is_refusal):
            yield

    def put(self, kind: Kind, key: str, value: bytes, expires_ms: int) -> None:
        """Keep a record, in place of an earlier one."""
        name = self._name(kind, key)
        with self.at_once():
            self._file.connection.execute(
                "INSERT OR REPLACE INTO records (name, value, expires_ms, kind) "
                "VALUES (?, ?, ?, ?)",
                (name, self._file.encrypt(value, name), expires_ms, self._hash(kind.value)),
            )

    def get(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record that has not expired."""
        name = self._name(kind, key)
        with self._file.telling():
            row = self._file.connection.execute(
                "SELECT value FROM records WHERE name = ? AND expires_ms > ?", (name, time_ms)
            ).fetchone()
        return None if row is None else self._file.decrypt(row[0], name)

    def take(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record and drop it, so that only one of several callers gets it."""
        name = self._name(kind, key)
        with self.at_once():
            row = self._file.connection.execute(
                "DELETE FROM records WHERE name = ? RETURNING value, expires_ms", (name,)
            ).fetchone()
        return None if row is None or row[1] <= time_ms else self._file.decrypt(row[0], name)

    def add(self, kind: Kind, key: str, expires_ms: int, time_ms: int) -> bool:
        """Keep an empty record if there is none; False if there is."""
        with self.at_once():
            if self.get(kind, key, time_ms) is not None:
                return False
            self.put(kind, key, b"", expires_ms)
        return True

    def list_values(self, kind: Kind, time_ms: int, limit: int) -> list[bytes]:
        """List records of a kind that have not expired: which last longest come first."""
        with self._file.telling():
            rows = self._file.connection.execute(
                "SELECT name, value FROM records WHERE kind = ? AND expires_ms > ? "
                "ORDER BY expires_ms DESC LIMIT ?",
                (self._hash(kind.value), time_ms, limit),
            ).fetchall()
        return [self._file.decrypt(value, name) for name, value in rows]

    def sweep(self, time_ms: int) -> int:
        """Drop what has expired; returns how many records."""
        with self.at_once():
            return self._file.connection.execute(
                "DELETE FROM records WHERE expires_ms <= ?", (time_ms,)
            ).rowcount

    def add_issued(self, place: int | None, value: bytes) -> int | None:
        """Note for good what was issued; returns its number, or None if the place is taken."""
        with self.at_once():
            try:
                return self._file.connection.execute(
                    "INSERT INTO issued (place, value) VALUES (?, ?)",
                    (place, self._file.encrypt(value, _ISSUED)),
                ).lastrowid
            except sqlite3.IntegrityError:
                return None

    def set_status(self, number: int, value: bytes, status: int) -> None:
        """Note where something stands that was issued, with another value than before.

        Args:
          number: of what was issued.
          value: what is kept of it from now on.
          status: 0 for valid, else as Token Status Lists have it: 1 revoked, 2 suspended.
        """
        with self.at_once():
            self._file.connection.execute(
                "UPDATE issued SET value = ?, is_revoked = ? WHERE number = ?",
                (self._file.encrypt(value, _ISSUED), status, number),
            )

    def count_issued(self) -> int:
        """Count what was issued."""
        with self._file.telling():
            query = "SELECT COALESCE(MAX(number), 0) FROM issued"
            count: int = self._file.connection.execute(query).fetchone()[0]
            return count

    def list_issued(self, after: int = 0, limit: int = -1) -> list[tuple[int, int | None, bytes]]:
        """List what was issued as (number, place in the status lists, value), oldest first."""
        with self._file.telling():
            rows = self._file.connection.execute(
                "SELECT number, place, value FROM issued WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return self._decrypt_issued(rows)

    def list_newest_issued(
        self, before: int | None, limit: int
    ) -> list[tuple[int, int | None, bytes]]:
        """List as `list_issued`, newest first: those with a number below `before`, if given."""
        with self._file.telling():
            rows = self._file.connection.execute(
                "SELECT number, place, value FROM issued WHERE ? IS NULL OR number < ? "
                "ORDER BY number DESC LIMIT ?",
                (before, before, limit),
            ).fetchall()
        return self._decrypt_issued(rows)

    def list_statuses(self, start: int, end: int) -> dict[int, int]:
        """List what is not valid, from place `start` to before `end`: its status by its place."""
        with self._file.telling():
            rows = self._file.connection.execute(
                "SELECT place, is_revoked FROM issued "
                "WHERE is_revoked AND place >= ? AND place < ?",
                (start, end),
            ).fetchall()
        return dict(rows)

    def list_decided(self, kind: int) -> list[tuple[int, int, int]]:
        """List what is not valid and of which nothing of this kind was ever wanted.

        Returns number, place and status of each.
        """
        query = """
            SELECT number, place, is_revoked FROM issued WHERE is_revoked AND place IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM wanted WHERE kind = ? AND wanted.number = issued.number
            )"""
        with self._file.telling():
            return self._file.connection.execute(query, (kind,)).fetchall()

    def put_wanted(self, kind: int, number: int, value: bytes, *, is_open: bool) -> None:
        """Note what is wanted elsewhere, under a number of its kind, in place of what was before.

        Args:
          kind: of what is wanted; its numbers are its own.
          number: by which it is found again.
          value: all about it.
          is_open: whether something is still to be done for it.
        """
        with self.at_once():
            self._file.connection.execute(
                "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?, ?)",
                (kind, number, self._file.encrypt(value, _name_wanted(kind, number)), is_open),
            )

    def drop_wanted(self, kind: int, number: int) -> None:
        """Forget what was wanted."""
        with self.at_once():
            self._file.connection.execute(
                "DELETE FROM wanted WHERE kind = ? AND number = ?", (kind, number)
            )

    def get_wanted(self, kind: int, number: int) -> bytes | None:
        """Get what is, or was, wanted; None if nothing was."""
        with self._file.telling():
            row = self._file.connection.execute(
                "SELECT value FROM wanted WHERE kind = ? AND number = ?", (kind, number)
            ).fetchone()
        return None if row is None else self._file.decrypt(row[0], _name_wanted(kind, number))

    def list_wanted(
        self, kind: int, limit: int = -1, *, with_closed: bool = False
    ) -> list[tuple[int, bytes]]:
        """List what is open of a kind, or all, as (number, value), lowest number first."""
        with self._file.telling():
            rows = self._file.connection.execute(
                "SELECT number, value FROM wanted WHERE (is_open OR ?) AND kind = ? "
                "ORDER BY number LIMIT ?",
                (with_closed, kind, limit),
            ).fetchall()
        decrypt = self._file.decrypt
        return [(number, decrypt(value, _name_wanted(kind, number))) for number, value in rows]

    def _decrypt_issued(
        self, rows: list[tuple[int, int | None, bytes]]
    ) -> list[tuple[int, int | None, bytes]]:
        decrypt = self._file.decrypt
        return [(number, place, decrypt(value, _ISSUED)) for number, place, value in rows]

    def _name(self, kind: Kind, key: str) -> bytes:
        return self._hash(f"{kind.value} {key}")

    def _hash(self, text: str) -> bytes:
        return self._file.hash_name(text.encode("utf-8", "surrogatepass"))


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, HansaError) and not isinstance(error, Corrupt)


def _name_wanted(kind: int, number: int) -> bytes:
    return b"wanted %d %d" % (kind, number)
