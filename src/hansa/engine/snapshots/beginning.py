"""The base of a chain that has no older blocks: where audit and verification begin.

Source: docs/reference/snapshots.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from hansa.engine.log import BlockLog
from hansa.engine.snapshots.building import Builder, FillableStore
from hansa.engine.snapshots.format import Manifest
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import StateStore
from hansa.kernel.block import Header
from hansa.kernel.errors import Corrupt, NotFound, Unavailable
from hansa.kernel.genesis import Network

T = TypeVar("T")

ATTEMPTS = 5
"""A node that runs may drop a snapshot while it is read: then the next one is taken."""


class Base(NamedTuple):
    """The last header of a snapshot, and what was built of it."""

    head: Header
    log: BlockLog
    store: StateStore


def find_base(shelf: Shelf, log_begins: int, *, newest: bool = False) -> Manifest:
    """Find a snapshot that makes up for all blocks that a log lacks.

    Args:
      shelf: of the node.
      log_begins: the lowest height of its log.
      newest: whether to take the newest, instead of the oldest.

    Raises:
      Corrupt: there is none, or a manifest is damaged.
    """
    found = [each for each in shelf.list() if each.height + 1 >= log_begins]
    if not found:
        raise _describe_lack(log_begins)
    return found[-1 if newest else 0]


def use_base(shelf: Shelf, log_begins: int, use: Callable[[Manifest], T]) -> T:
    """Use the oldest snapshot of a node, or the next where the node drops that meanwhile.

    Args:
      shelf: of a node, running or not.
      log_begins: the lowest height of its log, open since before this call.
      use: reads all of a snapshot, or raises what reading does.

    Raises:
      Corrupt: there is none, or it is damaged.
      Unavailable: the node drops snapshots faster than they are read.
    """
    for _ in range(ATTEMPTS):
        manifest = None
        try:
            manifest = find_base(shelf, log_begins)
            return use(manifest)
        except NotFound:
            pass  # its manifest went
        except Corrupt:
            if manifest is None or manifest.height in [each.height for each in shelf.list()]:
                raise
    raise Unavailable(
        "the node drops its snapshots faster than they are read: let it make them less often "
        "(history.snapshot_every), or keep more of them (history.snapshots)"
    )


def open_shelf(folder: Path, log_begins: int) -> Shelf:
    """Open a folder of snapshots for reading, which a log that begins late cannot do without.

    Raises:
      Corrupt: it is missing.
    """
    if not folder.is_dir():
        raise _describe_lack(log_begins)
    return Shelf(FileStorage(folder, read_only=True))


def build_base(shelf: Shelf, manifest: Manifest, network: Network, store: FillableStore) -> None:
    """Fill an empty store from a snapshot that is kept; what it holds is proved by its header.

    Args:
      shelf: of the node.
      manifest: of a snapshot on it.
      network: the snapshot's.
      store: empty.

    Raises:
      Corrupt: a chunk is damaged or missing.
      Invalid: rows or blocks are not what the header proves.
    """
    builder = Builder(manifest, network, store)
    for chunk in shelf.iterate_chunks(manifest):
        builder.take(chunk)
    builder.finish()


@contextmanager
def open_base(folder: Path, log_begins: int, network: Network) -> Iterator[Base]:
    """Build log and store as they stood at the oldest snapshot kept, in a temporary folder.

    Needs as much free space for temporary files as the node's store has.

    Args:
      folder: of the node's snapshots.
      log_begins: the lowest height of the node's log.
      network: the node's.

    Raises:
      Corrupt: there is no snapshot, or it is damaged.
      Invalid: what it holds is not what its header proves.
    """
    shelf = open_shelf(folder, log_begins)
    with ExitStack() as undo:

        def build(manifest: Manifest) -> Base:
            return undo.enter_context(make_base(manifest, shelf.iterate_chunks(manifest), network))

        yield use_base(shelf, log_begins, build)


@contextmanager
def make_base(manifest: Manifest, chunks: Iterable[bytes], network: Network) -> Iterator[Base]:
    """Build log and store as they stood at a snapshot, in a temporary folder.

    Args:
      manifest: of the snapshot; whether its last header is to be trusted is the caller's to find.
      chunks: of the snapshot, in order.
      network: the snapshot's.

    Raises:
      Invalid: the chunks are not what the header proves.
    """
    with tempfile.TemporaryDirectory(prefix="hansa-base-") as name, ExitStack() as undo:
        store = StateStore.open(Path(name) / "store")
        undo.callback(store.close)
        log = BlockLog.open(FileStorage(Path(name) / "log"))
        undo.callback(log.close)
        builder = Builder(manifest, network, store, log.append)
        for chunk in chunks:
            builder.take(chunk)
        builder.finish()
        yield Base(manifest.head, log, store)


def _describe_lack(log_begins: int) -> Corrupt:
    return Corrupt(
        f"the log begins with block {log_begins}, and no snapshot is kept of what was before: "
        "restore a backup, or join anew",
        height=log_begins,
    )
