"""What is remembered of payments, laid out in arrays: who paid whom, when, and what became of it.

A log keeps each payment for `kept_ms`; beside it stands a table of sums for each kind of party and
one for relations, of a payer with a payee, a device or a merchant. All is whole numbers of 64 bits.
Arrays grow by doubling and never shrink. Parties stay for ever; a relation goes with its last
payment from the log, and so memory is bounded by the parties and the payments of `kept_ms`.

Bounds: a party's number is below 2**30, an amount at most 2**53, a time at most 2**50. In sums an
amount counts as less than 2**33 minor units, and the log holds at most 2**29 payments, so that no
sum reaches 2**62 and no ratio does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WINDOWS_MS = (HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS)
"""A window holds what is younger than this, to the millisecond: at exactly this age it is out."""
WINDOW_NAMES = ("1h", "1d", "7d", "30d")
WINDOWS = len(WINDOWS_MS)
KEPT_MS = 45 * DAY_MS
"""How long a payment may wait for its label, and a relation for its next payment: what is paid
every month is not new every month."""

PARTY_MAX = 2**30 - 1
AMOUNT_MAX = 2**53
TIME_MAX_MS = 2**50
"""As the graph of payments has it: what one takes in, the other does."""
SUMMED_MAX = 2**33 - 1
LOG_MAX = 2**29
"""So that their relations, three each, have numbers of 32 bits."""
VERSION = 4

# An event, as one row of a block: a payment, a label, word that time has passed, a payment that is
# described and numbered but not remembered, and one of which is decided which of both it is.
PAYMENT, LABEL, TICK, ATTEMPT, ASKED = range(5)
KIND, NUMBER, TIME, PAYER, PAYEE, AMOUNT, DEVICE, MERCHANT, TRIED = range(9)
TOGETHER, LISTED, EVENT_COLUMNS = range(TRIED + 1, TRIED + 4)
IS_FRAUD = PAYER
"""Where a label says it."""
# The last two say of a payment that is decided on as it is taken in: of how many it is the first
# that one transaction has, 1 or more, and what lists say of it. Of others they are -1.

# The columns of `clock`.
NOW, NEXT, FIRST_KEPT, STARTS = 0, 1, 2, 3
LABELS, LABEL_STARTS = STARTS + WINDOWS, STARTS + WINDOWS + 1
RELATIONS, FREE, LATE, KEPT = (LABEL_STARTS + WINDOWS + place for place in range(4))
CLOCK_COLUMNS = KEPT + 1

# The columns of a party: of each window in turn, then of all time, then of labels.
COUNT, SUM, OTHERS, IN_WINDOW = 0, 1, 2, 3
"""`OTHERS` counts the payees of a payer, and the payers of all others."""
FIRST, LAST = IN_WINDOW * WINDOWS, IN_WINDOW * WINDOWS + 1
LABELLED, FRAUDS, GENUINE_SUM, IN_LABELS = LAST + 1, LAST + 2, LAST + 3, 3
RUN = LABELLED + IN_LABELS * WINDOWS
RUN_BEGAN, FRAUD_LAST, GENUINE_LAST = RUN + 1, RUN + 2, RUN + 3
RUN_LEAST, FRAUD_SURPRISE = GENUINE_LAST + 1, GENUINE_LAST + 2
"""The least surprising fraud of a run, and that of the fraud told last."""
TOP, NEWEST = FRAUD_SURPRISE + 1, FRAUD_SURPRISE + 1 + WINDOWS
"""The largest payment in each window, and the newest of all; -1 is none."""
PARTY_COLUMNS = NEWEST + 1
DEVICES, PAYER_COLUMNS = PARTY_COLUMNS, PARTY_COLUMNS + WINDOWS
"""A payer has the count of its devices in each window besides."""

# The columns of a relation: its key, payments in each window, then of all time.
KEY, COUNTS, SINCE, UNTIL, RELATION_COLUMNS = 0, 1, 1 + WINDOWS, 2 + WINDOWS, 3 + WINDOWS
WITH_PAYEE, WITH_DEVICE, WITH_MERCHANT = 0, 1, 2

# The columns of `parties`: the four, their relations, then as said. An attempt has no payer.
LOG_PAYER, LOG_PAYEE, LOG_DEVICE, LOG_MERCHANT, LOG_RELATIONS = range(5)
PARTIES = 4
BACK, AHEAD = LOG_RELATIONS + 3, LOG_RELATIONS + 3 + PARTIES
"""How many payments it is back to the next larger of each of the four, and ahead to the next
smaller; or 0."""
PAIR_BACK = AHEAD + PARTIES
"""How many it is back to the pair's payment before, or 0."""
MADE_AHEAD = PAIR_BACK
"""Of an attempt: how many ahead the payment is that it became, or 0."""
VERDICT = PAIR_BACK + 1
"""0 is none yet, 1 genuine, 2 fraud."""
SURPRISE, SURPRISE_MAX = VERDICT + 1, 2**31 - 1
"""How large it was for its payer's habit, as a ratio; -1 where there was none."""
LOG_COLUMNS = SURPRISE + 1
# And of `labels`.
LABEL_TIME, LABEL_PAYER, LABEL_PAYEE, LABEL_MERCHANT = range(4)
LABEL_FRAUD, LABEL_GENUINE_SUM, LABEL_COLUMNS = 4, 5, 6


class State(NamedTuple):
    """All that is remembered; a place in the log or in `labels` is a number, modulo its length."""

    clock: Whole
    """Shape (`CLOCK_COLUMNS`,)."""
    log: Whole
    """When, and how much; shape (2**k, 2)."""
    parties: Small
    """Of a payment in the log; shape (2**k, `LOG_COLUMNS`)."""
    labels: Whole
    """Shape (2**k, `LABEL_COLUMNS`)."""
    payers: Whole
    """Shape (n, `PAYER_COLUMNS`)."""
    payees: Whole
    """Shape (n, `PARTY_COLUMNS`), as the next two are."""
    devices: Whole
    merchants: Whole
    relations: Whole
    """Shape (n, `RELATION_COLUMNS`)."""
    slots: Small
    """Where a relation stands, by its key: at most half of them are taken, -1 is free."""


RINGS_MIN = 64
"""How many places there are at first for payments, labels and relations."""


def make_state(kept_ms: int = KEPT_MS) -> State:
    """Remember nothing yet.

    Args:
      kept_ms: how long a payment stays in the log, 30 days or more.
    """
    clock = np.zeros(CLOCK_COLUMNS, np.int64)
    clock[FREE] = -1
    clock[KEPT] = max(kept_ms, WINDOWS_MS[-1])
    return State(
        clock,
        np.zeros((RINGS_MIN, 2), np.int64),
        np.zeros((RINGS_MIN, LOG_COLUMNS), np.int32),
        np.zeros((RINGS_MIN, LABEL_COLUMNS), np.int64),
        make_parties(16, PAYER_COLUMNS),
        make_parties(16, PARTY_COLUMNS),
        make_parties(16, PARTY_COLUMNS),
        make_parties(16, PARTY_COLUMNS),
        np.zeros((RINGS_MIN, RELATION_COLUMNS), np.int64),
        np.full(4 * RINGS_MIN, -1, np.int32),
    )


def make_parties(rows: int, columns: int) -> Whole:
    """Make a table of parties of whom nothing is known."""
    made = np.zeros((rows, columns), np.int64)
    made[:, [FIRST, LAST]] = -1
    made[:, RUN_BEGAN:PARTY_COLUMNS] = -1
    return made
