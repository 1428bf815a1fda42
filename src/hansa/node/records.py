"""Blocks as audit and verification take them: from a log, beside whoever writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hansa.engine.log import BlockReader
from hansa.engine.storage import FileStorage
from hansa.kernel.block import BlockRecord, decode_record
from hansa.kernel.errors import Corrupt


def open_log(log_folder: Path) -> BlockReader:
    """Open a log for reading; its node may be running or stopped.

    Raises:
      NotFound: there is no log.
      Corrupt: it is damaged.
    """
    return BlockReader.open(FileStorage(log_folder, read_only=True))


def read_record(raw: bytes, height: int) -> BlockRecord:
    """Decode a block that came from a log or from another node.

    Raises:
      Corrupt: it is no block record; names the height.
    """
    try:
        return decode_record(raw)
    except Corrupt as error:
        raise Corrupt(f"block {height} cannot be read: {error}", height=height) from None


def iterate_records(reader: BlockReader, from_height: int = 0) -> Iterator[BlockRecord]:
    """Iterate confirmed blocks, in order.

    Raises:
      Corrupt: a block is damaged; names the height.
    """
    for height, raw in reader.iterate(from_height):
        yield read_record(raw, height)
