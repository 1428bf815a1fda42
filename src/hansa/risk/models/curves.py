"""From a score to a probability by one smooth curve, where frauds are too few for groups of them.

Source: Platt, Probabilistic outputs for support vector machines (1999), with one term more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.models.calibration import MILLION, Calibration
from hansa.risk.models.trees import SCALE_BITS

_POINTS = 256
"""Of the line that follows the curve, at equal distances."""
_ODDS_MAX = 30.0
_STEPS_MAX = 50
_STEP_MIN = 1e-10
"""Far below what is reported."""


def fit_curve(scores: npt.NDArray[np.int64], is_fraud: npt.NDArray[np.bool_]) -> Calibration:
    """Fit a line to a curve: log-odds that are a parabola of the score, and never fall.

    Args:
      scores: shape (n,), of payments that the trees were not trained on.
      is_fraud: shape (n,).

    Raises:
      Invalid: there are no frauds, or nothing else, to fit it on; or all scores are the same.
    """
    frauds = int(is_fraud.sum())
    if not 0 < frauds < len(is_fraud) or scores.min() == scores.max():
        raise Invalid(
            InvalidCode.MALFORMED,
            f"of {len(is_fraud)} payments {frauds} are fraud: a curve takes some of both, and "
            "different scores",
        )
    weights = fit_log_odds(_list_powers(scores), is_fraud)
    low, high = int(scores.min()), int(scores.max())
    points = np.unique(np.linspace(low, high, _POINTS).astype(np.int64))
    odds = np.clip(_list_powers(points) @ weights, -_ODDS_MAX, _ODDS_MAX)
    ppm = np.rint(MILLION / (1 + np.exp(-odds))).astype(np.int64)
    return Calibration(points, np.maximum.accumulate(ppm))


def _list_powers(scores: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """List the powers of each score, in tens of the log-odds, so that none is large."""
    tens = scores / (10 * 2**SCALE_BITS)
    return np.stack([np.ones_like(tens), tens, tens * tens], 1)


def fit_log_odds(
    columns: npt.NDArray[np.float64], is_fraud: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Find the weights of columns whose sum fits the log-odds of fraud best; shape (n_columns,).

    Args:
      columns: shape (n, n_columns), none a sum of others.
      is_fraud: shape (n,); some are and some are not.

    Source: Cox, Two further applications of a model for binary regression (1958).
    """
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS_MAX):  # Newton's: each doubles the digits that are right
        odds = np.clip(columns @ weights, -_ODDS_MAX, _ODDS_MAX)
        expected = 1 / (1 + np.exp(-odds))
        curvature = (columns.T * (expected * (1 - expected))) @ columns
        step = np.linalg.solve(curvature, columns.T @ (is_fraud - expected))
        weights += step
        if np.abs(step).max() < _STEP_MIN:
            break
    return weights
