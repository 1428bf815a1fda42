"""The graph as the rest of risk control uses it: payments in, rows of features out, kept as bytes.

Source: Blanuša et al., Graph Feature Preprocessor: real-time subgraph-based feature extraction for
financial crime detection (2024), for which patterns tell laundering apart.
"""

from __future__ import annotations

import numpy as np

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.arrays import double, lengthen, read_arrays, write_arrays
from hansa.risk.graph.catalogue import WIDTH
from hansa.risk.graph.kernel import (
    EDGE_WIDTH,
    TIME_MAX_MS,
    Graph,
    advance,
    survey,
)
from hansa.risk.graph.rings import (
    EDGES,
    LAST_MS,
    RING_MAX,
    USED,
    Array,
    make_facts,
    make_heads,
)
from hansa.risk.graph.searching import RINGS_MAX, Reach, make_memory

FORMAT = 1
FACTOR_MAX = 1 << 9
"""Times the largest amount, that still is a number of 63 bits."""
WALLETS_MIN = 1_024
WORDS_MIN = 1 << 15
_STAMP = f"graph {FORMAT} {WIDTH}"
_FAULTS = (
    "a wallet's number is not from 0 to 2**31 - 1",
    "an amount is not from 1 to 2**53",
    "a wallet pays itself",
    "a payment is earlier than the one before it",
)
"""In the order of `survey`."""


class PaymentGraph:
    """Payments of the long window between wallets, and what they say about the next one.

    Its memory grows by doubling, with the wallets and with the payments of the long window.
    """

    def __init__(self, reach: Reach | None = None) -> None:
        """Begin without payments.

        Raises:
          Invalid: a bound is none.
        """
        self.reach = Reach() if reach is None else reach
        _check_reach(self.reach)
        heads, words = make_heads(WALLETS_MIN), np.zeros(WORDS_MIN, np.int64)
        self.arrays = Graph(heads, words, make_facts(), make_memory())
        """Longer ones take their places as they grow."""

    def __len__(self) -> int:
        """Count the payments that were taken in, those forgotten since included."""
        return int(self.arrays.facts[EDGES])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)

    def take(self, edges: Array, rows: Array | None = None) -> Array:
        """Take payments in, in their order, and tell the features of each.

        Args:
          edges: shape (n, 4): payer and payee by their numbers, amount in minor units, time in
            milliseconds; one row after the other in memory.
          rows: filled and returned, shape (n, WIDTH); made if there is none.

        Raises:
          Invalid: a payment is none, or earlier than the one before it. None was taken in then.
        """
        wallets = self._check(edges)
        if rows is None:
            rows = np.empty((len(edges), WIDTH), np.int64)
        if len(edges) == 0:
            return rows
        self.make_room(wallets)
        done = 0
        while True:
            done = advance(tuple(self.arrays), tuple(self.reach), edges, done, rows)
            if done == len(edges):
                return rows
            self.grow_words()

    def _check(self, edges: Array) -> int:
        """Check payments; returns one more than the highest wallet."""
        if edges.ndim != 2 or edges.shape[1] != EDGE_WIDTH or edges.dtype != np.int64:  # noqa: PLR2004
            raise Invalid(InvalidCode.MALFORMED, "edges are rows of four whole numbers")
        found, wallets = survey(edges, max(int(self.arrays.facts[LAST_MS]), 0))
        if found >= 0:
            raise Invalid(InvalidCode.MALFORMED, _FAULTS[found])
        return wallets

    def make_room(self, wallets: int) -> None:
        """Make room for so many wallets."""
        heads = lengthen(self.arrays.heads, wallets, make_heads)
        self.arrays = self.arrays._replace(heads=heads)

    def grow_words(self) -> None:
        """Make room for twice as much as there is on their payments."""
        words = self.arrays.words
        words = lengthen(words, len(words) + 1, lambda length: np.zeros(length, np.int64))
        self.arrays = self.arrays._replace(words=words)

    def save(self) -> bytes:
        """Write everything that features of later payments depend on."""
        heads, words, facts, _ = self.arrays
        return write_arrays(
            _STAMP, reach=self.reach, heads=heads, words=words[: facts[USED]], facts=facts
        )

    @classmethod
    def load(cls, saved: bytes) -> PaymentGraph:
        """Read what `save` wrote; features of later payments are the same as if it had gone on.

        Raises:
          Corrupt: the bytes are damaged, or of another format.
        """
        read = read_arrays(saved, _STAMP, "payments between wallets")
        graph = cls(Reach(*read["reach"].tolist()))
        kept = read["words"]
        words = np.zeros(double(WORDS_MIN, len(kept)), np.int64)
        words[: len(kept)] = kept
        graph.arrays = Graph(read["heads"], words, read["facts"], make_memory())
        return graph


def _check_reach(reach: Reach) -> None:
    is_power = reach.ring_max & (reach.ring_max - 1) == 0
    if not (2 <= reach.ring_max <= RING_MAX and is_power):  # noqa: PLR2004
        raise Invalid(InvalidCode.MALFORMED, "ring_max is a power of two from 2 to 64")
    if not 0 < reach.short_ms <= reach.long_ms <= TIME_MAX_MS:
        raise Invalid(InvalidCode.MALFORMED, "windows are positive, the short one no longer")
    if not (0 <= reach.rings_max <= RINGS_MAX and 1 <= reach.factor <= FACTOR_MAX):
        raise Invalid(InvalidCode.MALFORMED, "rings_max is 0 to 32, factor 1 to 512")
