"""Rows: typed records under byte keys, the tables of the contracts that own them.

Rows are immutable; a change puts a new row under the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar, cast

import msgspec

from hansa.kernel.machine.naming import KeyPart as KeyPart
from hansa.kernel.machine.naming import RowId as RowId
from hansa.kernel.machine.naming import StateCode as StateCode
from hansa.kernel.machine.naming import identify, pack_key


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
        return pack_key(cls.TABLE, parts)

    def row_key(self) -> bytes:
        """Pack this row's key."""
        return self.key(*identify(self)[1:])


R = TypeVar("R", bound=Row)

_DECODERS: dict[type[Row], Callable[[bytes], Any]] = {}


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
