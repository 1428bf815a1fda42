"""Wallets, devices and merchants as small numbers, in the order of their first appearance.

A table of slots over one array of keys: 37 to 43 bytes for each of them, where a dictionary of
Python takes two hundred. Which number a key gets depends on that order alone; where it lies in the
table, on a hash that differs from process to process, so nobody can choose keys that collide.
"""

from __future__ import annotations

import array

from hansa.kernel.errors import Corrupt, Invalid, InvalidCode

KEY_BYTES = 32
UNKNOWN = -1
"""The number of nobody."""
_SLOTS_FIRST = 1 << 10
_EMPTY = -1


class Numbering:
    """Numbers of keys of 32 bytes, from 0 on; none is ever given twice."""

    def __init__(self) -> None:
        """Know no key."""
        self._keys = bytearray()
        self._slots = array.array("i", [_EMPTY]) * _SLOTS_FIRST

    def __len__(self) -> int:
        """How many keys have a number."""
        return len(self._keys) // KEY_BYTES

    @property
    def size_bytes(self) -> int:
        """How much memory is taken."""
        return len(self._keys) + len(self._slots) * self._slots.itemsize

    def find(self, key: bytes) -> int:
        """Find the number of a key; -1 if it has none."""
        return self._slots[self._find_slot(key)]

    def number(self, key: bytes) -> int:
        """Find the number of a key, or give it the next.

        Raises:
          Invalid: it has not 32 bytes.
        """
        slot = self._find_slot(key)
        found = self._slots[slot]
        if found != _EMPTY:
            return found
        if len(key) != KEY_BYTES:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"a key of {len(key)} bytes cannot be numbered: it must have {KEY_BYTES}",
            )
        given = len(self)
        self._slots[slot] = given
        self._keys += key
        if 4 * len(self) > 3 * len(self._slots):
            self._spread(2 * len(self._slots))
        return given

    def get_key(self, number: int) -> bytes:
        """Tell whose number this is.

        Raises:
          IndexError: nobody has it.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        return bytes(self._keys[number * KEY_BYTES : (number + 1) * KEY_BYTES])

    def forget(self, count: int) -> None:
        """Take back all numbers but the first `count`, of what was not taken in after all."""
        if count < len(self):
            del self._keys[count * KEY_BYTES :]
            self._spread(len(self._slots))

    def save(self) -> bytes:
        """Write all keys as bytes, in the order of their numbers."""
        return bytes(self._keys)

    def _find_slot(self, key: bytes) -> int:
        """Find where a key stands, or the empty slot in which it would."""
        slots, keys = self._slots, self._keys
        mask = len(slots) - 1
        slot = hash(key) & mask
        while (number := slots[slot]) != _EMPTY:
            begin = number * KEY_BYTES
            if keys[begin : begin + KEY_BYTES] == key:
                break
            slot = (slot + 1) & mask
        return slot

    def _spread(self, slots: int) -> None:
        self._slots = array.array("i", [_EMPTY]) * slots
        for number in range(len(self)):
            self._slots[self._find_slot(self.get_key(number))] = number


def load_numbering(kept: bytes) -> Numbering:
    """Read back what `Numbering.save` wrote.

    Raises:
      Corrupt: these are not its bytes.
    """
    numbering = Numbering()
    for begin in range(0, len(kept), KEY_BYTES):
        key = kept[begin : begin + KEY_BYTES]
        if len(key) != KEY_BYTES or numbering.number(key) * KEY_BYTES != begin:
            raise Corrupt("these bytes are not numbered keys: one is there twice, or cut off")
    return numbering
