"""State: typed rows under byte keys, and the view through which contracts read and write them.

A view reads a transaction's own writes, then the block's, then committed rows. A refusal drops
the transaction's writes. Rows are immutable; a change puts a new row under the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar, cast

import msgspec

from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused

ROW_CACHE_MAX = 1_000_000
KEY_TEXT_BYTES_MAX = 255


class StateCode(StrEnum):
    """Refusals of the view itself: genesis bounds what one transaction may touch."""

    TOO_MANY_READS = "kernel.TOO_MANY_READS"
    TOO_MANY_WRITES = "kernel.TOO_MANY_WRITES"
    KEY_TOO_LONG = "kernel.KEY_TOO_LONG"


KeyPart = bytes | str | int


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row of a table owned by one contract; fields include its key.

    A subclass sets `TABLE`, two ASCII bytes that no other table has, and `KEY`, the names of its
    key fields. In a key, byte strings stand as they are (their size is fixed by the table), text
    stands behind its length in one byte, integers as eight bytes, big endian.
    """

    TABLE: ClassVar[bytes] = b""
    KEY: ClassVar[tuple[str, ...]] = ()
    CACHED: ClassVar[bool] = True
    """Whether committed rows are worth keeping in memory; False for rows written once."""

    @classmethod
    def key(cls, *parts: KeyPart) -> bytes:
        """Compute the key of the row with these key fields, or the prefix of a range.

        Raises:
          Refused: `kernel.KEY_TOO_LONG` for text of more than 255 bytes.
        """
        out = [cls.TABLE]
        for part in parts:
            if isinstance(part, bytes):
                out.append(part)
            elif isinstance(part, str):
                out.append(pack_key_text(part))
            else:
                out.append(part.to_bytes(8, "big"))
        return b"".join(out)

    def row_key(self) -> bytes:
        """Compute this row's key."""
        return self.key(*[getattr(self, name) for name in self.KEY])


def pack_key_text(text: str) -> bytes:
    """Encode text as it stands in a key; raises `Refused` with `kernel.KEY_TOO_LONG`."""
    raw = text.encode()
    if len(raw) > KEY_TEXT_BYTES_MAX:
        raise Refused(StateCode.KEY_TOO_LONG, length=len(raw))
    return bytes((len(raw),)) + raw


R = TypeVar("R", bound=Row)

_DECODERS: dict[type[Row], Callable[[bytes], Any]] = {}


def decode_row(row_type: type[R], raw: bytes) -> R:
    """Decode a committed row; its bytes come from this node's own store."""
    decoder = _DECODERS.get(row_type)
    if decoder is None:
        decoder = _DECODERS[row_type] = msgspec.msgpack.Decoder(row_type).decode
    return cast("R", decoder(raw))


class CommittedRows(Protocol):
    """Where committed rows are read from: the engine's store, or a dict in tests."""

    def get(self, key: bytes) -> bytes | None:
        """Get the encoded row under `key`."""


class State:
    """Committed rows plus the writes since the last checkpoint, decoded rows cached."""

    __slots__ = ("_block", "_cache", "_cache_max", "_committed", "_dirty", "_handed", "_transient")

    def __init__(self, committed: CommittedRows, cache_max: int = ROW_CACHE_MAX) -> None:
        self._committed = committed
        self._cache: dict[bytes, Row | None] = {}
        self._block: dict[bytes, Row | None] = {}
        self._dirty: dict[bytes, bytes | None] = {}
        self._handed: dict[bytes, bytes | None] = {}
        self._transient: list[bytes] = []
        self._cache_max = cache_max

    def load(self, row_type: type[R], key: bytes) -> R | None:
        """Get the row under `key` as of the transactions merged so far."""
        cache = self._cache
        if key in cache:
            return cast("R | None", cache[key])
        raw = self._read(key)
        row = None if raw is None else decode_row(row_type, raw)
        cache[key] = row
        if not row_type.CACHED:
            self._transient.append(key)
        return row

    def exists(self, key: bytes) -> bool:
        """Whether a row stands under `key` as of the transactions merged so far."""
        if key in self._cache:
            return self._cache[key] is not None
        return self._read(key) is not None

    def _read(self, key: bytes) -> bytes | None:
        if key in self._dirty:
            return self._dirty[key]
        # What was handed over may not be committed yet when somebody reads in between.
        return self._handed[key] if key in self._handed else self._committed.get(key)

    def merge(self, writes: dict[bytes, Row | None]) -> None:
        """Take over the writes of one successful transaction."""
        self._block.update(writes)
        self._cache.update(writes)

    def end_block(self) -> list[tuple[bytes, bytes | None]]:
        """Close the block; returns its writes as (key, encoded row or None), sorted by key."""
        block = self._block
        writes = [(key, None if row is None else encode(row)) for key, row in sorted(block.items())]
        self._dirty.update(writes)
        self._block = {}
        return writes

    def end_checkpoint(self) -> dict[bytes, bytes | None]:
        """Hand over the writes since the last checkpoint, which the caller commits now."""
        dirty, self._dirty = self._dirty, {}
        self._handed = dirty
        cache = self._cache
        for key in self._transient:
            cache.pop(key, None)
        self._transient.clear()
        if len(cache) > self._cache_max:
            cache.clear()
        return dirty

    def written_since_checkpoint(self, key: bytes) -> bool:
        """Whether the row under `key` differs from the last checkpoint's."""
        return key in self._dirty


class View:
    """What one transaction sees and writes; begun anew for each transaction."""

    __slots__ = ("_reads_max", "_state", "_writes_max", "reads", "writes")

    def __init__(self, state: State, reads_max: int, writes_max: int) -> None:
        self._state = state
        self._reads_max = reads_max
        self._writes_max = writes_max
        self.reads = 0
        self.writes: dict[bytes, Row | None] = {}

    def begin(self) -> None:
        """Drop what an earlier transaction read and wrote."""
        self.reads = 0
        self.writes = {}

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row by its key fields, or None.

        Raises:
          Refused: `kernel.TOO_MANY_READS`.
        """
        self.reads += 1
        if self.reads > self._reads_max:
            raise Refused(StateCode.TOO_MANY_READS, reads_max=self._reads_max)
        packed = row_type.key(*key)
        writes = self.writes
        if packed in writes:
            return cast("R | None", writes[packed])
        return self._state.load(row_type, packed)

    def put(self, row: Row) -> None:
        """Write a row under its own key.

        Raises:
          Refused: `kernel.TOO_MANY_WRITES`.
        """
        self._write(row.row_key(), row)

    def delete(self, row_type: type[Row], *key: KeyPart) -> None:
        """Remove the row with these key fields."""
        self._write(row_type.key(*key), None)

    def _write(self, key: bytes, row: Row | None) -> None:
        self.writes[key] = row
        if len(self.writes) > self._writes_max:
            raise Refused(StateCode.TOO_MANY_WRITES, writes_max=self._writes_max)

    def count_new_rows(self) -> int:
        """Count the rows that this transaction adds less those it removes."""
        count = 0
        for key, row in self.writes.items():
            existed = self._state.exists(key)
            count += (row is not None) - existed
        return count

    def commit(self) -> None:
        """Make this transaction's writes visible to the next one."""
        self._state.merge(self.writes)
        self.writes = {}
