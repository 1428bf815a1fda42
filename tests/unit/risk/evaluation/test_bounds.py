"""What can be known of compromised terminals: nothing before the first verdict on one."""

from datetime import date

import numpy as np
import pytest

from hansa.risk.evaluation.bounds import bound_card_precision, find_knowable, read_at_terminals
from hansa.risk.evaluation.handbook import WEEK, list_folds
from hansa.risk.evaluation.payments import Payments, read_payments
from hansa.risk.features.layout import DAY_MS

FIRST_DAY = date(2018, 7, 25)


def make_payments(rows):
    """Make payments of rows: hour, card, terminal, whether fraud, whether its terminal tells it."""
    hours, cards, terminals, frauds, at_terminals = np.array(rows).T
    order = np.argsort(hours, kind="stable")
    payments = Payments(hours * (DAY_MS // 24), cards, terminals, cards + 1, frauds == 1)
    return payments.take(order), (at_terminals == 1)[order]


def test_a_terminal_is_known_once_a_verdict_is_and_not_for_ever():
    payments, at_terminals = make_payments(
        [
            (0, 1, 7, 1, 1),
            (24, 2, 7, 1, 1),  # a day after the first
            (23, 3, 7, 1, 1),
            (24 * 8, 4, 7, 1, 1),
            (24 * 8, 5, 8, 1, 1),  # another terminal
            (24 * 8, 6, 9, 1, 0),  # an amount tells it, or its card
            (24 * 8, 7, 7, 0, 0),
            (24 * 50, 8, 7, 1, 1),  # compromised anew: the last is 42 days ago
        ]
    )
    after_a_day = find_knowable(payments, at_terminals, DAY_MS)
    after_a_week = find_knowable(payments, at_terminals, WEEK * DAY_MS)
    assert payments.cards[after_a_day].tolist() == [2, 4, 6]
    assert payments.cards[after_a_week].tolist() == [4, 6]
    assert find_knowable(payments, at_terminals, 0).tolist() == payments.is_fraud.tolist()


def test_what_nobody_knows_is_found_by_chance_alone():
    begin = (FIRST_DAY - date(1970, 1, 1)).days
    rows = []
    for day in range(begin, begin + 3 * WEEK):
        is_tested = day >= begin + 2 * WEEK
        new = 10_000 + 1_000 * (day - begin)
        rows += [
            (24 * day, new + each, each, int(is_tested and each >= 470), 0) for each in range(500)
        ]
    payments, nothing = make_payments(rows)
    chance = np.zeros(len(payments.cards), np.bool_)
    assert bound_card_precision(payments, payments.is_fraud, [FIRST_DAY]) == 0.3
    assert bound_card_precision(payments, chance, [FIRST_DAY]) == 0
    assert find_knowable(payments, nothing, DAY_MS).tolist() == payments.is_fraud.tolist()


def test_places_that_knowledge_leaves_go_to_the_lowest_numbers_and_what_these_find_counts():
    begin = (FIRST_DAY - date(1970, 1, 1)).days
    rows = []
    for day in range(begin, begin + 3 * WEEK):
        is_tested, new = day >= begin + 2 * WEEK, 10_000 + 1_000 * (day - begin)
        for each in range(500):  # of the frauds, twenty are among the lowest numbers
            is_fraud = is_tested and (each < 20 or each >= 470)
            rows.append((24 * day, new + each, each, int(is_fraud), int(each < 20)))
    payments, at_terminals = make_payments(rows)
    known = payments.is_fraud & ~at_terminals
    assert bound_card_precision(payments, known, [FIRST_DAY]) == pytest.approx(0.5)
    assert bound_card_precision(payments, payments.is_fraud, [FIRST_DAY]) == pytest.approx(0.5)
    assert bound_card_precision(payments, at_terminals & False, [FIRST_DAY]) == pytest.approx(0.2)


@pytest.mark.data
def test_the_handbooks_frauds_are_known_sooner_where_verdicts_are(datasets):
    path = datasets / "risk" / "fdh" / "payments_2018-04_2018-08.parquet"
    payments, at_terminals = read_payments(path), read_at_terminals(path)
    assert payments.is_fraud[at_terminals].all()
    found = [
        bound_card_precision(payments, find_knowable(payments, at_terminals, days * DAY_MS), folds)
        for folds in [list_folds()]
        for days in (7, 1, 0)
    ]
    assert found == pytest.approx([0.3014, 0.3754, 0.4007], abs=0.0005)
