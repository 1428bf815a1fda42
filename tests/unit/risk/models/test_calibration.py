"""Scores become probabilities that are true of payments which were not fitted on."""

import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.risk.models.calibration import MILLION, calibrate, calibrate_rows, fit_calibration
from hansa.risk.models.curves import fit_curve
from hansa.risk.models.trees import SCALE_BITS


def draw(seed, rows):
    """Draw log-odds that are too high by one, and what became of them."""
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(-5.0, 2.0, rows)
    is_fraud = chance.random(rows) < 1 / (1 + np.exp(-log_odds))
    return ((log_odds + 1) * 2**SCALE_BITS).astype(np.int64), is_fraud


@pytest.fixture(scope="module")
def fitted():
    return fit_calibration(*draw(1, 150_000))


def test_in_the_top_hundredth_as_many_are_fraud_as_it_says(fitted):
    scores, is_fraud = draw(2, 400_000)
    ppm = np.zeros(len(scores), np.int64)
    calibrate_rows(fitted, scores, ppm)
    said = ppm / MILLION
    top = np.argsort(-said, kind="stable")[: len(said) // 100]
    for bin_of_top in np.array_split(top, 5):
        # Within four standard errors of the share, and of how well the points are known.
        assert abs(said[bin_of_top].mean() - is_fraud[bin_of_top].mean()) < 0.08
    assert abs(said.mean() - is_fraud.mean()) < 0.001
    # Uncalibrated it would say too much up there.
    raw = 1 / (1 + np.exp(-scores[top] / 2**SCALE_BITS))
    assert raw.mean() - is_fraud[top].mean() > 0.05


def test_it_rises_and_holds_at_both_ends(fitted):
    assert (np.diff(fitted.score) > 0).all()
    assert (np.diff(fitted.ppm) >= 0).all()
    lowest, highest = int(fitted.score[0]), int(fitted.score[-1])
    assert calibrate(fitted, -(2**62)) == calibrate(fitted, lowest) == fitted.ppm[0]
    assert calibrate(fitted, 2**62) == calibrate(fitted, highest) == fitted.ppm[-1]
    steps = range(lowest, highest, (highest - lowest) // 500)
    assert (np.diff([calibrate(fitted, score) for score in steps]) >= 0).all()
    middle = (lowest + highest) // 2
    assert calibrate.py_func(fitted, middle) == calibrate(fitted, middle)


def test_the_order_of_rows_does_not_matter(fitted):
    scores, is_fraud = draw(1, 150_000)
    shuffled = np.random.default_rng(3).permutation(len(scores))
    again = fit_calibration(scores[shuffled], is_fraud[shuffled])
    assert np.array_equal(again.score, fitted.score)
    assert np.array_equal(again.ppm, fitted.ppm)


def test_a_curve_needs_few_frauds_to_be_right():
    curve = fit_curve(*draw(1, 20_000))
    scores, is_fraud = draw(2, 400_000)
    ppm = np.zeros(len(scores), np.int64)
    calibrate_rows(curve, scores, ppm)
    top = np.argsort(-ppm, kind="stable")[: len(ppm) // 100]
    for bin_of_top in np.array_split(top, 5):
        assert abs(ppm[bin_of_top].mean() / MILLION - is_fraud[bin_of_top].mean()) < 0.06
    assert (np.diff(curve.score) > 0).all()
    assert (np.diff(curve.ppm) >= 0).all()


@pytest.mark.parametrize("fit", [fit_calibration, fit_curve])
@pytest.mark.parametrize("is_fraud", [True, False])
def test_one_kind_alone_cannot_be_fitted(fit, is_fraud):
    with pytest.raises(Invalid, match="takes some of both"):
        fit(np.arange(5), np.full(5, is_fraud))
