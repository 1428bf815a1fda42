"""Where a relation stands: a table of numbers by key, without gaps behind what is forgotten.

Source: Knuth, The art of computer programming, volume 3, 6.4, algorithms L and R (linear probing
and deletion from it).
"""

from __future__ import annotations

import numpy as np

from hansa.risk.compiled import compiled, compiled_inside
from hansa.risk.features.layout import (
    COUNTS,
    FREE,
    KEY,
    NOW,
    RELATIONS,
    SINCE,
    UNTIL,
    WINDOWS,
    Small,
    Whole,
)

_KIND_SHIFT, _PAYER_SHIFT = 60, 30
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio, made odd
_HIGH_HALF = np.uint64(32)


@compiled_inside
def make_key(between: tuple[int, int, int]) -> int:
    """Tell a relation from all others: its kind, and two parties below 2**30."""
    kind, payer, other = between
    return (kind << _KIND_SHIFT) | (payer << _PAYER_SHIFT) | other


@compiled_inside
def _find_home(key: int, last: int) -> int:
    spread = (np.uint64(key) * _SPREAD) >> _HIGH_HALF
    return int(np.int64(spread)) & last


@compiled_inside
def _find_slot(relations: Whole, slots: Small, key: int) -> int:
    """Find where a key stands, or the free slot where it would."""
    last = slots.shape[0] - 1
    slot = _find_home(key, last)
    while slots[slot] >= 0 and relations[slots[slot], KEY] != key:
        slot = (slot + 1) & last
    return slot


@compiled_inside
def find_relation(relations: Whole, slots: Small, between: tuple[int, int, int]) -> int:
    """Find the row of a relation: its kind, payer and other party; or -1 where there is none."""
    return int(slots[_find_slot(relations, slots, make_key(between))])


@compiled_inside
def find_or_relate(
    clock: Whole, relations: Whole, slots: Small, between: tuple[int, int, int]
) -> int:
    """Find the row of a relation, which begins now where there is none; there is room for it."""
    key = make_key(between)
    slot = _find_slot(relations, slots, key)
    if slots[slot] >= 0:
        return int(slots[slot])
    row = clock[FREE]
    if row >= 0:
        clock[FREE] = -2 - relations[row, KEY]
    else:
        row = clock[RELATIONS]
        clock[RELATIONS] += 1
    slots[slot] = row
    relations[row, KEY] = key
    for window in range(WINDOWS):
        relations[row, COUNTS + window] = 0
    relations[row, SINCE] = clock[NOW]
    relations[row, UNTIL] = -1
    return int(row)


@compiled_inside
def forget_relation(clock: Whole, relations: Whole, slots: Small, row: int) -> None:
    """Free a relation's row; what stood behind it in its run of slots moves up."""
    last = slots.shape[0] - 1
    hole = _find_slot(relations, slots, relations[row, KEY])
    slot = (hole + 1) & last
    while slots[slot] >= 0:
        home = _find_home(relations[slots[slot], KEY], last)
        if ((slot - home) & last) >= ((slot - hole) & last):
            slots[hole] = slots[slot]
            hole = slot
        slot = (slot + 1) & last
    slots[hole] = -1
    relations[row, KEY] = -2 - clock[FREE]
    clock[FREE] = row


@compiled
def place_relations(relations: Whole, used: int, slots: Small) -> None:
    """Place all relations anew in slots that are all free."""
    for row in range(used):
        if relations[row, KEY] >= 0:
            slots[_find_slot(relations, slots, relations[row, KEY])] = row
