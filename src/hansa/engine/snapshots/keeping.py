"""What a node keeps of its past: snapshots now and then, and blocks as far as it is told to.

A node that prunes keeps a base: its oldest snapshot, with the blocks that this one holds. From a
base the store can be made anew, and audit and verification can begin.

Source: docs/reference/snapshots.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import NamedTuple

from hansa.engine.chain import Chain
from hansa.engine.log import BlockReader
from hansa.engine.snapshots.format import Manifest
from hansa.engine.snapshots.making import Row, make_snapshot
from hansa.engine.snapshots.shelf import Shelf
from hansa.kernel.errors import HansaError, Unavailable
from hansa.kernel.machine.execution import BlockResult

BLOCKS_FORGOTTEN = 4
"""Whose transactions are taken out of the index with each block, before they are pruned."""

CONSENSUS_BLOCKS = 100_000
"""Of CometBFT; with a heartbeat of 30 s those of five weeks."""

REST_MS = 4
"""A snapshot is made for a millisecond, then rests for so long: blocks come first."""

_ALARMS = logging.getLogger("hansa.alarms")


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept."""

    snapshot_every: int
    """Blocks between two snapshots; 0 for none."""
    snapshots: int
    """How many are kept."""
    blocks: int
    """The newest ones that are kept at least; 0 for all."""
    consensus_blocks: int = CONSENSUS_BLOCKS
    """CometBFT's newest blocks that are kept on a quiet network, where most are empty."""


class _Lowest(NamedTuple):
    """The oldest block that is kept, and that of CometBFT which brought it."""

    height: int
    consensus_height: int


class Keeper:
    """Makes snapshots beside the engine and prunes the log, block by block."""

    def __init__(
        self,
        chain: Chain,
        shelf: Shelf,
        open_log: Callable[[], BlockReader],
        retention: Retention,
        rest_ms: int = REST_MS,
    ) -> None:
        """Take over what is there.

        Args:
          chain: opened for writing; `note` is called in its thread.
          shelf: of the node.
          open_log: opens another reader of the chain's log.
          retention: what is kept.
          rest_ms: between two milliseconds of making a snapshot.
        """
        self.shelf = shelf
        self.problem = ""
        """Why the last snapshot was not made, if it was not."""
        self._chain = chain
        self._open_log = open_log
        self._retention = retention
        self._rest_ms = rest_ms
        self._checkpoint = chain.head.checkpoint_height
        self._making: Thread | None = None
        self._stopped = Event()
        self._forgotten = 0
        """Blocks below this are out of the index."""
        self._forgotten_at: int | None = None
        """The newest block when all blocks of the oldest segment were."""
        self._asked_for = -1
        """Up to this height the store was asked to be flushed."""
        self._looked_at = -1
        """The newest block when it was last asked what CometBFT must keep."""
        self._lowest: _Lowest | None = None
        shelf.clear()
        self._bases = shelf.list()

    def note(self, result: BlockResult) -> None:
        """Take notice of a block that was just confirmed."""
        self._settle()
        height = result.header.height
        if result.committed is not None:
            before, self._checkpoint = self._checkpoint, height
            if self._is_due(before, height):
                self._begin(height, self._chain.iterate_rows(b""))
        self._prune(height)

    @property
    def snapshots(self) -> Sequence[Manifest]:
        """The snapshots that are kept, oldest first."""
        return self._bases

    def close(self) -> None:
        """Stop; a snapshot that is being made is given up."""
        self._stopped.set()
        if self._making is not None:
            self._making.join()
            self._making = None

    def finish(self) -> None:
        """Wait for the snapshot that is being made, if one is."""
        if self._making is not None:
            self._making.join()
            self._settle()

    def compute_retain_height(self, standing: int) -> int:
        """Compute the height of CometBFT's blocks below which none is needed; 0 to keep all.

        They hold the votes on the blocks that are kept here, and others catch up by them, from a
        snapshot on. On a quiet network that would keep every empty one: of those, the newest are.

        Args:
          standing: the height of CometBFT up to which this node has kept everything.
        """
        self._flush_if_quiet()
        if not self._retention.blocks or self._find_base() is None:
            return 0
        lowest = self._chain.log.height_min
        if self._lowest is None or self._lowest.height != lowest:
            record = self._chain.get_record(lowest)
            self._lowest = _Lowest(lowest, record.consensus_height)
        quiet = standing - self._retention.consensus_blocks
        return max(self._lowest.consensus_height, quiet, 0)

    def _flush_if_quiet(self) -> None:
        """Flush what was asked for if no block has come since: perhaps none comes.

        A snapshot of the last block would else never count, and every block of CometBFT be kept.
        """
        chain, height = self._chain, self._chain.head.height
        is_quiet, self._looked_at = height == self._looked_at, height
        if is_quiet and chain.store.height < self._asked_for <= chain.confirmed_height:
            chain.flush()

    def _is_due(self, before: int, height: int) -> bool:
        """Whether a multiple lies between two checkpoints: on all nodes alike."""
        every = self._retention.snapshot_every
        is_due = every > 0 and height // every > before // every
        return is_due and self._making is None and self._chain.store.pending_height == height

    def _begin(self, height: int, rows: Iterable[Row]) -> None:
        self._making = Thread(target=self._make, args=(height, rows), name="snapshot")
        self._making.start()

    def _make(self, height: int, rows: Iterable[Row]) -> None:
        """Make a snapshot, and drop the oldest of too many; runs in a thread of its own."""
        shelf = self.shelf
        try:
            shelf.clear()
            log = self._open_log()
            try:
                make_snapshot(shelf, log, height, rows, self._pause)
            finally:
                log.close()
            found, count = shelf.list(), self._retention.snapshots
            self._bases = found[-count:]
            for base in found[:-count]:
                shelf.drop(base.height)
            self.problem = ""
        except HansaError as error:
            self.problem = error.message
            if not self._stopped.is_set():
                _ALARMS.error("no snapshot of block %d was made: %s", height, error.message)

    def _pause(self) -> None:
        if self._stopped.wait(self._rest_ms / 1_000):
            raise Unavailable("the node is stopping")

    def _settle(self) -> None:
        if self._making is not None and not self._making.is_alive():
            self._making = None

    def _prune(self, height: int) -> None:
        """Prune the oldest segment, once its transactions are durably out of the index."""
        chain, log = self._chain, self._chain.log
        end = log.oldest_end
        if end is None or end > self._compute_kept_from(height):
            return
        if self._forgotten_at is not None:
            if self._is_durable(self._forgotten_at + 1) and log.prune(end):
                self._forgotten_at = None
            return
        chain.begin_forgetting(end)
        first = max(self._forgotten, log.height_min)
        self._forgotten = min(end, first + BLOCKS_FORGOTTEN)
        for at in range(first, self._forgotten):
            chain.forget(at)
        if self._forgotten == end:
            self._forgotten_at = height

    def _compute_kept_from(self, height: int) -> int:
        """Compute the lowest height that must be kept: for readers, for the store, for a base."""
        base = self._find_base()
        if base is None or not self._retention.blocks:
            return 0
        return min(height - self._retention.blocks + 1, base.first_height)

    def _find_base(self) -> Manifest | None:
        """The oldest snapshot, if the store is durably past it."""
        base = self._bases[0] if self._bases else None
        return base if base is not None and self._is_durable(base.height) else None

    def _is_durable(self, height: int) -> bool:
        """Whether the store on disk has come to a height; if not, has it flushed once it can be.

        A node of few transactions flushes its store seldom, and would prune as seldom.
        """
        store = self._chain.store
        if store.height < height <= store.pending_height and height > self._asked_for:
            self._asked_for = store.pending_height
            self._chain.flush_soon()
        return store.height >= height
