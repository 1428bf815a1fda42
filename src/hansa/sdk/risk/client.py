"""Risk control as it stands on the ledger, for anyone.

operator = await client.risk.get_operator(address)
rows = await client.risk.prove([BasisQuestion(address, model, position)])
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hansa.kernel.crypto.address import to_text
from hansa.kernel.genesis import Network
from hansa.sdk.answers import read
from hansa.sdk.checks import NewestCheckpoint
from hansa.sdk.identity.client import AsyncQuestions, Questions
from hansa.sdk.messages import Run
from hansa.sdk.risk.answers import Operator
from hansa.sdk.transport import Transport

ROOT = "/v1/risk"


class AsyncRisk(AsyncQuestions):
    """What operators decide by, and by which models.

    What `get_operator` returns the node tells; `ask` has it proved, and `prove` gets the rows
    against which a decision is opened.

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

    async def get_operator(self, operator: bytes) -> Operator:
        """Get what an operator decides by, with its models; `NotFound` if it is no member."""
        await self._check_network()
        raw = await self._transport.get_json(f"{ROOT}/operators/{to_text(operator)}")
        return read(Operator, raw, self._transport.url)


class Risk(Questions):
    """As `AsyncRisk`, without `await`."""

    def __init__(self, risk: AsyncRisk, run: Run) -> None:
        super().__init__(risk, run)
        self._risk = risk

    def get_operator(self, operator: bytes) -> Operator:
        """As `AsyncRisk.get_operator`."""
        return self._run(self._risk.get_operator(operator))
