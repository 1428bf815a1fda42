"""Wallets, devices and merchants as small numbers, in the order of their first appearance.

A table of slots over one array of keys: 37 to 43 bytes for each of them, where a dictionary of
Python takes two hundred. Which number a key gets depends on that order alone; where it lies in the
table, on a hash that differs from process to process, so nobody can choose keys that collide.

Source: Lemire and Kaser, Strongly universal string hashing is fast (2014), multilinear hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Corrupt, Invalid, InvalidCode
from hansa.risk.compiled import compiled, compiled_inside

KEY_BYTES = 32
_WORDS = KEY_BYTES // 4
_ROOM_FIRST = 1 << 7
_SLOTS_FIRST = 1 << 10
_EMPTY = -1
_HIGH_HALF = np.uint64(32)
# Python draws the secret of its own hashes anew for each process.
_SECRET: Final = np.array([hash(bytes([at])) & (1 << 64) - 1 for at in range(_WORDS)], np.uint64)

Words = npt.NDArray[np.uint32]
Secret = npt.NDArray[np.uint64]
Small = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]


@compiled_inside
def _find_slot(keys: Words, slots: Small, secret: Secret, key: Words) -> int:
    """Find where a key stands, or the empty slot in which it would."""
    mixed = np.uint64(0)
    for word in range(_WORDS):
        mixed += secret[word] * np.uint64(key[word])
    last = slots.shape[0] - 1
    slot = int(np.int64(mixed >> _HIGH_HALF)) & last
    while slots[slot] != _EMPTY:
        is_same = True
        for word in range(_WORDS):
            is_same = is_same and keys[slots[slot], word] == key[word]
        if is_same:
            break
        slot = (slot + 1) & last
    return int(slot)


@compiled
def find_or_add(
    keys: Words, slots: Small, secret: Secret, count: int, asked: Words, numbers: Whole
) -> int:
    """Find the numbers of keys; those that have none get the next, as long as there is room.

    Args:
      keys: shape (room, 8), the first of which are numbered.
      slots: shape (m,), m a power of two.
      secret: shape (8,).
      count: how many are numbered.
      asked: shape (n, 8).
      numbers: shape (n,); filled, with -1 from the first on for which there was no room.

    Returns:
      How many are numbered now.
    """
    for at in range(asked.shape[0]):
        slot = _find_slot(keys, slots, secret, asked[at])
        if slots[slot] == _EMPTY:
            if count == keys.shape[0] or 4 * count > 3 * slots.shape[0]:
                numbers[at:] = _EMPTY
                break
            for word in range(_WORDS):
                keys[count, word] = asked[at, word]
            slots[slot] = count
            count += 1
        numbers[at] = slots[slot]
    return count


class Numbering:
    """Numbers of keys of 32 bytes, from 0 on; none is ever given twice."""

    def __init__(self) -> None:
        """Know no key."""
        self._count = 0
        self._keys = np.empty((0, _WORDS), np.uint32)
        self._slots = np.full(_SLOTS_FIRST, _EMPTY, np.int32)

    def __len__(self) -> int:
        """How many keys have a number."""
        return self._count

    @property
    def size_bytes(self) -> int:
        """How much memory is taken."""
        return self._keys.nbytes + self._slots.nbytes

    def number(self, keys: Sequence[bytes]) -> list[int]:
        """Find the numbers of keys; those that have none get the next, in this order.

        Raises:
          Invalid: one of them has not 32 bytes; none got a number.
        """
        if not keys:
            return []
        for key in keys:
            if len(key) != KEY_BYTES:
                raise Invalid(
                    InvalidCode.ARGUMENTS,
                    f"a key of {len(key)} bytes cannot be numbered: it must have {KEY_BYTES}",
                )
        asked = np.frombuffer(b"".join(keys), np.uint32).reshape(-1, _WORDS)
        numbers = rest = np.empty(len(keys), np.int64)
        while True:
            self._count = find_or_add(self._keys, self._slots, _SECRET, self._count, asked, rest)
            if rest[-1] != _EMPTY:
                return numbers.tolist()
            done = int(np.argmax(rest == _EMPTY))
            asked, rest = asked[done:], rest[done:]
            self._grow()

    def forget(self, count: int) -> None:
        """Take back all numbers but the first `count`, of what was not taken in after all."""
        if count < self._count:
            self._count = count
            self._spread(len(self._slots))

    def save(self) -> bytes:
        """Write all keys as bytes, in the order of their numbers."""
        return self._keys[: self._count].tobytes()

    def _grow(self) -> None:
        """Make room: an eighth for keys, since an array twice as long would be half empty."""
        room = len(self._keys)
        if self._count == room:
            more = np.empty((max(room // 8, _ROOM_FIRST), _WORDS), np.uint32)
            self._keys = np.concatenate((self._keys, more))
        if 4 * self._count > 3 * len(self._slots):
            self._spread(2 * len(self._slots))

    def _spread(self, slots: int) -> None:
        """Give all keys a slot anew, by numbering them again."""
        self._slots = np.full(slots, _EMPTY, np.int32)
        keys, numbers = self._keys[: self._count], np.empty(self._count, np.int64)
        find_or_add(self._keys, self._slots, _SECRET, 0, keys, numbers)


def load_numbering(kept: bytes) -> Numbering:
    """Read back what `Numbering.save` wrote.

    Raises:
      Corrupt: these are not its bytes.
    """
    numbering = Numbering()
    keys = [kept[begin : begin + KEY_BYTES] for begin in range(0, len(kept), KEY_BYTES)]
    if len(kept) % KEY_BYTES or len(set(keys)) < len(keys):
        raise Corrupt("these bytes are not numbered keys: one is there twice, or cut off")
    numbering.number(keys)
    return numbering
