"""Tables that tests write and read."""

from __future__ import annotations

import io

from hansa.reconcile.readers.parts import read_entries
from hansa.reconcile.readers.tables.delimited import read_csv
from hansa.reconcile.readers.tables.mapping import parse_mapping

PLAIN = """
[columns]
account = "account"
currency = "currency"
booking_date = "date"
amount = "amount"
reference = "reference"
[amounts]
decimal = "."
"""
HEADER = "account,currency,date,amount,reference\n"


def gather(parts):
    """Gather entries, statements and findings of parts."""
    entries, statements, findings = [], [], []
    for part in parts:
        entries += read_entries(part.entries)
        statements += part.statements
        findings += part.findings
    return entries, statements, findings


def mapping_of(text=PLAIN):
    return parse_mapping(text.encode(), "map.toml")


def read_text(text, mapping=PLAIN, encoding="utf-8"):
    """Read a table that is written as CSV."""
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode(encoding))
    return gather(read_csv(stream, mapping_of(mapping)))
