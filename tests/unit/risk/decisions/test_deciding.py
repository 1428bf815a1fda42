"""Lists stand over rules, rules over the model; and a decision says what moved it."""

import hashlib

import numpy as np
import pytest

from hansa.kernel.crypto.signatures import Suite
from hansa.kernel.errors import Invalid
from hansa.risk.decisions.deciding import NOT_SCORED, Decider, Listed
from hansa.risk.decisions.policy import NEVER_PPM, load_policy
from hansa.risk.decisions.thresholds import Chosen, Costs, choose_threshold
from hansa.risk.models.calibration import Calibration
from hansa.risk.models.file import Card, Manifest, Model, Signed
from hansa.risk.models.trees import NEVER, Trees
from hansa.risk.rules.book import load_rules
from hansa.risk.verdicts import Verdict

FEATURES = ("amount_minor", "age_ms", "nights")
ONE = 2**32
RULES = b"""
name = "tried"
[[rules]]
name = "known_shop"
verdict = "allow"
all = ["nights = 7"]
[[rules]]
name = "huge"
verdict = "review"
all = ["amount_minor >= 1000000"]
[[rules]]
name = "young"
verdict = "block"
is_trial = true
all = ["age_ms < 1min"]
"""
POLICY = b"""
version = 3
[thresholds]
step_up_ppm = 100000
review_ppm = 500000
block_ppm = 900000
[unscored]
review_from_minor = 5000
"""


def build_model():
    """Young wallets by a step, large amounts by another: two trees that are easily summed."""
    trees = Trees(
        feature=np.array([1, 0, 0, 0, 0, 0], np.uint32),
        threshold=np.array([500, NEVER, NEVER, 10_000, NEVER, NEVER]),
        left=np.array([1, 1, 2, 4, 4, 5], np.uint32),
        value=np.array([0, 2 * ONE, -2 * ONE, 0, -ONE, ONE]),
        roots=np.array([0, 3], np.uint32),
    )
    calibration = Calibration(
        np.array([-3 * ONE, -ONE, ONE, 3 * ONE]), np.array([1_000, 100_000, 500_000, 950_000])
    )
    card = Card("", "", "")
    manifest = Manifest(1, "m", 0, FEATURES, (), (), card, hashlib.sha256(b"").digest())
    return Model(manifest, Signed(Suite.ED25519, b"", b""), trees, calibration)


@pytest.fixture(scope="module")
def decider():
    rules = load_rules(RULES, "rules.toml", FEATURES)
    return Decider(load_policy(POLICY, "policy.toml"), rules, build_model(), FEATURES)


@pytest.mark.parametrize(
    ("row", "verdict", "reasons", "ppm"),
    [
        ((100, 70_000, 0), Verdict.ALLOW, (), 1_000),
        ((10_001, 70_000, 0), Verdict.STEP_UP, ("feature.amount_minor",), 100_000),
        ((100, 5, 0), Verdict.REVIEW, ("feature.age_ms",), 500_000),
        ((10_001, 5, 0), Verdict.BLOCK, ("feature.age_ms", "feature.amount_minor"), 950_000),
        # A rule that allows keeps the model from stopping it, but no other rule.
        ((10_001, 5, 7), Verdict.ALLOW, ("rule.known_shop",), 950_000),
        ((10**6, 70_000, 7), Verdict.REVIEW, None, 100_000),
        ((10**6, 70_000, 0), Verdict.REVIEW, ("rule.huge", "feature.amount_minor"), 100_000),
    ],
)
def test_a_decision_is_the_highest_verdict_with_its_reasons(decider, row, verdict, reasons, ppm):
    decision = decider.decide(np.array(row, np.int64))
    assert decision.verdict is verdict
    assert decision.ppm == ppm
    if reasons is not None:
        assert decision.reasons == reasons
    assert decision.trials == (("rule.young",) if row[1] < 60_000 else ())


def test_no_rule_that_allows_stands_over_a_list(decider):
    listed = Listed(Verdict.BLOCK, "sanctions")
    decision = decider.decide(np.array([1, 70_000, 7], np.int64), listed)
    assert decision.verdict is Verdict.BLOCK
    assert decision.reasons == ("list.sanctions", "rule.known_shop")


def test_a_list_that_allows_keeps_the_model_and_no_rule_from_stopping_it(decider):
    allowed = Listed(Verdict.ALLOW, "allowed")
    decision = decider.decide(np.array([10_001, 5, 0], np.int64), allowed)
    assert (decision.verdict, decision.reasons) == (Verdict.ALLOW, ("list.allowed",))
    decision = decider.decide(np.array([10**6, 70_000, 0], np.int64), allowed)
    assert decision.verdict is Verdict.REVIEW


def test_many_are_decided_as_each_alone(decider):
    chance = np.random.default_rng(5)
    rows = np.stack(
        [
            chance.integers(0, 20_000, 101),
            chance.integers(0, 1_000, 101),
            chance.integers(0, 9, 101),
        ],
        axis=1,
    )
    listed = {4: Listed(Verdict.REVIEW, "watched")}
    together = decider.decide_all(rows, listed)
    assert together == [decider.decide(row, listed.get(at)) for at, row in enumerate(rows)]
    assert len({each.verdict for each in together}) == 4


def test_without_a_model_small_payments_pass_and_large_ones_wait(decider):
    down = Decider(decider.policy, decider.rules, None, FEATURES)
    small, large = (down.decide(np.array([amount, 70_000, 0])) for amount in (4_999, 5_000))
    assert (small.verdict, small.reasons, small.ppm) == (Verdict.ALLOW, (NOT_SCORED,), None)
    assert (large.verdict, large.reasons) == (Verdict.REVIEW, (NOT_SCORED,))
    assert down.decide(np.array([10**6, 70_000, 7])).reasons[0] == "rule.known_shop"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"version = 0", "version"),
        (b"version = 1\n[thresholds]\nreview_ppm = 5\nblock_ppm = 4", "must not fall"),
        (b"version = 1\n[thresholds]\nreview_pmp = 5", "review_pmp"),
        (b"version = 1\n[unscored]\nreview_from_minor = -1", "review_from_minor"),
        (b"version = ", "policy.toml: "),
    ],
)
def test_a_policy_that_cannot_be_is_refused(raw, told):
    with pytest.raises(Invalid, match=told):
        load_policy(raw, "policy.toml")


def test_the_threshold_is_where_most_is_saved_within_capacity():
    ppm = np.array([900_000, 800_000, 800_000, 300_000, 100_000])
    is_fraud = np.array([True, True, False, True, False])
    amounts = np.array([1_000, 500, 70, 2_000, 90])
    costs = Costs(sound_minor=100, alert_minor=10, recovered_permille=500)

    def choose(alerts_max, **changed):
        return choose_threshold(ppm, is_fraud, amounts, costs._replace(**changed), alerts_max)

    assert choose(5) == Chosen(300_000, 4, 3, 500 + 250 - 100 + 1_000 - 4 * 10)
    assert choose(3) == Chosen(800_000, 3, 2, 500 + 250 - 100 - 3 * 10)
    # Two of one probability are stopped together, or neither is.
    assert choose(2) == Chosen(900_000, 1, 1, 490)
    assert choose(5, alert_minor=5_000) == Chosen(NEVER_PPM, 0, 0, 0)
    with pytest.raises(Invalid, match="no payment"):
        choose_threshold(ppm[:0], is_fraud[:0], amounts[:0], costs, 5)
