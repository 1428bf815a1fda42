"""The client for plain code: the calls of `AsyncClient`, without `await`.

with Client("http://127.0.0.1:8460") as client:
    client.send([key], [payments.Transfer(...)]).require_ok()
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from hansa.kernel.contract import Command
from hansa.kernel.errors import HansaError
from hansa.kernel.genesis import Network
from hansa.kernel.receipt_file import VerifiedReceipt
from hansa.kernel.rows import Row
from hansa.sdk import answers
from hansa.sdk.answers import TransactionResult
from hansa.sdk.async_client import ATTEMPTS, AsyncClient
from hansa.sdk.build import VALIDITY_MS, SignedTransaction
from hansa.sdk.checks import BatchAnswer
from hansa.sdk.consensus import Consensus
from hansa.sdk.identity.client import Identity
from hansa.sdk.keys import KeyPair
from hansa.sdk.messages import Messages
from hansa.sdk.proofs import ProvenRow
from hansa.sdk.reconciliation.client import Reconciliation
from hansa.sdk.reconciliation.pairs import PairsClient
from hansa.sdk.risk.client import Risk
from hansa.sdk.transport import TlsFiles

T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own, so that connections stay open between calls."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self, call: Coroutine[Any, Any, None]) -> None:
        self.run(call)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Client:
    """Talks to one node from plain code; its connections stay open until it is closed.

    The arguments are those of `AsyncClient`; use it in a `with` block, or call `close`. One that
    is forgotten closes itself. May be shared by threads.
    """

    def __init__(
        self,
        url: str,
        genesis_hash: bytes | str | None = None,
        *,
        api_key: str | None = None,
        tls: TlsFiles | None = None,
        attempts: int = ATTEMPTS,
        believes_clock: bool = False,
    ) -> None:
        self._client = AsyncClient(
            url,
            genesis_hash,
            api_key=api_key,
            tls=tls,
            attempts=attempts,
            believes_clock=believes_clock,
        )
        self._loop = _Loop()
        self.messages = Messages(self._client.messages, self._loop.run)
        self.identity = Identity(self._client.identity, self._loop.run)
        self.reconciliation = Reconciliation(self._client.reconciliation, self._loop.run)
        self.risk = Risk(self._client.risk, self._loop.run)
        self.pairs = PairsClient(self._client.pairs, self._loop.run)
        self._finalizer = weakref.finalize(self, _stop, self._loop, self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, for good; once is enough."""
        self._finalizer()

    def get_network(self) -> Network:
        """As `AsyncClient.get_network`."""
        return self._loop.run(self._client.get_network())

    def get_status(self) -> answers.Status:
        """As `AsyncClient.get_status`."""
        return self._loop.run(self._client.get_status())

    def get_consensus(self) -> Consensus:
        """As `AsyncClient.get_consensus`."""
        return self._loop.run(self._client.get_consensus())

    def get_block(self, height: int) -> answers.Block:
        """As `AsyncClient.get_block`."""
        return self._loop.run(self._client.get_block(height))

    def get_wallet(self, address: bytes) -> answers.Wallet:
        """As `AsyncClient.get_wallet`."""
        return self._loop.run(self._client.get_wallet(address))

    def get_transaction(self, tx_id: bytes) -> answers.Transaction:
        """As `AsyncClient.get_transaction`."""
        return self._loop.run(self._client.get_transaction(tx_id))

    def list_members(self) -> list[answers.Member]:
        """As `AsyncClient.list_members`."""
        return self._loop.run(self._client.list_members())

    def list_assets(self) -> list[answers.Asset]:
        """As `AsyncClient.list_assets`."""
        return self._loop.run(self._client.list_assets())

    def list_policy(self) -> list[answers.PolicyValue]:
        """As `AsyncClient.list_policy`."""
        return self._loop.run(self._client.list_policy())

    def list_proposals(self) -> list[answers.Proposal]:
        """As `AsyncClient.list_proposals`."""
        return self._loop.run(self._client.list_proposals())

    def get_proposal(self, number: int) -> answers.Proposal:
        """As `AsyncClient.get_proposal`."""
        return self._loop.run(self._client.get_proposal(number))

    def get(self, path: str) -> dict[str, Any]:
        """As `AsyncClient.get`."""
        return self._loop.run(self._client.get(path))

    def get_valid_until(self, validity_ms: int = VALIDITY_MS) -> int:
        """As `AsyncClient.get_valid_until`."""
        return self._loop.run(self._client.get_valid_until(validity_ms))

    def sign(
        self, keys: Sequence[KeyPair], commands: Sequence[Command], validity_ms: int = VALIDITY_MS
    ) -> SignedTransaction:
        """As `AsyncClient.sign`."""
        return self._loop.run(self._client.sign(keys, commands, validity_ms))

    def send(
        self, keys: Sequence[KeyPair], commands: Sequence[Command], validity_ms: int = VALIDITY_MS
    ) -> TransactionResult:
        """As `AsyncClient.send`."""
        return self._loop.run(self._client.send(keys, commands, validity_ms))

    def submit(
        self, envelope: bytes, attestation: bytes | None = None, device: str = ""
    ) -> TransactionResult:
        """As `AsyncClient.submit`."""
        return self._loop.run(self._client.submit(envelope, attestation, device))

    def submit_many(self, envelopes: Sequence[bytes]) -> list[TransactionResult | HansaError]:
        """As `AsyncClient.submit_many`."""
        return self._loop.run(self._client.submit_many(envelopes))

    def submit_batch(self, raw: bytes) -> list[BatchAnswer]:
        """As `AsyncClient.submit_batch`."""
        return self._loop.run(self._client.submit_batch(raw))

    def wait_for(self, tx_id: bytes, timeout_s: float = 30.0) -> answers.Transaction:
        """As `AsyncClient.wait_for`."""
        return self._loop.run(self._client.wait_for(tx_id, timeout_s))

    def fetch_receipt(self, tx_id: bytes) -> bytes:
        """As `AsyncClient.fetch_receipt`."""
        return self._loop.run(self._client.fetch_receipt(tx_id))

    def fetch_votes(self, height: int) -> bytes:
        """As `AsyncClient.fetch_votes`."""
        return self._loop.run(self._client.fetch_votes(height))

    def get_receipt(self, tx_id: bytes) -> VerifiedReceipt:
        """As `AsyncClient.get_receipt`."""
        return self._loop.run(self._client.get_receipt(tx_id))

    def prove_row(self, table: str, *key: bytes | str) -> ProvenRow[Row]:
        """As `AsyncClient.prove_row`."""
        return self._loop.run(self._client.prove_row(table, *key))

    def stream_blocks(self, from_height: int | None = None) -> Iterator[answers.BlockEvent]:
        """As `AsyncClient.stream_blocks`; leave the loop to end it."""
        return self._iterate(self._client.stream_blocks(from_height))

    def stream_records(self, from_height: int = 0, to_height: int | None = None) -> Iterator[bytes]:
        """As `AsyncClient.stream_records`."""
        return self._iterate(self._client.stream_records(from_height, to_height))

    def stream_base(self) -> Generator[bytes, None, None]:
        """As `AsyncClient.stream_base`; to be closed where it is not read to its end."""
        return self._iterate(self._client.stream_base())

    def _iterate(self, items: AsyncIterator[T]) -> Generator[T, None, None]:
        try:
            while (item := self._loop.run(_next(items))) is not None:
                yield item
        finally:
            self._loop.run(_close(items))


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)


async def _close(items: AsyncIterator[T]) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()


def _stop(loop: _Loop, client: AsyncClient) -> None:
    loop.stop(client.close())
