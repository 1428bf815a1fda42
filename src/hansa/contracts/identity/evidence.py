"""Evidence: hashes that a notary puts on record with the time, alone or as the root of many.

A hash says that a document existed at a time, and who vouches for it: its notary, and cosigners
whom the notary names and who sign when they like. Notes are added, never changed; whoever no
longer stands by a piece of evidence revokes it, which takes back no time and no signature. What is
hashed is salted, since a hash of little text can be guessed. Whoever has many hashes notarises the
root of the Merkle tree over them (`kernel.trees.merkle`): a row serves them all, and each has a
path. Units: milliseconds of ledger time.

Source: RFC 6962 section 2.1 (trees).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.kernel.authority import Account, Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function, ListReads
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, RowId, Rows
from hansa.kernel.values import Address, Hash, NonNegative, Positive, TimeMs

NAME = "evidence"
VERSION = 1

COSIGNERS_MAX = 16
HASHES_MAX = 256
"""Of one `NotariseMany`: with room to spare in an envelope of 16 KiB."""
NOTES_MAX = 1_024
"""On one piece of evidence."""
LEAVES_MAX = 2**32

Cosigners = Annotated[tuple[Address, ...], Meta(max_length=COSIGNERS_MAX)]
Hashes = Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=HASHES_MAX)]
Leaves = Annotated[int, Meta(ge=0, le=LEAVES_MAX)]
"""Of the Merkle tree whose root a hash is; 0 for a hash that stands for itself."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    WRONG_COSIGNERS = "evidence.WRONG_COSIGNERS"
    DUPLICATE_HASH = "evidence.DUPLICATE_HASH"
    ALREADY_NOTARISED = "evidence.ALREADY_NOTARISED"
    UNKNOWN_EVIDENCE = "evidence.UNKNOWN_EVIDENCE"
    REVOKED = "evidence.REVOKED"
    NOT_A_SIGNER = "evidence.NOT_A_SIGNER"
    ALREADY_SIGNED = "evidence.ALREADY_SIGNED"
    TOO_MANY_NOTES = "evidence.TOO_MANY_NOTES"


class Signing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who signed besides the notary, and when."""

    cosigner: Address
    time_ms: TimeMs


class Evidence(Row, frozen=True, array_like=True):
    """A hash on record, under its notary: another may notarise the same hash for itself."""

    TABLE: ClassVar[bytes] = b"ev"
    KEY: ClassVar[tuple[str, ...]] = ("notary", "evidence_hash")
    CACHED: ClassVar[bool] = False

    notary: Address
    evidence_hash: Hash
    leaves: Leaves
    since_ms: TimeMs
    position: NonNegative
    """Position of the transaction that put it on record."""
    cosigners: Cosigners = ()
    """Who is asked to sign."""
    signed: Annotated[tuple[Signing, ...], Meta(max_length=COSIGNERS_MAX)] = ()
    """Who has, in order of time."""
    notes: NonNegative = 0
    revoked_ms: TimeMs = 0
    """0 while it stands."""


class Note(Row, frozen=True, array_like=True):
    """One note on a piece of evidence; numbered from 1."""

    TABLE: ClassVar[bytes] = b"en"
    KEY: ClassVar[tuple[str, ...]] = ("notary", "evidence_hash", "number")
    CACHED: ClassVar[bool] = False

    notary: Address
    evidence_hash: Hash
    number: Positive
    author: Address
    note_hash: Hash
    time_ms: TimeMs


class Notarise(Command, frozen=True, array_like=True):
    """Put a hash on record, or the root of a tree of hashes."""

    notary: Address
    evidence_hash: Hash
    leaves: Leaves
    cosigners: Cosigners


class NotariseMany(Command, frozen=True, array_like=True):
    """Put hashes on record, each for itself and without cosigners; all of them or none."""

    notary: Address
    hashes: Hashes


class Cosign(Command, frozen=True, array_like=True):
    """Sign what a notary asked one to sign."""

    notary: Address
    evidence_hash: Hash
    cosigner: Address


class AddNote(Command, frozen=True, array_like=True):
    """Add a note, as the notary or as one who is asked to sign; also after it is revoked."""

    notary: Address
    evidence_hash: Hash
    author: Address
    note_hash: Hash


class Revoke(Command, frozen=True, array_like=True):
    """Say that one no longer stands by a piece of evidence; for good."""

    notary: Address
    evidence_hash: Hash


class Notarised(Event, frozen=True, array_like=True):
    """A hash is on record."""

    notary: Address
    evidence_hash: Hash
    leaves: Leaves
    cosigners: Cosigners


class ManyNotarised(Event, frozen=True, array_like=True):
    """Hashes are on record."""

    notary: Address
    hashes: Hashes


class Cosigned(Event, frozen=True, array_like=True):
    """Somebody else vouches for it, too."""

    notary: Address
    evidence_hash: Hash
    cosigner: Address


class NoteAdded(Event, frozen=True, array_like=True):
    """A note was added."""

    notary: Address
    evidence_hash: Hash
    number: Positive
    author: Address
    note_hash: Hash


class Revoked(Event, frozen=True, array_like=True):
    """The notary no longer stands by it."""

    notary: Address
    evidence_hash: Hash


def notarise(view: View, context: Context, command: Notarise) -> list[Event]:
    """Put a hash on record, once for each notary.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    notary, evidence_hash, cosigners = command.notary, command.evidence_hash, command.cosigners
    context.require(notary, Purpose.ASSERT)
    if len(set(cosigners)) < len(cosigners) or notary in cosigners:
        raise Refused(Code.WRONG_COSIGNERS, notary=notary)
    _require_new(view, notary, evidence_hash)
    # CHANGE
    view.put(
        Evidence(
            notary, evidence_hash, command.leaves, context.time_ms, context.position, cosigners
        )
    )
    # TELL
    return [Notarised(NO_MONEY, notary, evidence_hash, command.leaves, cosigners)]


def notarise_many(view: View, context: Context, command: NotariseMany) -> list[Event]:
    """Put hashes on record; each becomes evidence of its own, as by a `Notarise`.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.notary, Purpose.ASSERT)
    if len(set(command.hashes)) < len(command.hashes):
        raise Refused(Code.DUPLICATE_HASH, notary=command.notary)
    for evidence_hash in command.hashes:
        _require_new(view, command.notary, evidence_hash)
    # CHANGE
    for evidence_hash in command.hashes:
        view.put(Evidence(command.notary, evidence_hash, 0, context.time_ms, context.position))
    # TELL
    return [ManyNotarised(NO_MONEY, command.notary, command.hashes)]


def cosign(view: View, context: Context, command: Cosign) -> list[Event]:
    """Sign, once, as one of those whom the notary named.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.cosigner, Purpose.ASSERT)
    evidence = _get_standing(view, command)
    if command.cosigner not in evidence.cosigners:
        raise Refused(Code.NOT_A_SIGNER, cosigner=command.cosigner)
    if any(signing.cosigner == command.cosigner for signing in evidence.signed):
        raise Refused(Code.ALREADY_SIGNED, cosigner=command.cosigner)
    # CHANGE
    signed = (*evidence.signed, Signing(command.cosigner, context.time_ms))
    view.put(msgspec.structs.replace(evidence, signed=signed))
    # TELL
    return [Cosigned(NO_MONEY, command.notary, command.evidence_hash, command.cosigner)]


def add_note(view: View, context: Context, command: AddNote) -> list[Event]:
    """Add a note; nobody changes or removes one.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.author, Purpose.ASSERT)
    evidence = _get_known(view, command)
    if command.author not in (evidence.notary, *evidence.cosigners):
        raise Refused(Code.NOT_A_SIGNER, author=command.author)
    if evidence.notes >= NOTES_MAX:
        raise Refused(Code.TOO_MANY_NOTES, notes_max=NOTES_MAX)
    # CHANGE
    number = evidence.notes + 1
    fields = (command.notary, command.evidence_hash, number, command.author, command.note_hash)
    view.put(msgspec.structs.replace(evidence, notes=number))
    view.put(Note(*fields, context.time_ms))
    # TELL
    return [NoteAdded(NO_MONEY, *fields)]


def revoke(view: View, context: Context, command: Revoke) -> list[Event]:
    """Revoke a piece of evidence; it stays on record, and so does when it was put there.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.notary, Purpose.ASSERT)
    evidence = _get_standing(view, command)
    # CHANGE
    view.put(msgspec.structs.replace(evidence, revoked_ms=context.time_ms))
    # TELL
    return [Revoked(NO_MONEY, command.notary, command.evidence_hash)]


def get_evidence(rows: Rows, notary: bytes, evidence_hash: bytes) -> Evidence | None:
    """Get what a notary put on record under a hash, or None."""
    return rows.get(Evidence, notary, evidence_hash)


def get_note(rows: Rows, notary: bytes, evidence_hash: bytes, number: int) -> Note | None:
    """Get one note on a piece of evidence; numbered from 1 to its `notes`."""
    return rows.get(Note, notary, evidence_hash, number)


def _require_new(view: View, notary: bytes, evidence_hash: bytes) -> None:
    earlier = view.get(Evidence, notary, evidence_hash)
    if earlier is not None:
        raise Refused(
            Code.ALREADY_NOTARISED, evidence_hash=evidence_hash, since_ms=earlier.since_ms
        )


def _get_known(view: View, command: Cosign | AddNote | Revoke) -> Evidence:
    evidence = view.get(Evidence, command.notary, command.evidence_hash)
    if evidence is None:
        raise Refused(Code.UNKNOWN_EVIDENCE, evidence_hash=command.evidence_hash)
    return evidence


def _get_standing(view: View, command: Cosign | Revoke) -> Evidence:
    evidence = _get_known(view, command)
    if evidence.revoked_ms:
        raise Refused(Code.REVOKED, revoked_ms=evidence.revoked_ms)
    return evidence


def _list_reads(command: Notarise) -> tuple[RowId, ...]:
    return ((Account, command.notary), (Evidence, command.notary, command.evidence_hash))


def _list_many(command: NotariseMany) -> tuple[RowId, ...]:
    rows = [(Evidence, command.notary, evidence_hash) for evidence_hash in command.hashes]
    return ((Account, command.notary), *rows)


READS: dict[type[Command], ListReads] = {Notarise: _list_reads, NotariseMany: _list_many}

COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "notarise": (Notarise, notarise),
    "notarise_many": (NotariseMany, notarise_many),
    "cosign": (Cosign, cosign),
    "add_note": (AddNote, add_note),
    "revoke": (Revoke, revoke),
}
