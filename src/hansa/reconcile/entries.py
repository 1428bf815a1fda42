"""What every reader makes of a file: entries, the statements that they stand in, and findings.

An entry is one movement on one account, seen by whoever keeps that account: money that comes in is
positive. Amounts are minor units of their currency; dates are civil days since 1970-01-01, in the
zone of whoever wrote the file.

Source: ISO 20022 camt.053 (`Ntry`), SWIFT MT940 fields 60 to 86.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import pyarrow as pa


class Status(StrEnum):
    """How far an entry has come at the bank that keeps the account."""

    BOOKED = "booked"
    PENDING = "pending"
    INFORMATION = "information"


class Entry(NamedTuple):
    """A movement; text that a file does not have is empty."""

    account: str
    """IBAN, or what the bank calls it."""
    currency: str
    """Of the account: three letters of ISO 4217."""
    amount_minor: int
    """Positive if it comes in; of a reversal, too: one of money that came in is negative."""
    booking_date: int | None
    value_date: int | None
    reference: str = ""
    """Of whoever ordered it, end to end; empty where a file says that there is none."""
    bank_reference: str = ""
    """Of the bank that keeps the account."""
    transaction_id: str = ""
    """Of the clearing between banks: a UETR, or the identification of the transaction."""
    counterparty: str = ""
    """Name of who paid or was paid."""
    counterparty_account: str = ""
    text: str = ""
    """What it is for, in words or as a creditor's reference; lines joined by a blank."""
    code: str = ""
    """Kind of transaction: `PMNT.RCDT.ESCT`, `NTRF`, `165`, `CHECK`."""
    batch: str = ""
    """What names the booking that this is a part of; empty of what was booked alone."""
    is_reversal: bool = False
    status: Status = Status.BOOKED
    original_currency: str = ""
    """In which it was ordered, where that is another; empty if it is not."""
    original_minor: int | None = None
    """Amount in that currency, with the sign of `amount_minor`."""
    charges_minor: int | None = None
    """That the bank took off, in the account's currency; zero or more."""
    statement: int = 0
    """Which of its file's statements, from 0."""
    line: int = 0
    """Line of the file where it begins, from 1; the row, of a table."""
    booked_at_s: int | None = None
    """When it was booked: seconds since 1970-01-01 00:00 by the clock of whoever wrote the file;
    None where a file tells the day alone."""
    booked_offset_minutes: int | None = None
    """How far that clock is east of UTC; None where a file does not say."""


class Kind(StrEnum):
    """What a statement is."""

    STATEMENT = "statement"
    """Of a period that is over: camt.053, MT940, BAI2 of the day before, OFX."""
    REPORT = "report"
    """Of a day that goes on: camt.052, MT942, BAI2 of the same day."""
    NOTIFICATION = "notification"
    """Of single movements: camt.054."""
    LIST = "list"
    """Entries with no statement around them: a table, the ledger."""


class Statement(NamedTuple):
    """Entries of one account, with what the bank says of them together."""

    kind: Kind
    account: str
    currency: str
    id: str = ""
    number: int | None = None
    """In the bank's sequence of this account's statements."""
    page: int | None = None
    """Of a statement in several messages, from 1; of one that is whole None."""
    from_date: int | None = None
    to_date: int | None = None
    opening_minor: int | None = None
    """What was on the account before; negative if it was overdrawn."""
    closing_minor: int | None = None
    entries: int = 0
    """How many were read."""
    booked_minor: int = 0
    """Sum of those that are booked, bad ones left out."""
    line: int = 0


class Severity(StrEnum):
    """Whether an entry is missing for it."""

    ERROR = "error"
    """An entry, or a statement's frame, could not be read: it is in `raw`, and nowhere else."""
    WARNING = "warning"
    """All entries were read; something about them is not as it should be."""


class Fault(StrEnum):
    """What a finding is about."""

    STRUCTURE = "structure"
    """The file is not of its format here: cut off, nested wrongly, out of order."""
    ENCODING = "encoding"
    UNSAFE = "unsafe"
    """What a file may not do: external entities, bombs, nesting or sizes beyond all bounds."""
    FIELD = "field"
    """A field cannot be read."""
    MISSING = "missing"
    """A field that must be there is not."""
    CURRENCY = "currency"
    """Another one than the account's, or none."""
    DUPLICATE = "duplicate"
    """A statement that was there already."""
    CLASH = "clash"
    """A statement with the number of another, and with other content."""
    GAP = "gap"
    """A statement is missing between two."""
    BALANCE = "balance"
    """Opening, entries and closing do not add up, or do not follow on each other."""
    COUNT = "count"
    """A file says how many or how much it holds, and it is not so."""
    PARTS = "parts"
    """The parts of a booking do not add up to it: it stands whole."""
    IGNORED = "ignored"
    """Something that is no entry and was not understood."""


RAW_MAX = 4_096


class Finding(NamedTuple):
    """Something wrong in a file, and where; `raw` is what could not be read, shortened."""

    severity: Severity
    fault: Fault
    line: int
    """From 1; the row, of a table."""
    field: str
    """As the format calls it: `Ntry/Amt`, `:61:`; empty for the whole."""
    text: str
    """What is wrong and what to do, for people."""
    raw: str = ""


class Part(NamedTuple):
    """A part of a file as it is read; their sizes are bounded, so memory is."""

    entries: pa.RecordBatch
    """By `SCHEMA`, in the order of the file."""
    statements: tuple[Statement, ...] = ()
    """That ended in this part."""
    findings: tuple[Finding, ...] = ()


TIMES = (pa.field("booked_at_s", pa.int64()), pa.field("booked_offset_minutes", pa.int64()))
"""Of the time of booking; entries that were normalised without them have none."""
SCHEMA = pa.schema(
    [
        pa.field("account", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("amount_minor", pa.int64(), nullable=False),
        pa.field("booking_date", pa.date32()),
        pa.field("value_date", pa.date32()),
        pa.field("reference", pa.string(), nullable=False),
        pa.field("bank_reference", pa.string(), nullable=False),
        pa.field("transaction_id", pa.string(), nullable=False),
        pa.field("counterparty", pa.string(), nullable=False),
        pa.field("counterparty_account", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("batch", pa.string(), nullable=False),
        pa.field("is_reversal", pa.bool_(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("original_currency", pa.string(), nullable=False),
        pa.field("original_minor", pa.int64()),
        pa.field("charges_minor", pa.int64()),
        pa.field("statement", pa.int32(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        *TIMES,
    ]
)
"""One field of `Entry` each, in its order."""

NORMALISED = SCHEMA.append(pa.field("source", pa.int32(), nullable=False)).append(
    pa.field("row", pa.int64(), nullable=False)
)
"""Entries of one side: with the number of the file that each is from, and its own on this side."""
