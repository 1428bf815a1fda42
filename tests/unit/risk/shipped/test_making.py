"""A model made of simulated cities is the same each time, and opens; a bad plan is refused."""

import numpy as np
import pytest
from tests.modelled import KEY

from hansa.kernel.crypto.signatures import Suite, public_key_of, sign
from hansa.kernel.errors import Invalid
from hansa.risk.features.layout import DEVICE, KIND, LABEL, MERCHANT, PAYER, PAYMENT, TIME
from hansa.risk.intake.describing import FEATURES
from hansa.risk.models.calibration import Calibration
from hansa.risk.models.file import Signed, read_model
from hansa.risk.shipped.city import lay_out
from hansa.risk.shipped.making import SHAPE, Plan, make, measure
from hansa.risk.simulator.stream import Settings, simulate

PLAN = Plan(seed=3, cities=1, days=3, persons=500, illicit_per_million=60_000)
PLAN = PLAN._replace(shape=SHAPE._replace(trees=8, rows_in_leaf_min=10))


def make_quietly(plan):
    return make(plan, 1_700_000_000_000, "River Bank", lambda *_: None)


def sign_it(message):
    public_key = public_key_of(Suite.ED25519, KEY)
    return Signed(Suite.ED25519, public_key, sign(Suite.ED25519, KEY, message))


def test_the_same_plan_makes_the_same_file_and_it_says_what_it_was_made_of():
    told = []
    made = make(PLAN, 1_700_000_000_000, "River Bank", lambda *each: told.append(each))
    raw = made.sign(sign_it)
    assert make_quietly(PLAN).sign(sign_it) == raw
    assert told == [("cities described", done, 3) for done in (1, 2, 3)]
    model = read_model(raw, "m.model", FEATURES)
    assert len(model.trees.roots) == 8
    sources = model.manifest.sources
    assert [each.use for each in sources] == ["training", "calibration", "test"]
    assert len({each.sha256 for each in sources}) == 3
    assert all(0 < each.frauds < each.rows for each in sources)
    metrics = {each.name: each.millionths for each in model.manifest.metrics}
    assert 800_000 < metrics["auc"] <= 1_000_000
    assert model.manifest.card.made_by == "River Bank"
    thresholds = made.policy.thresholds
    assert thresholds.step_up_ppm <= thresholds.review_ppm <= thresholds.block_ppm


def test_an_operator_sees_payments_before_what_becomes_known_and_not_all_devices():
    simulation = simulate(Settings(seed=4, days=12, persons=500, illicit_per_million=60_000))
    events = lay_out(simulation)
    payments, labels = (events[events[:, KIND] == kind] for kind in (PAYMENT, LABEL))
    assert (np.diff(events[:, TIME]) >= 0).all()
    assert 0 < len(labels) < len(simulation.labels.number)
    assert (payments[:, TIME] == simulation.payments.time_ms).all()
    hidden = payments[:, PAYER] % 4 == 0
    assert (payments[hidden, DEVICE] == -1).all()
    assert (payments[~hidden, DEVICE] == simulation.payments.device[~hidden]).all()
    assert {number % 4 for number in payments[:, MERCHANT].tolist() if number >= 0} == {1, 2, 3}


@pytest.mark.parametrize("change", [{"cities": 0}, {"cities": 17}, {"days": 0}, {"persons": 1}])
def test_a_plan_that_cannot_be_is_refused(change):
    with pytest.raises(Invalid):
        make_quietly(PLAN._replace(**change))


@pytest.mark.parametrize("frauds", [0, 4])
def test_nothing_is_measured_where_there_is_nothing_to_tell_apart(frauds):
    calibration = Calibration(np.array([0, 9]), np.array([10, 900_000]))
    scores = np.array([1, 2, 3, 4])
    with pytest.raises(Invalid, match=f"of 4 payments that test, {frauds} are fraud"):
        measure(calibration, scores, np.arange(4) < frauds)
    level = Calibration(np.array([0]), np.array([10]))
    with pytest.raises(Invalid, match="too few to tell"):
        measure(level, scores, np.arange(4) < 2)
