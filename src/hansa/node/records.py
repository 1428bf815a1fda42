"""Blocks as nodes, audit and verification take them: from a log, also beside whoever writes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from hansa.engine.chain import Chain
from hansa.engine.log import BlockReader
from hansa.engine.storage import FileStorage
from hansa.kernel.block import BlockRecord, decode_record, is_sealed
from hansa.kernel.errors import Corrupt
from hansa.kernel.genesis import Network


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


def find_seal_fault(network: Network, record: BlockRecord) -> str:
    """Find what is wrong with a block's seals; empty if nothing is.

    Where validators vote, a block has none, and the votes that cover it stand beside the log.
    """
    if network.genesis.is_voted:
        return "is sealed, though validators vote on this network" if record.signatures else ""
    if is_sealed(network, record.header, record.signatures):
        return ""
    return "is not sealed by a key that genesis names"


def iterate_records(reader: BlockReader, from_height: int = 0) -> Iterator[BlockRecord]:
    """Iterate confirmed blocks, in order.

    Raises:
      Corrupt: a block is damaged; names the height.
    """
    for height, raw in reader.iterate(from_height):
        yield read_record(raw, height)


class RecentRecords:
    """Blocks of a chain, those last asked for kept in memory as they were decoded."""

    def __init__(self, chain: Chain, kept: int) -> None:
        self._chain = chain
        self._kept = kept
        self._records: OrderedDict[int, BlockRecord] = OrderedDict()

    def get(self, height: int) -> BlockRecord:
        """Get a block, be it confirmed or not; raises `NotFound`."""
        record = self._records.get(height)
        if record is None:
            record = self._records[height] = self._chain.get_record(height)
            if len(self._records) > self._kept:
                self._records.popitem(last=False)
        self._records.move_to_end(height)
        return record
