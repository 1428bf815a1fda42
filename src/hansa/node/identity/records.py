"""The file of an issuer's or verifier's records: SQLite, encrypted but for dates and statuses.

A key for values and one for names are drawn when the file is made and lie in it, encrypted under
the passphrase of its operator. A record's name is a keyed hash, so that the file tells neither
whose records it holds nor which of them belong to one person; a value is bound to its name, so that
none can be put in another's place.

Source: NIST SP 800-38D (GCM); RFC 2104 (HMAC); SQLite's documentation of PRAGMA journal_mode.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hansa.identity.store import Kind
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.node.identity.migration import FORMAT_VERSION, SCHEMA, migrate, read_version
from hansa.passphrases import DEFAULT_COST, NONCE_BYTES, Locked, ScryptCost, lock, unlock

KEY_BYTES = 32
WAIT_S = 10.0
"""How long one process waits for another to end its transaction."""
_HEADER = b"hansa-identity-records 1"
_ISSUED, _OWNER = b"issued", b"owner"

Draw = Callable[[int], bytes]


class RecordFile:
    """One open file of records; a `hansa.identity.store.Store`. For one thread at a time."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, secret: bytes, draw: Draw
    ) -> None:
        self._connection = connection
        self._path = path
        self._cipher = AESGCM(secret[:KEY_BYTES])
        self._name_key = secret[KEY_BYTES:]
        self._draw = draw

    @classmethod
    def create(
        cls, path: Path, passphrase: str, draw: Draw, cost: ScryptCost = DEFAULT_COST
    ) -> RecordFile:
        """Make a new file, mode 0600.

        Raises:
          Invalid: there is a file already, or the passphrase is empty or no text.
          Unavailable: the disk refuses.
        """
        secret = draw(2 * KEY_BYTES)
        locked = lock(secret, passphrase, cost, lambda salt: _HEADER + salt, draw)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            raise Invalid(InvalidCode.MALFORMED, f"{path} is there already") from None
        except OSError as error:
            raise Unavailable(f"cannot make {path}: {error.strerror}") from None
        connection = _connect(path)
        with _telling(path):
            connection.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT_VERSION}; COMMIT;"
            )
            connection.execute(
                "INSERT INTO lock VALUES (?, ?, ?, ?, ?, ?)",
                (*locked.cost, locked.salt, locked.nonce, locked.ciphertext),
            )
        return cls(connection, path, secret, draw)

    @classmethod
    def open(cls, path: Path, passphrase: str, draw: Draw) -> RecordFile:
        """Open a file; one of an earlier format is brought up to date.

        Raises:
          NotFound: there is none.
          Invalid: `UNAUTHENTICATED` for a wrong passphrase; a later program wrote it.
          Corrupt: it is damaged, or something else.
          Unavailable: the disk refuses.
        """
        if not path.is_file():
            raise NotFound(f"there is no file of records {path}", path=str(path))
        connection = _connect(path)
        try:
            found = cls(connection, path, _unlock(connection, path, passphrase), draw)
            with _telling(path):
                migrate(connection, lambda value: found._open(value, _ISSUED))
        except BaseException:
            connection.close()
            raise
        return found

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def bind(self, owner: bytes) -> bool:
        """Bind the file to its owner, at first; whether this is who it is bound to."""
        with self.at_once():
            row = self._connection.execute("SELECT value FROM owner").fetchone()
            if row is None:
                self._connection.execute(
                    "INSERT INTO owner VALUES (?)", (self._seal(owner, _OWNER),)
                )
                return True
        return hmac.compare_digest(self._open(row[0], _OWNER), owner)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Have all that is done within take effect at once, also against other processes.

        What is refused by a `HansaError` stays done as far as it went: a wrong code must count.
        Within another such block this is part of it.

        Raises:
          Unavailable: the disk refuses, or another process does not end.
        """
        if self._connection.in_transaction:
            yield
            return
        with _telling(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException as error:
                is_refusal = isinstance(error, HansaError) and not isinstance(error, Corrupt)
                self._connection.execute("COMMIT" if is_refusal else "ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def put(self, kind: Kind, key: str, value: bytes, expires_ms: int) -> None:
        """Keep a record, in place of an earlier one."""
        name = self._name(kind, key)
        with self.at_once():
            self._connection.execute(
                "INSERT OR REPLACE INTO records (name, value, expires_ms, kind) "
                "VALUES (?, ?, ?, ?)",
                (name, self._seal(value, name), expires_ms, self._hash(kind.value)),
            )

    def get(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record that has not expired."""
        name = self._name(kind, key)
        with _telling(self._path):
            row = self._connection.execute(
                "SELECT value FROM records WHERE name = ? AND expires_ms > ?", (name, time_ms)
            ).fetchone()
        return None if row is None else self._open(row[0], name)

    def take(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record and drop it, so that only one of several callers gets it."""
        name = self._name(kind, key)
        with self.at_once():
            row = self._connection.execute(
                "DELETE FROM records WHERE name = ? RETURNING value, expires_ms", (name,)
            ).fetchone()
        return None if row is None or row[1] <= time_ms else self._open(row[0], name)

    def add(self, kind: Kind, key: str, expires_ms: int, time_ms: int) -> bool:
        """Keep an empty record if there is none; False if there is."""
        with self.at_once():
            if self.get(kind, key, time_ms) is not None:
                return False
            self.put(kind, key, b"", expires_ms)
        return True

    def list_values(self, kind: Kind, time_ms: int, limit: int) -> list[bytes]:
        """List records of a kind that have not expired: which last longest come first."""
        with _telling(self._path):
            rows = self._connection.execute(
                "SELECT name, value FROM records WHERE kind = ? AND expires_ms > ? "
                "ORDER BY expires_ms DESC LIMIT ?",
                (self._hash(kind.value), time_ms, limit),
            ).fetchall()
        return [self._open(value, name) for name, value in rows]

    def sweep(self, time_ms: int) -> int:
        """Drop what has expired; returns how many records."""
        with self.at_once():
            return self._connection.execute(
                "DELETE FROM records WHERE expires_ms <= ?", (time_ms,)
            ).rowcount

    def add_issued(self, place: int | None, value: bytes) -> int | None:
        """Note for good what was issued; returns its number, or None if the place is taken."""
        try:
            with self.at_once():
                return self._connection.execute(
                    "INSERT INTO issued (place, value) VALUES (?, ?)",
                    (place, self._seal(value, _ISSUED)),
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
            self._connection.execute(
                "UPDATE issued SET value = ?, is_revoked = ? WHERE number = ?",
                (self._seal(value, _ISSUED), status, number),
            )

    def count_issued(self) -> int:
        """Count what was issued."""
        with _telling(self._path):
            query = "SELECT COALESCE(MAX(number), 0) FROM issued"
            count: int = self._connection.execute(query).fetchone()[0]
            return count

    def list_issued(self, after: int = 0, limit: int = -1) -> list[tuple[int, int | None, bytes]]:
        """List what was issued as (number, place in the status lists, value), oldest first."""
        with _telling(self._path):
            rows = self._connection.execute(
                "SELECT number, place, value FROM issued WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return [(number, place, self._open(value, _ISSUED)) for number, place, value in rows]

    def list_newest_issued(
        self, before: int | None, limit: int
    ) -> list[tuple[int, int | None, bytes]]:
        """List as `list_issued`, newest first: those with a number below `before`, if given."""
        with _telling(self._path):
            rows = self._connection.execute(
                "SELECT number, place, value FROM issued WHERE ? IS NULL OR number < ? "
                "ORDER BY number DESC LIMIT ?",
                (before, before, limit),
            ).fetchall()
        return [(number, place, self._open(value, _ISSUED)) for number, place, value in rows]

    def list_statuses(self, start: int, end: int) -> dict[int, int]:
        """List what is not valid, from place `start` to before `end`: its status by its place."""
        with _telling(self._path):
            rows = self._connection.execute(
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
        with _telling(self._path):
            return self._connection.execute(query, (kind,)).fetchall()

    def put_wanted(self, kind: int, number: int, value: bytes, *, is_open: bool) -> None:
        """Note what is wanted elsewhere, under a number of its kind, in place of what was before.

        Args:
          kind: of what is wanted; its numbers are its own.
          number: by which it is found again.
          value: all about it.
          is_open: whether something is still to be done for it.
        """
        with self.at_once():
            self._connection.execute(
                "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?, ?)",
                (kind, number, self._seal(value, _name_wanted(kind, number)), is_open),
            )

    def drop_wanted(self, kind: int, number: int) -> None:
        """Forget what was wanted."""
        with self.at_once():
            self._connection.execute(
                "DELETE FROM wanted WHERE kind = ? AND number = ?", (kind, number)
            )

    def get_wanted(self, kind: int, number: int) -> bytes | None:
        """Get what is, or was, wanted; None if nothing was."""
        with _telling(self._path):
            row = self._connection.execute(
                "SELECT value FROM wanted WHERE kind = ? AND number = ?", (kind, number)
            ).fetchone()
        return None if row is None else self._open(row[0], _name_wanted(kind, number))

    def list_wanted(
        self, kind: int, limit: int = -1, *, with_closed: bool = False
    ) -> list[tuple[int, bytes]]:
        """List what is open of a kind, or all, as (number, value), lowest number first."""
        with _telling(self._path):
            rows = self._connection.execute(
                "SELECT number, value FROM wanted WHERE (is_open OR ?) AND kind = ? "
                "ORDER BY number LIMIT ?",
                (with_closed, kind, limit),
            ).fetchall()
        return [(number, self._open(value, _name_wanted(kind, number))) for number, value in rows]

    def _name(self, kind: Kind, key: str) -> bytes:
        return self._hash(f"{kind.value} {key}")

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._name_key, text.encode("utf-8", "surrogatepass"), "sha256")

    def _seal(self, value: bytes, name: bytes) -> bytes:
        nonce = self._draw(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, name)

    def _open(self, sealed: bytes, name: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name)
        except (InvalidTag, ValueError):
            raise _damaged(self._path, "a record was changed") from None


def _name_wanted(kind: int, number: int) -> bytes:
    return b"wanted %d %d" % (kind, number)


def _connect(path: Path) -> sqlite3.Connection:
    with _telling(path):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=WAIT_S
        )
        for setting in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {setting}")
    return connection


def _unlock(connection: sqlite3.Connection, path: Path, passphrase: str) -> bytes:
    with _telling(path):
        version = read_version(connection)
        if version > FORMAT_VERSION:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{path} was written by a later version of this program (its format is {version}, "
                f"this one reads up to {FORMAT_VERSION}): use that one",
                path=str(path),
            )
        if version < 1:
            raise _damaged(path, "it is none")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _damaged(path, found)
        row = connection.execute("SELECT * FROM lock").fetchone()
    if row is None:
        raise _damaged(path, "it has no lock")
    n, r, p, salt, nonce, ciphertext = row
    return unlock(Locked(ScryptCost(n, r, p), salt, nonce, ciphertext), passphrase, _HEADER + salt)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Tell what SQLite says of a damaged file from what the disk refuses."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        is_disk = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
        advice = "; free some space if the disk is full" if is_disk else ""
        raise Unavailable(
            f"cannot read or write the records {path}: {error}{advice}", path=str(path)
        ) from None
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, why: str) -> Corrupt:
    return Corrupt(
        f"the file of records {path} is damaged ({why}): put a copy back, or make the service anew",
        path=str(path),
    )
