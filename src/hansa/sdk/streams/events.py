"""Server-sent events: blocks as they are confirmed, taken up again where the stream broke."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from hansa.kernel.errors import Unavailable
from hansa.sdk.transport import Transport

ATTEMPTS = 8
FIRST_WAIT_S = 0.2
LAST_WAIT_S = 5.0
LINE_BYTES_MAX = 1 << 24
ID_DIGITS_MAX = 16
BLOCK_BYTES_MAX = 1 << 28
"""Of all events of a block: some times as much as its batches, which have 16 MiB."""


async def iterate_events(
    transport: Transport, from_height: int | None
) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """Yield (height, data) of each block; goes on behind the last one after a lost connection.

    Under `transactions` the data holds the events of the block's transactions that the caller
    may read; a block that was cut off comes again whole.

    Raises:
      Unavailable: the node was away for all attempts in a row, or sends no events.
    """
    following = from_height
    failures, wait_s = 0, FIRST_WAIT_S
    while True:
        try:
            async for height, data in iterate_once(transport, following):
                yield height, data
                following = height + 1
                failures, wait_s = 0, FIRST_WAIT_S
        except Unavailable:
            failures += 1
            if failures == ATTEMPTS or following is None:
                raise
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, LAST_WAIT_S)


async def iterate_once(
    transport: Transport, from_height: int | None, block_bytes_max: int = BLOCK_BYTES_MAX
) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """Yield what one connection brings; ends with it.

    Raises:
      Unavailable: the node is not there, or sends something else than events, or more of them
        than `block_bytes_max` for one block.
    """
    query = "" if from_height is None else f"?from_height={from_height}"
    path = f"/v1/events{query}"
    headers = {"Accept": "text/event-stream"}
    async with transport.request("GET", path, headers=headers, is_stream=True) as answer:
        if answer.content_type != "text/event-stream":
            raise Unavailable(f"{transport.url} answers {answer.content_type}, not events")
        fields: dict[str, str] = {}
        transactions: list[dict[str, Any]] = []  # come before the block that they are in
        size = 0
        async for line in _iterate_lines(answer.content):
            size += len(line)
            if size > block_bytes_max:
                raise Unavailable(f"{transport.url} sends over {block_bytes_max} bytes of a block")
            if not line:
                kind = fields.get("event") if "data" in fields else None
                if kind == "transaction":
                    transactions.append(_read_data(transport, fields))
                elif kind == "block":
                    height, data = _read_block(transport, fields)
                    yield height, {**data, "transactions": transactions}
                    transactions, size = [], 0
                fields = {}
                continue
            name, _, value = line.partition(":")
            if name in ("id", "event", "data"):
                fields[name] = value.removeprefix(" ")


async def _iterate_lines(content: aiohttp.StreamReader) -> AsyncIterator[str]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise Unavailable(f"an event has more than {LINE_BYTES_MAX} bytes")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def _read_block(transport: Transport, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    text = fields.get("id", "")
    if not text.isascii() or not text.isdigit() or len(text) > ID_DIGITS_MAX:
        raise Unavailable(f"{transport.url} sends a block without its height")
    return int(text), _read_data(transport, fields)


def _read_data(transport: Transport, fields: dict[str, str]) -> dict[str, Any]:
    try:
        data = json.loads(fields["data"])
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Unavailable(f"{transport.url} sends an event that is no object of JSON")
    return data
