"""Measures against counting by hand, and against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from hansa.risk.evaluation.metrics import (
    compute_auc,
    compute_average_precision,
    compute_calibration_slope,
    compute_card_precision,
    compute_top_calibration_error,
)


def test_ranking_is_measured_as_scikit_learn_does_ties_included():
    chance = np.random.default_rng(3)
    for scores in (chance.integers(0, 9, 500), chance.integers(0, 10**9, 500), np.zeros(500, int)):
        is_fraud = chance.random(500) < 0.02 + 0.1 * (scores > scores.mean())
        assert compute_auc(scores, is_fraud) == pytest.approx(roc_auc_score(is_fraud, scores))
        expected = average_precision_score(is_fraud, scores)
        assert compute_average_precision(scores, is_fraud) == pytest.approx(expected)


def test_a_card_counts_once_by_its_highest_score_and_not_again_when_it_was_found():
    #        day 0: card 1 found, 2 innocent   day 1: 1 is gone; 3 found, 2 innocent
    scores = np.array([5, 9, 1, 8, 9, 7, 6, 1])
    cards = np.array([1, 1, 3, 2, 1, 2, 3, 4])
    days = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    is_fraud = np.array([True, False, True, False, True, False, True, True])
    assert compute_card_precision(scores, is_fraud, cards, days, top=2) == (1 / 2 + 1 / 2) / 2
    assert compute_card_precision(scores, is_fraud, cards, days, top=1) == (1 + 0) / 2
    assert compute_card_precision(scores, is_fraud, cards, days, top=4) == (2 / 4 + 1 / 4) / 2


def test_chances_that_are_right_have_slope_1_and_bold_ones_less():
    chance = np.random.default_rng(4)
    odds = chance.normal(-3, 1.5, 20_000)
    chances = 1 / (1 + np.exp(-odds))
    is_fraud = chance.random(len(odds)) < chances
    slope = compute_calibration_slope(chances, is_fraud)
    oracle = LogisticRegression(C=np.inf).fit(odds[:, None], is_fraud)
    assert slope == pytest.approx(oracle.coef_[0, 0], abs=1e-3)
    bold = 1 / (1 + np.exp(-2 * odds))
    assert compute_calibration_slope(bold, is_fraud) == pytest.approx(slope / 2)


def test_the_error_at_the_top_is_the_mean_over_bins_of_as_many_payments():
    chances = np.concatenate([np.full(980, 0.001), np.full(10, 0.5), np.full(10, 0.9)])
    is_fraud = np.concatenate([np.ones(980, bool), np.arange(10) < 4, np.arange(10) < 9])
    error = compute_top_calibration_error(chances, is_fraud, share=0.02, bins=2)
    assert error == pytest.approx((0.1 + 0.0) / 2)
