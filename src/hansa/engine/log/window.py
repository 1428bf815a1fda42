"""The replay window, as the blocks of a log fill it."""

from __future__ import annotations

from bisect import bisect_left

from hansa.engine.log.reader import BlockReader
from hansa.kernel.block import Header, decode_header, decode_record
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
