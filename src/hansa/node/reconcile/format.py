"""The format of the file of a bank's journals: its tables, and what to do about a damaged one.

Values are encrypted; what stands in the other columns, the ledger has, too.
"""

from __future__ import annotations

from hansa.encrypted_file import Form

SCHEMA = """
CREATE TABLE journals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, agreement BLOB NOT NULL UNIQUE
);
CREATE TABLE windows (
    journal INTEGER NOT NULL, window INTEGER NOT NULL,
    entries INTEGER NOT NULL, is_finished INTEGER NOT NULL, sums BLOB NOT NULL,
    PRIMARY KEY (journal, window)
) WITHOUT ROWID;
CREATE INDEX windows_open ON windows (journal, window) WHERE NOT is_finished;
CREATE TABLE entries (
    journal INTEGER NOT NULL, window INTEGER NOT NULL, number INTEGER NOT NULL,
    tag BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (journal, window, number)
) WITHOUT ROWID;
CREATE INDEX entries_tag ON entries (journal, window, tag);
CREATE TABLE records (
    journal INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, UNIQUE (journal, name)
);
"""
FORM = Form(
    "journals",
    b"hansa-reconciliation-journals 1",
    1,
    SCHEMA,
    "put the newest copy back; what was agreed on without it stays on the ledger",
    int.from_bytes(b"HnsJ", "big"),
)
