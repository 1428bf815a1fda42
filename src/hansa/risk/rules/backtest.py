"""Rules tried on payments of the past, of which it is known what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.rules.book import ReadRule
from hansa.risk.rules.firing import fire_rows, lay_out

BLOCK_ROWS = 65_536
"""Rows tried at once: bounds memory, whatever the number of rules."""


class Tried(NamedTuple):
    """What a rule would have done; payments without a label count as fired alone."""

    name: str
    fired: int
    """Payments at which it fired."""
    frauds: int
    """Of these, known frauds."""
    sound: int
    """Of these, payments known to be sound."""
    frauds_alone: int
    """Known frauds at which no other rule of the file fired."""
    fraud_minor: int
    """Sum of the amounts of the known frauds."""

    @property
    def precision_permille(self) -> int | None:
        """Of what is known, the share that was fraud; None if nothing is."""
        known = self.frauds + self.sound
        return self.frauds * 1_000 // known if known else None


class Known(NamedTuple):
    """What became of payments; each of shape (n,)."""

    is_fraud: npt.NDArray[np.bool_]
    is_known: npt.NDArray[np.bool_]
    """Whether there is a label; `is_fraud` says nothing where there is none."""
    amount_minor: npt.NDArray[np.int64]


class Backtest(NamedTuple):
    """What all rules of a file would have done."""

    payments: int
    frauds: int
    """Known ones, caught or not."""
    caught: int
    """Known frauds at which at least one rule fired."""
    alerts: int
    """Payments at which at least one rule fired."""
    rules: tuple[Tried, ...]


def backtest(rules: Sequence[ReadRule], rows: npt.NDArray[np.int64], known: Known) -> Backtest:
    """Try rules, those on trial among them, on payments of the past.

    Args:
      rules: as loaded.
      rows: features of each payment as of its moment, shape (n, n_features).
      known: what became of them.
    """
    laid = lay_out(rules)
    sums = np.zeros((len(rules), 5), np.int64)
    caught = alerts = 0
    for begin in range(0, len(rows), BLOCK_ROWS):
        part = slice(begin, begin + BLOCK_ROWS)
        fired = np.zeros((len(rows[part]), len(rules)), np.bool_)
        fire_rows(laid, rows[part], fired, np.zeros(len(fired), np.int64))
        is_fraud = known.is_fraud[part] & known.is_known[part]
        is_sound = known.is_known[part] & ~known.is_fraud[part]
        by_rules = fired.sum(axis=1)
        sums[:, 0] += fired.sum(axis=0)
        sums[:, 1] += fired[is_fraud].sum(axis=0)
        sums[:, 2] += fired[is_sound].sum(axis=0)
        sums[:, 3] += fired[is_fraud & (by_rules == 1)].sum(axis=0)
        sums[:, 4] += known.amount_minor[part][is_fraud] @ fired[is_fraud]
        caught += int((by_rules[is_fraud] > 0).sum())
        alerts += int((by_rules > 0).sum())
    tried = [Tried(rule.name, *counts) for rule, counts in zip(rules, sums.tolist(), strict=True)]
    frauds = int((known.is_fraud & known.is_known).sum())
    return Backtest(len(rows), frauds, caught, alerts, tuple(tried))
