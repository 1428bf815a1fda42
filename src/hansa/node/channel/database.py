"""The file of messages: SQLite in a thread of its own, each piece of work one durable transaction.

Deleted content is overwritten where it lay (`secure_delete`), which is no promise that the disk has
forgotten it: the write-ahead log keeps older pages until it is written anew, and SQLite's moving of
rows leaves pieces. A rollback journal would cost five waits for the disk instead of one, and leave
the pieces all the same.

Source: SQLite's documentation of PRAGMA journal_mode, synchronous and secure_delete.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hansa.kernel.errors import Corrupt, Unavailable
from hansa.sqlite_files import left_untouched

T = TypeVar("T")

FORMAT_VERSION = 1
SCHEMA = """
CREATE TABLE sent_lanes (
    recipient BLOB, topic TEXT, sequence INTEGER NOT NULL,
    PRIMARY KEY (recipient, topic)
) WITHOUT ROWID;
CREATE TABLE sent (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    recipient BLOB NOT NULL, topic TEXT NOT NULL, sequence INTEGER NOT NULL,
    content BLOB, size INTEGER NOT NULL, salt BLOB NOT NULL, commitment BLOB NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    ended_ms INTEGER NOT NULL DEFAULT 0, acknowledgement BLOB
);
CREATE INDEX sent_waiting ON sent (recipient, topic, sequence) WHERE state = 'waiting';
CREATE TABLE received_lanes (
    sender BLOB, topic TEXT, sequence INTEGER NOT NULL, id BLOB NOT NULL,
    commitment BLOB NOT NULL, expires_ms INTEGER NOT NULL,
    PRIMARY KEY (sender, topic)
) WITHOUT ROWID;
CREATE TABLE received (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    sender BLOB NOT NULL, topic TEXT NOT NULL, sequence INTEGER NOT NULL,
    content BLOB, size INTEGER NOT NULL, salt BLOB NOT NULL, commitment BLOB NOT NULL,
    received_ms INTEGER NOT NULL, taken_ms INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX received_waiting ON received (topic, number) WHERE taken_ms = 0;
CREATE INDEX received_sender ON received (sender) WHERE taken_ms = 0;
"""


class Database:
    """One open file of messages."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="messages")

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open the file, or make it, mode 0600.

        Raises:
          Corrupt: it is damaged, or something else.
          Unavailable: the disk refuses, or another process has it.
        """
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=1.0
            )
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"cannot open the messages {path}: {error}", path=str(path)) from None
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(connection, path)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work as one transaction, behind what was asked for before; durable when it returns.

        Raises:
          HansaError: what `work` raises; nothing of it is kept then.
          Unavailable: the disk refuses.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    def close(self) -> None:
        """Wait for what is at work, and close."""
        self._thread.shutdown()
        self._connection.close()

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                found = work(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise Unavailable(
                f"cannot read or write the messages {self._path}: {error}; free some space if the "
                "disk is full",
                path=str(self._path),
            ) from None
        return found


def check_database(path: Path) -> None:
    """Look whether a file that no node has open is whole; nothing is written, nor made beside it.

    What a killed node left in the write-ahead log belongs to it: then a copy of both is looked at.

    Raises:
      Corrupt: it is damaged, or something else.
      Unavailable: it cannot be read.
      OSError: it cannot be read, or copied.
    """
    with left_untouched(path) as uri, _telling_damage(path):
        connection = sqlite3.connect(uri, uri=True)
        try:
            _require_whole(connection, path)
        finally:
            connection.close()


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check an open file, and fill an empty one."""
    with _telling_damage(path):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        if _require_whole(connection, path) == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT_VERSION}; COMMIT;"
            )


def _require_whole(connection: sqlite3.Connection, path: Path) -> int:
    """Read a file through; returns its version, 0 of an empty one. Raises `Corrupt`."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, FORMAT_VERSION):
        raise _damaged(path, f"version {version}, this program reads {FORMAT_VERSION}")
    if version and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise _damaged(path, found)
    return version


@contextmanager
def _telling_damage(path: Path) -> Iterator[None]:
    """Tell what SQLite says of a damaged file from what the disk refuses."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(f"cannot open the messages {path}: {error}", path=str(path)) from None
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, why: str) -> Corrupt:
    return Corrupt(
        f"the file of messages {path} is damaged ({why}): put a copy back, or move it away; what "
        "waits in it is lost then, and the ledger is not touched",
        path=str(path),
    )
