"""Models of our own on the Handbook's folds: a week each, with or without an investigator.

The shape of the trees was chosen on the folds of validation, 14 days before those of test.

Source: Fraud Detection Handbook, chapter 5, prequential validation; its protocol is called B here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.evaluation.handbook import (
    WEEK,
    Fold,
    Quality,
    describe,
    measure,
    split,
)
from hansa.risk.evaluation.metrics import Bools, Whole
from hansa.risk.evaluation.payments import Payments, join
from hansa.risk.features.catalogue import NAMES
from hansa.risk.models.training import Shape, train
from hansa.risk.models.trees import Trees, score_rows

SHAPE = Shape(
    trees=250,
    leaves=8,
    learning_rate=0.03,
    rows_in_leaf_min=10,
    row_share=0.7,
    feature_share=0.3,
    l2=5.0,
    bins=8191,
    rows_in_bin_min=1,
)
FEATURES = (
    "amount_minor",
    "payer_max_1d_minor",
    "payer_max_30d_minor",
    "payer_mean_30d_minor",
    "amount_to_payer_mean_7d",
    "amount_to_payer_mean_30d",
    "amount_to_payer_max_30d",
    "amount_to_payee_mean_30d",
    "payee_labelled_1d",
    "payee_labelled_7d",
    "payee_labelled_30d",
    "payee_frauds_1d",
    "payee_frauds_7d",
    "payee_frauds_30d",
    "payee_fraud_run",
    "payee_fraud_run_age_ms",
    "payee_fraud_age_ms",
    "payee_genuine_age_ms",
    "payer_labelled_30d",
    "payer_frauds_7d",
    "payer_frauds_30d",
    "payer_fraud_age_ms",
    "amount_to_payer_genuine_30d",
    "payer_max_1d_to_genuine_30d",
    "payee_fraud_run_surprise",
    "payer_fraud_surprise",
)
"""What the models here are told, chosen with their shape: habits of the payer, and verdicts."""
_CHOSEN = [NAMES.index(name) for name in FEATURES]
TRAINED_WEEKS_MIN = 5
EPOCH = date(1970, 1, 1)
ALL_DAYS = 10_000
"""More days to train than there are."""


class Plan(NamedTuple):
    """How a model is made for each fold."""

    shape: Shape = SHAPE
    train_days: int = WEEK
    """How many days train, up to seven before the test; more than there are is all of them."""
    seed: int = 1


def fit(rows: Whole, is_fraud: Bools, plan: Plan) -> Trees:
    """Train a model on `FEATURES` of rows, shape (n, n_features)."""
    return train(rows[:, _CHOSEN], is_fraud, plan.shape, seed=plan.seed)


def score(trees: Trees, rows: Whole) -> Whole:
    """Score rows, shape (n, n_features), one by one as they would be in a payment's path."""
    scores = np.zeros(len(rows), np.int64)
    score_rows(trees, np.ascontiguousarray(rows[:, _CHOSEN]), scores)
    return scores


def evaluate(trained: Payments, tested: Payments, plan: Plan) -> list[Quality]:
    """Measure models on every whole week of later payments, the earliest first.

    A week is tested by a model of the days that end a week before it, as in protocol B; later weeks
    train on days of the test, whose verdicts are known by then.

    Args:
      trained: of five weeks or more, so that windows are full.
      tested: begin where those end.
      plan: how the models are made.

    Raises:
      Invalid: the test begins before the end of what trains; as `list_weeks` and `check_fold`.
    """
    payments = join(trained, tested)
    folds = list_weeks(trained, tested)
    return run_folds(payments, describe(payments), folds, plan)


def list_weeks(trained: Payments, tested: Payments) -> list[date]:
    """List the first days of training for every whole week of later payments, the earliest first.

    Raises:
      Invalid: there is no whole week to test, or there are less than five that train.
    """
    weeks = int(tested.days[-1] + 1 - tested.days[0]) // WEEK
    if not weeks:
        raise Invalid(InvalidCode.ARGUMENTS, "payments to test are of less than a week")
    days = int(tested.days[0] - trained.days[0])
    if days < TRAINED_WEEKS_MIN * WEEK:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"payments to train begin {days} days before those to test: windows of 30 days are "
            f"full after {TRAINED_WEEKS_MIN} weeks",
        )
    begin = EPOCH + timedelta(int(tested.days[0]))
    return [begin + timedelta(WEEK * (week - 2)) for week in range(weeks)]


def average(qualities: Sequence[Quality]) -> Quality:
    """Average over folds."""
    return Quality(*(float(mean) for mean in np.mean(qualities, 0)))


def run_folds(payments: Payments, rows: Whole, folds: Sequence[date], plan: Plan) -> list[Quality]:
    """Measure models on folds.

    Args:
      payments: of all days that train or test.
      rows: `describe` of them, shape (n, n_features).
      folds: their first days of training.
      plan: how the models are made.
    """
    scored = (score_fold(payments, rows, first_day, plan) for first_day in folds)
    return [measure(scores, payments.take(test)) for test, scores in scored]


class Scored(NamedTuple):
    """A week of test, scored."""

    test: Whole
    """Its payments, by their places."""
    scores: Whole


def score_fold(payments: Payments, rows: Whole, first_day: date, plan: Plan) -> Scored:
    """Train a model for a fold, and score its test.

    Args:
      payments: of all days that train or test.
      rows: `describe` of them, shape (n, n_features).
      first_day: as of `split`.
      plan: how the model is made.

    Raises:
      Invalid: as `check_fold`.
    """
    fold = split(payments, first_day, train_days=plan.train_days)
    check_fold(payments, fold, first_day)
    trees = fit(rows[fold.train], payments.is_fraud[fold.train], plan)
    return Scored(fold.test, score(trees, rows[fold.test]))


def check_fold(payments: Payments, fold: Fold, first_day: date) -> None:
    """Check that a fold has what training and measures take.

    Raises:
      Invalid: there are no frauds, or nothing else, among those that train or among those tested.
    """
    for places, day, what in (
        (fold.train, first_day, "train"),
        (fold.test, first_day + timedelta(2 * WEEK), "are tested"),
    ):
        frauds = int(payments.is_fraud[places].sum())
        if not 0 < frauds < len(places):
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"of the {len(places)} payments that {what} in the week from {day} on, {frauds} "
                "are fraud: it takes some of both kinds",
            )
