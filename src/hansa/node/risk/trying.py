"""Rules tried on the payments that were decided on last, and on what is known of them since."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.node.risk.desk import RiskDesk
from hansa.node.risk.format import KeptPayment
from hansa.node.risk.journal import NEWEST
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.intake.describing import FEATURES, FEATURES_HASH
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


class Trier:
    """Tries the rules in use; what it found is kept until there is something new."""

    def __init__(self, desk: RiskDesk) -> None:
        self._desk = desk
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
                self._tried = await self._try_rules(seen[0], standing.loaded.rules)
                self._seen = seen
            return self._tried

    async def _try_rules(self, policy_hash: bytes, rules: Sequence[ReadRule]) -> Tried:
        parts = [_stack(())]
        numbers: list[int] = []
        assets: set[str] = set()
        read, from_ms, place = 0, 0, NEWEST
        while read < DECISIONS_TRIED:
            some = await self._desk.list_decisions(place, SLICE)
            described: list[KeptPayment] = []
            for each in some:
                record = decode_record(each.kept.record)
                place, from_ms = each.place, record.decided_ms
                if record.features == FEATURES_HASH:
                    described += [one for one in each.kept.payments if one.row]
            parts.append(_stack(described))
            numbers += [one.number for one in described]
            assets |= {one.asset for one in described}
            read += len(some)
            if len(some) < SLICE:
                break
        rows = np.concatenate(parts)
        known = await self._read_known(numbers, rows)
        outcome = await asyncio.to_thread(backtest, rules, rows, known)
        return Tried(policy_hash, outcome, read, from_ms, assets.pop() if len(assets) == 1 else "")

    async def _read_known(self, numbers: Sequence[int], rows: npt.NDArray[np.int64]) -> Known:
        labels: dict[int, bool] = {}
        if numbers:
            labels = await self._desk.list_labels(min(numbers), max(numbers) + 1)
        is_known = np.array([each in labels for each in numbers], np.bool_)
        is_fraud = np.array([labels.get(each, False) for each in numbers], np.bool_)
        return Known(is_fraud, is_known, rows[:, 0])


def _stack(payments: Sequence[KeptPayment]) -> npt.NDArray[np.int64]:
    return np.array([each.row for each in payments], np.int64).reshape(-1, len(FEATURES))
