"""Probabilities are held against what turned out; the line is fitted on earlier weeks alone."""

from datetime import date, timedelta

import numpy as np
import pytest

from hansa.risk.evaluation.chances import measure_chances
from hansa.risk.evaluation.payments import Payments
from hansa.risk.evaluation.prequential import Scored
from hansa.risk.models.trees import SCALE_BITS

FIRST = date(2018, 6, 1)
WEEK_ROWS = 40_000


@pytest.mark.parametrize(("stretch", "slope"), [(1, 1.0), (2, 0.5)])
def test_scores_that_grow_louder_make_probabilities_wrong(stretch, slope):
    chance = np.random.default_rng(2)
    odds = chance.normal(-4, 2, 3 * WEEK_ROWS)
    is_fraud = chance.random(len(odds)) < 1 / (1 + np.exp(-odds))
    nothing = np.zeros(len(odds), np.int64)
    payments = Payments(nothing, nothing, nothing, nothing, is_fraud)
    asked = []

    def score_week(first_day):
        week = (first_day - FIRST).days // 7
        asked.append(week)
        # The last week's scores are those of the others, stretched around what is most frequent.
        louder = np.where(week == 2, (odds + 4) * stretch - 4, odds)
        places = np.arange(week * WEEK_ROWS, (week + 1) * WEEK_ROWS)
        return Scored(places, (louder[places] * 2**SCALE_BITS).astype(np.int64))

    found = measure_chances(payments, [FIRST + timedelta(14)], score_week, earlier_weeks=1)
    assert set(asked) == {0, 2}
    assert found.slope == pytest.approx(slope, abs=0.06)
    assert (found.top_error < 0.06) == (stretch == 1)
