"""Edges of each wallet in a ring: the most recent ones inside the long window, up to a bound.

A wallet has a ring for each side: of payments that it made and of those that it received. A ring is
a run of words in one large array, with room for 2, 4, 8, … edges: a wallet gets a run twice as long
when its own is full of edges that are still inside the window, until the bound; from then on the
newest takes the place of the oldest, and the wallet remembers when that one was. Runs that were
given back serve others.

A run has three words for each edge; behind them, on the side of receipts, six more for each, which
tell where its money came from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.compiled import compiled_inside

Array = npt.NDArray[np.int64]

OUT = 0
IN = 4
"""The sides: in `heads`, where the columns of a side begin."""
# Columns of `heads`.
AT = 0
"""The first word of the run."""
COUNT = 1
"""Edges put into the run since it was given out: the newest is at `(COUNT - 1) % CAPACITY`."""
CAPACITY = 2
DROPPED_MS = 3
"""When the newest of those edges was that made room while they were inside the window."""
HEAD_WIDTH = 8
# Words of an edge.
OTHER = 0
"""The wallet at the other end."""
TIME_MS = 1
AMOUNT = 2
SLOT_WIDTH = 3
# Words of a receipt's trail.
LEFT = 0
"""Of its amount, what its wallet has not paid since."""
START_MS = 1
"""When the chain that it came by began."""
START_AMOUNT = 2
ORIGIN = 3
"""The wallet where that was."""
CHAIN = 4
"""How many payments are in it."""
SQUARES = 5
TRAIL_WIDTH = 6
# Places of `facts`.
LAST_MS = 0
WALLETS = 1
"""One more than the highest number of a wallet so far."""
SWEPT = 2
"""The wallet whose rings were looked at last, for whether they can be given back."""
EDGES = 3
USED = 4
"""The first word that was never given out."""
RETURNED = 5
"""From here, per side and length: the first of the runs that were given back, or -1."""
FACTS = 5 + 16

NEVER_MS = -(1 << 60)
CAPACITY_MIN = 2
RING_MAX = 64
ROOM_WORDS = (2 * SLOT_WIDTH + TRAIL_WIDTH) * RING_MAX
"""More than one payment can need."""


class Run(NamedTuple):
    """The run of a wallet on one side, as its head tells."""

    at: int
    added: int
    capacity: int
    dropped_ms: int


@compiled_inside
def get_run(heads: Array, side: int, wallet: int) -> Run:
    """Read a wallet's head."""
    return Run(
        heads[wallet, side + AT],
        heads[wallet, side + COUNT],
        heads[wallet, side + CAPACITY],
        heads[wallet, side + DROPPED_MS],
    )


@compiled_inside
def count_held(run: Run) -> int:
    """Count the edges of a run, some of which may be outside the window."""
    return min(run.added, run.capacity)


@compiled_inside
def find_slot(run: Run, back: int) -> int:
    """Find the words of an edge: 1 is the newest, 2 the one before it."""
    return run.at + SLOT_WIDTH * ((run.added - back) & (run.capacity - 1))


@compiled_inside
def find_trail(run: Run, back: int) -> int:
    """Find the words of a receipt's trail."""
    place = (run.added - back) & (run.capacity - 1)
    return run.at + SLOT_WIDTH * run.capacity + TRAIL_WIDTH * place


@compiled_inside
def find_returned(side: int, capacity: int) -> int:
    """Find in which place of `facts` the runs of a length are that were given back."""
    place = RETURNED + 2 * side
    while capacity > CAPACITY_MIN:
        capacity >>= 1
        place += 1
    return place


@compiled_inside
def release(heads: Array, words: Array, facts: Array, side: int, wallet: int) -> None:
    """Give a wallet's run back."""
    run = get_run(heads, side, wallet)
    returned = find_returned(side, run.capacity)
    words[run.at] = facts[returned]
    facts[returned] = run.at
    heads[wallet, side + COUNT] = 0
    heads[wallet, side + CAPACITY] = 0


@compiled_inside
def widen(heads: Array, words: Array, facts: Array, side: int, wallet: int) -> None:
    """Give a wallet a run twice as long, and move what it has there, oldest first."""
    old = get_run(heads, side, wallet)
    capacity = max(2 * old.capacity, CAPACITY_MIN)
    returned = find_returned(side, capacity)
    at = facts[returned]
    if at >= 0:
        facts[returned] = words[at]
    else:
        at = facts[USED]
        facts[USED] += capacity * (SLOT_WIDTH + (TRAIL_WIDTH if side == IN else 0))
    new = Run(at, old.capacity, capacity, old.dropped_ms)
    for back in range(1, old.capacity + 1):
        source, target = find_slot(old, back), find_slot(new, back)
        for word in range(SLOT_WIDTH):
            words[target + word] = words[source + word]
        if side == IN:
            source, target = find_trail(old, back), find_trail(new, back)
            for word in range(TRAIL_WIDTH):
                words[target + word] = words[source + word]
    if old.capacity > 0:
        release(heads, words, facts, side, wallet)
    heads[wallet, side + AT] = new.at
    heads[wallet, side + COUNT] = new.added
    heads[wallet, side + CAPACITY] = new.capacity


@compiled_inside
def is_full(words: Array, run: Run, start_ms: int) -> bool:
    """Say whether the oldest edge of a run would make room while it is inside the window."""
    if run.added < run.capacity:
        return False
    return run.capacity == 0 or words[find_slot(run, run.capacity) + TIME_MS] >= start_ms


@compiled_inside
def add_edge(heads: Array, words: Array, side: int, wallet: int, start_ms: int) -> Run:
    """Make the place of one more edge, or that of the oldest, the newest of a wallet's run."""
    run = get_run(heads, side, wallet)
    if is_full(words, run, start_ms):
        heads[wallet, side + DROPPED_MS] = words[find_slot(run, run.capacity) + TIME_MS]
    heads[wallet, side + COUNT] += 1
    return get_run(heads, side, wallet)


@compiled_inside
def sweep(heads: Array, words: Array, facts: Array, start_ms: int) -> None:
    """Look at the rings of one wallet, in turn: runs of which all is outside the window go back."""
    wallet = facts[SWEPT] + 1
    if wallet >= facts[WALLETS]:
        wallet = 0
    facts[SWEPT] = wallet
    for side in (OUT, IN):
        run = get_run(heads, side, wallet)
        if run.capacity > 0 and words[find_slot(run, 1) + TIME_MS] < start_ms:
            release(heads, words, facts, side, wallet)


def make_heads(wallets: int) -> Array:
    """Make the heads of wallets without payments."""
    heads = np.zeros((wallets, HEAD_WIDTH), np.int64)
    heads[:, [OUT + DROPPED_MS, IN + DROPPED_MS]] = NEVER_MS
    return heads


def make_facts() -> Array:
    """Make the facts of a graph without payments."""
    facts = np.zeros(FACTS, np.int64)
    facts[LAST_MS] = facts[RETURNED:] = -1
    return facts
