"""Thresholds chosen by what mistakes cost, and by how many alerts can be looked at in a day.

To stop a payment costs something if it was sound; to let it pass costs its amount if it was fraud.
So each verdict is worth giving from some probability on, and that of a payment at hand follows from
its amount; one threshold for all is chosen as the best on payments of the past. Where officers
cannot look at so many, the threshold rises until they can.

Source: Elkan, The foundations of cost-sensitive learning (2001).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.decisions.policy import NEVER_PPM


class Costs(NamedTuple):
    """What it costs to stop payments, in minor units."""

    sound_minor: int
    """Of a sound payment that was stopped: the officer's time, the customer's trouble."""
    alert_minor: int = 0
    """Of each payment that was stopped, be it fraud or not."""
    recovered_permille: int = 0
    """Of a fraud that passed, the share that comes back all the same."""


class Chosen(NamedTuple):
    """A threshold, and what it does on the payments that it was chosen on."""

    ppm: int
    alerts: int
    frauds: int
    """Of the alerts."""
    saved_minor: int
    """Against stopping nothing; never below zero."""


def choose_threshold(
    ppm: npt.NDArray[np.int64],
    is_fraud: npt.NDArray[np.bool_],
    amount_minor: npt.NDArray[np.int64],
    costs: Costs,
    alerts_max: int,
) -> Chosen:
    """Choose from which probability on to stop payments: the cheapest that can be worked off.

    Of several that save the same, the highest is chosen: it troubles the fewest.

    Args:
      ppm: probabilities in millionths, shape (n,), of payments that the model was not fitted on.
      is_fraud: what they were, shape (n,).
      amount_minor: their amounts, shape (n,).
      costs: of mistakes.
      alerts_max: how many of these payments may be stopped: the capacity of a day times the days
        that they are of.

    Raises:
      Invalid: there is no payment to choose on.
    """
    if not len(ppm):
        raise Invalid(InvalidCode.MALFORMED, "there is no payment to choose a threshold on")
    order = np.argsort(-ppm, kind="stable")
    ppm, is_fraud = ppm[order], is_fraud[order]
    lost = amount_minor[order] * (1_000 - costs.recovered_permille) // 1_000
    saved = np.where(is_fraud, lost, -costs.sound_minor) - costs.alert_minor
    # A threshold stops all payments of one probability, or none of them.
    ends = np.append(np.flatnonzero(np.diff(ppm)), len(ppm) - 1)
    ends = ends[ends < alerts_max]
    totals = np.cumsum(saved)[ends]
    if not len(totals) or totals.max() <= 0:
        return Chosen(NEVER_PPM, 0, 0, 0)
    best = int(totals.argmax())
    end = int(ends[best])
    return Chosen(max(int(ppm[end]), 1), end + 1, int(is_fraud[: end + 1].sum()), int(totals[best]))
