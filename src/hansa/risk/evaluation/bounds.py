"""How well anybody could tell the Handbook's compromised cards, by what can be known at all.

Its frauds are of three kinds: large amounts, which show at once; cards that were copied, which pay
five times as much; and terminals, which for 28 days make a fraud of every payment, by amounts like
all others. So of a terminal nobody can know before there is a verdict on a payment at it. Whoever
knew everything else bounds what a model can reach, and what verdicts that come earlier are worth.

Source: Fraud Detection Handbook, chapter 3.2, transaction data simulator; the file's column
`TX_FRAUD_SCENARIO` says of which kind a fraud is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from pyarrow import parquet

from hansa.risk.evaluation.handbook import split
from hansa.risk.evaluation.metrics import Bools, compute_card_precision
from hansa.risk.evaluation.payments import Payments
from hansa.risk.features.layout import DAY_MS

COMPROMISED_DAYS: Final = 28
"""How long each payment at a compromised terminal is fraud."""
_TERMINAL: Final = 2
_KIND: Final = "TX_FRAUD_SCENARIO"


def read_at_terminals(path: Path) -> Bools:
    """Read which payments are frauds since their terminal was compromised, in the file's order."""
    kinds = parquet.read_table(path, columns=[_KIND])[_KIND].to_numpy()
    return np.asarray(kinds == _TERMINAL)


def find_knowable(payments: Payments, at_terminals: Bools, delay_ms: int) -> Bools:
    """Find the frauds that can be told by their amount, their card, or earlier verdicts.

    Args:
      payments: in the order of their times.
      at_terminals: shape (n,), the frauds that only their terminal tells.
      delay_ms: how long after a payment the verdict on it is known.

    Returns:
      Shape (n,); generous: a verdict on the same terminal's compromise before this one counts, too.
    """
    knowable = payments.is_fraud & ~at_terminals
    places = np.flatnonzero(at_terminals)
    places = places[np.argsort(payments.terminals[places], kind="stable")]
    times_ms, terminals = payments.time_ms[places], payments.terminals[places]
    edges = np.flatnonzero(np.diff(terminals, prepend=-1, append=-1))
    for begin, end in pairwise(edges.tolist()):
        here = times_ms[begin:end]
        known = np.searchsorted(here, here - delay_ms, side="right")
        forgotten = np.searchsorted(here, here - delay_ms - COMPROMISED_DAYS * DAY_MS)
        knowable[places[begin:end]] = known > forgotten
    return knowable


def bound_card_precision(payments: Payments, knowable: Bools, folds: Sequence[date]) -> float:
    """Compute the CP@100 of whoever tells these frauds and fills the list by chance; mean of folds.

    Of a hundred cards a day, 13 to 66 can be told. Whoever measures a model has it name a
    hundred all the same, so the places left are filled here, too, with the cards of the lowest
    numbers, which the simulator has given by no rule; which of these were compromised counts, as
    it does for a model.
    """
    found = []
    for first_day in folds:
        tested = split(payments, first_day).test
        _, cards, _, _, is_fraud = part = payments.take(tested)
        scores = knowable[tested].astype(np.int64)
        found.append(compute_card_precision(scores, is_fraud, cards, part.days))
    return float(np.mean(found))
