"""The format of the file of records: its tables, and how an older file becomes one of today's.

Version 1 had no `owner`, and at first no column that tells what is revoked; version 2 knew
nothing of what is wanted on the ledger. Version 3 did not tell which records are of one kind: those
of then are in no list, until they expire.

Source: SQLite's documentation of PRAGMA user_version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

FORMAT_VERSION = 4
_OWNER = "CREATE TABLE owner (value BLOB NOT NULL);"
_REVOKED = "CREATE INDEX issued_revoked ON issued (place) WHERE is_revoked;"
_WANTED = """
CREATE TABLE wanted (
    kind INTEGER NOT NULL, number INTEGER NOT NULL,
    value BLOB NOT NULL, is_open INTEGER NOT NULL,
    PRIMARY KEY (kind, number)
) WITHOUT ROWID;"""
_WANTED_OPEN = "CREATE INDEX wanted_open ON wanted (kind, number) WHERE is_open;"
_KINDS = "CREATE INDEX records_kind ON records (kind, expires_ms) WHERE kind IS NOT NULL;"
SCHEMA = f"""
CREATE TABLE records (
    name BLOB PRIMARY KEY, value BLOB NOT NULL, expires_ms INTEGER NOT NULL, kind BLOB
) WITHOUT ROWID;
CREATE INDEX records_expiry ON records (expires_ms);
CREATE TABLE issued (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    place INTEGER UNIQUE,
    value BLOB NOT NULL,
    is_revoked INTEGER NOT NULL DEFAULT 0  -- or 2, if it is suspended
);
{_KINDS}
{_REVOKED}
{_OWNER}
{_WANTED}
{_WANTED_OPEN}
"""


class _Revocable(msgspec.Struct, frozen=True):
    """What version 1 kept of a credential, as far as it is asked here."""

    revoked_s: int = 0


def read_version(connection: sqlite3.Connection) -> int:
    """Read by which format a file is written; 0 if it is no file of records."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection, open_value: Callable[[bytes], bytes]) -> None:
    """Bring an earlier file up to date, all of it or nothing; one of today's stays.

    Args:
      connection: to the file.
      open_value: decrypts what was kept of a credential.
    """
    if read_version(connection) == FORMAT_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = read_version(connection)  # another process may have been faster
        if version < 2:  # noqa: PLR2004 - the version that brought it
            _add_revoked(connection, open_value)
            connection.execute(_OWNER)
        if version < 3:  # noqa: PLR2004 - as above
            connection.execute(_WANTED)
            connection.execute(_WANTED_OPEN)
        if version < FORMAT_VERSION:
            connection.execute("ALTER TABLE records ADD COLUMN kind BLOB")
            connection.execute(_KINDS)
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _add_revoked(connection: sqlite3.Connection, open_value: Callable[[bytes], bytes]) -> None:
    """Add the column that tells what is revoked, from what was kept of each credential."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(issued)")}
    if "is_revoked" in columns:
        return
    connection.execute("ALTER TABLE issued ADD COLUMN is_revoked INTEGER NOT NULL DEFAULT 0")
    connection.execute(_REVOKED)
    revoked = [
        (number,)
        for number, value in connection.execute("SELECT number, value FROM issued")
        if msgspec.json.decode(open_value(value), type=_Revocable).revoked_s
    ]
    connection.executemany("UPDATE issued SET is_revoked = 1 WHERE number = ?", revoked)
