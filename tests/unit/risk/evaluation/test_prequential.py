"""Weekly folds with models of our own: on a small made-up city, and at length on public data."""

from datetime import date, timedelta

import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.risk.evaluation.handbook import describe, list_folds, list_published_folds
from hansa.risk.evaluation.investigating import run_with_feedback
from hansa.risk.evaluation.payments import Payments, read_payments
from hansa.risk.evaluation.prequential import (
    SHAPE,
    Plan,
    average,
    evaluate,
    run_folds,
)
from hansa.risk.features.layout import DAY_MS

BEGIN = date(2018, 4, 1)
DAYS = 63
SMALL = Plan(SHAPE._replace(trees=12, rows_in_leaf_min=5))


@pytest.fixture(scope="module")
def city():
    """Terminals that are compromised for ten days each, whatever is paid there."""
    chance = np.random.default_rng(8)
    n = DAYS * 150
    times = np.sort(chance.integers(0, DAYS * DAY_MS, n))
    terminals = chance.integers(0, 40, n)
    since = chance.integers(-10, DAYS, 40)[terminals]
    day = times // DAY_MS
    is_fraud = (day >= since) & (day < since + 18)
    begin_ms = (BEGIN - date(1970, 1, 1)).days * DAY_MS
    cards = chance.integers(0, 400, n)
    amounts = chance.integers(100, 10_000, n)
    return Payments(times + begin_ms, cards, terminals, amounts, is_fraud)


@pytest.fixture(scope="module")
def plain(city):
    early = city.days < city.days[0] + 49
    return evaluate(city.take(early), city.take(~early), SMALL)


def test_each_whole_week_of_a_test_is_measured(plain):
    assert len(plain) == 2
    assert 0.6 < average(plain).auc < 1


def test_who_looks_at_no_card_learns_nothing_sooner(city, plain):
    folds = [BEGIN + timedelta(35), BEGIN + timedelta(42)]
    assert run_with_feedback(city, folds, SMALL, cards_a_day=0) == plain


def test_an_investigator_knows_of_a_compromised_terminal_the_next_day(city, plain):
    folds = [BEGIN + timedelta(35), BEGIN + timedelta(42)]
    looked = run_with_feedback(city, folds, SMALL, cards_a_day=15)
    assert average(looked).average_precision > average(plain).average_precision + 0.05


def test_the_handbooks_own_weeks_are_those_that_are_whole():
    assert list_published_folds((date(2018, 9, 4) - date(1970, 1, 1)).days)[0] == date(2018, 8, 15)
    whole = list_published_folds((date(2018, 9, 3) - date(1970, 1, 1)).days)
    assert whole == [date(2018, 8, 8), date(2018, 8, 1), date(2018, 7, 25)]
    chosen_on = {day + timedelta(14) for day in list_folds(validation=True)}
    assert not chosen_on & {day + timedelta(14) for day in whole}


def test_a_test_that_begins_too_soon_is_refused(city):
    with pytest.raises(Invalid, match="before those to train end"):
        evaluate(city, city, SMALL)


@pytest.mark.data
@pytest.mark.soak
def test_models_of_ours_reach_what_they_are_said_to(datasets):
    payments = read_payments(datasets / "risk" / "fdh" / "payments_2018-04_2018-08.parquet")
    quality = average(run_folds(payments, describe(payments), list_folds(), Plan()))
    assert quality.average_precision >= 0.745
    assert quality.auc >= 0.89
    looked = average(run_with_feedback(payments, list_folds(), Plan()))
    assert looked.average_precision > quality.average_precision
    assert looked.card_precision_100 > quality.card_precision_100
