"""A node that joins: takes a snapshot in from others, chunk by chunk, and begins from it.

From the first chunk until everything is proved, the folder carries a durable mark: what a process
that died left half built is thrown away as a whole.

Source: docs/reference/snapshots.md.
"""

from __future__ import annotations

from collections.abc import Callable

from hansa.engine.log import BlockLog
from hansa.engine.snapshots.building import Builder, FillableStore
from hansa.engine.snapshots.format import Manifest, compute_sum, decode_manifest, refuse
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import Storage
from hansa.kernel.block import check_seals
from hansa.kernel.genesis import Network

SYNC_BYTES = 64 << 20
"""Of blocks that are written to the log between two syncs."""

OpenEmpty = Callable[[], tuple[BlockLog, FillableStore]]


class Restorer:
    """Restores a snapshot into an empty folder; after an error, another one may be offered."""

    def __init__(self, shelf: Shelf, network: Network, open_empty: OpenEmpty) -> None:
        """Begin nothing yet.

        Args:
          shelf: keeps the chunks, from which audit and verification will begin.
          network: the node's.
          open_empty: wipes log and store of this node, and opens them.
        """
        self._shelf = shelf
        self._network = network
        self._open_empty = open_empty
        self._taking: _Taking | None = None

    def offer(self, raw: bytes, header_hash: bytes | None = None) -> Manifest:
        """Begin with a snapshot, if its last header is the one that is trusted.

        Args:
          raw: its manifest.
          header_hash: of that header, from whom the caller trusts: on CometBFT, the app hash that
            a light client has verified. Where one node seals, its seals do instead.

        Raises:
          Invalid: the manifest is malformed, of another header, or of more than the disk holds.
          Unavailable: the disk refused.
        """
        manifest = decode_manifest(raw)
        network = self._network
        found = network.digest(network.header_prefix + manifest.header)
        if header_hash is None:
            check_seals(network, manifest.header, manifest.seals)
        elif found != header_hash:
            raise refuse(f"its last header has the hash {found.hex()}, not the trusted one")
        self._shelf.require_room(manifest)
        self.close()
        self._shelf.begin_joining(manifest)
        self._shelf.drop_all()
        self._taking = _Taking(manifest, network, *self._open_empty())
        return manifest

    @property
    def manifest(self) -> Manifest:
        """Of the snapshot that is being taken; raises `Invalid` where none is."""
        return self._require_taking().manifest

    @property
    def is_complete(self) -> bool:
        """Whether all chunks were taken."""
        taking = self._taking
        return taking is not None and taking.count == len(taking.manifest.chunks)

    def apply(self, number: int, chunk: bytes) -> bool:
        """Take a chunk; they come in order. False if it is another than the manifest names.

        Raises:
          Invalid: the snapshot is refused, with all its chunks: have another one offered.
          Unavailable: the disk refused.
        """
        taking = self._require_taking()
        if number != taking.count or self.is_complete:
            raise refuse(f"chunk {number} comes out of turn")
        if compute_sum(chunk) != taking.manifest.chunks[number]:
            return False
        self._shelf.put_chunk(taking.manifest.height, number, chunk)
        taking.take(chunk)
        return True

    def finish(self) -> tuple[BlockLog, FillableStore]:
        """Prove everything; returns log and store, with which a chain opens.

        Raises:
          Invalid: the snapshot is refused, with all its chunks: have another one offered.
          Unavailable: the disk refused.
        """
        taking = self._require_taking()
        if not self.is_complete:
            raise refuse("it has more chunks than came")
        taking.builder.finish()
        taking.log.sync()
        self._shelf.put_manifest(taking.manifest)
        self._shelf.end_joining()
        self._taking = None
        return taking.log, taking.store

    def close(self) -> None:
        """Let go of what was begun and not finished; it is thrown away when it is next opened."""
        taking, self._taking = self._taking, None
        if taking is not None:
            taking.log.close()
            taking.store.close()

    def _require_taking(self) -> _Taking:
        if self._taking is None:
            raise refuse("none was offered")
        return self._taking


class _Taking:
    """A snapshot that is being taken in."""

    def __init__(
        self, manifest: Manifest, network: Network, log: BlockLog, store: FillableStore
    ) -> None:
        self.manifest = manifest
        self.log = log
        self.store = store
        self.builder = Builder(manifest, network, store, self._append)
        self.count = 0
        self._unsynced_bytes = 0

    def take(self, chunk: bytes) -> None:
        """Take the next chunk."""
        self.count += 1
        self.builder.take(chunk)

    def _append(self, height: int, raw: bytes) -> None:
        self.log.append(height, raw)
        self._unsynced_bytes += len(raw)
        if self._unsynced_bytes >= SYNC_BYTES:
            self.log.sync()
            self._unsynced_bytes = 0


def clear_joining(shelf: Shelf, log: Storage, wipe_store: Callable[[], None]) -> bool:
    """Throw away what a process that died left half joined; says whether there was anything.

    Args:
      shelf: of the node.
      log: where its block log lies; locked.
      wipe_store: removes its store.
    """
    if not shelf.is_joining:
        shelf.clear()
        return False
    BlockLog.wipe(log)
    wipe_store()
    shelf.drop_all()
    shelf.end_joining()
    return True
