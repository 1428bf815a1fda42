"""The ledger of a node, as a pair's stream needs it: rows of the state, and one command at a time.

A transaction is noted before it is sent, and what became of it is found out before the next one:
so whatever is posted is posted once, after whichever step the process is killed. A process takes
no note off that knows what became of it: that would be one more write that the disk must confirm.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from hansa.engine.ordering import Answer
from hansa.kernel.block import decode_receipt
from hansa.kernel.contract import Command
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Refused, Unavailable
from hansa.kernel.rows import KeyPart, Row
from hansa.kernel.values import Hash, TimeMs
from hansa.node.api.codes import describe_refusal
from hansa.node.service import Node
from hansa.reconcile.stream.journal import Journal
from hansa.sdk.build import sign_transaction
from hansa.sdk.keys import KeyPair
from hansa.sdk.problems import find_code

R = TypeVar("R", bound=Row)

VALIDITY_MS = 60_000
SENDING = "sending"
"""Name of the record of the transaction that was sent last."""


class _Sending(Document, frozen=True, array_like=True):
    """A transaction that is sent."""

    envelope: bytes
    tx_id: Hash
    valid_until_ms: TimeMs


_decode = Decoder[_Sending](_Sending, "transaction that is under way").decode


class Signer(NamedTuple):
    """Signs for a bank what its node states: a key of its account, purpose ASSERT."""

    key: KeyPair
    clock_ms: Callable[[], int]
    entropy: Callable[[int], bytes] = os.urandom


class NodeLedger:
    """A `hansa.reconcile.stream.ledger.Ledger` over the node that one is part of."""

    def __init__(self, node: Node, signer: Signer, journal: Journal) -> None:
        self._node = node
        self._signer = signer
        self._journal = journal
        self._is_known = False
        """What became of the transaction that is noted."""

    async def find(self, row_type: type[R], keys: Sequence[tuple[KeyPart, ...]]) -> list[R | None]:
        """Find rows by their keys, as of the newest block."""
        load = self._node.chain.machine.state.load
        return [load(row_type, row_type.key(*key)) for key in keys]

    async def submit(self, command: Command) -> None:
        """Bring a command to the ledger, and return once it is confirmed.

        Raises:
          Refused: a rule says no.
          Invalid: the key may not sign, or the command itself is wrong.
          Unavailable: the node stops, or is not known to be done.
        """
        network = self._node.chain.network
        until_ms = max(self._signer.clock_ms(), self._node.chain.head.time_ms) + VALIDITY_MS
        signed = sign_transaction(
            network, [self._signer.key], [command], until_ms, self._signer.entropy
        )
        sending = _Sending(signed.envelope, signed.tx_id, until_ms)
        self._is_known = False
        self._journal.put(SENDING, encode(sending))
        answer = await self._node.desk.submit(signed.envelope)
        self._is_known = True
        _take(answer)

    async def find_out(self) -> None:
        """Find out what became of what was under way, as when the process ended.

        Raises:
          Unavailable: it cannot be told yet.
        """
        raw = None if self._is_known else self._journal.get(SENDING)
        if raw is not None:
            sending = _decode(raw)
            answer = await self._node.desk.submit(sending.envelope)
            if answer.error is not None and not self._is_settled(sending):
                raise Unavailable("what became of the last transaction is not known yet")
        self._is_known = True

    def _is_settled(self, sending: _Sending) -> bool:
        """Whether a transaction is in a block, or can be in none any more."""
        try:
            self._node.chain.find_position(sending.tx_id)
        except NotFound:
            return self._node.engine.passed_ms > sending.valid_until_ms
        return True


def _take(answer: Answer) -> None:
    """Raise what a transaction was refused for, if it was."""
    if answer.error is not None:
        if answer.error.code is InvalidCode.QUOTA:
            raise Unavailable(f"the ledger takes nothing more today: {answer.error.message}")
        raise Invalid(answer.error.code, answer.error.message)
    receipt = decode_receipt(answer.receipt)
    if receipt.code:
        code = find_code(receipt.code)
        refused = Refused(code)
        refused.message = f"the ledger refuses it ({code}): {describe_refusal(str(code))}"
        raise refused
