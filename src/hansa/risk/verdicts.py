"""What a decision on a payment can be, from the mildest on."""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """What becomes of a payment; of several, the highest counts."""

    ALLOW = 0
    """It is sponsored at once."""
    STEP_UP = 1
    """It waits for its customer, who confirms it by another way."""
    REVIEW = 2
    """It waits for an officer."""
    BLOCK = 3
    """It is not sponsored."""
