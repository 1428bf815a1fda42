"""How far the probabilities that a model tells are right, on weeks that it has not seen.

A score becomes a probability by a line that is fitted on earlier weeks: those whose models were
made in the same way, a week or more before, and whose verdicts are known when the test begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from hansa.risk.evaluation.handbook import WEEK
from hansa.risk.evaluation.metrics import (
    Bools,
    Floats,
    compute_calibration_slope,
    compute_top_calibration_error,
)
from hansa.risk.evaluation.payments import Payments
from hansa.risk.evaluation.prequential import Scored
from hansa.risk.models.calibration import MILLION, calibrate_rows
from hansa.risk.models.curves import fit_curve

EARLIER_WEEKS = 5
"""On how many weeks the line is fitted: the newest whose verdicts are known, and those before;
chosen, as the kind of line was, on the folds of validation."""


class Rightness(NamedTuple):
    """How far probabilities are right; of all weeks of test together."""

    slope: float
    """By what log-odds would be multiplied to fit what turned out; 1 is right."""
    top_error: float
    """Of the most suspicious hundredth, in ten parts: how far the mean is from what turned out."""


def measure_chances(
    payments: Payments,
    first_days: Sequence[date],
    score_week: Callable[[date], Scored],
    *,
    earlier_weeks: int = EARLIER_WEEKS,
) -> Rightness:
    """Measure the probabilities told of the weeks of test.

    Args:
      payments: of all days that are scored.
      first_days: of training, each of a fold.
      score_week: scores the test of a fold, also of folds before these; is asked of each fold more
        than once.
      earlier_weeks: on how many weeks the line is fitted.
    """
    chances: list[Floats] = []
    frauds: list[Bools] = []
    for first_day in first_days:
        newest = first_day - timedelta(2 * WEEK)
        earlier = [score_week(newest - timedelta(WEEK * back)) for back in range(earlier_weeks)]
        line = fit_curve(
            np.concatenate([each.scores for each in earlier]),
            np.concatenate([payments.is_fraud[each.test] for each in earlier]),
        )
        test, scores = score_week(first_day)
        ppm = np.zeros(len(scores), np.int64)
        calibrate_rows(line, scores, ppm)
        chances.append(np.clip(ppm, 1, MILLION - 1) / MILLION)
        frauds.append(payments.is_fraud[test])
    told, is_fraud = np.concatenate(chances), np.concatenate(frauds)
    return Rightness(
        compute_calibration_slope(told, is_fraud), compute_top_calibration_error(told, is_fraud)
    )
