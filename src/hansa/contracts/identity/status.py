"""Status: lists in which an issuer's credentials stand as valid, suspended or revoked.

A credential names a list and its own place in it. The list's bytes are on the ledger, in chunks,
packed as a Token Status List packs them: entries of 1, 2, 4 or 8 bits, the first in the lowest bits
of the first byte. The contract itself computes the list's root over its chunks, so what is served
from them (as a Token Status List or a Bitstring Status List) can be held to it by anybody.

Source: Token Status List (draft-ietf-oauth-status-list), sections 4 and 7; RFC 6962 section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function, ListReads
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, RowId, Rows
from hansa.kernel.trees.merkle import Digest
from hansa.kernel.trees.merkle import compute_root as compute_tree_root
from hansa.kernel.values import Address, Hash, NonNegative, Positive, TimeMs

NAME = "status"
VERSION = 1

LENGTH_MAX = 2**20
LIST_BYTES_MAX = 2**18
"""2**20 entries of two bits, or fewer of more."""
CHUNK_BYTES = 2_048
CHUNKS_MAX = LIST_BYTES_MAX // CHUNK_BYTES
INDICES_MAX = 1_024
"""Of one command."""

Length = Annotated[int, Meta(ge=1, le=LENGTH_MAX)]
Index = Annotated[int, Meta(ge=0, le=LENGTH_MAX - 1)]
Indices = Annotated[tuple[Index, ...], Meta(min_length=1, max_length=INDICES_MAX)]
"""Ascending, each once."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    LIST_EXISTS = "status.LIST_EXISTS"
    TOO_LARGE = "status.TOO_LARGE"
    UNKNOWN_LIST = "status.UNKNOWN_LIST"
    CANNOT_SUSPEND = "status.CANNOT_SUSPEND"
    NOT_ASCENDING = "status.NOT_ASCENDING"
    OUT_OF_RANGE = "status.OUT_OF_RANGE"
    WRONG_STATE = "status.WRONG_STATE"


class Bits(IntEnum):
    """Bits of an entry; with one it cannot be suspended."""

    ONE = 1
    TWO = 2
    FOUR = 4
    EIGHT = 8


class Status(IntEnum):
    """Where a credential stands, by the registry of Token Status Lists."""

    VALID = 0
    INVALID = 1
    """Revoked, for good."""
    SUSPENDED = 2


class StatusList(Row, frozen=True, array_like=True):
    """A list of one issuer, under a number that the issuer chooses."""

    TABLE: ClassVar[bytes] = b"sl"
    KEY: ClassVar[tuple[str, ...]] = ("issuer", "number")

    issuer: Address
    number: NonNegative
    bits: Bits
    length: Length
    """Entries; those that fill up the last byte are not among them."""
    version: Positive
    """Counts its changes, from 1."""
    updated_ms: TimeMs
    root: Hash
    """See `compute_root`."""
    chunk_hashes: Annotated[tuple[Hash, ...], Meta(max_length=CHUNKS_MAX)]


class StatusChunk(Row, frozen=True, array_like=True):
    """A part of a list's bytes, all of 2,048 but the last; one that is not there is all zero."""

    TABLE: ClassVar[bytes] = b"sc"
    KEY: ClassVar[tuple[str, ...]] = ("issuer", "number", "chunk")
    CACHED: ClassVar[bool] = False

    issuer: Address
    number: NonNegative
    chunk: NonNegative
    content: Annotated[bytes, Meta(max_length=CHUNK_BYTES)]


class CreateList(Command, frozen=True, array_like=True):
    """Begin a list in which every credential is valid."""

    issuer: Address
    number: NonNegative
    bits: Bits
    length: Length


class Suspend(Command, frozen=True, array_like=True):
    """Take the validity of valid credentials away for now."""

    issuer: Address
    number: NonNegative
    indices: Indices


class Revoke(Command, frozen=True, array_like=True):
    """Take the validity of valid or suspended credentials away for good."""

    issuer: Address
    number: NonNegative
    indices: Indices


class Reinstate(Command, frozen=True, array_like=True):
    """End the suspension of credentials."""

    issuer: Address
    number: NonNegative
    indices: Indices


class ListCreated(Event, frozen=True, array_like=True):
    """A list was begun."""

    issuer: Address
    number: NonNegative
    bits: Bits
    length: Length
    root: Hash


class StatusSet(Event, frozen=True, array_like=True):
    """These entries have this status now, and the list this version and root."""

    issuer: Address
    number: NonNegative
    status: Status
    indices: Indices
    version: Positive
    root: Hash


Change = Suspend | Revoke | Reinstate

LIFE: dict[tuple[Status, type[Command]], Status] = {
    (Status.VALID, Suspend): Status.SUSPENDED,
    (Status.VALID, Revoke): Status.INVALID,
    (Status.SUSPENDED, Revoke): Status.INVALID,
    (Status.SUSPENDED, Reinstate): Status.VALID,
}
"""What may follow what; a pair that is not here is WRONG_STATE."""


def create_list(view: View, context: Context, command: CreateList) -> list[Event]:
    """Begin a list; its chunks come into being when something in them changes.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.issuer, Purpose.ASSERT)
    if view.get(StatusList, command.issuer, command.number) is not None:
        raise Refused(Code.LIST_EXISTS, number=command.number)
    sizes = _list_sizes(command.bits, command.length)
    if sum(sizes) > LIST_BYTES_MAX:
        raise Refused(Code.TOO_LARGE, size=sum(sizes), bytes_max=LIST_BYTES_MAX)
    # CHANGE
    hashes = tuple(context.digest(bytes(size)) for size in sizes)
    root = compute_tree_root(hashes, context.digest)
    fields = (command.issuer, command.number, command.bits, command.length)
    view.put(StatusList(*fields, 1, context.time_ms, root, hashes))
    # TELL
    return [ListCreated(NO_MONEY, *fields, root)]


def change(view: View, context: Context, command: Change) -> list[Event]:
    """Suspend, revoke or reinstate the credentials at these places, all of them or none.

    Cost: a read and a write for each chunk that holds one of the places.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.issuer, Purpose.ASSERT)
    found = view.get(StatusList, command.issuer, command.number)
    if found is None:
        raise Refused(Code.UNKNOWN_LIST, number=command.number)
    if isinstance(command, Suspend) and found.bits is Bits.ONE:
        raise Refused(Code.CANNOT_SUSPEND, number=command.number, bits=1)
    indices = command.indices
    if any(left >= right for left, right in pairwise(indices)):
        raise Refused(Code.NOT_ASCENDING, number=command.number)
    if indices[-1] >= found.length:
        raise Refused(Code.OUT_OF_RANGE, index=indices[-1], length=found.length)
    chunks, status = _compute_chunks(view, found, command)
    # CHANGE
    hashes = list(found.chunk_hashes)
    for chunk, content in chunks.items():
        view.put(StatusChunk(found.issuer, found.number, chunk, bytes(content)))
        hashes[chunk] = context.digest(bytes(content))
    after = msgspec.structs.replace(
        found,
        version=found.version + 1,
        updated_ms=context.time_ms,
        root=compute_tree_root(hashes, context.digest),
        chunk_hashes=tuple(hashes),
    )
    view.put(after)
    # TELL
    place = (found.issuer, found.number)
    return [StatusSet(NO_MONEY, *place, status, indices, after.version, after.root)]


def get_list(rows: Rows, issuer: bytes, number: int) -> StatusList | None:
    """Get a list without its bytes, or None."""
    return rows.get(StatusList, issuer, number)


def get_status(rows: Rows, issuer: bytes, number: int, index: int) -> Status | None:
    """Get where a credential stands; None if there is no such list, or no such place in it."""
    found = rows.get(StatusList, issuer, number)
    if found is None or not 0 <= index < found.length:
        return None
    chunk, place, shift = _find_place(found.bits, index)
    return Status(_get_chunk(rows, found, chunk)[place] >> shift & _mask(found.bits))


def list_chunks(rows: Rows, issuer: bytes, number: int) -> list[bytes]:
    """List a list's bytes, chunk by chunk; nothing if there is no such list."""
    found = rows.get(StatusList, issuer, number)
    if found is None:
        return []
    return [_get_chunk(rows, found, chunk) for chunk in range(len(found.chunk_hashes))]


def find_place(bits: int, index: int) -> tuple[int, int]:
    """Find an entry in a list's bytes: its byte, and how many bits of that stand below it."""
    return divmod(index * bits, 8)


def compute_root(chunks: Sequence[bytes], digest: Digest) -> bytes:
    """Compute the root that a list of these chunks has: of the Merkle tree over their hashes."""
    return compute_tree_root([digest(chunk) for chunk in chunks], digest)


def _compute_chunks(
    view: View, found: StatusList, command: Change
) -> tuple[dict[int, bytearray], Status]:
    """Compute the chunks that a change touches, and the status that its entries then have."""
    bits, mask = found.bits, _mask(found.bits)
    chunks: dict[int, bytearray] = {}
    status = Status.VALID
    for index in command.indices:
        chunk, place, shift = _find_place(bits, index)
        content = chunks.get(chunk)
        if content is None:
            content = chunks[chunk] = bytearray(_get_chunk(view, found, chunk))
        before = Status(content[place] >> shift & mask)
        after = LIFE.get((before, type(command)))
        if after is None:
            raise Refused(Code.WRONG_STATE, index=index, status=before.name)
        content[place] = content[place] & ~(mask << shift) | after << shift
        status = after
    return chunks, status


def _find_place(bits: int, index: int) -> tuple[int, int, int]:
    """Find an entry: its chunk, the byte in it, and how many bits of that stand below it."""
    byte, shift = find_place(bits, index)
    chunk, place = divmod(byte, CHUNK_BYTES)
    return chunk, place, shift


def _get_chunk(rows: Rows, found: StatusList, chunk: int) -> bytes:
    row = rows.get(StatusChunk, found.issuer, found.number, chunk)
    return bytes(_list_sizes(found.bits, found.length)[chunk]) if row is None else row.content


def _list_sizes(bits: int, length: int) -> list[int]:
    """List the sizes of a list's chunks, in bytes."""
    whole, rest = divmod((bits * length + 7) // 8, CHUNK_BYTES)
    return [CHUNK_BYTES] * whole + [rest] * (rest > 0)


def _mask(bits: int) -> int:
    return (1 << bits) - 1


def _list_reads(command: Change) -> tuple[RowId, ...]:
    return ((StatusList, command.issuer, command.number),)


READS: dict[type[Command], ListReads] = {
    Suspend: _list_reads,
    Revoke: _list_reads,
    Reinstate: _list_reads,
}

COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "create_list": (CreateList, create_list),
    "suspend": (Suspend, change),
    "revoke": (Revoke, change),
    "reinstate": (Reinstate, change),
}
