"""Measures of scores against what turned out: of ranking, of a day's alerts, of calibration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hansa.risk.models.curves import fit_log_odds

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
Scores = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def compute_auc(scores: Scores, is_fraud: Bools) -> float:
    """Compute the chance that a fraud scores above a genuine payment, ties counting half.

    Args:
      scores: shape (n,).
      is_fraud: shape (n,); some are and some are not.

    Source: Hanley and McNeil, The meaning and use of the area under a ROC curve (1982).
    """
    frauds, all_of_score = _count_by_score(scores, is_fraud)
    genuine = all_of_score - frauds
    above = genuine.sum() - np.cumsum(genuine)  # scores come from high to low
    return float((frauds * (above + genuine / 2)).sum() / frauds.sum() / genuine.sum())


def compute_average_precision(scores: Scores, is_fraud: Bools) -> float:
    """Compute the mean, over frauds, of the precision among all that score as high.

    Args:
      scores: shape (n,).
      is_fraud: shape (n,); some are.
    """
    frauds, all_of_score = _count_by_score(scores, is_fraud)
    precision = np.cumsum(frauds) / np.cumsum(all_of_score)
    return float((frauds * precision).sum() / frauds.sum())


def _count_by_score(scores: Scores, is_fraud: Bools) -> tuple[Whole, Whole]:
    """Count frauds and payments of each score, from high to low."""
    values, places = np.unique(scores, return_inverse=True)
    frauds = np.bincount(places[is_fraud], minlength=len(values))
    return frauds[::-1], np.bincount(places, minlength=len(values))[::-1]


def find_top_cards(scores: Scores, cards: Whole, top: int) -> Whole:
    """Find the cards whose highest score is highest; of equals those with the lower number.

    Args:
      scores: shape (n,).
      cards: shape (n,).
      top: how many are found, or all where there are fewer.
    """
    names, places = np.unique(cards, return_inverse=True)
    highest = np.full(len(names), scores.min(initial=0), scores.dtype)
    np.maximum.at(highest, places, scores)
    return names[np.argsort(-highest, kind="stable")[:top]]


def compute_card_precision(
    scores: Scores, is_fraud: Bools, cards: Whole, days: Whole, *, top: int = 100
) -> float:
    """Compute the share of a day's most suspicious cards that were compromised, as a mean of days.

    A card that was found is not looked at on later days.

    Args:
      scores: shape (n,).
      is_fraud: shape (n,).
      cards: shape (n,).
      days: shape (n,).
      top: how many cards are looked at each day.

    Source: Fraud Detection Handbook, chapter 4, precision top-k metrics.
    """
    found: Whole = np.zeros(0, np.int64)
    precisions = []
    for day in np.unique(days):
        open_today = np.flatnonzero((days == day) & ~np.isin(cards, found))
        looked_at = find_top_cards(scores[open_today], cards[open_today], top)
        compromised = np.unique(cards[open_today][is_fraud[open_today]])
        hits = np.intersect1d(looked_at, compromised)
        found = np.concatenate([found, hits])
        precisions.append(len(hits) / top)
    return float(np.mean(precisions))


def compute_calibration_slope(chances: Floats, is_fraud: Bools) -> float:
    """Compute by what the log-odds told would be multiplied to fit what turned out; 1 is right.

    Args:
      chances: of fraud, shape (n,), each above 0 and below 1.
      is_fraud: shape (n,); some are and some are not.

    Source: Cox, Two further applications of a model for binary regression (1958).
    """
    odds = np.log(chances / (1 - chances))
    _, slope = fit_log_odds(np.stack([np.ones_like(odds), odds], 1), is_fraud)
    return float(slope)


def compute_top_calibration_error(
    chances: Floats, is_fraud: Bools, *, share: float = 0.01, bins: int = 10
) -> float:
    """Compute how far chances are from what turned out, among the most suspicious payments.

    Args:
      chances: of fraud, shape (n,).
      is_fraud: shape (n,).
      share: of all payments, those with the highest chances.
      bins: of as many payments each, in the order of their chances.

    Returns:
      The mean over the bins of the distance between the mean chance and the share of frauds.
    """
    top = np.argsort(-chances, kind="stable")[: max(bins, round(share * len(chances)))]
    distances = [
        abs(chances[part].mean() - is_fraud[part].mean()) for part in np.array_split(top, bins)
    ]
    return float(np.mean(distances))
