"""Rows: typed records under byte keys, the tables of the contracts that own them.

Rows are immutable; a change puts a new row under the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from operator import attrgetter
from typing import Any, ClassVar, Protocol, TypeVar, cast

import msgspec

from hansa.kernel.errors import Refused

KEY_TEXT_BYTES_MAX = 255


class StateCode(StrEnum):
    """Refusals of the view itself: genesis bounds what one transaction may touch."""

    TOO_MANY_READS = "kernel.TOO_MANY_READS"
    TOO_MANY_WRITES = "kernel.TOO_MANY_WRITES"
    KEY_TOO_LONG = "kernel.KEY_TOO_LONG"


KeyPart = bytes | str | int
_LENGTHS = [bytes((length,)) for length in range(KEY_TEXT_BYTES_MAX + 1)]


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row of a table owned by one contract; fields include its key.

    A subclass sets `TABLE`, two ASCII bytes that no other table has, and `KEY`, the names of its
    key fields. In a packed key, byte strings stand as they are (their size is fixed by the
    table), text stands behind its length in one byte, integers as eight bytes, big endian.
    """

    TABLE: ClassVar[bytes] = b""
    KEY: ClassVar[tuple[str, ...]] = ()
    CACHED: ClassVar[bool] = True
    """Whether committed rows are worth keeping in memory; False for rows written once."""
    CHARGED_TO: ClassVar[str] = ""
    """The field that names the sponsor who is charged for a row, where others may remove it."""

    @classmethod
    def key(cls, *parts: KeyPart) -> bytes:
        """Pack the key of the row with these key fields, or the prefix of a range.

        Raises:
          Refused: `kernel.KEY_TOO_LONG` for text of more than 255 bytes.
        """
        packed = cls.TABLE
        for part in parts:
            if type(part) is bytes:
                packed += part
            elif type(part) is str:
                raw = part.encode()
                if len(raw) > KEY_TEXT_BYTES_MAX:
                    raise Refused(StateCode.KEY_TOO_LONG, length=len(raw))
                packed += _LENGTHS[len(raw)] + raw
            else:
                packed += int(part).to_bytes(8, "big")
        return packed

    def row_key(self) -> bytes:
        """Pack this row's key."""
        return self.key(*identify(self)[1:])


R = TypeVar("R", bound=Row)

RowId = tuple[Any, ...]
"""What names a row in memory: its class, then its key fields. Packing costs more than a look-up,
so keys are packed only when rows leave for the store or come from it; a flat tuple is found three
times as fast as a nested one."""

_DECODERS: dict[type[Row], Callable[[bytes], Any]] = {}
_IDENTIFIERS: dict[type[Row], Callable[[Any], RowId]] = {}


class Rows(Protocol):
    """Where rows are read from by their key fields: a view, a reader, or rows proven by a node."""

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row, or None if there is none."""


def find_version(latest: int, get_until_ms: Callable[[int], int], time_ms: int) -> int:
    """Find which of the versions 1 to `latest`, each superseded by the next, was in force.

    Costs O(log latest) calls of `get_until_ms`, which says when a version before the latest was
    superseded. From that moment on the next is in force.

    >>> ends_ms = {1: 10, 2: 10, 3: 40}
    >>> [find_version(4, ends_ms.__getitem__, time_ms) for time_ms in (9, 10, 39, 40)]
    [1, 3, 3, 4]
    """
    low, high = 1, latest
    while low < high:
        middle = (low + high) // 2
        if get_until_ms(middle) > time_ms:
            high = middle
        else:
            low = middle + 1
    return low


def decode_row(row_type: type[R], raw: bytes) -> R:
    """Decode a committed row; its bytes come from this node's own store."""
    decoder = _DECODERS.get(row_type)
    if decoder is None:
        decoder = _DECODERS[row_type] = msgspec.msgpack.Decoder(row_type).decode
    return cast("R", decoder(raw))


def identify(row: Row) -> RowId:
    """Name a row by its class and key fields."""
    return (_IDENTIFIERS.get(type(row)) or _build_identifier(type(row)))(row)


def _build_identifier(row_type: type[Row]) -> Callable[[Any], RowId]:
    """Build the function that names this class's rows, and remember it."""
    # attrgetter answers with a tuple only for two names or more.
    found = attrgetter("__class__", *row_type.KEY) if row_type.KEY else lambda row: (type(row),)
    _IDENTIFIERS[row_type] = found
    return found
