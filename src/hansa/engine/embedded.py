"""The embedded engine: one process orders batches into blocks by group commit.

A block closes when 250 transactions are there, or 5 ms after its first, and takes in what has
gathered by then, at most 2,000. While one block is being made durable the next is executed;
nobody is answered before the sync has returned.

When nothing has come for a second, and something came since the last checkpoint, an empty block
closes as one: so what a quiet ledger says last is proved, too, as that a credential was revoked.

A batch is ordered once: whoever sends it again, its sponsor or one who has read it in a block, is
answered by what became of it, and its sponsor is charged nothing. One of which no envelope says to
be still valid, by ledger time, is not ordered at all.

    submit -> verify (processes) -> queue -> execute -> append -> sync (thread) -> answers
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hansa.engine.chain import Chain
from hansa.engine.ordering import Answer, Engine, OrderedBatches, compute_key, execute_with_pauses
from hansa.engine.verification import Verifier
from hansa.kernel.errors import Invalid, Unavailable
from hansa.kernel.frame import decode_batch, read_last_end
from hansa.kernel.genesis import BLOCK_ITEMS_MAX, CHECKPOINT_INTERVAL_MS
from hansa.kernel.machine.admission import check_times, find_stale
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


class _Waiting(NamedTuple):
    key: bytes
    batch: CheckedBatch
    senders: list[asyncio.Future[list[Answer]]]
    """One more for each time that it came again meanwhile."""
    arrived_s: float
    """By the event loop's clock."""


class EmbeddedEngine(Engine):
    """Orders blocks itself: one process, one owner."""

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
        super().__init__(chain, verifier)
        self._clock_ms = clock_ms
        self._block_transactions = min(block_transactions, BLOCK_ITEMS_MAX)
        self._block_wait_ms = block_wait_ms
        self._queue_transactions = queue_transactions
        self._queue: deque[_Waiting] = deque()
        self._under_way: dict[bytes, _Waiting] = {}
        """What waits, or is in a block that is not durable yet."""
        self._ordered = OrderedBatches.read(chain)
        self._queued = 0
        self._verifying = 0
        self._queued_bytes = self._verifying_bytes = 0
        self._arrived = asyncio.Event()

    def start(self) -> None:
        """Begin to make blocks."""
        self._task = asyncio.get_running_loop().create_task(self._make_blocks())

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
        key = compute_key(raw)
        known = await self._answer_known(key, raw)
        if known is not None:
            return known
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
        key = compute_key(raw)
        known = await self._answer_known(key, raw)
        if known is not None:
            return known
        batch = build_checked(raw, verdict, self.chain.network)
        ends = [item.body.valid_until_ms for item in batch.items if not isinstance(item, Invalid)]
        last_end_ms = max(ends) if ends else read_last_end(decode_batch(raw)[1])
        time_ms = self._read_ledger_ms()
        # What no member answers for is not ordered: it must not even cost space in the log.
        if not self._admit(batch.claim, last_end_ms, time_ms):
            return await self._answer_over(batch)
        check_times(last_end_ms, self.passed_ms, time_ms)
        self._check_room(len(batch.items), len(raw))
        done = self._await_answers()
        waiting = _Waiting(key, batch, [done], asyncio.get_running_loop().time())
        self._under_way[key] = waiting
        self._queue.append(waiting)
        self._queued += len(batch.items)
        self._queued_bytes += len(raw)
        self._arrived.set()
        return await done

    async def _answer_known(self, key: bytes, raw: bytes) -> list[Answer] | None:
        """Answer for a batch that came before; None for a new one, or one of long ago."""
        waiting = self._under_way.get(key)
        if waiting is not None:
            self._require_running()
            done = self._await_answers()
            waiting.senders.append(done)
            return await done
        height = self._ordered.find_height(key)
        return None if height is None else await self._answer_ordered(raw, height)

    def _read_ledger_ms(self) -> int:
        """Read the clock; ledger time never goes back."""
        return max(self._clock_ms(), self.chain.head.time_ms)

    def find_stale(self, valid_until_ms: int) -> Invalid | None:
        """Find why a transaction with this end is not brought in now."""
        return find_stale(valid_until_ms, self.passed_ms, self._read_ledger_ms())

    def check_ready(self) -> None:
        """Raise `Unavailable` if a transaction would not be taken now."""
        self._check_room(1, 1)

    def _check_room(self, count: int, size: int) -> None:
        self._require_running()
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
                    if not waiting and not self.chain.machine.is_checkpoint_due(self._clock_ms()):
                        continue
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
        """Wait for a block's worth of transactions; False when there will be no more.

        Returns with none, too, after a quiet second behind what no checkpoint covers.
        """
        while not self._queue:
            if self._is_ending:
                return False
            self._arrived.clear()
            try:
                async with asyncio.timeout(
                    CHECKPOINT_INTERVAL_MS / 1000 if self._is_open else None
                ):
                    await self._arrived.wait()
            except TimeoutError:
                return self.failure is None
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
    def _is_open(self) -> bool:
        """Whether something came since the last checkpoint."""
        head = self.chain.head
        return head.height > head.checkpoint_height

    @property
    def _is_block_worthwhile(self) -> bool:
        enough = min(BLOCK_WORTHWHILE, self._block_transactions)
        return self._queued >= enough or self._queued_bytes >= BLOCK_BYTES

    @property
    def _is_ending(self) -> bool:
        return self._is_closing or self.failure is not None

    def _take(self) -> list[_Waiting]:
        """Take a block's worth; what the batches before leave no quota for is refused."""
        taken: list[_Waiting] = []
        count = size = 0
        admission = self.chain.machine.begin_admission(self._read_ledger_ms())
        while self._queue:
            batch = self._queue[0].batch
            count += len(batch.items)
            size += len(batch.raw)
            if taken and (count > self._block_transactions or size > BLOCK_BYTES):
                break
            waiting = self._queue.popleft()
            self._queued -= len(batch.items)
            self._queued_bytes -= len(batch.raw)
            try:
                admission.admit(batch.claim)
                taken.append(waiting)
            except Invalid as error:
                self._refuse(waiting, error)
        return taken

    def _refuse(self, waiting: _Waiting, error: Invalid) -> None:
        """Refuse a batch that was let in at the door, when there was quota left for it."""
        self._under_way.pop(waiting.key, None)
        for sender in waiting.senders:
            if not sender.done():
                sender.set_exception(error)

    async def _confirm(self, result: BlockResult, waiting: Sequence[_Waiting]) -> None:
        """Make a block durable, then answer everybody who waits for it."""
        with self._failing():
            await asyncio.get_running_loop().run_in_executor(None, self.chain.sync)
            for item, outcomes in zip(waiting, result.outcomes, strict=True):
                self._ordered.add(item.key, result.header.time_ms, result.header.height)
                self._under_way.pop(item.key, None)
                self._answer_all(item.senders, item.batch, outcomes, result)
            self._tell(result)

    def _wake(self) -> None:
        self._arrived.set()

    def _end_work(self) -> None:
        self._queue.clear()
        self._under_way.clear()
        self._queued = 0
        self._wake()
