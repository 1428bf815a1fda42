"""A node of the ledger, as an issuer needs it; none of what it says is believed unproved.

That a list was made, or hashes put on record, is the exception: the node through which that was
sent says so. Where credentials stand is proved.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, Protocol

from hansa.contracts.identity.status import StatusList
from hansa.identity.status.entries import Entries
from hansa.identity.verifier.registry import Registry
from hansa.kernel.contract import Command
from hansa.kernel.errors import Invalid, NotFound
from hansa.node.identity.issuer.settings import LedgerAccess
from hansa.node.identity.verifier.ledger import NodeRegistry
from hansa.sdk.answers import TransactionResult
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.build import SignedTransaction
from hansa.sdk.files import read_api_key_file
from hansa.sdk.identity.questions import EvidenceQuestion, ListQuestion
from hansa.sdk.keys import KeyPair


class FoundList(NamedTuple):
    """A status list on the ledger, as of a block."""

    height: int
    row: StatusList
    entries: Entries


class LedgerNode(Protocol):
    """Signs and sends transactions, and reads what an issuer has on the ledger."""

    @property
    def registry(self) -> Registry:
        """As verifiers ask it."""

    async def sign(self, command: Command) -> SignedTransaction:
        """Sign a transaction of one command.

        Raises:
          Invalid: the node is of another network, or its clock too far from this machine's.
          Unavailable: the node does not answer.
        """

    async def submit(self, envelope: bytes) -> TransactionResult:
        """Send a transaction; sending it again is answered by its first receipt.

        Raises:
          Invalid: the transaction itself is wrong, such as not valid any more.
          Unavailable: whether it is confirmed is not known.
        """

    async def find_result(self, tx_id: bytes) -> TransactionResult | None:
        """Find what became of a transaction; None if it is in no block; raises `Unavailable`."""

    async def find_list(self, issuer: bytes, number: int) -> tuple[int, FoundList | None]:
        """Find a list as of a height that is told; raises `Unavailable`, or `Invalid`."""

    async def list_anchored(
        self, issuer: bytes, digests: Sequence[bytes]
    ) -> tuple[int, frozenset[bytes]]:
        """List which hashes are on record as of a height; raises as `find_list`."""


class SdkNode:
    """A `LedgerNode` over the client of the SDK.

    Args:
      client: to the node; of one attempt, since whoever asks here repeats it.
      key: of the account that asserts for the issuer; None of one that only reads.
    """

    def __init__(self, client: AsyncClient, key: KeyPair | None) -> None:
        self._client = client
        self._key = key
        self.registry: Registry = NodeRegistry(client)

    async def sign(self, command: Command) -> SignedTransaction:
        """As `LedgerNode.sign`."""
        assert self._key is not None, "who only reads signs nothing"  # noqa: S101
        return await self._client.sign([self._key], [command])

    async def submit(self, envelope: bytes) -> TransactionResult:
        """As `LedgerNode.submit`."""
        try:
            return await self._client.submit(envelope)
        except Invalid as error:
            if error.facts.get("status") == HTTPStatus.UNAUTHORIZED:
                error.message += " (here: api_key_file of [ledger] in the settings)"
            raise

    async def find_result(self, tx_id: bytes) -> TransactionResult | None:
        """As `LedgerNode.find_result`."""
        try:
            return (await self._client.get_transaction(tx_id)).result
        except NotFound:
            return None

    async def find_list(self, issuer: bytes, number: int) -> tuple[int, FoundList | None]:
        """As `LedgerNode.find_list`."""
        proven = await self._client.identity.ask(ListQuestion(issuer, number))
        height, row = proven.header.height, proven.answer.row
        if row is None:
            return height, None
        return height, FoundList(height, row, Entries(row.bits, proven.answer.content))

    async def list_anchored(
        self, issuer: bytes, digests: Sequence[bytes]
    ) -> tuple[int, frozenset[bytes]]:
        """As `LedgerNode.list_anchored`."""
        asked = [EvidenceQuestion(issuer, digest) for digest in digests]
        found = await self._client.identity.ask_many(asked)
        height = min((each.header.height for each in found), default=0)
        return height, frozenset(
            question.evidence_hash
            for question, each in zip(asked, found, strict=True)
            if each.answer.evidence is not None
        )


@asynccontextmanager
async def opened_node(
    folder: Path, access: LedgerAccess, key: KeyPair | None
) -> AsyncIterator[SdkNode]:
    """Open a client to the node that the settings name.

    Raises:
      NotFound: the file of the API key is missing.
      Invalid: it holds none.
    """
    api_key = read_api_key_file(folder / access.api_key_file) if access.api_key_file else None
    async with AsyncClient(access.node, access.genesis, api_key=api_key, attempts=1) as client:
        yield SdkNode(client, key)
