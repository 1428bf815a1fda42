"""What every search over the graph shares: its bounds, one payment, and the memory it works in.

The memory is one array, with three parts: a set of wallets, a table of edges by wallet, and a line
of rings that are to be opened. Rings are lined up first and read then, so that the processor waits
for all of them at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hansa.risk.catalogue import RATIO_BITS
from hansa.risk.compiled import compiled_inside
from hansa.risk.graph.catalogue import RATIO_MAX
from hansa.risk.graph.rings import (
    TIME_MS,
    Array,
    Run,
    count_held,
    find_slot,
    get_run,
)

DAY_MS = 86_400_000
LOOKS_MAX = 256
"""Edges that are looked at in the rings opened by one step: a ring with more than are left of
them is not opened."""
PAIRS_MAX = 512
"""Pairs of a way forth and a way back after which no more are looked at."""
RINGS_MAX = 32
_WIDE = 1 << 46
_MIX = 2_654_435_761
"""Times a wallet's number, of which bits are taken then (Knuth)."""

# Parts of the memory.
MARKS = 0
MARKS_SIZE = 256
BUCKETS = MARKS + MARKS_SIZE
BUCKETS_SIZE = 512
LINE = BUCKETS + BUCKETS_SIZE
ENTRIES_SIZE = LOOKS_MAX + 64
# Words of a place in the line.
WALLET = 0
RUN = 1
"""Four words."""
WHEN = 5
LEAST = 6
GREATEST = 7
LINE_WIDTH = 8
ENTRIES = LINE + RINGS_MAX * LINE_WIDTH
# Words of an entry of the table, and the three above.
KEY = 0
NEXT = 1
VIA = 2
ENTRY_WIDTH = 8
MEMORY_SIZE = ENTRIES + ENTRIES_SIZE * ENTRY_WIDTH


class Reach(NamedTuple):
    """How far is looked for one payment: windows, and the bounds of the work."""

    short_ms: int = DAY_MS
    long_ms: int = 7 * DAY_MS
    """Edges that are older count for nothing, and are forgotten."""
    ring_max: int = 32
    """Most recent edges that are kept of a wallet and side: a power of two, 2 to 64."""
    rings_max: int = 16
    """Rings that are opened in one step of a search: 0 to 32."""
    factor: int = 4
    """Amounts of one way differ at most by this from that of the payment that closes it."""


class Edge(NamedTuple):
    """A payment, and what follows from it for all searches."""

    payer: int
    payee: int
    amount: int
    time_ms: int
    short_ms: int
    """When the short window begins."""
    start_ms: int
    """When the long window begins."""
    least: int
    """An amount below is none of the same money."""
    greatest: int


def make_memory() -> Array:
    """Make the memory of searches."""
    return np.zeros(MEMORY_SIZE, np.int64)


@compiled_inside
def compute_share(part: int, whole: int) -> int:
    """Compute part by whole in multiples of 2**-16, rounded down; both below 2**60, whole not 0."""
    while part >= _WIDE or whole >= _WIDE:
        part >>= 7
        whole >>= 7
    return min((part << RATIO_BITS) // max(whole, 1), RATIO_MAX)


@compiled_inside
def compute_likeness(one: int, other: int) -> int:
    """Compute the smaller by the larger."""
    return compute_share(min(one, other), max(one, other))


# --- the set ------------------------------------------------------------------------------------


@compiled_inside
def clear_marks(memory: Array) -> None:
    """Empty the set."""
    memory[MARKS : MARKS + MARKS_SIZE] = 0


@compiled_inside
def mark(memory: Array, wallet: int) -> bool:
    """Put a wallet into the set, 64 at most; returns whether it is new there."""
    place = ((wallet * _MIX) >> 12) & (MARKS_SIZE - 1)
    while memory[MARKS + place] != 0:
        if memory[MARKS + place] == wallet + 1:
            return False
        place = (place + 1) & (MARKS_SIZE - 1)
    memory[MARKS + place] = wallet + 1
    return True


# --- the table ----------------------------------------------------------------------------------


@compiled_inside
def clear_table(memory: Array) -> None:
    """Empty the table."""
    memory[BUCKETS : BUCKETS + BUCKETS_SIZE] = -1


@compiled_inside
def find_bucket(wallet: int) -> int:
    """Compute in which bucket a wallet's entries are."""
    return BUCKETS + (((wallet * _MIX) >> 12) & (BUCKETS_SIZE - 1))


@compiled_inside
def add_entry(memory: Array, number: int, key: int) -> int:
    """Put an entry, whose number is the next, into the table; returns where its words are."""
    entry = ENTRIES + number * ENTRY_WIDTH
    bucket = find_bucket(key)
    memory[entry + KEY] = key
    memory[entry + NEXT] = memory[bucket]
    memory[bucket] = entry
    return entry


@compiled_inside
def find_entry(memory: Array, key: int) -> int:
    """Find the newest entry of a key, or -1."""
    entry = memory[find_bucket(key)]
    while entry >= 0 and memory[entry + KEY] != key:
        entry = memory[entry + NEXT]
    return int(entry)


# --- the line -----------------------------------------------------------------------------------


@compiled_inside
def line_up(memory: Array, number: int, wallet: int) -> int:
    """Put a wallet into the line at a place; returns where the words of it are."""
    place = LINE + number * LINE_WIDTH
    memory[place + WALLET] = wallet
    return place


@compiled_inside
def open_rings(
    heads: Array, words: Array, memory: Array, side: int, lined: int, edge: Edge
) -> bool:
    """Read the heads of all wallets in the line, and the newest edge of each.

    Counts as empty then: a hub's ring, which reaches back for less than the short window, so that
    hardly anything it still knows is about this payment; and one with more edges than are left of
    `LOOKS_MAX`.

    Returns:
      Whether a ring was left out, or had dropped an edge inside the window.
    """
    is_capped = False
    for number in range(lined):
        place = LINE + number * LINE_WIDTH
        run = get_run(heads, side, memory[place + WALLET])
        is_capped |= run.dropped_ms >= edge.start_ms
        for word in range(4):
            memory[place + RUN + word] = run[word]
        if run.dropped_ms >= edge.short_ms:
            memory[place + RUN + 1] = 0
    looks = LOOKS_MAX
    for number in range(lined):
        place = LINE + number * LINE_WIDTH
        run = get_lined(memory, place)
        held = count_held(run)
        if held > 0 and words[find_slot(run, 1) + TIME_MS] < edge.start_ms:
            held = 0
        if held == 0 or held > looks:
            memory[place + RUN + 1] = 0
            is_capped |= held > 0
        else:
            looks -= held
    return is_capped


@compiled_inside
def get_lined(memory: Array, place: int) -> Run:
    """Read the run of a place in the line."""
    first = place + RUN
    return Run(memory[first], memory[first + 1], memory[first + 2], memory[first + 3])
