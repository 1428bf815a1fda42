"""What every engine is: it orders batches, executes blocks, and answers once they are durable.

submit -> verify (processes) -> order -> execute -> append -> sync -> answers
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from hansa.engine.chain import Chain
from hansa.engine.record_items import list_outcomes
from hansa.engine.verification import Verifier
from hansa.kernel.block import Outcome, Repeated, decode_header
from hansa.kernel.errors import (
    STATELESS_CODES,
    Corrupt,
    HansaError,
    Invalid,
    InvalidCode,
    NotFound,
    Unavailable,
)
from hansa.kernel.genesis import VALIDITY_MAX_MS
from hansa.kernel.light.votes import Votes
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.quota import Claim
from hansa.kernel.transaction import CheckedBatch, Verdict, compute_tx_id, decode_envelope


class Answer(NamedTuple):
    """What became of one envelope: a receipt at its place, or why there is none."""

    receipt: bytes
    height: int
    """Of the block that has the receipt, or else of the one that dropped it; 0 for none."""
    place: int
    """Index of the transaction in its block."""
    error: Invalid | None


class SeenValidator(NamedTuple):
    """A validator, as one node sees it."""

    consensus_key: bytes
    power: int
    voted_height: int
    """The last block of the consensus that it is known to have voted on; 0 for none."""
    voted_ms: int
    """When that was; 0 for unknown."""
    is_voting: bool
    """Whether the vote has come in that the round at work waits for: its first or its second."""


class SeenPeer(NamedTuple):
    """A node that this one is connected to."""

    peer: bytes
    is_outbound: bool
    since_ms: int


@dataclass(frozen=True, slots=True)
class SeenConsensus:
    """How validators come to a block, as one node sees it; heights are those of the consensus."""

    height: int
    """Of the newest block; 0 before the first."""
    block_ms: int
    """When it came, as this node saw it, or else as its voters say; 0 before the first."""
    started_ms: int
    """Since when this node has followed, without a break."""
    heartbeat_ms: int
    """A block without transactions comes so often."""
    round: int
    step: int
    """Of the round, as CometBFT counts them: 1 to 8."""
    is_catching_up: bool
    own_key: bytes
    validators: tuple[SeenValidator, ...]
    peers: tuple[SeenPeer, ...]
    committed_ms: int = 0
    """When this node committed a block last, be it one that others had long before; 0 for none."""
    called: frozenset[bytes] = frozenset()
    """Peers that this node is told to stay connected to."""


class LightBlock(NamedTuple):
    """What a light client of the consensus asks for of one height, in the consensus' own JSON."""

    commit: Mapping[str, Any]
    """The header, and who signed it."""
    validators: Mapping[str, Any]
    """All who may sign it, and whose turn to propose it is."""


Listener = Callable[[BlockResult], None]


def compute_key(raw: bytes) -> bytes:
    """Compute what names a batch: its SHA-256, which is CometBFT's hash of a transaction, too."""
    return hashlib.sha256(raw).digest()


class OrderedBatches:
    """Batches in blocks whose envelopes may still be valid: which block, by the batch's key."""

    def __init__(self) -> None:
        self._heights: dict[bytes, int] = {}
        self._by_time: deque[tuple[int, bytes]] = deque()

    @classmethod
    def read(cls, chain: Chain) -> Self:
        """Read them from the blocks of a chain that is open."""
        ordered = cls()
        found = []
        head = chain.head
        for height in range(head.height, max(chain.log.height_min, 0), -1):
            record = chain.get_record(height)
            time_ms = decode_header(record.header).time_ms
            if time_ms < head.time_ms - VALIDITY_MAX_MS:
                break
            found.append((time_ms, height, [compute_key(raw) for raw in record.batches]))
        for time_ms, height, keys in reversed(found):
            for key in keys:
                ordered.add(key, time_ms, height)
        return ordered

    def add(self, key: bytes, time_ms: int, height: int) -> None:
        """Take in a batch that is in a block, and forget those of long ago."""
        if key not in self._heights:
            self._heights[key] = height
            self._by_time.append((time_ms, key))
        while self._by_time[0][0] < time_ms - VALIDITY_MAX_MS:
            del self._heights[self._by_time.popleft()[1]]

    def find_height(self, key: bytes) -> int | None:
        """Find the block that a batch is in; None if it is in none, or in one of long ago."""
        return self._heights.get(key)

    def __contains__(self, key: bytes) -> bool:
        return key in self._heights

    def __len__(self) -> int:
        return len(self._heights)


async def execute_with_pauses(
    chain: Chain, time_ms: int, batches: Sequence[CheckedBatch]
) -> BlockResult:
    """Execute the next block; in its pauses answers go out and new work is handed on."""
    result = None
    for result in chain.execute_stepwise(time_ms, batches):
        if result is None:
            await asyncio.sleep(0)
    assert result is not None  # noqa: S101 - it comes last
    return result


class Engine(ABC):
    """Orders, executes and confirms batches of one chain, in one event loop."""

    def __init__(self, chain: Chain, verifier: Verifier) -> None:
        self.chain = chain
        self.verifier = verifier
        self.failure: HansaError | None = None
        """Why the engine stopped, or None; nothing is confirmed after it."""
        self._unanswered: set[asyncio.Future[list[Answer]]] = set()
        self._listeners: list[Listener] = []
        self._answering: set[asyncio.Task[None]] = set()
        """Repetitions whose first receipts are being looked up."""
        self._passed_ms = chain.head.time_ms
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        """Makes the blocks, from `start` on."""

    @property
    def passed_ms(self) -> int:
        """Ledger time up to which this node has all blocks, confirmed.

        What was valid until an earlier time, and is in none of them, never will be.
        """
        return self._passed_ms

    @property
    @abstractmethod
    def queued(self) -> int:
        """Transactions that wait to be verified or executed."""

    @abstractmethod
    def start(self) -> None:
        """Begin to make blocks."""

    async def ready(self) -> None:  # noqa: B027 - most take them at once
        """Wait until transactions are taken, or the engine has failed."""

    async def stop(self) -> None:
        """Stop in order, and the verifier with it; the chain stays open.

        Who waits then is answered by an engine that orders alone. Where others order, it is told
        that they may still confirm it.

        Raises:
          HansaError: what the engine failed of, if it did.
        """
        self._is_closing = True
        self._wake()
        try:
            await self.wait()
        finally:
            self.verifier.close()

    async def wait(self) -> None:
        """Wait until no more blocks are made: after `stop`, or after a failure.

        Raises:
          HansaError: what the engine failed of, if it did.
        """
        if self._task is not None:
            await asyncio.shield(self._task)
        await asyncio.gather(*self._answering)
        if self.failure is not None:
            raise self.failure

    @abstractmethod
    async def submit(self, raw: bytes) -> list[Answer]:
        """Have a batch ordered; returns once it is confirmed, with one answer per item.

        Raises:
          Invalid: the batch as a whole.
          Unavailable: too much is waiting, or the engine has stopped.
        """

    @abstractmethod
    async def submit_checked(self, raw: bytes, verdict: Verdict) -> list[Answer]:
        """Have a batch ordered that was verified before; otherwise as `submit`."""

    @abstractmethod
    def find_stale(self, valid_until_ms: int) -> Invalid | None:
        """Find why a transaction with this end is not brought in now: it is over, or too far ahead.

        In a batch, one that is too far ahead would keep all others from blocks.
        """

    @abstractmethod
    def check_ready(self) -> None:
        """Raise `Unavailable` if a transaction would not be taken now."""

    async def fetch_votes(self, height: int) -> Votes | None:
        """Fetch what shows that validators signed a confirmed block; None where it is sealed.

        Raises:
          Unavailable: they have not signed it yet, or CometBFT does not answer.
        """
        del height
        return None

    async def fetch_consensus(self) -> SeenConsensus | None:
        """Fetch how validators come to the next block; None where nobody votes.

        Raises:
          Unavailable: CometBFT does not answer.
        """
        return None

    async def fetch_light_block(self, height: int) -> LightBlock | None:
        """Fetch what a light client needs of a height of the consensus; None where nobody votes.

        Raises:
          Unavailable: there is no such block yet, or it is not kept any more, or CometBFT does not
            answer.
        """
        del height
        return None

    def fail(self, error: HansaError) -> None:
        """Stop for good over what others found, such as damaged data that a reader met."""
        self._fail(error)

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with every block once it is confirmed, in order."""
        self._listeners.append(listener)

    async def find_answers(self, tx_ids: Iterable[bytes]) -> dict[bytes, Answer]:
        """Find the answers that confirmed transactions got, however long ago, by their ids.

        Each block is read once, and others are let in between: reading one takes milliseconds.
        """
        places: dict[int, list[tuple[bytes, int]]] = {}
        for tx_id, position in self.chain.find_positions(list(tx_ids)).items():
            if position[0] <= self.chain.confirmed_height:
                places.setdefault(position[0], []).append((tx_id, position[1]))
        found: dict[bytes, Answer] = {}
        for height in sorted(places):
            with suppress(NotFound):  # not kept any more
                receipts = self.chain.get_record(height).receipts
                for tx_id, place in places[height]:
                    found[tx_id] = Answer(receipts[place], height, place, None)
            await asyncio.sleep(0)
        return found

    def _await_answers(self) -> asyncio.Future[list[Answer]]:
        """Make what a batch's sender waits for; it is answered even if the engine fails."""
        done: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._unanswered.add(done)
        done.add_done_callback(self._unanswered.discard)
        return done

    def _answer_all(
        self,
        senders: Iterable[asyncio.Future[list[Answer]]],
        batch: CheckedBatch,
        outcomes: Sequence[Outcome],
        result: BlockResult,
    ) -> None:
        """Answer whoever waits for a batch of a block that is durable.

        What got no receipt is answered a little later, as other blocks have to be read for it.
        """
        unsettled = {
            index: item.tx_id
            for index, (item, outcome) in enumerate(zip(batch.items, outcomes, strict=True))
            if not isinstance(item, Invalid) and not isinstance(outcome, int)
        }
        if unsettled:
            work = self._answer_repetitions(list(senders), unsettled, outcomes, result)
            task = asyncio.create_task(work)
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            _settle(senders, [_answer(outcome, result) for outcome in outcomes])

    async def _answer_repetitions(
        self,
        senders: Sequence[asyncio.Future[list[Answer]]],
        unsettled: Mapping[int, bytes],
        outcomes: Sequence[Outcome],
        result: BlockResult,
    ) -> None:
        """Answer by the first receipts, also what has expired since; else by what is wrong."""
        with suppress(HansaError), self._failing():
            first = await self.find_answers(unsettled.values())
            answers = [_answer(outcome, result) for outcome in outcomes]
            for index, tx_id in unsettled.items():
                answers[index] = first.get(tx_id, answers[index])
            _settle(senders, answers)

    def _tell(self, result: BlockResult) -> None:
        self._passed_ms = result.header.time_ms
        for listener in self._listeners:
            listener(result)

    def _admit(self, claim: Claim, last_end_ms: int, time_ms: int) -> bool:
        """Refuse a batch that its sponsor may not bring in; returns whether it is to be ordered.

        What is over is only looked up, also where no quota is left for it.

        Raises:
          Invalid: `UNKNOWN_SPONSOR` or `QUOTA`.
        """
        is_over = last_end_ms < self.passed_ms
        try:
            self.chain.machine.check_sponsor(claim, time_ms)
        except Invalid as error:
            if not is_over or error.code is not InvalidCode.QUOTA:
                raise
        return not is_over

    async def _answer_ordered(self, raw: bytes, height: int) -> list[Answer] | None:
        """Answer for a batch that is in a confirmed block; None if that is not kept any more."""
        try:
            record = self.chain.get_record(height)
        except NotFound:
            return None
        outcomes = list_outcomes(record, raw)
        unsettled = {
            index: compute_tx_id(self.chain.network, decode_envelope(envelope)[0].body)
            for index, (envelope, outcome) in enumerate(outcomes)
            if isinstance(outcome, Invalid) and outcome.code not in STATELESS_CODES
        }
        first = await self.find_answers(unsettled.values())
        return [
            Answer(record.receipts[outcome], height, outcome, None)
            if isinstance(outcome, int)
            else first.get(unsettled.get(index, b"")) or _refuse(_tell_dropped(outcome), height)
            for index, (_, outcome) in enumerate(outcomes)
        ]

    async def _answer_over(self, batch: CheckedBatch) -> list[Answer]:
        """Answer for a batch of which nothing is valid any more, and which is in no block."""
        first = await self.find_answers(
            item.tx_id for item in batch.items if not isinstance(item, Invalid)
        )
        return [
            _refuse(item)
            if isinstance(item, Invalid)
            else first.get(item.tx_id) or _refuse(self._build_over())
            for item in batch.items
        ]

    def _build_over(self) -> Invalid:
        lowest = self.chain.indexed_from
        if lowest == 0:
            text = "the transaction has expired, and no block holds it: sign it anew"
        else:
            text = (
                f"the transaction has expired, and no block that is kept here holds it, the oldest "
                f"of which is {lowest}: ask a node that keeps all whether it was executed before "
                "you sign it anew"
            )
        return Invalid(InvalidCode.EXPIRED, text)

    def _require_running(self) -> None:
        if self.failure is not None:
            raise Unavailable(f"the engine has stopped: {self.failure.message}")
        if self._is_closing:
            raise Unavailable("the node is stopping: send again when it is back")

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Stop for good, at once, if what is done within fails, be it by a fault of ours."""
        is_done = False
        try:
            yield
            is_done = True
        except HansaError as error:
            self._fail(error)
            raise
        finally:
            if not is_done:
                self._fail(Corrupt("a fault of this program: look into its log, start it again"))

    def _fail(self, error: HansaError) -> None:
        """Answer whoever waits that the engine has stopped; wake what makes the blocks."""
        if self.failure is None:
            self.failure = error
        self._end_work()
        for done in list(self._unanswered):
            if not done.done():
                done.set_exception(Unavailable(f"the engine has stopped: {error.message}"))

    @abstractmethod
    def _end_work(self) -> None:
        """Let go of what waits, and wake what makes the blocks, after a failure."""

    @abstractmethod
    def _wake(self) -> None:
        """Wake what makes the blocks, as there is something to do or it is to end."""


def _build_nonce_used() -> Invalid:
    return Invalid(
        InvalidCode.NONCE_USED,
        "this signer used this nonce for another transaction that is still valid: "
        "take a new random nonce",
    )


def _settle(senders: Iterable[asyncio.Future[list[Answer]]], answers: list[Answer]) -> None:
    for sender in senders:
        if not sender.done():
            sender.set_result(answers)


def _answer(outcome: Outcome, result: BlockResult) -> Answer:
    height = result.header.height
    if isinstance(outcome, Invalid):
        return _refuse(outcome, height)
    if isinstance(outcome, Repeated):
        return _refuse(_build_nonce_used(), height)
    return Answer(result.receipts[outcome], height, outcome, None)


def _refuse(error: Invalid, height: int = 0) -> Answer:
    return Answer(b"", height, 0, error)


def _tell_dropped(error: Invalid) -> Invalid:
    """Tell of an item that got no receipt in the block of its batch, which comes in no other."""
    if error.code is InvalidCode.NONCE_USED:
        return _build_nonce_used()
    why = error.message or f"the transaction was left out of its block as {error.code}"
    if error.code not in STATELESS_CODES and error.code is not InvalidCode.EXPIRED:
        why = f"{why}. Its batch is not ordered again: bring it in with another one"
    return Invalid(error.code, why)
