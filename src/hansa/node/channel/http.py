"""The courier's way by HTTP: one POST a message, bounded in time and in what is read."""

from __future__ import annotations

import json
import ssl

import aiohttp

from hansa.kernel.errors import HansaError, Unavailable
from hansa.node.channel.format import ACKNOWLEDGEMENT_BYTES_MAX
from hansa.sdk.problems import read_problem, read_text

ROUTE = "/v1/channel"
MEDIA_TYPE = "application/msgpack"
TIMEOUT_S = 30.0
CONNECT_S = 10.0
PROBLEM_BYTES_MAX = 1 << 14


class HttpCarrier:
    """Brings messages to the API of other nodes; follows no redirect.

    Args:
      tls: whom to believe about nodes with `https://`; the system's authorities if None.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def carry(self, url: str, message: bytes) -> bytes:
        """As `hansa.node.channel.courier.Carrier.carry`."""
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=True if self._tls is None else self._tls)
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        try:
            async with self._session.post(
                url + ROUTE,
                data=message,
                headers={"Content-Type": MEDIA_TYPE},
                allow_redirects=False,
            ) as answer:
                if answer.status == 200:  # noqa: PLR2004 - OK
                    return await _read(answer, ACKNOWLEDGEMENT_BYTES_MAX)
                raise _read_refusal(answer.status, await _read(answer, PROBLEM_BYTES_MAX))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable(
                f"cannot reach the node at {url}: {str(error) or type(error).__name__}", url=url
            ) from None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _read(answer: aiohttp.ClientResponse, size_max: int) -> bytes:
    raw = b""
    while chunk := await answer.content.readany():
        raw += chunk
        if len(raw) > size_max:
            raise Unavailable(f"{answer.url} answers more than {size_max} bytes")
    return raw


def _read_refusal(status: int, raw: bytes) -> HansaError:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return Unavailable(f"the node answers {status}, and not as one of Hansa does")
    error = read_problem(status, found)
    title = read_text(found, "title") or status
    error.message = f"the recipient's node answers {title}: {error.message}"
    return error
