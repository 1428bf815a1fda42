"""What is not let through is tried again and again: no verdict becomes milder by that.

Decided by the policy, the rules and the model that ship, as of a city of four people.
"""

from __future__ import annotations

import itertools
import random
from contextlib import closing

import pytest
from tests.deciding_desk import CHEAP
from tests.world import make_genesis

from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import Network
from hansa.node.bench.risk.bank import write_folder
from hansa.node.risk.clerk.deciding import Deciding
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.judging import Answering
from hansa.node.risk.clerk.memory import build_event
from hansa.node.risk.clerk.taking import Moment, Undecided
from hansa.node.risk.loading import RiskFolder
from hansa.node.risk.reading import Intended
from hansa.risk.verdicts import Verdict

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
HABIT_DAYS = 40
BEGIN_MS = HABIT_DAYS * DAY_MS


def name(number):
    return number.to_bytes(32, "big")


class Customers:
    """Who pay by a desk whose model decides."""

    def __init__(self, folder, network):
        write_folder(folder)
        self.loaded = RiskFolder(folder).loaded
        self.journal = Journal.open(folder / "decisions.db", "secret", cost=CHEAP)
        ids = itertools.count(1)
        self.deciding = Deciding(network, name(9), self.journal, bytes, 0)
        self.draw_id = lambda: name(next(ids))

    def close(self):
        self.journal.close()

    def pay(self, now_ms, *payments):
        """Try payments, all at once; returns the verdict on each."""
        asked = [
            Undecided(
                self.draw_id(),
                b"",
                now_ms + HOUR_MS,
                f"device {payer}",
                (Intended(name(payer), name(payee), "CUR", amount),),
            )
            for payer, payee, amount in payments
        ]
        decided = self.deciding.decide(asked, Moment(now_ms, self.loaded, True, now_ms))
        self.held = [each.held for each in decided if each.held is not None]
        return [
            Verdict.ALLOW if each.held is None else Verdict(each.held.verdict) for each in decided
        ]

    def see(self, now_ms, *payments):
        """Take in what blocks show of others' payments."""
        paid = [Intended(name(payer), name(payee), "CUR", much) for payer, payee, much in payments]
        events = [build_event(each, "", now_ms, {}) for each in paid]
        with self.deciding.memory.taking_in() as intake:
            intake.take(events)
            self.deciding.memory.write(events)

    def live(self):
        """Forty days of small payments to ten shops, and none that is not let through."""
        chance = random.Random(3)
        for day, hour in itertools.product(range(HABIT_DAYS), (9, 13, 19)):
            shopping = [
                (payer, 10 + chance.randrange(10), chance.randrange(500, 4_000))
                for payer in range(1, 5)
            ]
            assert set(self.pay(day * DAY_MS + hour * HOUR_MS, *shopping)) == {Verdict.ALLOW}


@pytest.fixture(scope="module")
def network():
    return Network.of(make_genesis())


@pytest.fixture
def customers(tmp_path, network):
    with closing(Customers(tmp_path, network)) as customers:
        customers.live()
        yield customers


@pytest.mark.parametrize("hour", [2, 12])
@pytest.mark.parametrize("wait_ms", [MINUTE_MS, 25 * HOUR_MS])
def test_far_above_habit_stays_so_however_often_it_is_tried(customers, hour, wait_ms):
    now_ms = BEGIN_MS + hour * HOUR_MS
    for tried in range(6):
        (verdict,) = customers.pay(now_ms + tried * wait_ms, (1, 99, 300_000))
        assert verdict >= Verdict.STEP_UP


def test_many_tries_at_once_are_each_held(customers):
    verdicts = customers.pay(BEGIN_MS + 12 * HOUR_MS, *[(1, 99, 300_000)] * 20)
    assert min(verdicts) >= Verdict.STEP_UP


def test_money_that_was_gathered_is_not_spent_by_trying(customers):
    now_ms = BEGIN_MS + 12 * HOUR_MS
    customers.see(now_ms, (1, 4, 100_000), (2, 4, 90_000))
    for tried in range(5):
        (verdict,) = customers.pay(now_ms + (10 + tried) * MINUTE_MS, (4, 500 + tried, 180_000))
        assert verdict is Verdict.REVIEW


def test_once_no_model_decides_a_customers_word_is_not_enough_for_what_waited(customers):
    now_ms = BEGIN_MS + 12 * HOUR_MS
    assert customers.pay(now_ms, (1, 99, 300_000)) == [Verdict.STEP_UP]
    (held,) = customers.held
    scored, stopped = (Moment(now_ms, customers.loaded, each, now_ms) for each in (True, False))
    record, _, _ = customers.deciding.let_through(held, Answering.CONFIRMED, scored)
    assert record.reasons[:2] == ("answer.confirmed", "rule.new_payee_far_above_habit")
    with pytest.raises(Invalid, match="without a model its amount says review by now: it cannot"):
        customers.deciding.let_through(held, Answering.CONFIRMED, stopped)
    record, _, _ = customers.deciding.let_through(held, Answering.RELEASED, stopped)
    assert record.reasons[:2] == ("answer.released", "not_scored")


def test_a_transaction_is_an_attempt_whole_whatever_else_is_decided_with_it(customers):
    now_ms = BEGIN_MS + 12 * HOUR_MS
    paid = [
        [Intended(name(1), name(payee), "CUR", much)] for payee, much in ((10, 900), (99, 300_000))
    ]
    asked = [
        Undecided(name(7_001), b"", now_ms + HOUR_MS, "device 1", (*paid[0], *paid[1])),
        Undecided(
            name(7_002),
            b"",
            now_ms + HOUR_MS,
            "device 2",
            (Intended(name(2), name(404), "CUR", 5),),
            frozenset({name(404)}),
        ),
    ]
    customers.deciding.decide(asked, Moment(now_ms, customers.loaded, True, now_ms))
    kept = customers.journal.find_decision(name(7_001))
    assert [each.is_remembered for each in kept.payments] == [False, False]
