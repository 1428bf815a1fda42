"""Bringing what an issuer wants to the ledger, step by step, until it is confirmed.

A step ends with everything noted that the next one needs, so that it does not matter after which
of them the process is killed. Only one process at a time may take steps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum, StrEnum
from typing import NamedTuple, Protocol, TypeVar

from hansa.contracts.identity import evidence, status
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Refused, Unavailable
from hansa.node.api.codes import describe_refusal
from hansa.node.identity.issuer.ledger.node import LedgerNode
from hansa.node.identity.issuer.ledger.wants import Group, Matter, Submission, Wants
from hansa.sdk.answers import TransactionResult
from hansa.sdk.problems import find_code

T = TypeVar("T")

POLL_S = 1.0
"""How soon what is wanted is begun, and a proof is asked for again that is too old."""
HELD_S = 60.0
"""How long what a rule refused waits for somebody to mend it."""
AWAY_MAX_S = 30.0
DONE_ALREADY = {
    status.Code.LIST_EXISTS,
    status.Code.UNKNOWN_LIST,
    status.Code.WRONG_STATE,
    evidence.Code.ALREADY_NOTARISED,
}
"""Refusals that say that the ledger is not as it was thought to be: it is read."""


class RunWork(Protocol):
    """Runs work on the records, all of it at once or nothing."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """Run work and return what it does."""


class Outcome(Enum):
    """What came of a step."""

    DONE = "done"
    """Go on at once."""
    IDLE = "idle"
    """Nothing is wanted."""
    WAITING = "waiting"
    """Ask again in a moment."""
    TROUBLED = "troubled"
    """Something fails, as `Delivery.trouble` says."""


class _Doubt(NamedTuple):
    """A transaction in a block: what the ledger says is read, as of this height or later."""

    submission: Submission
    height: int


class Delivery:
    """Brings one issuer's wants to the ledger.

    Args:
      wants: of the issuer.
      issuer: its address.
      length: places of each list.
      node: of the ledger.
      clock_s: never goes back.
    """

    def __init__(
        self,
        wants: Wants,
        issuer: bytes,
        length: int,
        node: LedgerNode,
        clock_s: Callable[[], float],
    ) -> None:
        self._wants = wants
        self._issuer = issuer
        self._length = length
        self._node = node
        self._clock_s = clock_s
        self._held: dict[Group, float] = {}
        self._doubt: _Doubt | None = None
        self.registry = node.registry
        """As verifiers ask it."""
        self.trouble: HansaError | None = None
        """Why the last step failed; None if it did not."""

    async def deliver(self, run: RunWork, pause: Callable[[float], Awaitable[None]]) -> None:
        """Take steps for good; `pause` waits so many seconds."""
        away_s = POLL_S
        while True:
            try:
                outcome = await self.step(run)
            except Unavailable:  # of the records: what is wrong cannot even be noted
                outcome = Outcome.TROUBLED
            if outcome is Outcome.TROUBLED:
                await pause(away_s)
                away_s = min(2 * away_s, AWAY_MAX_S)
                continue
            away_s = POLL_S
            if outcome is not Outcome.DONE:
                await pause(POLL_S)

    async def step(self, run: RunWork) -> Outcome:
        """Take one step."""
        try:
            outcome = await self._step(run)
            self.trouble = None
        except (Invalid, Refused, Unavailable) as error:
            self.trouble = error
            outcome = Outcome.TROUBLED
        if outcome is not Outcome.IDLE and (self.trouble or not self._held):
            why = "" if self.trouble is None else self.trouble.message
            await run(lambda: self._wants.tell_trouble(why))
        return outcome

    async def _step(self, run: RunWork) -> Outcome:
        wants = self._wants
        if self._doubt is not None:
            return await self._resolve(run, self._doubt)
        submission = await run(wants.get_submission)
        if submission is None:
            held = self._list_held()
            batch = await run(lambda: wants.compose(held))
            if batch is None:
                return Outcome.IDLE
            signed = await self._node.sign(batch.command)
            submission = await run(lambda: wants.begin(batch, signed))
        return await self._submit(run, submission)

    async def _submit(self, run: RunWork, submission: Submission) -> Outcome:
        try:
            result = await self._node.submit(submission.envelope)
        except Invalid as error:
            # Perhaps it was confirmed while nobody listened, and is now too old to be sent.
            found = await self._node.find_result(submission.tx_id)
            if found is None:
                await run(lambda: self._wants.drop(submission))
                if error.code is InvalidCode.EXPIRED:
                    return Outcome.DONE
                self._hold(submission.group)
                raise
            result = found
        return await self._take(run, submission, result)

    async def _take(
        self, run: RunWork, submission: Submission, result: TransactionResult
    ) -> Outcome:
        """Take note of what became of a transaction."""
        height = result.height
        if not isinstance(height, int):
            raise Unavailable("the node says that a transaction is in a block, and not in which")
        group, code = submission.group, find_code(result.code or result.status)
        if result.is_ok:
            self._held.pop(group, None)
        if code in DONE_ALREADY or (result.is_ok and group.matter is Matter.STATUS):
            # A node that hides a revocation would say that it is done: nothing but proof counts.
            self._doubt = _Doubt(submission, height)
            return Outcome.DONE
        if result.is_ok:
            await run(lambda: self._wants.confirm(submission, height))
            return Outcome.DONE
        await run(lambda: self._wants.drop(submission))
        self._hold(group)
        raise _refuse(code)

    async def _resolve(self, run: RunWork, doubt: _Doubt) -> Outcome:
        """Read what the ledger says, once it is proved as of the transaction or later."""
        submission = doubt.submission
        if submission.group.matter is Matter.ANCHOR:
            digests = await run(lambda: self._wants.list_digests(submission.numbers))
            height, known = await self._node.list_anchored(self._issuer, [*digests.values()])
            if height < doubt.height:
                return Outcome.WAITING
            done = [number for number, digest in digests.items() if digest in known]
            await run(lambda: self._wants.learn_anchors(submission, done, height))
        else:
            number = submission.group.list_number
            height, found = await self._node.find_list(self._issuer, number)
            if height < doubt.height:
                return Outcome.WAITING
            self._doubt = None
            if found is not None and found.row.length != self._length:
                await run(lambda: self._wants.drop(submission))
                self._hold(submission.group)
                raise Invalid(
                    InvalidCode.MALFORMED,
                    f"status list {number} on the ledger has {found.row.length} places and not "
                    f"{self._length}: set status.length in issuer.toml to that",
                )
            is_done = await run(lambda: self._wants.learn_list(submission, found, height))
            return Outcome.DONE if is_done else Outcome.WAITING
        self._doubt = None
        return Outcome.DONE

    def _hold(self, group: Group) -> None:
        self._held[group] = self._clock_s() + HELD_S

    def _list_held(self) -> frozenset[Group]:
        now_s = self._clock_s()
        self._held = {group: until_s for group, until_s in self._held.items() if until_s > now_s}
        return frozenset(self._held)


def _refuse(code: StrEnum) -> Refused:
    refused = Refused(code)
    refused.message = f"the ledger refuses it ({code}): {describe_refusal(str(code))}"
    return refused
