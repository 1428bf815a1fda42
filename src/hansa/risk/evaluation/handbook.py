"""The Fraud Detection Handbook's data and protocols: their weeks, delays, features and measures.

A week of training, then a week in which no verdict is known yet, then a week of test. Cards known
to be compromised by then are not part of the test.

Source: Le Borgne, Siblini, Lebichot and Bontempi, Reproducible machine learning for credit card
fraud detection: practical handbook (2022), chapters 3 to 5.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from hansa.risk.evaluation.metrics import (
    Bools,
    Floats,
    Scores,
    Whole,
    compute_auc,
    compute_average_precision,
    compute_card_precision,
)
from hansa.risk.evaluation.payments import Payments
from hansa.risk.features.catalogue import NAMES
from hansa.risk.features.layout import (
    AMOUNT,
    DAY_MS,
    EVENT_COLUMNS,
    IS_FRAUD,
    KIND,
    LABEL,
    NUMBER,
    PAYEE,
    PAYER,
    PAYMENT,
    TIME,
)
from hansa.risk.features.memory import Features

WEEK = 7
"""Days of training, of waiting for verdicts, and of test."""
FIRST_TRAINING_DAY = date(2018, 7, 25)
FOLDS = 4
_BLOCK = 8_192


class Quality(NamedTuple):
    """What is published of a model."""

    auc: float
    average_precision: float
    card_precision_100: float


def describe(payments: Payments, *, delay_days: int = WEEK) -> Whole:
    """Compute all rows of features, with each verdict known a number of days after its payment.

    Args:
      payments: cards pay, terminals are paid.
      delay_days: a verdict is known at this very distance, before a payment of the same moment.

    Returns:
      Shape (n, n_features).
    """
    told_ms = payments.time_ms + delay_days * DAY_MS
    everything = np.arange(len(told_ms))
    return take_in_blocks(Features(), lay_out(payments, everything, everything, told_ms))


def lay_out(payments: Payments, places: Whole, numbers: Whole, told_ms: Whole) -> Whole:
    """Lay payments and labels out as events; of one moment, labels come before payments.

    Args:
      payments: all, numbered by their places.
      places: which of them come in, shape (n,).
      numbers: of which of them it becomes known whether they are fraud, shape (m,).
      told_ms: when, shape (m,).
    """
    n = len(places)
    coming = payments.take(places)
    events = np.full((n + len(numbers), EVENT_COLUMNS), -1, np.int64)
    events[:n, KIND], events[n:, KIND] = PAYMENT, LABEL
    events[:n, NUMBER], events[n:, NUMBER] = places, numbers
    events[:n, TIME], events[n:, TIME] = coming.time_ms, told_ms
    events[:n, PAYER] = coming.cards
    events[:n, PAYEE] = coming.terminals
    events[:n, AMOUNT] = coming.amount_minor
    events[n:, IS_FRAUD] = payments.is_fraud[numbers]
    return events[np.lexsort((events[:, KIND] == PAYMENT, events[:, TIME]))]


def take_in_blocks(features: Features, events: Whole) -> Whole:
    """Take events block by block, so that the log grows no longer than what it keeps."""
    blocks = [features.take(events[at : at + _BLOCK]) for at in range(0, len(events), _BLOCK)]
    return np.concatenate(blocks) if blocks else np.zeros((0, len(NAMES)), np.int64)


def select_handbook_features(rows: Whole) -> Floats:
    """Compute the Handbook's 15 features from ours: its windows count the payment itself.

    Args:
      rows: shape (n, n_features), with verdicts after seven days.

    Returns:
      Shape (n, 15): amount; weekend, night; count and mean amount of the card, then count and share
      of frauds of the terminal, each over 1, 7 and 30 days.
    """
    by_name = dict(zip(NAMES, rows.T, strict=True))
    amount = by_name["amount_minor"]
    columns = [amount / 100, by_name["weekday"] >= 5, by_name["is_night"]]  # noqa: PLR2004 - Saturday
    for window in ("1d", "7d", "30d"):
        count = by_name[f"payer_count_{window}"] + 1
        columns += [count, (by_name[f"payer_sum_{window}_minor"] + amount) / 100 / count]
    for window in ("1d", "7d", "30d"):
        count = by_name[f"payee_labelled_{window}"]
        columns += [count, by_name[f"payee_frauds_{window}"] / np.maximum(count, 1)]
    return np.stack([column.astype(np.float64) for column in columns], 1)


class Fold(NamedTuple):
    """Which payments train, and which test, by their places."""

    train: Whole
    test: Whole


def split(payments: Payments, first_day: date, *, train_days: int = WEEK) -> Fold:
    """Split off days to train, and after seven days more, seven to test.

    Of the test, a day has no card of which a fraud is known by then: one of the days that train, or
    of a later day that lies eight days back or more.

    Args:
      payments: in which these days are.
      first_day: on which the last seven days that train begin.
      train_days: how many days train, up to the end of those seven.
    """
    days, cards = payments.days, payments.cards
    waits = (first_day + timedelta(WEEK) - date(1970, 1, 1)).days
    trains = (days >= waits - train_days) & (days < waits)
    known = np.unique(cards[trains & payments.is_fraud & (days >= waits - WEEK)])
    tests = np.zeros(len(days), np.bool_)
    for day in range(waits + WEEK, waits + 2 * WEEK):
        newly = cards[(days == day - WEEK - 1) & payments.is_fraud]
        known = np.union1d(known, newly)
        tests |= (days == day) & ~np.isin(cards, known)
    return Fold(np.flatnonzero(trains), np.flatnonzero(tests))


def list_folds(*, validation: bool = False) -> list[date]:
    """List the first days of training of the four weekly folds, the latest first.

    Args:
      validation: those by which parameters are chosen, 14 days before those that are published.
    """
    last = FIRST_TRAINING_DAY - timedelta(2 * WEEK if validation else 0)
    return [last - timedelta(WEEK * fold) for fold in range(FOLDS)]


def list_published_folds(last_day: int) -> list[date]:
    """List the first days of training of the Handbook's own test weeks, the latest first.

    Those begin on 8 August and are four, three of them later than those of `list_folds`; no week of
    them is among those by which parameters are chosen.

    Args:
      last_day: of payments, in days since 1970; weeks that are not whole are left out.
    """
    folds = [FIRST_TRAINING_DAY + timedelta(WEEK * fold) for fold in reversed(range(FOLDS))]
    return [each for each in folds if (each - date(1970, 1, 1)).days + 3 * WEEK <= last_day + 1]


def measure(scores: Scores, tested: Payments) -> Quality:
    """Measure scores of tested payments, shape (n,), as the Handbook does."""
    return Quality(
        compute_auc(scores, tested.is_fraud),
        compute_average_precision(scores, tested.is_fraud),
        compute_card_precision(scores, tested.is_fraud, tested.cards, tested.days),
    )


def run_protocol_a(
    payments: Payments, rows: Floats, fit: Callable[[Floats, Bools], Callable[[Floats], Floats]]
) -> Quality:
    """Measure a model on 8 to 14 August, trained on 25 to 31 July with the Handbook's features.

    Args:
      payments: from 25 July to 14 August at least.
      rows: `select_handbook_features` of them, for which they were described from 18 June on; each
        is scaled by its mean and deviation among those that train.
      fit: trains a model on rows, shape (n, 15), and says how it scores others.
    """
    fold = split(payments, FIRST_TRAINING_DAY)
    centre, spread = rows[fold.train].mean(0), rows[fold.train].std(0)
    scaled = (rows - centre) / np.where(spread > 0, spread, 1)
    score = fit(scaled[fold.train], payments.is_fraud[fold.train])
    return measure(score(scaled[fold.test]), payments.take(fold.test))
