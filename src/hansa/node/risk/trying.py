"""Rules tried on the payments that were decided on last, and on what is known of them since."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.node.risk.clerk.format import KeptPayment
from hansa.node.risk.clerk.journal import NEWEST, Placed
from hansa.node.risk.desk import RiskDesk
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.intake.describing import FEATURES, FEATURES_HASH
from hansa.risk.packing import unpack
from hansa.risk.rules.backtest import Backtest, Known, backtest
from hansa.risk.rules.book import ReadRule

DECISIONS_TRIED: Final = 4_000
SLICE: Final = 64
"""Decisions that are read at once: between two slices payments are decided on."""


class Tried(NamedTuple):
    """What the rules of a policy would have done."""

    policy_hash: bytes
    outcome: Backtest
    decisions: int
    """Transactions that were looked at, the newest ones."""
    from_ms: int
    """When the oldest of them was decided; 0 if there is none."""
    asset: str
    """Of all payments; empty where they are of several."""


class _Read(NamedTuple):
    """Decisions that were read together, the newest first."""

    newest: int
    """Place of the first of them."""
    decisions: int
    from_ms: int
    assets: frozenset[str]
    numbers: tuple[int, ...]
    """Of the payments that could be described."""
    rows: npt.NDArray[np.int64]


class Trier:
    """Tries the rules in use; what was read is kept, so that later only what is new is read."""

    def __init__(self, desk: RiskDesk) -> None:
        self._desk = desk
        self._read: list[_Read] = []
        """The newest first."""
        self._seen: tuple[bytes, int] | None = None
        self._tried: Tried | None = None
        self._trying = asyncio.Lock()

    async def try_rules(self) -> Tried:
        """Try the rules that decide at present on the newest decisions.

        Raises:
          Unavailable: the journal cannot be read.
        """
        async with self._trying:
            standing = self._desk.tell_standing()
            seen = (standing.loaded.policy_hash, standing.events)
            if self._tried is None or seen != self._seen:
                await self._read_new()
                self._tried = await self._try_rules(seen[0], standing.loaded.rules)
                self._seen = seen
            return self._tried

    async def _read_new(self) -> None:
        """Read what was decided since, and let go of what is too old."""
        last = self._read[0].newest if self._read else 0
        new: list[_Read] = []
        place, count = NEWEST, 0
        while count < DECISIONS_TRIED:
            some = await self._desk.list_decisions(place, SLICE)
            found = [each for each in some if each.place > last]
            if found:
                new.append(_read(found))
                count, place = count + len(found), found[-1].place
            if len(found) < SLICE:
                break
        kept: list[_Read] = []
        count = 0
        for each in (*new, *self._read):
            if count < DECISIONS_TRIED:
                kept.append(each)
                count += each.decisions
        self._read = kept

    async def _try_rules(self, policy_hash: bytes, rules: Sequence[ReadRule]) -> Tried:
        rows = np.concatenate([_stack(()), *(each.rows for each in self._read)])
        numbers = [number for each in self._read for number in each.numbers]
        known = await self._read_known(numbers, rows)
        outcome = await asyncio.to_thread(backtest, rules, rows, known)
        assets = {asset for each in self._read for asset in each.assets}
        return Tried(
            policy_hash,
            outcome,
            sum(each.decisions for each in self._read),
            self._read[-1].from_ms if self._read else 0,
            assets.pop() if len(assets) == 1 else "",
        )

    async def _read_known(self, numbers: Sequence[int], rows: npt.NDArray[np.int64]) -> Known:
        labels: dict[int, bool] = {}
        if numbers:
            labels = await self._desk.list_labels(min(numbers), max(numbers) + 1)
        is_known = np.array([each in labels for each in numbers], np.bool_)
        is_fraud = np.array([labels.get(each, False) for each in numbers], np.bool_)
        return Known(is_fraud, is_known, rows[:, 0])


def _read(found: Sequence[Placed]) -> _Read:
    """Read the payments of decisions; of another set of features, none."""
    records = [decode_record(each.kept.record) for each in found]
    described = [
        payment
        for each, record in zip(found, records, strict=True)
        if record.features == FEATURES_HASH
        for payment in each.kept.payments
        if payment.row
    ]
    return _Read(
        found[0].place,
        len(found),
        records[-1].decided_ms,
        frozenset(each.asset for each in described),
        tuple(each.number for each in described),
        _stack(described),
    )


def _stack(payments: Sequence[KeptPayment]) -> npt.NDArray[np.int64]:
    rows = [unpack(each.row) for each in payments]
    return np.array(rows, np.int64).reshape(-1, len(FEATURES))
