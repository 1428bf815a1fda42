"""Asking CometBFT: JSON-RPC on the unix socket in the node's folder; no port is open for it.

Source: CometBFT v0.38, rpc/openapi/openapi.yaml; rpc/jsonrpc.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from hansa.engine.cometbft.rpc.answers import UNREADABLE, unreadable
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Unavailable

CALL_S = 15
"""Above the 10 s that `/broadcast_tx_sync` may take."""


class RpcError(Unavailable):
    """CometBFT answered with an error; `data` is what it says of it."""

    def __init__(self, method: str, data: str) -> None:
        super().__init__(f"CometBFT refuses {method}: {data}", method=method)
        self.data = data


class CometRpc:
    """A client of one CometBFT; made within a running event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(path), limit=0),
            timeout=aiohttp.ClientTimeout(total=CALL_S),
        )
        self._number = 0

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method; numbers go as text, as CometBFT wants its 64-bit ones.

        Raises:
          RpcError: it answers with an error.
          Unavailable: it does not answer: not yet, or no more; or not what it should.
        """
        self._number += 1
        asked = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": parameters}
        raw = msgspec.json.encode(asked)
        try:
            try:
                found = await self._post(raw)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                # CometBFT closed a connection that was idle for 10 s, just when it was used again.
                # Whatever is asked may be asked twice: what it knows already it says so.
                found = await self._post(raw)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(
                f"CometBFT does not answer {method} on {self._path} ({error!r}): is it starting?",
                method=method,
            ) from None
        try:
            answer = msgspec.json.decode(found)
        except DECODE_ERRORS as error:
            raise unreadable(method, tell_fault(error)) from None
        if not isinstance(answer, dict):
            raise unreadable(method, repr(answer))
        fault = answer.get("error")
        if isinstance(fault, dict):
            raise RpcError(method, str(fault.get("data") or fault.get("message")))
        result = answer.get("result")
        if result is None and fault is None:  # as it says of a block that it has just dropped
            raise Unavailable(f"CometBFT has nothing to answer to {method}", method=method)
        if not isinstance(result, dict):
            raise unreadable(method, repr(answer))
        return result

    async def _post(self, raw: bytes) -> bytes:
        if self._session.closed:  # meanwhile, as the node stops or has CometBFT start again
            raise aiohttp.ClientConnectionError("closed here")
        headers = {"Content-Type": "application/json"}
        async with self._session.post("http://cometbft/", data=raw, headers=headers) as response:
            return await response.read()

    async def broadcast(self, raw: bytes) -> dict[str, Any]:
        """Hand a transaction in; returns CheckTx's answer: `code`, `log`, `hash`.

        Raises:
          RpcError: it is known already, or the mempool is full.
          Unavailable: CometBFT does not answer.
        """
        return await self.call("broadcast_tx_sync", tx=base64.b64encode(raw).decode())

    async def read_height(self) -> int:
        """Read the height of the newest block that was committed."""
        status = await self.call("status")
        try:
            return int(status["sync_info"]["latest_block_height"])
        except UNREADABLE:
            raise unreadable("status", repr(status)) from None

    async def count_transactions(self, height: int) -> int:
        """Count the transactions of a block."""
        asked = {"minHeight": str(height), "maxHeight": str(height)}
        found = await self.call("blockchain", **asked)
        try:
            return sum(int(meta["num_txs"]) for meta in found["block_metas"] if meta is not None)
        except UNREADABLE:
            raise unreadable("blockchain", repr(found)) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
