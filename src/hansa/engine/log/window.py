"""Which of a log's blocks still count: for the replay window, and in an index of transactions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from hansa.engine.log.reader import BlockReader
from hansa.kernel.block import Header, decode_header, decode_record, read_tx_id
from hansa.kernel.genesis import VALIDITY_MAX_MS
from hansa.kernel.machine.nonces import SECOND_MS

WINDOW_MS = VALIDITY_MAX_MS + SECOND_MS
"""How long after its block a nonce may count, in ledger time."""


def find_window(log: BlockReader, head: Header) -> int:
    """Find the first block kept whose nonces may still count at `head`; times never fall."""
    oldest_ms = head.time_ms - WINDOW_MS
    lowest = log.height_min

    def get_time(height: int) -> int:
        return decode_header(decode_record(log.read(height)).header).time_ms

    return lowest + bisect_left(range(lowest, head.height + 1), oldest_ms, key=get_time)


def find_indexed(log: BlockReader, is_indexed: Callable[[bytes], bool]) -> int:
    """Find the first block kept from which on transactions are in an index, by their ids.

    Those of the oldest blocks are taken out of it in their order, before the blocks are pruned.
    """

    def holds(height: int) -> bool:
        """Look at the first transaction of a block, or of the next that has one."""
        for at in range(height, log.height_max + 1):
            receipts = decode_record(log.read(at)).receipts
            if receipts:
                return is_indexed(read_tx_id(receipts[0]))
        return True

    lowest = log.height_min
    if holds(lowest):
        return lowest
    return lowest + bisect_left(range(lowest, log.height_max + 1), x=True, key=holds)
