"""Blocks in figures: summaries of single blocks, and how many payments a second they held.

Blocks never change, so their summaries are kept. What the engine confirms is counted as it comes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hansa.engine.chain import Chain
from hansa.kernel.block import BlockRecord, Status, decode_header, read_status
from hansa.kernel.machine.execution import BlockResult

SUMMARIES_KEPT = 4_096
SECONDS_KEPT = 600
SLOTS = 12
SLOT_S = 5
BACKFILL_BLOCKS = 2_400
BACKFILL_TRANSACTIONS = 40_000

_PAYMENTS = b"\xa8payments"
"""How an event of the contract `payments` names it, in MessagePack."""


class Counts(NamedTuple):
    """How many transactions a block held, by what became of them."""

    payments: int = 0
    others: int = 0
    refused: int = 0
    """Refused and failed ones."""

    def plus(self, more: Counts) -> Counts:
        """Add two counts."""
        return Counts(*(a + b for a, b in zip(self, more, strict=True)))

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


def is_refused(raw: bytes) -> bool:
    """Whether an encoded receipt is of a refused or failed transaction."""
    return read_status(raw) is not Status.OK


def count_receipts(receipts: Sequence[bytes]) -> Counts:
    """Count receipts by outcome from two places of their bytes: they are not decoded."""
    done = [raw for raw in receipts if not is_refused(raw)]
    payments = sum(1 for raw in done if _PAYMENTS in raw)
    return Counts(payments, len(done) - payments, len(receipts) - len(done))


@dataclass(frozen=True, slots=True)
class BlockSummary:
    """One block in a line."""

    height: int
    time_ms: int
    counts: Counts
    dropped: int
    """Items of batches that got no receipt."""
    header_hash: bytes
    is_checkpoint: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A few seconds of ledger time, and what was confirmed in them."""

    from_ms: int
    counts: Counts

    def per_second(self, count: int) -> float:
        """Compute a rate."""
        return count / SLOT_S


@dataclass(frozen=True, slots=True)
class Rate:
    """A minute of ledger time up to the newest block."""

    slots: tuple[Slot, ...]

    @property
    def total(self) -> Counts:
        """Everything in the minute."""
        total = Counts()
        for slot in self.slots:
            total = total.plus(slot.counts)
        return total

    @property
    def busiest(self) -> Slot:
        """The slot with the most payments."""
        return max(self.slots, key=lambda slot: slot.counts.payments)

    @property
    def peak(self) -> int:
        """The most transactions of one slot."""
        return max(slot.counts.total for slot in self.slots)


class Blocks:
    """Summaries of a chain's blocks."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._kept: OrderedDict[int, BlockSummary] = OrderedDict()
        self._seconds: dict[int, Counts] = {}
        self._backfill()

    def note(self, result: BlockResult) -> None:
        """Count a block that was just confirmed."""
        self._count(result.header.time_ms, count_receipts(result.receipts))

    def get(self, height: int) -> BlockSummary:
        """Get a block's summary; raises `NotFound`."""
        found = self._kept.get(height)
        if found is None:
            found = self.summarise(self._chain.get_record(height))
            self._kept[height] = found
            if len(self._kept) > SUMMARIES_KEPT:
                self._kept.popitem(last=False)
        return found

    def summarise(self, record: BlockRecord) -> BlockSummary:
        """Summarise a block."""
        header = decode_header(record.header)
        network = self._chain.network
        return BlockSummary(
            header.height,
            header.time_ms,
            count_receipts(record.receipts),
            len(record.dropped),
            network.digest(network.header_prefix + record.header),
            header.checkpoint_height == header.height,
        )

    def rate(self) -> Rate:
        """Compute the minute up to the newest block."""
        end_s = self.get(self._chain.confirmed_height).time_ms // 1_000 // SLOT_S * SLOT_S + SLOT_S
        slots = []
        for from_s in range(end_s - SLOTS * SLOT_S, end_s, SLOT_S):
            counts = Counts()
            for second in range(from_s, from_s + SLOT_S):
                counts = counts.plus(self._seconds.get(second, Counts()))
            slots.append(Slot(from_s * 1_000, counts))
        return Rate(tuple(slots))

    def _count(self, time_ms: int, counts: Counts) -> None:
        second = time_ms // 1_000
        self._seconds[second] = self._seconds.get(second, Counts()).plus(counts)
        if len(self._seconds) > SECONDS_KEPT:
            del self._seconds[min(self._seconds)]

    def _backfill(self) -> None:
        """Count the last minute of a chain that was opened; bounded, so that opening stays fast."""
        top = self._chain.confirmed_height
        from_ms = self.get(top).time_ms - (SLOTS + 1) * SLOT_S * 1_000
        transactions = 0
        for height in self._chain.descend(top, BACKFILL_BLOCKS):
            block = self.get(height)
            transactions += block.counts.total
            if block.time_ms < from_ms or transactions > BACKFILL_TRANSACTIONS:
                break
            self._count(block.time_ms, block.counts)
