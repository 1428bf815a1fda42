"""The embedded engine: one process orders batches into blocks by group commit.

A block closes when 250 transactions are there, or 5 ms after its first, and takes in what has
gathered by then, at most 2,000. While one block is being made durable the next is executed;
nobody is answered before the sync has returned.

    submit -> verify (processes) -> queue -> execute -> append -> sync (thread) -> answers
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from hansa.engine.chain import Chain
from hansa.engine.verification import Verifier
from hansa.kernel.block import Repeated, decode_receipt
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.transaction import CheckedBatch, Verdict, build_checked

BLOCK_TRANSACTIONS = 2_000
BLOCK_WAIT_MS = 5
BLOCK_WORTHWHILE = 250
"""Transactions for which a block does not wait: executing them takes longer than a sync."""
BLOCK_BYTES = 16 * 2**20
"""Of batches; beyond it a block closes as well, so that its record fits into the log."""
QUEUE_TRANSACTIONS = 20_000
"""What may wait before `submit` answers `Unavailable`: bounds memory and latency."""
QUEUE_BYTES = 64 * 2**20


class Answer(NamedTuple):
    """What became of one envelope: a receipt at its place, or why there is none."""

    receipt: bytes
    height: int
    place: int
    """Index of the transaction in its block."""
    error: Invalid | None


class _Waiting(NamedTuple):
    batch: CheckedBatch
    done: asyncio.Future[list[Answer]]
    arrived_s: float
    """By the event loop's clock."""


Listener = Callable[[BlockResult], None]


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


class EmbeddedEngine:
    """Orders, executes and confirms batches of one chain, in one event loop."""

    def __init__(
        self,
        chain: Chain,
        verifier: Verifier,
        clock_ms: Callable[[], int],
        *,
        block_transactions: int = BLOCK_TRANSACTIONS,
        block_wait_ms: int = BLOCK_WAIT_MS,
        queue_transactions: int = QUEUE_TRANSACTIONS,
    ) -> None:
        self.chain = chain
        self.verifier = verifier
        self.failure: HansaError | None = None
        """Why the engine stopped, or None; nothing is confirmed after it."""
        self._clock_ms = clock_ms
        self._block_transactions = block_transactions
        self._block_wait_ms = block_wait_ms
        self._queue_transactions = queue_transactions
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._verifying = 0
        self._queued_bytes = self._verifying_bytes = 0
        self._unanswered: set[asyncio.Future[list[Answer]]] = set()
        self._arrived = asyncio.Event()
        self._listeners: list[Listener] = []
        self._last_read: tuple[int, tuple[bytes, ...]] | None = None
        """Height and receipts of the block in which a repetition was looked up last."""
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    def start(self) -> None:
        """Begin to make blocks."""
        self._task = asyncio.get_running_loop().create_task(self._make_blocks())

    async def stop(self) -> None:
        """Confirm what is queued, then stop; the chain stays open.

        Raises:
          HansaError: what the engine failed of, if it did.
        """
        self._is_closing = True
        self._arrived.set()
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
        if self.failure is not None:
            raise self.failure

    def fail(self, error: HansaError) -> None:
        """Stop for good over what others found, such as damaged data that a reader met."""
        self._fail(error)

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with every block once it is confirmed, in order."""
        self._listeners.append(listener)

    @property
    def queued(self) -> int:
        """Transactions that wait to be verified or executed."""
        return self._queued + self._verifying

    async def submit(self, raw: bytes) -> list[Answer]:
        """Have a batch ordered; returns once it is confirmed, with one answer per item.

        Raises:
          Invalid: the batch as a whole.
          Unavailable: too much is waiting, or the engine has stopped.
        """
        self._check_room(1, len(raw))
        size = max(1, len(raw) // 200)
        self._verifying += size
        self._verifying_bytes += len(raw)
        try:
            verdict = await self.verifier.check_batch(raw)
        finally:
            self._verifying -= size
            self._verifying_bytes -= len(raw)
        return await self.submit_checked(raw, verdict)

    async def submit_checked(self, raw: bytes, verdict: Verdict) -> list[Answer]:
        """Have a batch ordered that was verified before; otherwise as `submit`."""
        batch = build_checked(raw, verdict, self.chain.network)
        # What no member answers for is not ordered: it must not even cost space in the log.
        time_ms = max(self._clock_ms(), self.chain.head.time_ms)
        self.chain.machine.check_sponsor(batch, time_ms)
        self._check_room(len(batch.items), len(raw))
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Answer]] = loop.create_future()
        self._queue.append(_Waiting(batch, done, loop.time()))
        self._unanswered.add(done)
        done.add_done_callback(self._unanswered.discard)
        self._queued += len(batch.items)
        self._queued_bytes += len(raw)
        self._arrived.set()
        return await done

    def check_ready(self) -> None:
        """Raise `Unavailable` if a transaction would not be taken now."""
        self._check_room(1, 1)

    def _check_room(self, count: int, size: int) -> None:
        if self.failure is not None:
            raise Unavailable(f"the engine has stopped: {self.failure.message}")
        if self._is_closing:
            raise Unavailable("the node is stopping: send again when it is back")
        waiting_bytes = self._queued_bytes + self._verifying_bytes
        if self.queued and (
            self.queued + count > self._queue_transactions or waiting_bytes + size > QUEUE_BYTES
        ):
            raise Unavailable(
                f"{self.queued} transactions are waiting already: send again in a moment",
                queued=self.queued,
            )

    async def _make_blocks(self) -> None:
        confirming: asyncio.Task[None] | None = None
        with self._failing():
            try:
                while await self._gather():
                    waiting = self._take()
                    batches = [item.batch for item in waiting]
                    result = await execute_with_pauses(self.chain, self._clock_ms(), batches)
                    if self.failure is not None:
                        break
                    if confirming is not None:
                        await confirming
                    self.chain.append(result, batches)
                    confirming = asyncio.create_task(self._confirm(result, waiting))
                    await asyncio.sleep(0)
            finally:
                if confirming is not None:  # its sync must not go on while the files are closed
                    await confirming

    async def _gather(self) -> bool:
        """Wait for a block's worth of transactions; False when there will be no more."""
        while not self._queue:
            if self._is_ending:
                return False
            self._arrived.clear()
            await self._arrived.wait()
        loop = asyncio.get_running_loop()
        deadline = self._queue[0].arrived_s + self._block_wait_ms / 1000
        while not self._is_block_worthwhile and not self._is_ending:
            rest = deadline - loop.time()
            if rest <= 0:
                break
            self._arrived.clear()
            try:
                async with asyncio.timeout(rest):
                    await self._arrived.wait()
            except TimeoutError:
                break
        return self.failure is None

    @property
    def _is_block_worthwhile(self) -> bool:
        enough = min(BLOCK_WORTHWHILE, self._block_transactions)
        return self._queued >= enough or self._queued_bytes >= BLOCK_BYTES

    @property
    def _is_ending(self) -> bool:
        return self._is_closing or self.failure is not None

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        count = size = 0
        while self._queue:
            batch = self._queue[0].batch
            count += len(batch.items)
            size += len(batch.raw)
            if taken and (count > self._block_transactions or size > BLOCK_BYTES):
                break
            taken.append(self._queue.popleft())
            self._queued -= len(batch.items)
            self._queued_bytes -= len(batch.raw)
        return taken

    async def _confirm(self, result: BlockResult, waiting: Sequence[_Waiting]) -> None:
        """Make a block durable, then answer everybody who waits for it."""
        with self._failing():
            await asyncio.get_running_loop().run_in_executor(None, self.chain.sync)
            for item, outcomes in zip(waiting, result.outcomes, strict=True):
                if not item.done.done():
                    answers = [self._answer(outcome, result) for outcome in outcomes]
                    item.done.set_result(answers)
            for listener in self._listeners:
                listener(result)

    def _answer(self, outcome: int | Invalid | Repeated, result: BlockResult) -> Answer:
        if isinstance(outcome, Invalid):
            return Answer(b"", 0, 0, outcome)
        if isinstance(outcome, Repeated):
            return self._answer_repeated(outcome)
        return Answer(result.receipts[outcome], result.header.height, outcome, None)

    def _answer_repeated(self, outcome: Repeated) -> Answer:
        """Answer a repetition by the first receipt; another body under the nonce is an error."""
        first = self.find_answer(outcome.tx_id)
        if first is not None:
            return first
        error = Invalid(
            InvalidCode.NONCE_USED,
            "this signer used this nonce for another transaction that is still valid: "
            "take a new random nonce",
        )
        return Answer(b"", 0, 0, error)

    def find_answer(self, tx_id: bytes) -> Answer | None:
        """Find the answer that a confirmed transaction got, however long ago; else None."""
        try:
            height, index = self.chain.find_position(tx_id)
        except NotFound:
            return None
        if height > self.chain.confirmed_height:
            return None
        found = self._last_read
        if found is None or found[0] != height:  # repetitions come in swarms
            found = self._last_read = (height, self.chain.get_record(height).receipts)
        receipt = found[1][index]
        assert decode_receipt(receipt).tx_id == tx_id  # noqa: S101 - our own index
        return Answer(receipt, height, index, None)

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
        self._queue.clear()
        self._queued = 0
        self._arrived.set()
        for done in list(self._unanswered):
            if not done.done():
                done.set_exception(Unavailable(f"the engine has stopped: {error.message}"))
