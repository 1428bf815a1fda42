"""Frames: a 4-byte big-endian length and a block's record, or a snapshot's part; one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hansa.kernel.errors import Unavailable
from hansa.sdk.transport import Transport

LENGTH_BYTES = 4
FRAME_BYTES_MAX = 1 << 28
"""A block has some megabytes; a length beyond this is no length."""

WINDOW = 4_096
"""Blocks asked for in one request, so that a lost connection costs little."""


async def iterate_frames(
    transport: Transport, from_height: int, to_height: int
) -> AsyncIterator[bytes]:
    """Yield encoded records of the heights from `from_height` to `to_height`, in order.

    Raises:
      Unavailable: the node sends something else, or stops early.
    """
    for start in range(from_height, to_height + 1, WINDOW):
        end = min(start + WINDOW - 1, to_height)
        path = f"/v1/records?from_height={start}&to_height={end}"
        count = 0
        async for frame in _iterate(transport, path):
            count += 1
            yield frame
        if count != end - start + 1:
            raise Unavailable(
                f"{transport.url} sent {count} of {end - start + 1} blocks from {start} on",
                height=start + count,
            )


async def iterate_base(transport: Transport) -> AsyncIterator[bytes]:
    """Yield the manifest of the snapshot with which a node's blocks begin, then its chunks.

    Raises:
      NotFound: the node keeps all blocks.
      Unavailable: the node sends something else, or stops within a frame.
    """
    async for frame in _iterate(transport, "/v1/base"):
        yield frame


async def _iterate(transport: Transport, path: str) -> AsyncIterator[bytes]:
    """Yield the frames of one answer."""
    async with transport.request("GET", path, is_stream=True) as answer:
        buffer = bytearray()
        async for chunk in answer.content.iter_any():
            buffer += chunk
            while (frame := _take_frame(buffer, transport)) is not None:
                yield frame
    if buffer:
        raise Unavailable(f"{transport.url}{path} ends with {len(buffer)} bytes of one more")


def _take_frame(buffer: bytearray, transport: Transport) -> bytes | None:
    """Take the first frame out of a buffer; None if it is not all there yet."""
    if len(buffer) < LENGTH_BYTES:
        return None
    length = int.from_bytes(buffer[:LENGTH_BYTES], "big")
    if length > FRAME_BYTES_MAX:
        raise Unavailable(
            f"{transport.url} sends a frame of {length} bytes: no block is that large"
        )
    end = LENGTH_BYTES + length
    if len(buffer) < end:
        return None
    frame = bytes(buffer[LENGTH_BYTES:end])
    del buffer[:end]
    return frame
