"""The format of the file in which an operator keeps what it took in and decided.

Values are encrypted, and names hashed under a key of the file: what stands in it as it is are
counts, and until when something waits. Events and decisions that were kept together stand in one
value, some dozens of them, named by the place of the first: a value of its own for each took most
of a decision's time.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hansa.encrypted_file import Form
from hansa.kernel.encoding import Document
from hansa.kernel.values import Address, Hash, TimeMs
from hansa.risk.intake.intake import Taken, Told

SCHEMA = """
CREATE TABLE events (first INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE decisions (first INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE decided (place INTEGER PRIMARY KEY, name BLOB NOT NULL);
CREATE TABLE labels (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE tallies (hour INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE held (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE,
    until_ms INTEGER NOT NULL, is_open INTEGER NOT NULL, value BLOB NOT NULL
);
CREATE INDEX held_open ON held (id) WHERE is_open;
CREATE TABLE answers (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE bases (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (one INTEGER PRIMARY KEY CHECK (one = 1), height INTEGER NOT NULL);
CREATE TABLE zone (one INTEGER PRIMARY KEY CHECK (one = 1), offset_ms INTEGER NOT NULL);
"""
FORM = Form(
    "risk decisions",
    b"hansa-risk-decisions 1",
    6,
    SCHEMA,
    "put the newest copy back; decisions that it lacks cannot be opened",
    int.from_bytes(b"HnsR", "big"),
    first=6,  # before, attempts were remembered as payments are; no release wrote that
    is_read_through=False,  # it is of gigabytes, and payments wait: `hansa doctor` reads it
)

Millionths = Annotated[int, Meta(ge=-1, le=1_000_000)]


class PaymentEvent(Document, frozen=True, array_like=True, tag=0):
    """A payment that was taken in."""

    time_ms: TimeMs
    payer: bytes
    payee: bytes
    amount_minor: int
    device: bytes
    """Empty where it is not known."""
    merchant: bytes
    attempt: int
    """Its number as an attempt, if it was one before; else -1."""
    is_attempt: bool
    """Whether it was not let through, and so not remembered."""


class LabelEvent(Document, frozen=True, array_like=True, tag=1):
    """What became known of one."""

    number: int
    time_ms: TimeMs
    is_fraud: bool


class KeptPayment(Document, frozen=True, array_like=True):
    """A payment of the transaction that was decided on, and what was known of it."""

    payer: Address
    payee: Address
    asset: str
    amount_minor: int
    number: int
    """Its place in the order of intake; -1 if it could not be described."""
    is_remembered: bool
    """Whether that is a payment's: it was let through; what was not is an attempt's."""
    row: bytes
    """Its features, as `hansa.risk.packing` packs them; empty if it could not be described."""
    listed: tuple[int, str] | None
    """Verdict and reason of lists, if it was on one."""


class KeptDecision(Document, frozen=True, array_like=True):
    """A decision as its owner keeps it: what was committed to, and what it rests on."""

    record: bytes
    """The document, of `hansa.risk.decisions.commitment.DecisionRecord`."""
    salt: bytes
    payments: tuple[KeptPayment, ...]
    ppm: Millionths
    """The highest probability of fraud among them; -1 if no model was asked."""
    trials: tuple[str, ...]
    """Rules on trial that fired."""
    challenger: Hash
    """The model that was tried beside, all zero if none was."""
    challenger_ppm: Millionths


class KeptHeld(Document, frozen=True, array_like=True):
    """A transaction that was not allowed, or not yet."""

    tx_id: Hash
    envelope: bytes
    taken_ms: TimeMs
    verdict: int
    asset: str
    """Of its largest payment."""
    amount_minor: int
    """Of that."""


class KeptTally(Document, frozen=True, array_like=True):
    """How decisions of one hour came out."""

    verdicts: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Transactions, from the mildest verdict on."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Codes of those that were not allowed, each once a transaction; the most frequent ones."""


class KeptAnswer(Document, frozen=True, array_like=True):
    """What became of one that waited, by whom."""

    answer: str
    """`confirmed` by its customer, `released` or `refused` by an officer."""
    by: str
    time_ms: TimeMs
    record: bytes
    """The decision that lets it through; empty if it was refused."""
    salt: bytes


def keep_event(event: Taken | Told) -> PaymentEvent | LabelEvent:
    """Lay an event out as it is kept."""
    if isinstance(event, Told):
        return LabelEvent(*event)
    time_ms, payer, payee, amount_minor, device, merchant, attempt, is_attempt = event
    return PaymentEvent(
        time_ms, payer, payee, amount_minor, device or b"", merchant or b"", attempt, is_attempt
    )


def read_event(kept: PaymentEvent | LabelEvent) -> Taken | Told:
    """Read an event that was kept."""
    if isinstance(kept, LabelEvent):
        return Told(kept.number, kept.time_ms, kept.is_fraud)
    return Taken(
        kept.time_ms,
        kept.payer,
        kept.payee,
        kept.amount_minor,
        kept.device or None,
        kept.merchant or None,
        kept.attempt,
        kept.is_attempt,
    )
