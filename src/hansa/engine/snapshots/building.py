"""Builds log and store of a snapshot, and believes nothing of it but what a header proves.

Every block must follow from the one before it, up to the header that is trusted; batches and
receipts must have the roots of their headers; and all rows together must have the state root.

Source: docs/reference/snapshots.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Protocol

from msgspec.structs import replace

from hansa.engine.chain import INDEX_SPACE, ROW_SPACE, StoredNodes
from hansa.engine.log.window import WINDOW_MS
from hansa.engine.record_items import list_envelopes
from hansa.engine.snapshots.format import (
    FrameReader,
    Manifest,
    refuse,
    strip_record,
)
from hansa.engine.store import Store
from hansa.kernel.block import (
    UPDATES_UNKNOWN,
    BlockRecord,
    Header,
    compute_position,
    decode_header,
    decode_receipt,
    decode_record_strictly,
    is_sealed,
)
from hansa.kernel.errors import Corrupt
from hansa.kernel.genesis import Network
from hansa.kernel.trees.commitment import compute_place
from hansa.kernel.trees.merkle import Digest, compute_root
from hansa.kernel.trees.state_tree import StateTree

FILL_BYTES = 16 << 20
"""Of rows that are held before they go to disk together."""

PLACE_SPACE = b"p"
"""Where places and hashes of rows wait, sorted by the store, until the tree is built of them."""

PLACES_PER_STEP = 4_096
CACHE_NODES = 1_024
"""Of the tree, which is built in order: a node that was left is not looked at again."""


class FillableStore(Store, Protocol):
    """A store that takes a state which comes whole."""

    def fill(self, puts: Mapping[bytes, bytes | None]) -> None:
        """Take a part of it straight to disk; it counts once `write` and `flush` have ended."""


Append = Callable[[int, bytes], None]
"""Takes a block's height and record into a log."""


class Builder:
    """Takes the chunks of one snapshot in order, and builds log and store of them.

    What it has built is worth nothing before `finish` has returned.
    """

    def __init__(
        self,
        manifest: Manifest,
        network: Network,
        store: FillableStore,
        append: Append | None = None,
    ) -> None:
        """Begin.

        Args:
          manifest: one whose header is trusted.
          network: the snapshot's.
          store: empty.
          append: takes the blocks; without it they are only checked.
        """
        self._head = manifest.head
        self._trusted = manifest
        self._network = network
        self._store = store
        self._append = append
        self._frames = FrameReader()
        self._previous: Header | None = None
        self._previous_hash = b""
        self._first_ms = 0
        self._consensus_height = 0
        self._last_key = b""
        self._pending: dict[bytes, bytes | None] = {}
        self._pending_bytes = 0

    def take(self, chunk: bytes) -> None:
        """Take the next chunk.

        Raises:
          Invalid: something in it is not what the header proves, or out of order.
          Unavailable: the disk refused.
        """
        for key, value in self._frames.feed(chunk):
            if key:
                self._take_row(key, value)
            else:
                self._take_block(value)

    def finish(self) -> None:
        """Build the tree, compare it with the state root, and make the store count.

        Raises:
          Invalid: rows or blocks are missing, or others than the header proves.
          Unavailable: the disk refused.
        """
        self._frames.finish()
        self._require_blocks()
        self._fill()
        root = build_tree(self._store, self._network.digest)
        if root != self._head.state_root:
            raise refuse("its rows have not the state root of its last block")
        self._store.write({}, self._head.height)
        self._store.flush()

    def _take_row(self, key: bytes, value: bytes) -> None:
        if not self._last_key:
            self._require_blocks()
        if key <= self._last_key or len(key) < 2:  # noqa: PLR2004 - of a table's name
            raise refuse("its rows are not in the order of their keys")
        self._last_key = key
        digest = self._network.digest
        self._put(ROW_SPACE + key, value)
        self._put(PLACE_SPACE + compute_place(key, digest), digest(value))

    def _take_block(self, raw: bytes) -> None:
        if self._last_key:
            raise refuse("it has a block behind its rows")
        record, header = self._check_block(raw)
        for index, receipt in enumerate(record.receipts):
            position = compute_position(header.height, index).to_bytes(8, "big")
            self._put(INDEX_SPACE + decode_receipt(receipt).tx_id, position)
        if self._previous is None:
            self._first_ms = header.time_ms
        self._previous = header
        self._previous_hash = self._network.digest(self._network.header_prefix + record.header)
        self._consensus_height = record.consensus_height
        if self._append is None:
            return
        if self._network.genesis.is_voted:
            raw = replace(record, validator_updates=UPDATES_UNKNOWN).encoded()
        self._append(header.height, raw)

    def _check_block(self, raw: bytes) -> tuple[BlockRecord, Header]:
        """Check a block, and that it follows from the last; its own header is proved at the end."""
        previous, first = self._previous, self._trusted.first_height
        height = first if previous is None else previous.height + 1
        record = decode_record_strictly(raw)
        header = decode_header(record.header)
        if header.height != height or height > self._head.height:
            raise refuse(f"block {header.height} stands where {height} belongs")
        if previous is not None and header.previous_hash != self._previous_hash:
            raise refuse(f"block {height} does not follow from the one before it")
        if record.consensus_height < self._consensus_height or record != strip_record(record):
            raise refuse(f"block {height} has something that no hash covers")
        if not self._is_signed_as_it_must(record):
            raise refuse(f"block {height} is not sealed by a key that genesis names")
        self._check_roots(record, header)
        return record, header

    def _is_signed_as_it_must(self, record: BlockRecord) -> bool:
        if self._network.genesis.is_voted:
            return not record.signatures
        return is_sealed(self._network, record.header, record.signatures)

    def _check_roots(self, record: BlockRecord, header: Header) -> None:
        digest = self._network.digest
        try:
            hashes = [digest(envelope) for envelope in list_envelopes(record)]
        except Corrupt as error:
            raise refuse(f"block {header.height} cannot be read: {error.message}") from None
        if (
            header.tx_count != len(record.receipts)
            or compute_root(hashes, digest) != header.tx_root
            or compute_root(record.receipts, digest) != header.receipt_root
            or compute_root(list(map(digest, record.batches)), digest) != header.batch_root
        ):
            raise refuse(f"block {header.height} has not the roots in its header")

    def _require_blocks(self) -> None:
        """Check that the blocks led to the trusted header, and began early enough."""
        previous = self._previous
        if previous is None or previous.encoded() != self._trusted.header:
            raise refuse("its blocks do not lead to its last header")
        if self._consensus_height != self._trusted.consensus_height:
            raise refuse("its last block names another height of CometBFT")
        oldest_ms = self._head.time_ms - WINDOW_MS
        if self._trusted.first_height > 0 and self._first_ms >= oldest_ms:
            raise refuse("its blocks do not reach back fifteen minutes")

    def _put(self, key: bytes, value: bytes) -> None:
        self._pending[key] = value
        self._pending_bytes += len(key) + len(value)
        if self._pending_bytes >= FILL_BYTES:
            self._fill()

    def _fill(self) -> None:
        self._store.fill(self._pending)
        self._pending, self._pending_bytes = {}, 0


def build_tree(store: FillableStore, digest: Digest) -> bytes:
    """Take all rows into the tree in the order of their places: each node is made once.

    Args:
      store: holds place and hash of each row under `PLACE_SPACE`; they are gone when this returns.
      digest: of the network.

    Returns:
      The state root.
    """
    nodes = StoredNodes(store)
    tree = StateTree(nodes, digest, cache_nodes=CACHE_NODES)
    places = store.iterate_prefix(PLACE_SPACE)
    while step := dict(islice(places, PLACES_PER_STEP)):
        tree.update({key[len(PLACE_SPACE) :]: value for key, value in step.items()})
        nodes.gathered.update(dict.fromkeys(step))
        store.fill(nodes.gathered)
        nodes.gathered.clear()
    return tree.root()
