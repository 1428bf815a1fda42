"""SQLite files whose values are encrypted under a key that a passphrase unlocks.

A key for values and one for names are drawn when the file is made and lie in it, encrypted under
the passphrase of its operator. A value is bound to its name, so that none can be put in another's
place. What is neither value nor hashed name lies in the file as it is.

Source: NIST SP 800-38D (GCM); RFC 2104 (HMAC); SQLite's documentation of PRAGMA journal_mode.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, NotFound, Unavailable
from hansa.passphrases import (
    DEFAULT_COST,
    NONCE_BYTES,
    Locked,
    ScryptCost,
    check_cost,
    lock,
    unlock,
)
from hansa.program import name_program
from hansa.regular_files import sync_names
from hansa.sqlite_files import left_untouched

KEY_BYTES = 32
OVERHEAD_BYTES = NONCE_BYTES + 16
"""So much longer is what is encrypted: by the nonce before it, and the tag behind."""
WAIT_S = 10.0
"""How long one process waits for another to end its transaction."""
_LOCK = """
CREATE TABLE lock (
    n INTEGER NOT NULL, r INTEGER NOT NULL, p INTEGER NOT NULL,
    salt BLOB NOT NULL, nonce BLOB NOT NULL, ciphertext BLOB NOT NULL
);
"""

Draw = Callable[[int], bytes]


class Form(NamedTuple):
    """What files of one kind hold."""

    what: str
    """In messages, as "records"."""
    header: bytes
    """Authenticated beside the keys: those of another kind of file do not open as this."""
    version: int
    schema: str
    """Of all tables but that of the lock."""
    mend: str
    """What to do about a file that is damaged."""
    application: int = 0
    """Tells it, in its head, from other files of SQLite; 0 for none."""
    first: int = 1
    """The earliest version that is still read."""
    is_read_through: bool = True
    """Whether each start reads all of it, for damage; else that is met where it is read."""


class EncryptedFile:
    """One open file. For one thread at a time."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, form: Form, secret: bytes, draw: Draw
    ) -> None:
        self.connection = connection
        self._path = path
        self._form = form
        self._secret = secret
        self._cipher = AESGCM(secret[:KEY_BYTES])
        self._name_key = secret[KEY_BYTES:]
        self._draw = draw

    @classmethod
    def create(
        cls, path: Path, passphrase: str, form: Form, draw: Draw, cost: ScryptCost = DEFAULT_COST
    ) -> EncryptedFile:
        """Make a new file, mode 0600, whole or not at all.

        Raises:
          Invalid: there is a file already, or the passphrase is empty or no text.
          Unavailable: the disk refuses.
        """
        if path.exists():
            raise Invalid(InvalidCode.MALFORMED, f"{path} is there already")
        secret = draw(2 * KEY_BYTES)
        locked = lock(secret, passphrase, cost, lambda salt: form.header + salt, draw)
        partial = path.with_name(f".{path.name}.partial")
        try:
            partial.unlink(missing_ok=True)  # of a process that was killed
            os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            _fill(partial, form, locked)
            partial.replace(path)
            sync_names(path.parent)
        except OSError as error:
            raise Unavailable(f"cannot make {path}: {error.strerror}") from None
        return cls(_connect(path, form), path, form, secret, draw)

    @classmethod
    def open(cls, path: Path, passphrase: str, form: Form, draw: Draw) -> EncryptedFile:
        """Open a file, of this version or an earlier one.

        Raises:
          NotFound: there is none.
          Invalid: `UNAUTHENTICATED` for a wrong passphrase; a later program wrote it.
          Corrupt: it is damaged, or something else.
          Unavailable: the disk refuses.
        """
        if not path.is_file():
            raise NotFound(f"there is no file of {form.what} {path}", path=str(path))
        connection = _connect(path, form)
        try:
            return cls(connection, path, form, _unlock(connection, path, form, passphrase), draw)
        except BaseException:
            connection.close()
            raise

    @classmethod
    @contextmanager
    def reading(cls, path: Path, passphrase: str, form: Form) -> Iterator[EncryptedFile]:
        """Open a file that no process has open, for reading; nothing is written beside it.

        Raises:
          NotFound, Invalid, Corrupt, Unavailable: as `open`.
        """
        if not path.is_file():
            raise NotFound(f"there is no file of {form.what} {path}", path=str(path))
        with ExitStack() as stack:
            try:
                uri = stack.enter_context(left_untouched(path))
            except OSError as error:
                raise Unavailable(f"cannot read {path}: {error.strerror}", path=str(path)) from None
            stack.enter_context(_telling(path, form))
            connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False
            )
            stack.callback(connection.close)
            secret = _unlock(connection, path, form, passphrase)
            yield cls(connection, path, form, secret, os.urandom)

    @classmethod
    def open_or_create(
        cls, path: Path, passphrase: str, form: Form, draw: Draw, cost: ScryptCost = DEFAULT_COST
    ) -> EncryptedFile:
        """Open a file of a node's folder, or make it where there is none.

        Raises:
          Invalid: `UNAUTHENTICATED` for a wrong passphrase, which says how the file gets another;
            a later program wrote it.
          Corrupt: it is damaged, or something else.
          Unavailable: the disk refuses.
        """
        try:
            return cls.open(path, passphrase, form, draw)
        except NotFound:
            return cls.create(path, passphrase, form, draw, cost)
        except Invalid as error:
            if error.code is not InvalidCode.UNAUTHENTICATED:
                raise
            raise Invalid(
                error.code,
                f"{path}: {error.message}: the file keeps the one under which it was made, until "
                f"{name_program()} key change-passphrase is told of it, too",
                path=str(path),
            ) from None

    def relock(self, passphrase: str, cost: ScryptCost = DEFAULT_COST) -> None:
        """Have the file open with another passphrase from now on.

        Raises:
          Invalid: the passphrase is empty or no text.
          Unavailable: the disk refuses.
        """
        locked = lock(
            self._secret, passphrase, cost, lambda salt: self._form.header + salt, self._draw
        )
        with self.at_once() as connection:
            connection.execute("DELETE FROM lock")
            _write_lock(connection, locked)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextmanager
    def at_once(
        self, is_kept: Callable[[BaseException], bool] = lambda _: False
    ) -> Iterator[sqlite3.Connection]:
        """Have all that is done within take effect at once, also against other processes.

        Within another such block this is part of it.

        Args:
          is_kept: whether what was done before this was raised takes effect all the same.

        Raises:
          Unavailable: the disk refuses, or another process does not end.
        """
        if self.connection.in_transaction:
            yield self.connection
            return
        with self.telling(), _transaction(self.connection, is_kept):
            yield self.connection

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell in our errors what SQLite raises.

        Raises:
          Corrupt: the file is damaged.
          Unavailable: the disk refuses.
        """
        with _telling(self._path, self._form):
            yield

    def hash_name(self, name: bytes) -> bytes:
        """Compute a keyed hash: equal for equal names in this file, and telling nothing of them."""
        return hmac.digest(self._name_key, name, "sha256")

    def encrypt(self, value: bytes, name: bytes) -> bytes:
        """Encrypt a value, bound to a name."""
        nonce = self._draw(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, name)

    def decrypt(self, encrypted: bytes, name: bytes) -> bytes:
        """Decrypt a value; raises `Corrupt` if it is not of this name and file."""
        try:
            return self._cipher.decrypt(encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:], name)
        except (InvalidTag, ValueError):
            raise _damaged(self._path, self._form, "a value was changed") from None


def check_file(path: Path, form: Form, passphrase: str | None = None) -> None:
    """Look whether a file that no process has open is whole; nothing is written.

    Args:
      path: of the file.
      form: of its kind.
      passphrase: is tried, if one is given.

    Raises:
      Invalid: `UNAUTHENTICATED` for a wrong passphrase; a later program wrote it.
      Corrupt: it is damaged, or something else.
      Unavailable: it cannot be read.
      OSError: it cannot be read, or copied.
    """
    with left_untouched(path) as uri, _telling(path, form):
        connection = sqlite3.connect(uri, uri=True)
        try:
            locked = _read_lock(connection, path, form._replace(is_read_through=True))
        finally:
            connection.close()
    if passphrase is not None:
        unlock(locked, passphrase, form.header + locked.salt)


def _fill(path: Path, form: Form, locked: Locked) -> None:
    """Fill an empty file, and close it."""
    connection = _connect(path, form)
    try:
        with _telling(path, form):
            connection.executescript(
                f"BEGIN IMMEDIATE; {_LOCK} {form.schema} PRAGMA user_version = {form.version}; "
                f"PRAGMA application_id = {form.application};"
            )
            _write_lock(connection, locked)
            connection.execute("COMMIT")
    finally:
        connection.close()


def _write_lock(connection: sqlite3.Connection, locked: Locked) -> None:
    connection.execute(
        "INSERT INTO lock VALUES (?, ?, ?, ?, ?, ?)",
        (*locked.cost, locked.salt, locked.nonce, locked.ciphertext),
    )


def _connect(path: Path, form: Form) -> sqlite3.Connection:
    with _telling(path, form):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=WAIT_S
        )
        for setting in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {setting}")
    return connection


def _read_lock(connection: sqlite3.Connection, path: Path, form: Form) -> Locked:
    """Read a file's lock, and the file through where its form says so; `Invalid` or `Corrupt`."""
    with _telling(path, form):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != form.application:
            raise _damaged(path, form, "it is none")
        if version > form.version:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{path} was written by a later version of this program (its format is {version}, "
                f"this one reads up to {form.version}): use that one",
                path=str(path),
            )
        if version < 1:
            raise _damaged(path, form, "it is none")
        if version < form.first:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{path} was written by an earlier version of this program (its format is "
                f"{version}, this one reads from {form.first} on): read it with that one, or move "
                "it away, and a new one is begun",
                path=str(path),
            )
        if form.is_read_through:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise _damaged(path, form, found)
        row = connection.execute("SELECT * FROM lock").fetchone()
    if row is None:
        raise _damaged(path, form, "it has no lock")
    n, r, p, salt, nonce, ciphertext = row
    locked = Locked(ScryptCost(n, r, p), salt, nonce, ciphertext)
    try:
        check_cost(locked.cost)
    except Invalid as error:
        raise _damaged(path, form, error.message) from None
    if not locked.is_sound(2 * KEY_BYTES):
        raise _damaged(path, form, "its lock was changed")
    return locked


def _unlock(connection: sqlite3.Connection, path: Path, form: Form, passphrase: str) -> bytes:
    locked = _read_lock(connection, path, form)
    return unlock(locked, passphrase, form.header + locked.salt)


@contextmanager
def _transaction(
    connection: sqlite3.Connection, is_kept: Callable[[BaseException], bool]
) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        try:
            yield
        except BaseException as error:
            if is_kept(error):
                connection.execute("COMMIT")
            raise
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # also where a full disk refused to commit
            connection.execute("ROLLBACK")


@contextmanager
def _telling(path: Path, form: Form) -> Iterator[None]:
    """Tell what SQLite says of a damaged file from what the disk refuses."""
    try:
        yield
    except sqlite3.OperationalError as error:
        is_disk = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
        advice = "; free some space if the disk is full" if is_disk else ""
        raise Unavailable(
            f"cannot read or write the {form.what} {path}: {error}{advice}", path=str(path)
        ) from None
    except sqlite3.DatabaseError as error:
        raise _damaged(path, form, str(error)) from None


def _damaged(path: Path, form: Form, why: str) -> Corrupt:
    return Corrupt(
        f"the file of {form.what} {path} is damaged ({why}): {form.mend}", path=str(path)
    )
