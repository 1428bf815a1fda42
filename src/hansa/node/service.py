"""The running node: one chain, its engine, and the desk that sponsors single envelopes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from hansa.engine.chain import Chain
from hansa.engine.collector import tune_collector
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.ordering import Engine
from hansa.engine.snapshots.keeping import Keeper
from hansa.engine.verification import Verifier
from hansa.kernel.block import BlockRecord, Header
from hansa.kernel.errors import Unavailable
from hansa.kernel.machine.execution import BlockResult
from hansa.node.network.watch import Watch
from hansa.node.records import RecentRecords
from hansa.node.sponsor.desk import RiskControl, SponsorDesk
from hansa.sdk.keys import KeyPair

RATE_BLOCKS = 600
RECORDS_KEPT = 8
"""Blocks kept decoded: many ask for the same few, and a full one takes a millisecond to decode."""
CONFIRM_S = 10.0
"""What the sync of a block may take before a reader is told to ask again."""

_ALARMS = logging.getLogger("hansa.alarms")
"""Faults of the program that the chain outlived; by default they go to standard error."""


def wall_clock_ms() -> int:
    """Read the wall clock; ledger time follows it but never goes back."""
    return time.time_ns() // 1_000_000


class Node:
    """Everything a running node is; the API and the console read from it."""

    def __init__(  # noqa: PLR0913 - what a node is made of, each given once
        self,
        chain: Chain,
        verifier: Verifier,
        sponsor: bytes,
        key: KeyPair,
        *,
        clock_ms: Callable[[], int] = wall_clock_ms,
        engine: Engine | None = None,
        keeper: Keeper | None = None,
        risk: RiskControl | None = None,
    ) -> None:
        """Put a node together.

        Args:
          chain: opened for writing.
          verifier: of batches and envelopes; stopped with the engine.
          sponsor: address of the member whose batches it signs.
          key: that signs them.
          clock_ms: what the time is.
          engine: over this chain and verifier; one that orders alone if not given.
          keeper: makes snapshots and prunes; none if not given.
          risk: decides on payments of its customers; none if not given.
        """
        self.chain = chain
        self.member = sponsor
        self.engine: Engine = engine or EmbeddedEngine(chain, verifier, clock_ms)
        self.watch = Watch(chain, self.engine, clock_ms, member=sponsor)
        self.desk = SponsorDesk(self.engine, sponsor, key, risk)
        self._recent: deque[Header] = deque(maxlen=RATE_BLOCKS)
        self._records = RecentRecords(chain, RECORDS_KEPT)
        self._changed = asyncio.Condition()
        self._watching: asyncio.Task[None] | None = None
        self.engine.listen(self._note_block)
        self.keeper = keeper
        if keeper is not None:
            self.engine.listen(keeper.note)
        if risk is not None:
            self.engine.listen(risk.note)

    def start(self) -> None:
        """Begin to make blocks."""
        tune_collector()
        self.watch.note_suspension()
        self.engine.start()

    async def run_until(self, stopped: asyncio.Event) -> None:
        """Wait until `stopped` is set, or the engine fails; `stop` tells what of."""
        waiting = [asyncio.create_task(stopped.wait()), asyncio.create_task(self.engine.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def stop(self) -> None:
        """Confirm what waits, flush and close.

        Raises:
          HansaError: what the engine failed of, if it did.
        """
        try:
            await self.engine.stop()
        finally:
            if self.keeper is not None:
                self.keeper.close()
            self.chain.close(is_failed=self.engine.failure is not None)

    def get_header(self, height: int) -> Header:
        """Get a confirmed block's header, the newest ones from memory; raises `NotFound`."""
        if self.is_recent(height):
            return self._recent[height - self._recent[0].height]
        return self.chain.get_header(height)

    def is_recent(self, height: int) -> bool:
        """Whether a block's header is in memory."""
        recent = self._recent
        return bool(recent) and recent[0].height <= height <= recent[-1].height

    def get_record(self, height: int) -> BlockRecord:
        """Get a block from the log, those last asked for from memory; raises `NotFound`."""
        return self._records.get(height)

    async def wait_for_block(self, height: int, timeout_s: float) -> bool:
        """Wait until block `height` is confirmed; False if it was not in time."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.chain.confirmed_height >= height)
        except TimeoutError:
            return False
        return True

    async def confirm(self, height: int | None = None) -> None:
        """Wait until a block that was executed is durable, so that nobody is told of less.

        Args:
          height: the block; the newest one executed where not given.

        Raises:
          Unavailable: the engine has stopped before, or it takes too long.
        """
        wanted = self.chain.head.height if height is None else height
        if self.chain.confirmed_height >= wanted:
            return
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch_engine())
        engine = self.engine
        try:
            async with asyncio.timeout(CONFIRM_S), self._changed:
                await self._changed.wait_for(
                    lambda: self.chain.confirmed_height >= wanted or engine.failure is not None
                )
        except TimeoutError:
            pass
        if self.chain.confirmed_height < wanted:
            if engine.failure is not None:
                raise Unavailable(f"the engine has stopped: {engine.failure.message}")
            raise Unavailable(f"block {wanted} is not confirmed yet: ask again in a moment")

    async def _watch_engine(self) -> None:
        """Wake whoever waits for a block once no more are made."""
        await asyncio.gather(self.engine.wait(), return_exceptions=True)
        await self._tell()

    def _note_block(self, result: BlockResult) -> None:
        self._recent.append(result.header)
        for index, error in result.failures:
            _ALARMS.error(
                "a contract failed in transaction %s of block %d: report this fault of the program",
                result.tx_ids[index].hex(),
                result.header.height,
                exc_info=error,
            )
        self.watch.note_suspension()
        self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
