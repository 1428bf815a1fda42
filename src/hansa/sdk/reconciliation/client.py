"""Reconciliation as it stands on the ledger, for parties and who may read all of it.

window = await client.reconciliation.get_window(agreement, 3)
proven = await client.reconciliation.ask(WindowQuestion(agreement, 3))
proven.answer.result, proven.header.height
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

from hansa.kernel.genesis import Network
from hansa.sdk import answers
from hansa.sdk.answers import read
from hansa.sdk.checks import NewestCheckpoint
from hansa.sdk.identity.client import AsyncQuestions, Questions
from hansa.sdk.messages import Run
from hansa.sdk.reconciliation.answers import (
    Agreement,
    Agreements,
    Case,
    Cases,
    Position,
    TagCount,
    Window,
)
from hansa.sdk.transport import Transport

A = TypeVar("A", bound=answers.Answer)

ROOT = "/v1/reconciliation"


class AsyncReconciliation(AsyncQuestions):
    """What the ledger has of agreements; needs a key of a party, or of who may read all.

    What `get_…` and `list_…` return the node tells; `ask` has it proved, by questions of
    `hansa.sdk.reconciliation.questions`. All of an agreement is `NotFound` to others.

    Args:
      transport: of the client.
      get_network: gets the network meant, by whose genesis proofs are verified.
      proven: the newest checkpoint that this node has proved.
      check_network: refuses a node of another network.
    """

    def __init__(
        self,
        transport: Transport,
        get_network: Callable[[], Awaitable[Network]],
        proven: NewestCheckpoint,
        check_network: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(transport, get_network, proven, f"{ROOT}/proofs")
        self._check_network = check_network

    async def list_agreements(self) -> list[Agreement]:
        """List the agreements of the caller's institution; all, to who may read all."""
        return (await self._get(Agreements, f"{ROOT}/agreements")).agreements

    async def get_agreement(self, agreement: bytes) -> Agreement:
        """Get an agreement with how far its parties are."""
        return await self._get(Agreement, _build(agreement))

    async def get_window(self, agreement: bytes, window: int) -> Window:
        """Get a window in figures; `NotFound` if nothing of it is on record."""
        return await self._get(Window, _build(agreement, "windows", window))

    async def get_tag(self, agreement: bytes, window: int, tag: bytes) -> TagCount:
        """Get what both parties posted under a tag of 16 bytes; `NotFound` if neither did."""
        return await self._get(TagCount, _build(agreement, "windows", window, "tags", tag.hex()))

    async def list_cases(self, agreement: bytes) -> list[Case]:
        """List the cases of an agreement."""
        return (await self._get(Cases, _build(agreement, "cases"))).cases

    async def get_case(self, agreement: bytes, case_id: bytes) -> Case:
        """Get where a case stands."""
        return await self._get(Case, _build(agreement, "cases", case_id.hex()))

    async def get_position(self, agreement: bytes, window: int, asset: str) -> Position:
        """Get a net position; its amount once it is settled."""
        return await self._get(Position, _build(agreement, "positions", window, asset))

    async def _get(self, kind: type[A], path: str) -> A:
        await self._check_network()
        return read(kind, await self._transport.get_json(path), self._transport.url)


class Reconciliation(Questions):
    """As `AsyncReconciliation`, without `await`."""

    def __init__(self, reconciliation: AsyncReconciliation, run: Run) -> None:
        super().__init__(reconciliation, run)
        self._reconciliation = reconciliation

    def list_agreements(self) -> list[Agreement]:
        """As `AsyncReconciliation.list_agreements`."""
        return self._run(self._reconciliation.list_agreements())

    def get_agreement(self, agreement: bytes) -> Agreement:
        """As `AsyncReconciliation.get_agreement`."""
        return self._run(self._reconciliation.get_agreement(agreement))

    def get_window(self, agreement: bytes, window: int) -> Window:
        """As `AsyncReconciliation.get_window`."""
        return self._run(self._reconciliation.get_window(agreement, window))

    def get_tag(self, agreement: bytes, window: int, tag: bytes) -> TagCount:
        """As `AsyncReconciliation.get_tag`."""
        return self._run(self._reconciliation.get_tag(agreement, window, tag))

    def list_cases(self, agreement: bytes) -> list[Case]:
        """As `AsyncReconciliation.list_cases`."""
        return self._run(self._reconciliation.list_cases(agreement))

    def get_case(self, agreement: bytes, case_id: bytes) -> Case:
        """As `AsyncReconciliation.get_case`."""
        return self._run(self._reconciliation.get_case(agreement, case_id))

    def get_position(self, agreement: bytes, window: int, asset: str) -> Position:
        """As `AsyncReconciliation.get_position`."""
        return self._run(self._reconciliation.get_position(agreement, window, asset))


def _build(agreement: bytes, *names: str | int) -> str:
    """Build a path under an agreement."""
    parts = (quote(str(each), safe="") for each in names)
    return "/".join([f"{ROOT}/agreements", agreement.hex(), *parts])
