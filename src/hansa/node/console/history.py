"""What the ledger did over time: how much money there was and where, and what was refused and why.

Both are kept as blocks come. What was before the console was first asked is read backwards from
the log, in slices between other work of the node, as far as `BLOCKS_MAX` and `RECEIPTS_MAX` let.
Amounts are minor units; times are those of the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hansa.engine.chain import Chain
from hansa.kernel.block import decode_header, decode_receipt
from hansa.kernel.errors import HansaError
from hansa.kernel.machine.execution import BlockResult
from hansa.node.console.blocks import is_refused

BLOCKS_MAX = 50_000
RECEIPTS_MAX = 4_000_000
"""How far back to read at most: some seconds of work."""
REST_FACTOR = 3.0
"""Between two slices of reading backwards, so many times as long as a slice took."""
POINTS_MAX = 512
SLOTS = 12
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000

_LEDGERS = (b"\xa6issued", b"\xa5vault", b"\xa4held")
"""How a balance change names where it is, in MessagePack; among wallets alone nothing changes."""


class Supply(NamedTuple):
    """How much of one asset there is, and where; `issued` is what its issuer owes."""

    issued_minor: int = 0
    vaults_minor: int = 0
    wallets_minor: int = 0
    held_minor: int = 0

    @property
    def found_minor(self) -> int:
        """What is in vaults, in wallets and held."""
        return self.vaults_minor + self.wallets_minor + self.held_minor

    @property
    def difference_minor(self) -> int:
        """What is owed less what is there: zero, or something is wrong."""
        return self.issued_minor - self.found_minor

    def plus(self, more: Supply, factor: int = 1) -> Supply:
        """Add a change, or with -1 take it back."""
        return Supply(*(a + factor * b for a, b in zip(self, more, strict=True)))


Totals = Mapping[str, Supply]
"""By asset."""

_PLACES: Final = {"issued": 0, "vault": 1, "wallet": 2, "held": 3}


def sum_changes(receipts: Sequence[bytes]) -> Totals:
    """Sum a block's balance changes, by asset; what moved among wallets alone is not decoded."""
    whole = b"".join(receipts)
    if not any(name in whole for name in _LEDGERS):
        return {}
    issued, vault, held = _LEDGERS
    sums: dict[str, list[int]] = {}
    for raw in receipts:
        if held in raw or vault in raw or issued in raw:
            for _, _, fields in decode_receipt(raw).events:
                for ledger, _, asset, amount_minor, _, _ in fields[0]:
                    sums.setdefault(asset, [0, 0, 0, 0])[_PLACES[ledger]] += amount_minor
    return {asset: Supply(*row) for asset, row in sums.items()}


def count_refusals(receipts: Sequence[bytes]) -> Counter[str]:
    """Count a block's refused and failed transactions by code."""
    return Counter(decode_receipt(raw).code for raw in receipts if is_refused(raw))


def add_totals(totals: Totals, changes: Totals, factor: int = 1) -> Totals:
    """Add changes to totals, or with -1 take them back."""
    if not changes:
        return totals
    nothing = Supply()
    return {
        **totals,
        **{
            asset: totals.get(asset, nothing).plus(change, factor)
            for asset, change in changes.items()
        },
    }


@dataclass(frozen=True, slots=True)
class SupplySlot:
    """How much there was at the end of a span of time."""

    end_ms: int
    """The first moment behind it; of the newest, now."""
    supply: Supply


class SupplySeries:
    """Totals at the ends of equal spans of time; the spans double when there are too many."""

    def __init__(self) -> None:
        self._span_ms = 1_000
        self._points: dict[int, Totals] = {}

    def put(self, time_ms: int, totals: Totals) -> None:
        """Note the totals after the newest block."""
        self._points[time_ms // self._span_ms] = totals
        self._coarsen()

    def put_earlier(self, time_ms: int, totals: Totals) -> None:
        """Note the totals after a block that is older than all before."""
        self._points.setdefault(time_ms // self._span_ms, totals)
        self._coarsen()

    def list_slots(self, asset: str, now_ms: int) -> list[SupplySlot]:
        """List an asset's supply at the ends of at most `SLOTS` equal spans up to now."""
        if not self._points:
            return []
        indexes = sorted(self._points)
        last = max(now_ms // self._span_ms, indexes[-1])
        width = -(-(last - indexes[0] + 1) // SLOTS)
        slots: list[SupplySlot] = []
        known, at = Supply(), 0
        for end in range(last - (last - indexes[0]) // width * width, last + 1, width):
            while at < len(indexes) and indexes[at] <= end:
                known = self._points[indexes[at]].get(asset, known)
                at += 1
            slots.append(SupplySlot(min((end + 1) * self._span_ms, now_ms), known))
        return slots

    def _coarsen(self) -> None:
        while len(self._points) > POINTS_MAX:
            self._span_ms *= 2
            self._points = {index // 2: self._points[index] for index in sorted(self._points)}


class Refusals(NamedTuple):
    """What was refused in the last hour, the most frequent code first."""

    by_code: tuple[tuple[str, int], ...]
    total: int
    since_ms: int
    """From when on they are counted: an hour before the newest block, or later."""
    is_known: bool
    """Whether the log has been read as far back as that."""


class History:
    """Keeps a chain's supply and refusals over time."""

    def __init__(self, chain: Chain, rest_factor: float = REST_FACTOR) -> None:
        self._chain = chain
        self._rest_factor = rest_factor
        self._totals: Totals | None = None
        self._height = -1
        """Of the newest block that is counted in; -1 before the first sum is known."""
        self.from_height = 0
        """Of the oldest block that is counted in."""
        self._is_whole = False
        self.version = 0
        """Goes up with everything that is read of the past."""
        self._forget()

    def _forget(self) -> None:
        self._series = SupplySeries()
        self._minutes: dict[int, Counter[str]] = {}
        self._newest_minute = 0
        self._from_ms = 0
        self.version += 1

    @property
    def totals(self) -> Totals | None:
        """What there is now, by asset; None before it is known."""
        return self._totals

    @property
    def is_whole(self) -> bool:
        """Whether the past has been read as far as it will be."""
        return self._is_whole

    def note(self, result: BlockResult) -> None:
        """Take in a block that was just confirmed."""
        if self._totals is not None and result.header.height == self._height + 1:
            self._add(result.header.height, result.header.time_ms, result.receipts)

    def list_slots(self, asset: str, now_ms: int) -> list[SupplySlot]:
        """List an asset's supply over time."""
        return self._series.list_slots(asset, now_ms)

    def get_refusals(self, now_ms: int) -> Refusals:
        """Count what was refused in the hour up to the newest block."""
        first = (now_ms - HOUR_MS) // MINUTE_MS + 1
        counts: Counter[str] = Counter()
        for minute, found in self._minutes.items():
            if minute >= first:
                counts += found
        order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        since_ms = max(first * MINUTE_MS, self._from_ms)
        is_known = self._is_whole or 0 < self._from_ms <= first * MINUTE_MS
        return Refusals(tuple(order), counts.total(), since_ms, is_known)

    async def read(self, height: int, totals: Totals) -> None:
        """Read the log from a block whose totals are known: on to the newest, then backwards.

        Whatever was read before is read anew: reading may have broken off anywhere.
        """
        self._forget()
        self._totals, self._height = totals, height
        self.from_height = height + 1
        try:
            await self._catch_up()
        except HansaError:
            self._totals = None  # those of a block that is gone by
            raise
        await self._read_back(height, totals)
        self._is_whole = True
        self.version += 1

    async def _catch_up(self) -> None:
        while self._height < self._chain.confirmed_height:
            begun = time.monotonic()
            record = self._chain.get_record(self._height + 1)
            header = decode_header(record.header)
            self._add(header.height, header.time_ms, record.receipts)
            await self._rest(begun)

    async def _read_back(self, height: int, totals: Totals) -> None:
        rest = RECEIPTS_MAX
        for at in self._chain.descend(height, BLOCKS_MAX):
            begun = time.monotonic()
            record = self._chain.get_record(at)
            time_ms = decode_header(record.header).time_ms
            self._series.put_earlier(time_ms, totals)
            self._from_ms = time_ms
            self._count(time_ms, record.receipts)
            totals = add_totals(totals, sum_changes(record.receipts), -1)
            self.from_height = at
            self.version += 1
            rest -= len(record.receipts)
            if rest <= 0:
                break
            await self._rest(begun)

    async def _rest(self, begun: float) -> None:
        await asyncio.sleep(self._rest_factor * (time.monotonic() - begun))

    def _add(self, height: int, time_ms: int, receipts: Sequence[bytes]) -> None:
        assert self._totals is not None  # noqa: S101 - only called once it is known
        self._totals = add_totals(self._totals, sum_changes(receipts))
        self._height = height
        self._series.put(time_ms, self._totals)
        self._count(time_ms, receipts)

    def _count(self, time_ms: int, receipts: Sequence[bytes]) -> None:
        """Count refusals by the minute; minutes that are over an hour old are let go."""
        minute = time_ms // MINUTE_MS
        if minute > self._newest_minute:
            self._newest_minute = minute
            oldest = minute - HOUR_MS // MINUTE_MS
            self._minutes = {at: each for at, each in self._minutes.items() if at >= oldest}
        elif minute < self._newest_minute - HOUR_MS // MINUTE_MS:
            return
        found = count_refusals(receipts)
        if found:
            self._minutes[minute] = self._minutes.get(minute, Counter()) + found
