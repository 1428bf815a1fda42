"""Try a rule file on the payments of a journal, as they were described when they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from hansa.node.risk.clerk.format import KeptPayment
from hansa.node.risk.clerk.journal import Journal
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.intake.describing import FEATURES_HASH
from hansa.risk.packing import unpack
from hansa.risk.rules.backtest import Backtest, Known, Tried, backtest
from hansa.risk.rules.book import ReadRule

BLOCK_PAYMENTS = 16_384
"""Tried at once: bounds memory, whatever was taken in."""


def try_rules(journal: Journal, rules: Sequence[ReadRule]) -> Backtest:
    """Try rules on all payments that were described by the features of this program.

    Raises:
      Corrupt: the journal is damaged.
      Unavailable: it cannot be read.
    """
    payments = _iterate_described(journal)
    total = Backtest(0, 0, 0, 0, tuple(Tried(rule.name, 0, 0, 0, 0, 0) for rule in rules))
    while block := list(islice(payments, BLOCK_PAYMENTS)):
        labels = journal.list_labels(block[0].number, block[-1].number + 1)
        known = Known(
            np.array([labels.get(each.number, False) for each in block], np.bool_),
            np.array([each.number in labels for each in block], np.bool_),
            np.array([each.amount_minor for each in block], np.int64),
        )
        rows = np.array([unpack(each.row) for each in block], np.int64)
        total = _add(total, backtest(rules, rows, known))
    return total


def _iterate_described(journal: Journal) -> Iterator[KeptPayment]:
    for placed in journal.iterate_decisions():
        if decode_record(placed.kept.record).features == FEATURES_HASH:
            yield from (each for each in placed.kept.payments if each.row)


def _add(total: Backtest, part: Backtest) -> Backtest:
    tried = tuple(
        Tried(one.name, *(a + b for a, b in zip(one[1:], other[1:], strict=True)))
        for one, other in zip(total.rules, part.rules, strict=True)
    )
    return Backtest(
        total.payments + part.payments,
        total.frauds + part.frauds,
        total.caught + part.caught,
        total.alerts + part.alerts,
        tried,
    )
