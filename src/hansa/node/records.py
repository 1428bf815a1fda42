"""Blocks as nodes, audit and verification take them: from a log, also beside whoever writes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hansa.engine.chain import Chain
from hansa.engine.log import BlockReader
from hansa.engine.storage import FileStorage
from hansa.kernel.block import BlockRecord, Header, decode_record, is_sealed
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


def list_header_fields(network: Network, header: Header) -> dict[str, Any]:
    """List what a header says, as text, with its hash; the same for a folder and at the API."""
    return {
        "height": header.height,
        "hash": network.digest(network.header_prefix + header.encoded()).hex(),
        "time_ms": header.time_ms,
        "tx_count": header.tx_count,
        "previous_hash": header.previous_hash.hex(),
        "tx_root": header.tx_root.hex(),
        "receipt_root": header.receipt_root.hex(),
        "write_set_hash": header.write_set_hash.hex(),
        "checkpoint_height": header.checkpoint_height,
        "state_root": header.state_root.hex(),
        "batch_root": header.batch_root.hex(),
    }


def list_seals(signatures: Sequence[tuple[int, bytes, bytes]]) -> list[dict[str, Any]]:
    """List the seals of a block."""
    return [
        {"suite": suite, "public_key": public_key.hex(), "signature": signature.hex()}
        for suite, public_key, signature in signatures
    ]


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
