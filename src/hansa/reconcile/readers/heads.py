"""The beginning of a stream, by which a reader tells what it is."""

from __future__ import annotations

from typing import BinaryIO


def read_head(stream: BinaryIO, size: int) -> bytes:
    """Read the first bytes of a stream, which may give fewer at a time, or all if it is shorter."""
    head = b""
    while len(head) < size and (more := stream.read(size - len(head))):
        head += more
    return head
