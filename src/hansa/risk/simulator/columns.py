"""What the simulator gives: payments as columns, what is true of them, and what becomes known."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.events import NOBODY, Label, Payment
from hansa.risk.simulator.chance import Integers

NEVER = -1
"""In the place of the time at which something becomes known."""


class Pattern(IntEnum):
    """What a payment is part of.

    Source: the first eight, Suzumura & Kanezashi, AMLSim (2018); Altman et al., Realistic
    synthetic financial transactions for anti-money laundering models (2023).
    """

    LICIT = 0
    FAN_IN = 1
    FAN_OUT = 2
    CYCLE = 3
    BIPARTITE = 4
    STACK = 5
    RANDOM = 6
    SCATTER_GATHER = 7
    GATHER_SCATTER = 8
    MULE_WALLET = 9
    """Victims pay a mule, who passes it on within hours."""
    VICTIMS_NAME = 10
    """A wallet opened in the victim's name takes the victim's deposit."""
    OVERPAID_REFUND = 11
    """Goods are overpaid, and the difference is refunded to another wallet."""
    COLLECTING_MERCHANT = 12
    """A merchant's wallet collects for fraudsters."""
    SHOP_CASH_OUT = 13
    """Money that has just come in becomes goods that can be sold on, shop after shop."""
    ACCOUNT_TAKEOVER = 14
    """Another device, at night, above the habit."""
    PUSH_PAYMENT = 15
    """The victim, deceived, pays by their own will."""


LAUNDERING = frozenset(Pattern(code) for code in range(1, 9))


class Stage(IntEnum):
    """Which part of its case a payment is."""

    NONE = 0
    PLACEMENT = 1
    """Dirty money comes in: from a bank, a victim, or as payment for goods."""
    LAYERING = 2
    """It goes from wallet to wallet, in the shape that gives the pattern its name."""
    INTEGRATION = 3
    """It leaves, as goods, as cash or into a business."""


class Payments(NamedTuple):
    """Payments in the order of intake, a column for each field of `Payment` but its number."""

    time_ms: Integers
    payer: Integers
    payee: Integers
    amount_minor: Integers
    device: Integers
    merchant: Integers

    def get(self, number: int) -> Payment:
        """Get one payment."""
        time_ms, payer, payee, amount_minor, device, merchant = (
            int(column[number]) for column in self
        )
        return Payment(number, time_ms, payer, payee, amount_minor, device, merchant)


class Truth(NamedTuple):
    """What is true of each payment, which nobody who decides is told; shape (n,) each."""

    pattern: npt.NDArray[np.int8]
    stage: npt.NDArray[np.int8]
    case: Integers
    """Which case it is part of, numbered from 0 as they begin; `NOBODY` where licit."""


class Labels(NamedTuple):
    """What becomes known, by time and, at one time, by payment: columns of `Label`."""

    number: Integers
    time_ms: Integers
    is_fraud: npt.NDArray[np.bool_]

    def get(self, place: int) -> Label:
        """Get one label by its place."""
        return Label(int(self.number[place]), int(self.time_ms[place]), bool(self.is_fraud[place]))


class Rows(NamedTuple):
    """Payments on their way into the stream, in any order; shape (n,) each."""

    time_ms: Integers
    payer: Integers
    payee: Integers
    amount_minor: Integers
    device: Integers
    pattern: npt.NDArray[np.int8]
    stage: npt.NDArray[np.int8]
    case: Integers
    known_ms: Integers
    """When it becomes known what it is, or `NEVER`."""

    def take(self, places: npt.NDArray[np.generic]) -> Rows:
        """Take the rows at some places, or where a mask is true."""
        return Rows(*(column[places] for column in self))


def make_licit(
    time_ms: Integers, payer: Integers, payee: Integers, amount_minor: Integers, device: Integers
) -> Rows:
    """Make rows of which nothing bad is true; what is not above zero becomes one."""
    count = len(time_ms)
    nothing = np.zeros(count, np.int8)
    amounts = np.maximum(amount_minor, 1)
    nobody = np.full(count, NOBODY, np.int64)
    never = np.full(count, NEVER, np.int64)
    return Rows(time_ms, payer, payee, amounts, device, nothing, nothing, nobody, never)


def join(parts: Sequence[Rows]) -> Rows:
    """Put rows after one another."""
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
