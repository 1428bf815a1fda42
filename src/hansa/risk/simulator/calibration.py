"""Constants of ordinary life, taken from public tables by hand; nothing reads the tables.

- **Hours.** Of transfers, purchases and cash: counts per hour in PaySim's `aggregatedTransactions`
  (28 days and 24.6 million payments of an African mobile money service), in thousandths. Shops by
  day: payments per hour in the Fraud Detection Handbook's simulated data (1.45 million licit ones).
- **Spreads.** Standard deviations of the logarithm to base two: of PaySim's TRANSFER (deviation
  1.66 of the mean: 1.15 in natural logarithms), CASH_IN and CASH_OUT (.75: .67), and of the
  Handbook's customers (.46 of the mean each: .44; their means from 9 to 97 dollars: .6).
- **Medians.** The Handbook's payments have a median of 44.50, kept here as that of a purchase;
  of transfers PaySim has about seventy times that, which no retail wallet holds: ours is lower.
- **How many.** The Handbook's customers pay .5 to 3.7 times a day (5 % and 95 %), 2.05 in median.

How many refunds, collections, rents, newcomers there are is our own guess, so that what criminals
do is also done by people who are none.

Source: Lopez-Rojas et al., PaySim (2016); Le Borgne et al., Reproducible machine learning for
credit card fraud detection: practical handbook (2022).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from hansa.risk.simulator.chance import UNIT, Integers, find_logarithm

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000

HOURS_TRANSFER = (
    30, 11, 2, 1, 1, 1, 2, 6, 14, 22, 26, 32, 40, 46,
    52, 54, 64, 71, 97, 112, 110, 92, 72, 48,
)  # fmt: skip
HOURS_BY_DAY = (
    9, 12, 17, 23, 30, 37, 46, 54, 61, 67, 72, 74, 74, 71,
    67, 61, 53, 45, 38, 30, 23, 17, 12, 9,
)  # fmt: skip
HOURS_EVENING = (
    40, 14, 4, 1, 1, 1, 1, 4, 10, 14, 11, 16, 23, 34,
    41, 42, 57, 65, 99, 122, 127, 107, 93, 76,
)  # fmt: skip

SPREAD_PURCHASE = UNIT * 63 // 100
SPREAD_PERSON = UNIT * 80 // 100
SPREAD_TRANSFER = UNIT * 166 // 100
SPREAD_CASH = UNIT * 97 // 100
SPREAD_BUSINESS = UNIT * 170 // 100


class Kind(IntEnum):
    """What a business does."""

    GROCER = 0
    RESTAURANT = 1
    TRANSPORT = 2
    ONLINE = 3
    FASHION = 4
    VALUABLES = 5
    """Electronics, jewellery, gift cards: what can be sold on."""
    UTILITY = 6
    EMPLOYER = 7
    """Or a platform that pays those who work for it each week."""
    BANK = 8
    """Where money becomes a deposit or cash, and comes back."""


class Trade(NamedTuple):
    """How businesses of a kind trade with people."""

    share: int
    """Of businesses, in percent; 0 where their number is fixed."""
    visits: int
    """Of purchases, in percent."""
    median: int
    """Logarithm of the median amount, as in `chance`."""
    opens: int
    """First hour of the day."""
    closes: int
    """Hour in which the last payment is over."""
    hours: tuple[int, ...]


TRADES = {
    Kind.GROCER: Trade(22, 34, find_logarithm(38_00), 7, 22, HOURS_BY_DAY),
    Kind.RESTAURANT: Trade(24, 24, find_logarithm(32_00), 9, 24, HOURS_EVENING),
    Kind.TRANSPORT: Trade(6, 16, find_logarithm(14_00), 0, 24, HOURS_BY_DAY),
    Kind.ONLINE: Trade(20, 14, find_logarithm(75_00), 0, 24, HOURS_EVENING),
    Kind.FASHION: Trade(14, 8, find_logarithm(110_00), 10, 21, HOURS_BY_DAY),
    Kind.VALUABLES: Trade(6, 4, find_logarithm(480_00), 10, 22, HOURS_BY_DAY),
    Kind.UTILITY: Trade(0, 0, find_logarithm(65_00), 6, 23, HOURS_TRANSFER),
    Kind.EMPLOYER: Trade(8, 0, find_logarithm(3_200_00), 6, 20, HOURS_BY_DAY),
    Kind.BANK: Trade(0, 0, find_logarithm(220_00), 0, 24, HOURS_TRANSFER),
}

UTILITIES = 8
BANKS = 5

TRANSFER_MEDIAN = find_logarithm(60_00)
SELLER_MEDIAN = find_logarithm(90_00)
STRANGER_MEDIAN = find_logarithm(180_00)
FAMILY_MEDIAN = find_logarithm(850_00)
"""Of what is lent, given for a month, or paid for a used car or work in a home."""
RENT_MEDIAN = find_logarithm(1_300_00)
SUPPLY_MEDIAN = find_logarithm(1_600_00)
COLLECTION_MEDIAN = find_logarithm(45_00)
FORWARD_MEDIAN = find_logarithm(500_00)

_SLOTS = 4096


def tabulate_hours(thousandths: tuple[int, ...]) -> Integers:
    """Lay out hours so that one of 4096 places drawn at random is an hour by its weight."""
    edges = np.cumsum(np.array(thousandths, np.int64)) * _SLOTS // sum(thousandths)
    return np.searchsorted(edges, np.arange(_SLOTS), side="right").astype(np.int64)


HOUR_TABLE = np.stack([tabulate_hours(TRADES[kind].hours) for kind in Kind])
"""Shape (n_kinds, 4096)."""
TRANSFER_TABLE = tabulate_hours(HOURS_TRANSFER)
