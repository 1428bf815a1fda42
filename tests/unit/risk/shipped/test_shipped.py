"""What ships opens, and is as good on a city that nobody has seen as its manifest says."""

import numpy as np
import pytest

from hansa.risk.decisions.deciding import Decider
from hansa.risk.intake.describing import FEATURES
from hansa.risk.intake.intake import Taken, begin_intake
from hansa.risk.models.trees import score_rows
from hansa.risk.rules.backtest import Known, backtest
from hansa.risk.shipped.city import describe_city
from hansa.risk.shipped.loading import (
    MODEL_NAME,
    load_shipped,
    load_shipped_policy,
    load_shipped_rules,
    read_shipped,
)
from hansa.risk.shipped.making import measure
from hansa.risk.simulator.stream import Settings
from hansa.risk.verdicts import Verdict

FRESH = Settings(seed=100_003, days=14, persons=1_500, illicit_per_million=5_000)


@pytest.fixture(scope="module")
def city():
    return describe_city(FRESH, "test")


def test_it_is_as_good_as_its_manifest_says(city):
    model = load_shipped()
    assert len(read_shipped(MODEL_NAME)) < 600_000
    scores = np.zeros(len(city.rows), np.int64)
    score_rows(model.trees, city.rows, scores)
    found = measure(model.calibration, scores, city.is_fraud)
    told = {each.name: each.millionths / 1_000_000 for each in model.manifest.metrics}
    assert found["auc"] == pytest.approx(told["auc"], abs=0.02)
    # Some 200 frauds in 30 cases: so few that the rest may be off by this much.
    assert found["average_precision"] == pytest.approx(told["average_precision"], abs=0.15)
    assert found["calibration_slope"] == pytest.approx(told["calibration_slope"], abs=0.25)


def test_its_policy_stops_few_payments_and_much_of_the_crime(city):
    decider = Decider(load_shipped_policy(), (), load_shipped(), FEATURES)
    verdicts = np.array([each.verdict for each in decider.decide_all(city.rows[:20_000], {})])
    stopped = verdicts != Verdict.ALLOW
    assert stopped.mean() < 0.025
    assert stopped[city.is_fraud[:20_000]].mean() > 0.6
    assert city.is_fraud[:20_000][verdicts == Verdict.BLOCK].mean() > 0.7


def test_its_rules_find_crime_that_is_rare_elsewhere(city):
    stopping = [each for each in load_shipped_rules() if each.verdict != Verdict.ALLOW]
    everything = np.ones(len(city.rows), np.bool_)
    tried = backtest(stopping, city.rows, Known(city.is_fraud, everything, city.rows[:, 0]))
    assert tried.alerts < 0.025 * tried.payments
    assert tried.caught > 0.15 * tried.frauds
    assert tried.caught / tried.alerts > 10 * tried.frauds / tried.payments
    fired = [each.name for each in tried.rules if each.fired]
    assert len(fired) >= len(stopping) - 2  # two are too rare for so small a city


def test_what_was_stopped_is_not_let_through_because_it_is_tried_again():
    """Somebody of small habits is robbed: the thief sends one payment after the other."""
    intake, day_ms = begin_intake(), 86_400_000
    usual = [
        Taken(20_000 * day_ms + number * 6 * 3_600_000, name(1), name(2 + number % 3), 2_300)
        for number in range(120)
    ]
    intake.take(usual)
    night_ms = 20_031 * day_ms + 3 * 3_600_000
    tried = [Taken(night_ms + each * 60_000, name(1), name(9), 60_000) for each in range(12)]
    decider = Decider(load_shipped_policy(), load_shipped_rules(), load_shipped(), FEATURES)
    decided = decider.decide_all(intake.take(tried), {})
    assert Verdict.ALLOW not in [each.verdict for each in decided]


def name(number):
    return number.to_bytes(32, "big")
