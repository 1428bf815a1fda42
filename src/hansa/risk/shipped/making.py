"""Make a model of simulated cities: trained on some, calibrated on others, measured on yet others.

All begin on their first day, with wallets of which nothing is known, as where the model is put to
work. What each payment was is what the simulator knows, not the labels, which come late or never;
these are features. The same plan gives the same arrays, with one version of LightGBM.

Source: docs/reference/risk-models.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.decisions.policy import Policy, Thresholds, Unscored
from hansa.risk.decisions.thresholds import Chosen, Costs, choose_threshold
from hansa.risk.evaluation.metrics import (
    compute_auc,
    compute_average_precision,
    compute_calibration_slope,
    compute_top_calibration_error,
)
from hansa.risk.intake.describing import FEATURES
from hansa.risk.models.calibration import (
    MILLION,
    Calibration,
    calibrate_rows,
    fit_calibration,
)
from hansa.risk.models.file import (
    FORMAT_VERSION,
    Card,
    Manifest,
    Metric,
    Signed,
    Source,
    build_message,
    encode_arrays,
    write_model,
)
from hansa.risk.models.training import Shape, train
from hansa.risk.models.trees import Trees, score_rows
from hansa.risk.shipped.city import UNKNOWN_EVERY, City, describe_city
from hansa.risk.simulator.stream import Settings

SHAPE = Shape(
    trees=200,
    leaves=31,
    learning_rate=0.05,
    rows_in_leaf_min=50,
    row_share=0.7,
    feature_share=0.5,
    l2=5.0,
    bins=63,
)
USES = ("training", "calibration", "test")
CITIES_MAX = 16
"""Of each use."""
NAME = "simulated_cities"

STEP_UP = Costs(sound_minor=2_00, recovered_permille=500)
"""A customer confirms once more; half of those who are deceived confirm, too."""
REVIEW = Costs(sound_minor=20_00, alert_minor=10_00)
"""An officer looks at it for some minutes, while the customer waits."""
BLOCK = Costs(sound_minor=10_000_00)
"""A sound payment that is turned down may cost a customer."""
STEP_UP_PER_MILLE = 15
"""Of all payments, those that may be asked about again."""
REVIEW_PER_MILLE = 4
"""Of all payments, those that officers can look at: a hundred of 25,000 a day."""
UNSCORED_FROM_MINOR = 500_00

Whole = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Tell = Callable[[str, int, int], None]
"""Told of a stage, how much of it is done, and how much there is."""


class Plan(NamedTuple):
    """What a model is made of."""

    seed: int = 1
    cities: int = 4
    """That train; as many calibrate, and as many test."""
    days: int = 30
    persons: int = 4_000
    illicit_per_million: int = 5_000
    shape: Shape = SHAPE


class Made(NamedTuple):
    """A model, not yet signed, and the policy that was chosen for it."""

    manifest: Manifest
    arrays: bytes
    policy: Policy
    chosen: tuple[Chosen, Chosen, Chosen]
    """What each threshold does in the cities that calibrate: step-up, review, block."""

    def sign(self, sign: Callable[[bytes], Signed]) -> bytes:
        """Write the model file, signed by whoever vouches for it."""
        return write_model(self.manifest, sign(build_message(self.manifest)), self.arrays)


class _Scored(NamedTuple):
    """What is kept of cities that were scored; shape (n,) each."""

    scores: Whole
    is_fraud: Bools
    amount_minor: Whole


def make(plan: Plan, made_ms: int, made_by: str, tell: Tell) -> Made:
    """Make a model, which takes minutes, and 3 GB where the plan is the default.

    Args:
      plan: what it is made of.
      made_ms: when, in milliseconds since 1970.
      made_by: who, for the card.
      tell: told of progress.

    Raises:
      Invalid: the plan is none, or its cities have too little crime to learn from.
    """
    if not 1 <= plan.cities <= CITIES_MAX:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"{plan.cities} cities of each use: choose 1 to {CITIES_MAX}"
        )
    trees, sources = _train(plan, tell)
    calibrating, more = _score(trees, plan, 1, tell)
    tested, most = _score(trees, plan, 2, tell)
    calibration = fit_calibration(calibrating.scores, calibrating.is_fraud)
    arrays = encode_arrays(trees, calibration)
    manifest = Manifest(
        FORMAT_VERSION,
        NAME,
        made_ms,
        FEATURES,
        (*sources, *more, *most),
        _measure(calibration, tested),
        _write_card(plan, made_by),
        hashlib.sha256(arrays).digest(),
    )
    chosen = _choose(calibration, calibrating)
    step_up, review, block = (each.ppm for each in chosen)
    # Where officers have no room for one, it may still be worth a block, which asks for none.
    review = min(review, block)
    thresholds = Thresholds(min(step_up, review), review, block)
    return Made(manifest, arrays, Policy(1, thresholds, Unscored(UNSCORED_FROM_MINOR)), chosen)


def measure(calibration: Calibration, scores: Whole, is_fraud: Bools) -> dict[str, float]:
    """Measure a model on payments that it has not seen.

    Args:
      calibration: of the model.
      scores: shape (n,).
      is_fraud: what they were, shape (n,).

    Raises:
      Invalid: there is too little to tell.
    """
    ppm = np.zeros(len(scores), np.int64)
    calibrate_rows(calibration, scores, ppm)
    frauds = int(is_fraud.sum())
    if not 0 < frauds < len(scores) or len(np.unique(ppm)) < 2:  # noqa: PLR2004 - a line has two
        raise Invalid(
            InvalidCode.MALFORMED,
            f"of {len(scores)} payments that test, {frauds} are fraud: too few to tell how good a "
            "model is; simulate more of them",
        )
    chances = np.clip(ppm, 1, MILLION - 1) / MILLION
    return {
        "average_precision": compute_average_precision(scores, is_fraud),
        "auc": compute_auc(scores, is_fraud),
        "calibration_slope": compute_calibration_slope(chances, is_fraud),
        "top_calibration_error": compute_top_calibration_error(chances, is_fraud),
    }


def _describe(plan: Plan, use: int, tell: Tell) -> Iterator[City]:
    """Describe the cities of one use, which no other use and no other seed has."""
    for number in range(plan.cities):
        place = use * CITIES_MAX + number
        seed = plan.seed * len(USES) * CITIES_MAX + place
        settings = Settings(seed, plan.days, plan.persons, plan.illicit_per_million)
        yield describe_city(settings, USES[use])
        tell("cities described", use * plan.cities + number + 1, len(USES) * plan.cities)


def _train(plan: Plan, tell: Tell) -> tuple[Trees, list[Source]]:
    cities = list(_describe(plan, 0, tell))
    rows = np.concatenate([each.rows for each in cities])
    is_fraud = np.concatenate([each.is_fraud for each in cities])
    sources = [each.source for each in cities]
    cities.clear()  # which is half of the memory that this takes
    return train(rows, is_fraud, plan.shape, seed=plan.seed), sources


def _score(trees: Trees, plan: Plan, use: int, tell: Tell) -> tuple[_Scored, list[Source]]:
    """Score cities one by one, so that no more than one is kept in memory."""
    scored, sources = [], []
    for city in _describe(plan, use, tell):
        scores = np.zeros(len(city.rows), np.int64)
        score_rows(trees, city.rows, scores)
        scored.append(_Scored(scores, city.is_fraud, city.rows[:, 0].copy()))
        sources.append(city.source)
    return _Scored(*(np.concatenate(column) for column in zip(*scored, strict=True))), sources


def _measure(calibration: Calibration, tested: _Scored) -> tuple[Metric, ...]:
    measured = measure(calibration, tested.scores, tested.is_fraud)
    return tuple(Metric(name, round(value * MILLION)) for name, value in measured.items())


def _choose(calibration: Calibration, scored: _Scored) -> tuple[Chosen, Chosen, Chosen]:
    ppm = np.zeros(len(scored.scores), np.int64)
    calibrate_rows(calibration, scored.scores, ppm)
    count = len(ppm)

    def choose(costs: Costs, alerts_max: int) -> Chosen:
        return choose_threshold(ppm, scored.is_fraud, scored.amount_minor, costs, alerts_max)

    return (
        choose(STEP_UP, count * STEP_UP_PER_MILLE // 1_000),
        choose(REVIEW, count * REVIEW_PER_MILLE // 1_000),
        choose(BLOCK, count),
    )


def _write_card(plan: Plan, made_by: str) -> Card:
    return Card(
        purpose=(
            "To tell the risk that a retail payment between wallets is part of a fraud or of "
            "laundering, before an operator has payments of its own to learn from."
        ),
        limits=(
            "It has seen no real payment: cities, people and crimes are simulated, with "
            f"{plan.illicit_per_million} of a million payments illicit, and its probabilities hold "
            "where that is so. Amounts are minor units of a currency of two digits in which a "
            "purchase costs about 45. No personal data is among its features; how it treats "
            "groups of people was not tried, as simulated people belong to none. On an operator's "
            "first day, and of wallets that are new, it knows little. Devices of every "
            f"{UNKNOWN_EVERY}th payer, and every {UNKNOWN_EVERY}th merchant, were hidden from it."
        ),
        made_by=made_by,
    )
