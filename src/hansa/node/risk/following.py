"""Following the ledger: a clerk is shown what blocks paid that was not decided on here.

confirmed block -> what this node did not decide on -> clerk, in the order of blocks, none left out

Others' payments tell who a payee is: one that many pay at once, or that passes on what it gets. The
ledger has them all, so what could not be shown is read again: after a start, or when a clerk was
away. A node that decides for the first time is shown what was paid in the longest of its windows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from hansa.contracts import payments
from hansa.engine.chain import Chain
from hansa.kernel.block import decode_header, read_tx_id
from hansa.kernel.errors import HansaError, Unavailable
from hansa.kernel.machine.execution import BlockResult
from hansa.node.risk.clerk.clerk import Clerk
from hansa.node.risk.clerk.memory import Shown
from hansa.node.risk.clerk.placing import Place
from hansa.risk.features.layout import WINDOWS_MS

NOTED_MAX: Final = 1_024
"""Blocks in memory that the clerk was not shown yet; others are read from the log."""
SHOWN_RECEIPTS: Final = 4_096
"""Shown at once, or a block more."""
DECIDED_MAX: Final = 1 << 17
"""Transactions that were decided on and are in no block yet; of others the clerk looks itself."""
PASSED_MAX: Final = 1 << 14
"""Transactions in memory that came by a block just now: who takes one in looked for it before."""
AGAIN_S: Final = 1.0
"""When a clerk is asked again that was not there."""
PUT_BACK: Final = (
    "the ledger was put back to block %d, the journal has what was paid up to block %d: what is "
    "paid in other blocks of these heights is taken in, too"
)
_PAYMENTS = payments.NAME.encode()

_LOG = logging.getLogger("hansa.risk")


class Follower:
    """Shows one clerk the blocks of one chain."""

    def __init__(
        self, chain: Chain, clerk: Place, read_taken_ms: Callable[[], int] | None = None
    ) -> None:
        """Put it together; `begin` has it begin.

        Args:
          chain: whose blocks; `note` is told of each that is confirmed.
          clerk: that is shown them.
          read_taken_ms: by which clock they are taken in; by that of the ledger if not given.
        """
        self._chain = chain
        self._clerk = clerk
        self._read_taken_ms = read_taken_ms
        self._height = -1
        self._noted: dict[int, Shown] = {}
        self._decided: dict[bytes, None] = {}
        self._passed: dict[bytes, None] = {}
        self._is_worthwhile = asyncio.Event()
        self._catching_up = asyncio.Lock()

    async def begin(self) -> None:
        """Show what was confirmed up to now; raises as `Clerk.see`."""
        self._height = await self._clerk.ask(Clerk.get_height)
        confirmed = self._chain.confirmed_height
        if self._height > confirmed and not self._chain.network.genesis.is_voted:
            _LOG.warning(PUT_BACK, confirmed, self._height)
            self._height = await self._clerk.ask(Clerk.go_back, confirmed)
        await self.catch_up()

    def leave_out(self, tx_id: bytes) -> None:
        """Leave out a transaction of which every payment was decided on here, and taken in."""
        self._decided[tx_id] = None
        if len(self._decided) > DECIDED_MAX:
            self._decided.pop(next(iter(self._decided)))

    def has_passed(self, tx_id: bytes) -> bool:
        """Whether blocks show it, so that it is not to be decided on, and taken in twice.

        As of one that came through two nodes, and was looked for here just before the block came.
        """
        return tx_id in self._passed

    def note(self, result: BlockResult) -> None:
        """Take note of a confirmed block."""
        decided, height = self._decided, result.header.height
        others = {
            tx_id: receipt
            for tx_id, receipt in zip(result.tx_ids, result.receipts, strict=True)
            if tx_id not in decided and _PAYMENTS in receipt
        }
        receipts = tuple(others.values())
        for tx_id in result.tx_ids:
            decided.pop(tx_id, None)
        self._passed.update(dict.fromkeys(others))
        while len(self._passed) > PASSED_MAX:
            self._passed.pop(next(iter(self._passed)))
        if height <= self._height:  # it was shown before the ledger was put back
            return
        if len(self._noted) < NOTED_MAX:
            self._noted[height] = Shown(height, self._choose_ms(result.header.time_ms), receipts)
        if receipts or len(self._noted) == NOTED_MAX:
            self._is_worthwhile.set()

    async def run(self) -> None:
        """Show each block that may have payments in it, until this is cancelled."""
        while True:
            await self._is_worthwhile.wait()
            self._is_worthwhile.clear()
            try:
                await self.catch_up()
            except HansaError as error:
                is_ours = not isinstance(error, Unavailable)
                told = "what others paid could not be taken in yet: %s"
                _LOG.error(told, error.message, exc_info=is_ours)
                self._is_worthwhile.set()
                await asyncio.sleep(AGAIN_S)

    async def catch_up(self) -> None:
        """Show all that is confirmed by now.

        Raises:
          Unavailable: the clerk is not there, or cannot write.
          Corrupt: a block of the log is damaged.
        """
        async with self._catching_up:
            while self._height < self._chain.confirmed_height:
                since, blocks = self._height, []
                height = max(since + 1, self._find_first())
                receipts = 0
                while height <= self._chain.confirmed_height and receipts < SHOWN_RECEIPTS:
                    block = self._noted.pop(height, None)
                    if block is None:
                        await asyncio.sleep(0)  # reading one takes milliseconds
                        if height < self._chain.log.height_min:  # it was pruned meanwhile
                            break
                        block = self._read(height)
                    blocks.append(block)
                    receipts += len(block.receipts)
                    height += 1
                self._height = await self._clerk.ask(Clerk.see, since, blocks)
                while self._noted and (noted := next(iter(self._noted))) <= self._height:
                    del self._noted[noted]  # it was read from the log before it was noted

    def _read(self, height: int) -> Shown:
        """Read from the log what was not noted, or could not be shown."""
        record = self._chain.get_record(height)
        receipts = tuple(
            receipt
            for receipt in record.receipts
            if _PAYMENTS in receipt and read_tx_id(receipt) not in self._decided
        )
        return Shown(height, self._choose_ms(decode_header(record.header).time_ms), receipts)

    def _choose_ms(self, block_ms: int) -> int:
        return block_ms if self._read_taken_ms is None else self._read_taken_ms()

    def _find_first(self) -> int:
        """Find the first block that is worth being shown: of those kept, or within the windows."""
        chain = self._chain
        if self._height >= 0:
            return chain.log.height_min
        first, end = chain.log.height_min, chain.confirmed_height
        since_ms = chain.head.time_ms - WINDOWS_MS[-1]
        while first < end:
            middle = (first + end) // 2
            if chain.get_header(middle).time_ms < since_ms:
                first = middle + 1
            else:
                end = middle
        return first
