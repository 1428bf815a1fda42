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
LINE_BYTES_MAX = 1 << 20


async def iterate_events(
    transport: Transport, from_height: int | None
) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """Yield (height, data) of each block; goes on behind the last one after a lost connection.

    Raises:
      Unavailable: the node was away for all attempts in a row, or sends no events.
    """
    following = from_height
    failures, wait_s = 0, FIRST_WAIT_S
    while True:
        try:
            async for height, data in _iterate_once(transport, following):
                yield height, data
                following = height + 1
                failures, wait_s = 0, FIRST_WAIT_S
        except Unavailable:
            failures += 1
            if failures == ATTEMPTS or following is None:
                raise
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, LAST_WAIT_S)


async def _iterate_once(
    transport: Transport, from_height: int | None
) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    query = "" if from_height is None else f"?from_height={from_height}"
    path = f"/v1/events{query}"
    headers = {"Accept": "text/event-stream"}
    async with transport.request("GET", path, headers=headers, is_stream=True) as answer:
        if answer.content_type != "text/event-stream":
            raise Unavailable(f"{transport.url} answers {answer.content_type}, not events")
        fields: dict[str, str] = {}
        async for line in _iterate_lines(answer.content):
            if not line:
                if fields.get("event", "block") == "block" and "data" in fields:
                    yield _read_event(transport, fields)
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


def _read_event(transport: Transport, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    try:
        data = json.loads(fields["data"])
        height = int(fields.get("id", ""))
    except (ValueError, RecursionError):
        data, height = None, -1
    if not isinstance(data, dict) or height < 0:
        raise Unavailable(f"{transport.url} sends an event that is no block")
    return height, data
