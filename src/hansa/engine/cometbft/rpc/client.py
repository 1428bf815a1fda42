"""Asking CometBFT: JSON-RPC on the unix socket in the node's folder; no port is open for it.

Batches go as a form, which CometBFT reads once; it would read JSON of their size several times.

Source: CometBFT v0.38, rpc/openapi/openapi.yaml; rpc/jsonrpc, http_uri_handler.go for forms.
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

FORM_BYTES_MAX = 10 << 20
"""Of a longer form Go's library reads nothing, and CometBFT takes what it holds for empty."""
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
CALL_S = 15
"""Above the 10 s that `/broadcast_tx_sync` may take."""


class RpcError(Unavailable):
    """CometBFT answered with an error; `data` is what it says of it."""

    def __init__(self, method: str, data: str) -> None:
        super().__init__(f"CometBFT refuses {method}: {data}", method=method)
        self.data = data


class CometRpc:
    """A client of one CometBFT; made within a running event loop."""

    form_bytes_max = FORM_BYTES_MAX

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
        return await self._ask(method, "", msgspec.json.encode(asked), _JSON)

    async def broadcast(self, raw: bytes) -> dict[str, Any]:
        """Hand a transaction in; returns CheckTx's answer: `code`, `log`, `hash`.

        Raises:
          RpcError: it is known already, or the mempool is full.
          Unavailable: CometBFT does not answer.
        """
        method = "broadcast_tx_sync"
        form = f"tx=0x{raw.hex()}".encode()
        if len(form) > self.form_bytes_max:
            return await self.call(method, tx=base64.b64encode(raw).decode())
        return await self._ask(method, method, form, _FORM)

    async def _ask(self, method: str, path: str, raw: bytes, kind: str) -> dict[str, Any]:
        """Post a question; returns the result that is in the answer."""
        try:
            try:
                found = await self._post(path, raw, kind)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                # CometBFT closed a connection that was idle for 10 s, just when it was used again.
                # Whatever is asked may be asked twice: what it knows already it says so.
                found = await self._post(path, raw, kind)
        except (aiohttp.ClientError, TimeoutError) as error:
            why = "in time" if isinstance(error, TimeoutError) else f"({error})"
            raise Unavailable(
                f"CometBFT does not answer {method} on {self._path} {why}: is it starting?",
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

    async def _post(self, path: str, raw: bytes, kind: str) -> bytes:
        if self._session.closed:  # meanwhile, as the node stops or has CometBFT start again
            raise aiohttp.ClientConnectionError("closed here")
        url, headers = f"http://cometbft/{path}", {"Content-Type": kind}
        async with self._session.post(url, data=raw, headers=headers) as response:
            return await response.read()

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
