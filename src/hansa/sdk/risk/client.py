"""Risk control: as it stands on the ledger, for anyone; one's own node's, for its officers.

operator = await client.risk.get_operator(address)
rows = await client.risk.prove([BasisQuestion(address, model, position)])
for each in (await client.risk.list_waiting()).transactions:
    await client.risk.answer(bytes.fromhex(each.tx_id), "released", by="Ms Lei")
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from hansa.kernel.crypto.address import to_text
from hansa.kernel.genesis import Network
from hansa.sdk.answers import Answer, read
from hansa.sdk.checks import NewestCheckpoint
from hansa.sdk.identity.client import AsyncQuestions, Questions
from hansa.sdk.messages import Repeat, Run
from hansa.sdk.risk.answers import Operator
from hansa.sdk.risk.desk_answers import (
    AnswerName,
    GivenAnswer,
    HeldPage,
    HitPage,
    Labelled,
    RiskDecision,
    RiskStanding,
)
from hansa.sdk.transport import Transport

A = TypeVar("A", bound=Answer)

ROOT = "/v1/risk"
PAGE = 50
PLACE_MAX = 2**53
POLICY_BYTES_MAX = 1 << 27
MODEL_BYTES_MAX = 1 << 28


class AsyncRisk(AsyncQuestions):
    """What operators decide by, and by which models; and what one's own node decided.

    What `get_operator` returns the node tells; `ask` has it proved, and `prove` gets the rows
    against which a decision is opened. All else needs an API key of the institution whose node it
    is: it raises `Invalid` where the node does not know who asks, `Refused` where the key is of
    another institution or the node does not decide.

    Args:
      transport: of the client.
      get_network: gets the network meant, by whose genesis proofs are verified.
      proven: the newest checkpoint that this node has proved.
      check_network: refuses a node of another network.
      repeat: calls again while the node is unavailable.
    """

    def __init__(
        self,
        transport: Transport,
        get_network: Callable[[], Awaitable[Network]],
        proven: NewestCheckpoint,
        check_network: Callable[[], Awaitable[None]],
        repeat: Repeat,
    ) -> None:
        super().__init__(transport, get_network, proven, f"{ROOT}/proofs")
        self._check_network = check_network
        self._repeat = repeat

    async def get_operator(self, operator: bytes) -> Operator:
        """Get what an operator decides by, with its models; `NotFound` if it is no member."""
        return await self._get(Operator, f"operators/{to_text(operator)}")

    async def get_standing(self) -> RiskStanding:
        """Get by what one's own node decides at present."""
        return await self._get(RiskStanding, "standing")

    async def list_waiting(self, after: int = 0, limit: int = PAGE) -> HeldPage:
        """List what waits and may be answered now, the oldest first; `limit` is 100 at most."""
        return await self._get(HeldPage, f"waiting?after={after}&limit={limit}")

    async def list_held(self, before: int = PLACE_MAX, limit: int = PAGE) -> HeldPage:
        """List what waits or waited, the newest first; `limit` is 100 at most."""
        return await self._get(HeldPage, f"held?before={before}&limit={limit}")

    async def list_hits(self, after: int = 0, limit: int = PAGE) -> HitPage:
        """List customers whose names are hits of sanctions lists; `limit` is 100 at most."""
        return await self._get(HitPage, f"hits?after={after}&limit={limit}")

    async def answer(self, tx_id: bytes, answer: AnswerName, by: str | None = None) -> GivenAnswer:
        """Answer for a transaction that waits: it goes on if it is let through.

        The same again changes nothing, so it is sent again while the node is unavailable.

        Args:
          tx_id: of the transaction.
          answer: `confirmed` by its customer, `released` or `refused` by an officer.
          by: who, at most 100 characters; kept behind name and id of the API key.

        Raises:
          Refused: `api.FORBIDDEN`: the key was made for another's answers.
          NotFound: no such transaction waits.
          Invalid: it waits for somebody else, or its time is over.
        """
        body = {"answer": answer} | ({} if by is None else {"by": by})
        return await self._repeat(lambda: self._post(GivenAnswer, f"waiting/{tx_id.hex()}", body))

    async def get_decision(self, tx_id: bytes) -> RiskDecision:
        """Get all that is kept of a decision; raises `NotFound`."""
        return await self._get(RiskDecision, f"decisions/{tx_id.hex()}")

    async def label(self, tx_id: bytes, *, is_fraud: bool) -> Labelled:
        """Tell what a transaction turned out to be; raises `NotFound`.

        Each telling is taken in, so it is sent once: where there is no answer, look at the
        standing's count of events.
        """
        return await self._post(Labelled, "labels", {"tx_id": tx_id.hex(), "is_fraud": is_fraud})

    async def reload(self) -> RiskStanding:
        """Have the node decide by its files as they are now.

        Raises:
          Invalid: one is wrong; what decided before decides on.
        """
        return await self._repeat(lambda: self._post(RiskStanding, "reload", {}))

    async def fetch_policy(self, policy: bytes) -> bytes:
        """Fetch the files of a policy that decided, encoded together; raises `NotFound`."""
        return await self._fetch(f"policies/{policy.hex()}", POLICY_BYTES_MAX)

    async def fetch_model(self, model: bytes) -> bytes:
        """Fetch a model file that the node keeps; raises `NotFound`."""
        return await self._fetch(f"models/{model.hex()}", MODEL_BYTES_MAX)

    async def _get(self, kind: type[A], path: str) -> A:
        await self._check_network()
        raw = await self._transport.get_json(f"{ROOT}/{path}")
        return read(kind, raw, self._transport.url)

    async def _post(self, kind: type[A], path: str, body: object) -> A:
        await self._check_network()
        _, found = await self._transport.post(f"{ROOT}/{path}", body)
        return read(kind, found, self._transport.url)

    async def _fetch(self, path: str, bytes_max: int) -> bytes:
        await self._check_network()
        return await self._transport.get_bytes(f"{ROOT}/{path}", bytes_max)


class Risk(Questions):
    """As `AsyncRisk`, without `await`."""

    def __init__(self, risk: AsyncRisk, run: Run) -> None:
        super().__init__(risk, run)
        self._risk = risk

    def get_operator(self, operator: bytes) -> Operator:
        """As `AsyncRisk.get_operator`."""
        return self._run(self._risk.get_operator(operator))

    def get_standing(self) -> RiskStanding:
        """As `AsyncRisk.get_standing`."""
        return self._run(self._risk.get_standing())

    def list_waiting(self, after: int = 0, limit: int = PAGE) -> HeldPage:
        """As `AsyncRisk.list_waiting`."""
        return self._run(self._risk.list_waiting(after, limit))

    def list_held(self, before: int = PLACE_MAX, limit: int = PAGE) -> HeldPage:
        """As `AsyncRisk.list_held`."""
        return self._run(self._risk.list_held(before, limit))

    def list_hits(self, after: int = 0, limit: int = PAGE) -> HitPage:
        """As `AsyncRisk.list_hits`."""
        return self._run(self._risk.list_hits(after, limit))

    def answer(self, tx_id: bytes, answer: AnswerName, by: str | None = None) -> GivenAnswer:
        """As `AsyncRisk.answer`."""
        return self._run(self._risk.answer(tx_id, answer, by))

    def get_decision(self, tx_id: bytes) -> RiskDecision:
        """As `AsyncRisk.get_decision`."""
        return self._run(self._risk.get_decision(tx_id))

    def label(self, tx_id: bytes, *, is_fraud: bool) -> Labelled:
        """As `AsyncRisk.label`."""
        return self._run(self._risk.label(tx_id, is_fraud=is_fraud))

    def reload(self) -> RiskStanding:
        """As `AsyncRisk.reload`."""
        return self._run(self._risk.reload())

    def fetch_policy(self, policy: bytes) -> bytes:
        """As `AsyncRisk.fetch_policy`."""
        return self._run(self._risk.fetch_policy(policy))

    def fetch_model(self, model: bytes) -> bytes:
        """As `AsyncRisk.fetch_model`."""
        return self._run(self._risk.fetch_model(model))
