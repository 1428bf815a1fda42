"""Copies the snapshot that a log without its first blocks cannot do without, for a backup.

Source: docs/reference/backup.md.
"""

from __future__ import annotations

from pathlib import Path

from hansa.engine.log import BlockReader
from hansa.engine.snapshots.beginning import find_base, open_shelf, use_base
from hansa.engine.snapshots.format import Manifest
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.kernel.block import decode_record
from hansa.kernel.errors import Corrupt


def copy_base(kept: Shelf, target: Path, log_begins: int) -> Manifest:
    """Copy the oldest snapshot of a node, running or not, that makes up for what its log lacks.

    Args:
      kept: its snapshots, for reading.
      target: the folder of the copy.
      log_begins: the lowest height of its log, open since before this call.

    Raises:
      Corrupt: there is none, or it is damaged.
      Unavailable: the node drops snapshots faster than they are copied, or the disk refused.
    """
    copied = Shelf(FileStorage(target))

    def copy(manifest: Manifest) -> Manifest:
        copied.clear()
        for number, chunk in enumerate(kept.iterate_chunks(manifest)):
            copied.put_chunk(manifest.height, number, chunk)
        copied.put_manifest(manifest)
        return manifest

    return use_base(kept, log_begins, copy)


def check_base(folder: Path, log: BlockReader) -> None:
    """Check that a snapshot in a folder stands where a log goes on.

    Raises:
      Corrupt: there is none that makes up for what the log lacks, or it is of another history.
    """
    manifest = find_base(open_shelf(folder, log.height_min), log.height_min)
    height = manifest.height
    if height > log.height_max or decode_record(log.read(height)).header != manifest.header:
        raise Corrupt(
            f"the snapshot of block {height} is not of the history in the log: take another backup",
            height=height,
        )
