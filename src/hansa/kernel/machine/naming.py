"""Names of rows: flat tuples in memory, packed bytes in the store, in proofs and in the state tree.

Source: docs/reference/trees.md, "State tree".
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from operator import attrgetter
from typing import Any

from hansa.kernel.errors import Refused

KEY_TEXT_BYTES_MAX = 255
KeyPart = bytes | str | int
_LENGTHS = [bytes((length,)) for length in range(KEY_TEXT_BYTES_MAX + 1)]

RowId = tuple[Any, ...]
"""What names a row in memory: its class, then its key fields. Packing costs more than a look-up,
so keys are packed only when rows leave for the store or come from it; a flat tuple is found three
times as fast as a nested one."""

_IDENTIFIERS: dict[Any, Callable[[Any], RowId]] = {}


class StateCode(StrEnum):
    """Refusals of the view itself: genesis bounds what one transaction may touch."""

    TOO_MANY_READS = "kernel.TOO_MANY_READS"
    TOO_MANY_WRITES = "kernel.TOO_MANY_WRITES"
    KEY_TOO_LONG = "kernel.KEY_TOO_LONG"


def pack_key(table: bytes, parts: tuple[Any, ...]) -> bytes:
    """Pack the key of a row of a table, or the prefix of a range: see `hansa.kernel.rows.Row`.

    Raises:
      Refused: `kernel.KEY_TOO_LONG` for text of more than 255 bytes.
    """
    packed = table
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


def identify(row: Any) -> RowId:  # noqa: ANN401 - rows are types of msgspec, unknown here
    """Name a row by its class and key fields."""
    return (_IDENTIFIERS.get(type(row)) or _build_identifier(type(row)))(row)


def _build_identifier(row_type: Any) -> Callable[[Any], RowId]:  # noqa: ANN401 - as above
    """Build the function that names this class's rows, and remember it."""
    # attrgetter answers with a tuple only for two names or more.
    found: Callable[[Any], RowId] = (
        attrgetter("__class__", *row_type.KEY) if row_type.KEY else lambda row: (type(row),)
    )
    _IDENTIFIERS[row_type] = found
    return found
