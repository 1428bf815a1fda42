"""From a score to a probability: a rising line through points, in whole numbers.

Fitted on payments that the trees have not seen, of each of which it is known what became of it.
Scores are put in order and cut into groups, small ones at the top, where decisions fall; groups
whose share of fraud does not rise are put together (pool adjacent violators), and between the means
of two groups the line is straight.

Source: Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability
estimates (2002); Barlow et al., Statistical inference under order restrictions (1972).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.compiled import compiled

MILLION = 1_000_000
"""A probability is a whole multiple of a millionth."""
_FRAUDS_IN_GROUP = 25
"""Enough that a group's share is known to a fifth of itself or so."""
_ROWS_IN_GROUP = 50
_GROWTH = 1.25
"""How much larger each group is than the one above it, at least."""


class Calibration(NamedTuple):
    """Points of the line, of rising scores; each array is of shape (n_points,)."""

    score: npt.NDArray[np.int64]
    ppm: npt.NDArray[np.int64]
    """Probability of fraud, in millionths; never falls."""


@compiled
def calibrate(calibration: Calibration, score: int) -> int:
    """Tell the probability of fraud, in millionths: beyond the outer points it is theirs."""
    scores, ppm = calibration
    last = scores.shape[0] - 1
    if score <= scores[0]:
        return int(ppm[0])
    if score >= scores[last]:
        return int(ppm[last])
    at, after = 0, last
    while after - at > 1:
        middle = (at + after) // 2
        if scores[middle] <= score:
            at = middle
        else:
            after = middle
    rise = ppm[after] - ppm[at]
    return int(ppm[at] + (score - scores[at]) * rise // (scores[after] - scores[at]))


@compiled
def calibrate_rows(
    calibration: Calibration, scores: npt.NDArray[np.int64], ppm: npt.NDArray[np.int64]
) -> None:
    """Tell the probability of many scores; `ppm` has their shape (n,) and is filled."""
    for at in range(scores.shape[0]):
        ppm[at] = calibrate(calibration, scores[at])


def fit_calibration(scores: npt.NDArray[np.int64], is_fraud: npt.NDArray[np.bool_]) -> Calibration:
    """Fit the line.

    Args:
      scores: shape (n,), of payments that the trees were not trained on.
      is_fraud: shape (n,).

    Raises:
      Invalid: there are no frauds, or nothing else, to fit it on.
    """
    frauds = int(is_fraud.sum())
    if not 0 < frauds < len(is_fraud):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"of {len(is_fraud)} payments {frauds} are fraud: to calibrate takes some of both",
        )
    order = np.lexsort((is_fraud, -scores))
    groups = _pool(_cut(scores[order], is_fraud[order]))
    groups.reverse()
    return Calibration(
        np.array([total // rows for rows, _, total in groups], np.int64),
        np.array([hits * MILLION // rows for rows, hits, _ in groups], np.int64),
    )


_Group = tuple[int, int, int]
"""Rows, frauds among them, and the sum of their scores."""


def _cut(scores: npt.NDArray[np.int64], is_fraud: npt.NDArray[np.bool_]) -> list[_Group]:
    """Cut into groups, from the highest score on; equal scores stay together."""
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1) + 1
    hits = np.append(0, np.cumsum(is_fraud))
    groups: list[_Group] = []
    begin, rows_min = 0, _ROWS_IN_GROUP
    while begin < len(scores):
        enough = int(np.searchsorted(hits, hits[begin] + _FRAUDS_IN_GROUP))
        asked = min(max(begin + rows_min, enough), len(scores))
        end = int(ends[np.searchsorted(ends, asked)])
        part = slice(begin, end)
        groups.append((end - begin, int(is_fraud[part].sum()), sum(scores[part].tolist())))
        rows_min = int((end - begin) * _GROWTH)
        begin = end
    return groups


def _pool(groups: list[_Group]) -> list[_Group]:
    """Put neighbours together until no share of fraud exceeds that of the group above it."""
    pooled: list[_Group] = []
    for group in groups:
        pooled.append(group)
        while len(pooled) > 1:
            (rows_above, hits_above, _), (rows, hits, _) = pooled[-2:]
            if hits * rows_above < hits_above * rows:
                break
            below, above = pooled.pop(), pooled.pop()
            pooled.append((above[0] + below[0], above[1] + below[1], above[2] + below[2]))
    return pooled
