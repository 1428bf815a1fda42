"""What cases and positions of the node's bank went through, step by step, as receipts tell it.

A row on the ledger says where a case stands and not how it came there. So the log is read: with
every block, and backwards from the block at which a page first asked, in slices between the node's
other work, as far as `BLOCKS_MAX` and `STEPS_MAX` let. Times are those of the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from hansa.contracts.reconciliation import cases, positions
from hansa.contracts.reconciliation.agreements import Agreement
from hansa.engine.chain import Chain
from hansa.kernel.block import decode_header, decode_receipt
from hansa.kernel.contract import Event
from hansa.kernel.machine.execution import BlockResult
from hansa.node.console.history import BLOCKS_MAX, REST_FACTOR
from hansa.node.console.text.explain import read_event

STEPS_MAX = 100_000
PATIENCE_S = 0.2
"""How long a page waits for the log to be read; then it shows what is known by then."""

_NAMES = (b"\xa5cases", b"\xa9positions", b"\xa6Healed")
"""How an event names its contract, or itself, in MessagePack; receipts without are not decoded."""


class Step(NamedTuple):
    """One step, and the transaction in which it was taken."""

    time_ms: int
    height: int
    tx_id: bytes
    event: Event


Key = tuple[bytes, bytes | tuple[int, str]]
"""An agreement, and a case of it, or window and asset of a position."""


class Steps:
    """Keeps the steps of one bank's cases and positions.

    Args:
      chain: the chain.
      bank: address of the member.
      rest_factor: see `hansa.node.console.history`.
    """

    def __init__(self, chain: Chain, bank: bytes, rest_factor: float = REST_FACTOR) -> None:
        self._chain = chain
        self._bank = bank
        self._rest_factor = rest_factor
        self._reading: asyncio.Task[None] | None = None
        self._forget()

    def _forget(self) -> None:
        self._earlier: dict[Key, list[Step]] = defaultdict(list)
        """Read backwards: the newest first."""
        self._later: dict[Key, list[Step]] = defaultdict(list)
        """Of blocks that came since, in their order."""
        self._own: dict[bytes, bool] = {}
        self._count = 0
        self._newest = -1
        self.from_height = 0
        """Of the oldest block that was read."""
        self.is_whole = False
        """Whether the log was read as far as it will be."""

    def note(self, result: BlockResult) -> None:
        """Take in a block that was just confirmed."""
        if self._newest < 0 or result.header.height <= self._newest:
            return
        if self._count >= STEPS_MAX:
            self._stop()
            self._forget()
            return
        self._newest = result.header.height
        for key, step in self._find(result.header.height, result.header.time_ms, result.receipts):
            self._later[key].append(step)

    async def read(self) -> None:
        """Read the log, or wait a moment while it is read.

        Raises:
          HansaError: it cannot be read.
        """
        if self._reading is None:
            self._newest = self._chain.confirmed_height
            self._reading = asyncio.create_task(self._read_back(self._newest))
        reading = self._reading
        done, _ = await asyncio.wait({reading}, timeout=PATIENCE_S)
        if done and reading.exception() is not None:
            self._reading = None
            self._forget()
            await reading

    async def close(self) -> None:
        """Stop reading, before the chain closes."""
        reading = self._reading
        self._stop()
        if reading is not None:
            await asyncio.gather(reading, return_exceptions=True)

    def list_steps(self, key: Key) -> list[Step]:
        """List the steps of a case or a position, the newest first."""
        return [*reversed(self._later.get(key, [])), *self._earlier.get(key, [])]

    def list_cases(self, agreement: bytes) -> set[bytes]:
        """List the cases of an agreement of which steps are known, in any order."""
        keys = (*self._later, *self._earlier)
        return {what for which, what in keys if which == agreement and isinstance(what, bytes)}

    def _stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def _read_back(self, height: int) -> None:
        for at in self._chain.descend(height, BLOCKS_MAX):
            begun = time.monotonic()
            record = self._chain.get_record(at)
            time_ms = decode_header(record.header).time_ms
            for key, step in reversed(self._find(at, time_ms, record.receipts)):
                self._earlier[key].append(step)
            self.from_height = at
            if self._count >= STEPS_MAX // 2:
                break
            await asyncio.sleep(self._rest_factor * (time.monotonic() - begun))
        self.is_whole = True

    def _find(self, height: int, time_ms: int, receipts: Sequence[bytes]) -> list[tuple[Key, Step]]:
        """Find the steps of a block, in their order."""
        whole = b"".join(receipts)
        if not any(name in whole for name in _NAMES):
            return []
        found = []
        for raw in receipts:
            if not any(name in raw for name in _NAMES):
                continue
            receipt = decode_receipt(raw)
            for contract, name, fields in receipt.events:
                event = read_event(contract, name, fields)
                key = None if event is None else _find_key(event)
                if key is not None and event is not None and self._is_own(key[0]):
                    found.append((key, Step(time_ms, height, receipt.tx_id, event)))
        self._count += len(found)
        return found

    def _is_own(self, agreement: bytes) -> bool:
        if agreement not in self._own:
            row = self._chain.machine.state.load(Agreement, Agreement.key(agreement))
            self._own[agreement] = row is not None and self._bank in (row.left, row.right)
        return self._own[agreement]


def _find_key(event: Event) -> Key | None:
    """Find what an event is a step of; None if it is neither of a case nor of a position."""
    match event:
        case cases.Opened() | cases.Moved() | cases.Healed():
            return event.agreement, event.case_id
        case positions.Signed() | positions.Settled():
            return event.agreement, (event.window, event.asset)
        case _:
            return None
