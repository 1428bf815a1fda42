"""Blocks that another node sends, for audit and verification, which believe none of it."""

from __future__ import annotations

from collections.abc import Iterator

from hansa.kernel.block import BlockRecord
from hansa.node.records import read_record
from hansa.sdk.client import Client


def iterate_remote(client: Client, to_height: int, from_height: int = 0) -> Iterator[BlockRecord]:
    """Iterate blocks that a node sends, in order; one at a time is in memory, none is believed.

    Raises:
      Refused: the caller may not read whole blocks.
      Unavailable: the node stops early.
      Corrupt: something is no block record; names the height.
    """
    for height, raw in enumerate(client.stream_records(from_height, to_height), from_height):
        yield read_record(raw, height)
