"""Commitment: the state tree, and its root as of the last checkpoint.

A root depends only on the rows that a checkpoint ends with, so rows may enter the tree earlier.
Those that are written once, such as payments, enter a thousand at a time: at the checkpoint
only rows that were written over and over are left, and a block that is one takes little longer.

Source: docs/reference/trees.md, "State tree".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

EARLY_ROWS = 1_024
"""Rows that enter the tree together before a checkpoint: more share more of the nodes above them,
fewer hold execution up for less long."""

STEP_ROWS = 1_024
"""Rows hashed, or brought into the tree, between two pauses: some milliseconds."""

Write = tuple[bytes, bytes | None]
"""A packed key and the encoded row, None for a row that was removed."""
_UNTAKEN = object()
_BYTES = [bytes((number,)) for number in range(256)]


def compute_place(key: bytes, digest: Callable[[bytes], bytes]) -> bytes:
    """Compute where a row stands in the tree, 32 bytes, from its packed key.

    The first byte is its table's: rows of a table stand together, so that those written over and
    over share their nodes, however many rows of other tables there are.
    """
    return _BYTES[(key[0] & 15) << 4 | key[1] & 15] + digest(key)[1:]


class Tree(Protocol):
    """What a commitment needs of `hansa.kernel.trees.state_tree.StateTree`."""

    def update(self, changes: Mapping[bytes, bytes | None], /) -> None:
        """Take entries in, and out where the value is None."""

    def root(self) -> bytes:
        """Compute the root."""


class Commitment:
    """Brings the tree up to date; `root` is the state root of the last checkpoint."""

    def __init__(
        self, tree: Tree, digest: Callable[[bytes], bytes], written_once: Sequence[bytes] = ()
    ) -> None:
        """Begin with a tree as of a checkpoint.

        Args:
          tree: the state tree.
          digest: the network's hash.
          written_once: tables of whose rows most are written once: what their keys begin with.
        """
        self.tree = tree
        self.early_rows = EARLY_ROWS
        self.step_rows = STEP_ROWS
        self.root = tree.root()
        self._digest = digest
        # A table's rows stand together where writes are sorted by key.
        self._ranges = [
            ((table,), (table[:-1] + bytes([table[-1] + 1]),)) for table in written_once
        ]
        self._early: dict[bytes, bytes | None] = {}
        self._taken: dict[bytes, bytes | None] = {}

    def add(self, writes: Sequence[Write]) -> Iterator[None]:
        """Take note of a block's writes, sorted by key, of which the tree may take some early.

        Pauses now and then, as `close` does; both are to be iterated to their end.
        """
        for start, end in self._ranges:
            self._early.update(writes[bisect_left(writes, start) : bisect_left(writes, end)])
        if len(self._early) >= self.early_rows:
            early, self._early = self._early, {}
            yield from self._update(early.items())
            self._taken.update(early)

    def close(self, committed: Mapping[bytes, bytes | None]) -> Iterator[None]:
        """Bring tree and root up to a checkpoint, given all rows written since the last one."""
        taken = self._taken
        yield from self._update(
            [item for item in committed.items() if taken.get(item[0], _UNTAKEN) is not item[1]]
        )
        self._taken, self._early = {}, {}
        self.root = self.tree.root()

    def _update(self, rows: Iterable[Write]) -> Iterator[None]:
        digest = self._digest
        changes: dict[bytes, bytes | None] = {}
        rest, step = iter(rows), self.step_rows
        while part := [
            (compute_place(key, digest), None if row is None else digest(row))
            for key, row in islice(rest, step)
        ]:
            changes.update(part)
            yield
        places = sorted(changes)  # neighbours share nodes
        for at in range(0, len(places), step):
            self.tree.update({place: changes[place] for place in places[at : at + step]})
            yield
