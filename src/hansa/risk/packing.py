"""Rows of features as bytes: as they are kept, and hashed.

Most features are small numbers, so each takes one byte or two: a number is written in steps of
seven bits, the lowest first, a higher bit telling that more follow; n as 2n, and -n as 2n - 1.

Source: Protocol Buffers, Encoding (`sint64`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Corrupt
from hansa.risk.compiled import compiled

NUMBER_BYTES_MAX = 9
"""Of a number from -2**62 to 2**62 - 1: features are far within."""

Whole = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@compiled
def fill(rows: Whole, packed: Bytes, ends: Whole) -> None:
    """Pack rows one after the other.

    Args:
      rows: shape (n, n_features), of numbers from -2**62 to 2**62 - 1.
      packed: filled; has `NUMBER_BYTES_MAX` for each number.
      ends: shape (n,); filled with where each row ends.
    """
    at = 0
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            rest = (rows[row, column] << 1) ^ (rows[row, column] >> 63)
            while rest > 127:  # noqa: PLR2004 - seven bits
                packed[at] = rest & 127 | 128
                rest >>= 7
                at += 1
            packed[at] = rest
            at += 1
        ends[row] = at


@compiled
def read(packed: Bytes, row: Whole) -> int:
    """Read a row; returns how many numbers it has, -1 if these are not whole numbers.

    Args:
      packed: all of its bytes.
      row: filled; as long as `packed`, since a number takes a byte at least.
    """
    count, value, shift = 0, 0, 0
    for at in range(packed.shape[0]):
        byte = int(packed[at])
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:  # noqa: PLR2004 - the last of this number
            if byte == 0 and shift > 7:  # noqa: PLR2004 - it could be shorter
                return -1
            row[count] = (value >> 1) ^ -(value & 1)
            count, value, shift = count + 1, 0, 0
        elif shift > 56:  # noqa: PLR2004 - of nine bytes the last is the last
            return -1
    return count if shift == 0 else -1


def pack(rows: Whole) -> list[bytes]:
    """Pack rows, each to bytes of its own.

    Args:
      rows: shape (n, n_features), one after the other in memory.
    """
    packed = np.empty(rows.size * NUMBER_BYTES_MAX, np.uint8)
    ends = np.empty(len(rows), np.int64)
    fill(rows, packed, ends)
    places = [0, *ends.tolist()]
    raw = packed[: places[-1]].tobytes()
    return [raw[begin:end] for begin, end in pairwise(places)]


def pack_row(row: Sequence[int]) -> bytes:
    """Pack one row."""
    return pack(np.array([row], np.int64))[0]


def unpack(packed: bytes) -> Whole:
    """Unpack a row, shape (n_features,).

    Raises:
      Corrupt: these are not the bytes of one.
    """
    row = np.empty(len(packed), np.int64)
    count = read(np.frombuffer(packed, np.uint8), row)
    if count < 0:
        raise Corrupt("a row of features is damaged")
    return row[:count]
