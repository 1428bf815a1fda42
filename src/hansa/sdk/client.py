"""Clients of a node's HTTP API: asynchronous, and the same calls for plain code.

client = Client("http://127.0.0.1:8460")
answer = client.send([key], [payments.Transfer(...)])
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.sdk.build import VALIDITY_MS, sign_transaction
from hansa.sdk.keys import KeyPair

TIMEOUT_S = 30
OK = 200
GOOD = (200, 202)
CONFLICT = (403, 409)
SLOW_DOWN = (408, 429)
NOT_FOUND = 404
UNAVAILABLE = 500

T = TypeVar("T")


class AsyncClient:
    """Talks to one node; use as an asynchronous context manager.

    Args:
      url: of the node, without a path.
      genesis_hash: of the network meant; a node of another one is refused. Without it the first
        answer is believed.
    """

    def __init__(self, url: str, genesis_hash: bytes | None = None) -> None:
        self._url = url.rstrip("/")
        self._genesis_hash = genesis_hash
        self._network: Network | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get_network(self) -> Network:
        """Get the network, for which everything is signed.

        Raises:
          Invalid: the node is of another network than the one meant.
        """
        if self._network is None:
            network = Network.of(decode_genesis(await self._get_bytes("/v1/genesis")))
            if self._genesis_hash not in (None, network.genesis_hash):
                raise Invalid(
                    InvalidCode.MALFORMED,
                    f"{self._url} is a node of another network: {network.genesis_hash.hex()}",
                )
            self._network = network
        return self._network

    async def get_status(self) -> dict[str, Any]:
        """Get the node's head: height, ledger time, state root."""
        return await self._ask("GET", "/v1/status")

    async def get_wallet(self, address: bytes) -> dict[str, Any]:
        """Get a wallet with its balances."""
        return await self._ask("GET", f"/v1/wallets/{to_text(address)}")

    async def get_transaction(self, tx_id: bytes) -> dict[str, Any]:
        """Get a transaction with its receipt."""
        return await self._ask("GET", f"/v1/transactions/{tx_id.hex()}")

    async def send(
        self, keys: Sequence[KeyPair], commands: Sequence[Command], validity_ms: int = VALIDITY_MS
    ) -> dict[str, Any]:
        """Sign and send a transaction; returns once it is confirmed, or was refused.

        The answer has `tx_id`, `status` (`OK`, `REFUSED`, `FAILED`, or `PENDING` if the node did
        not wait for it), `code`, and unless it is pending `height` and `index`.

        Raises:
          Invalid: the node says that the transaction itself is wrong.
          Unavailable: the node cannot be reached or is busy; sending the same again is safe.
        """
        network, status = await self.get_network(), await self.get_status()
        until = max(int(status["time_ms"]), int(status["clock_ms"])) + validity_ms
        envelope = sign_transaction(network, keys, commands, until).envelope
        body = {"envelope": base64.b64encode(envelope).decode()}
        return await self._ask("POST", "/v1/transactions", body)

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            async with self._require_session().request(
                method, self._url + path, json=body
            ) as answer:
                found: dict[str, Any] = await answer.json(content_type=None)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._unreachable(error) from None
        if status in GOOD:
            return found
        if status in CONFLICT and "receipt" in found:
            receipt: dict[str, Any] = found["receipt"]
            return receipt
        raise _read_problem(status, found)

    async def _get_bytes(self, path: str) -> bytes:
        try:
            async with self._require_session().get(self._url + path) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from None
        if answer.status != OK:
            raise Unavailable(f"{self._url}{path} answered {answer.status}")
        return raw

    def _require_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise Unavailable("the client is not open: use it in an `async with` block")
        return self._session

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"cannot talk to a node at {self._url}: {str(error) or type(error).__name__}; "
            "is it running? Another address is given with --node"
        )


class Client:
    """The same for plain code: each call opens and closes its connection."""

    def __init__(self, url: str, genesis_hash: bytes | None = None) -> None:
        self._url = url
        self._genesis_hash = genesis_hash

    def get_status(self) -> dict[str, Any]:
        """As `AsyncClient.get_status`."""
        return self._run(lambda client: client.get_status())

    def get_wallet(self, address: bytes) -> dict[str, Any]:
        """As `AsyncClient.get_wallet`."""
        return self._run(lambda client: client.get_wallet(address))

    def get_transaction(self, tx_id: bytes) -> dict[str, Any]:
        """As `AsyncClient.get_transaction`."""
        return self._run(lambda client: client.get_transaction(tx_id))

    def send(self, keys: Sequence[KeyPair], commands: Sequence[Command]) -> dict[str, Any]:
        """As `AsyncClient.send`."""
        return self._run(lambda client: client.send(keys, commands))

    def _run(self, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
        async def run() -> T:
            async with AsyncClient(self._url, self._genesis_hash) as client:
                return await call(client)

        return asyncio.run(run())


def _read_problem(status: int, found: dict[str, Any]) -> Invalid | NotFound | Unavailable:
    """Read a problem document back into the error that the node raised."""
    code, detail = str(found.get("title", "")), str(found.get("detail", "no detail"))
    if status == NOT_FOUND:
        return NotFound(detail)
    if status >= UNAVAILABLE or status in SLOW_DOWN:
        return Unavailable(detail)
    known = code in set(InvalidCode)
    return Invalid(InvalidCode(code) if known else InvalidCode.MALFORMED, detail)
