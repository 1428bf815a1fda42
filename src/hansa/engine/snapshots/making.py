"""Makes a snapshot of a checkpoint, a part at a time: rows and blocks are never all in memory.

Source: docs/reference/snapshots.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hansa.engine.log import BlockReader
from hansa.engine.log.window import find_window
from hansa.engine.snapshots.format import (
    FORMAT_VERSION,
    Frame,
    Manifest,
    compute_sum,
    cut,
    decode_manifest,
    strip_record,
)
from hansa.engine.snapshots.shelf import Shelf
from hansa.kernel.block import decode_header, decode_record
from hansa.kernel.errors import NotFound

Row = tuple[bytes, bytes]
FRAMES_PER_PAUSE = 512
"""About a millisecond's."""


def make_snapshot(
    shelf: Shelf,
    log: BlockReader,
    height: int,
    rows: Iterable[Row],
    pause: Callable[[], None] = lambda: None,
) -> Manifest:
    """Make the snapshot of a checkpoint whose block is confirmed; one that is there is kept.

    Args:
      shelf: where it is put.
      log: a reader of its own.
      height: of the checkpoint.
      rows: all of its state, by key, without the key space.
      pause: called every millisecond or so, to let others work.

    Raises:
      NotFound: the log begins too late.
      Unavailable: the disk refused; what was made is removed by `Shelf.clear`.
    """
    head = decode_record(log.read(height))
    header = decode_header(head.header)
    start = find_window(log, header)
    if start == log.height_min and start > 0:
        raise NotFound(
            f"the log begins with block {start}: no snapshot of block {height} can be made",
            height=height,
        )
    first = max(0, start - 1)
    sums = []
    for number, chunk in enumerate(cut(_pace(_list_frames(log, first, height, rows), pause))):
        shelf.put_chunk(height, number, chunk)
        sums.append(compute_sum(chunk))
    manifest = Manifest(
        FORMAT_VERSION, head.consensus_height, head.header, head.signatures, first, tuple(sums)
    )
    shelf.put_manifest(decode_manifest(manifest.encoded()))
    return manifest


def _list_frames(log: BlockReader, first: int, last: int, rows: Iterable[Row]) -> Iterator[Frame]:
    for height in range(first, last + 1):
        yield b"", strip_record(decode_record(log.read(height))).encoded()
    yield from rows


def _pace(frames: Iterable[Frame], pause: Callable[[], None]) -> Iterator[Frame]:
    for number, frame in enumerate(frames, 1):
        yield frame
        if not frame[0] or number % FRAMES_PER_PAUSE == 0:
            pause()
