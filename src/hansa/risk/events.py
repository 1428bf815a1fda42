"""What risk control is told: payments as they come in, and what turned out to be fraud.

Wallets, devices and merchants are small numbers here: the operator's intake numbers them as they
first appear, in its recorded order, so that a replay of that order gives the same numbers.
"""

from __future__ import annotations

from typing import NamedTuple

NOBODY = -1
"""In the place of a device or merchant that is not known."""


class Payment(NamedTuple):
    """A payment at the moment in which it is decided on."""

    number: int
    """Its place in the order of intake, from 0; labels name it by this."""
    time_ms: int
    """When it was taken in, in milliseconds since 1970: never before the payment before it."""
    payer: int
    payee: int
    amount_minor: int
    device: int = NOBODY
    """Of the payer, as the operator knows it."""
    merchant: int = NOBODY
    """Whose wallet the payee is, where it is a merchant's: one merchant may have many."""
    attempt: int = NOBODY
    """The number that it had when it was tried and not remembered; labels name it by that."""
    is_attempt: bool = False
    """Whether it is numbered and described, and not remembered: it was not let through."""


class Label(NamedTuple):
    """What became known of a payment, be it soon or after months."""

    number: int
    """Of the payment."""
    time_ms: int
    """When it became known: never before the payment."""
    is_fraud: bool
