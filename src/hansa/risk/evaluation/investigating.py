"""The Handbook's folds with an investigator, who looks at the most suspicious cards of each day.

What a card paid in the last seven days is known the next morning if it was looked at; of all others
it is known after seven days. So a place on the investigator's list is worth what it finds, and what
it teaches: a terminal that was compromised yesterday has given nobody a reason to suspect it, until
a card that paid there is looked at. Cards that are suspicious come first; the places left go to
those whose payments would tell most of terminals of which nothing is known lately.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from hansa.risk.evaluation.handbook import (
    WEEK,
    Quality,
    lay_out,
    split,
    take_in_blocks,
)
from hansa.risk.evaluation.metrics import (
    Floats,
    Whole,
    compute_auc,
    compute_average_precision,
    compute_card_precision,
    find_top_cards,
)
from hansa.risk.evaluation.payments import Payments
from hansa.risk.evaluation.prequential import EPOCH, Plan, fit, score
from hansa.risk.features.layout import DAY_MS
from hansa.risk.features.memory import Features
from hansa.risk.models.trees import SCALE_BITS, Trees

SUSPICIOUS = -4 * 2**SCALE_BITS
"""Log-odds of a payment above which its card is looked at for itself; chosen on the folds of
validation among -2 to -5."""
_MONTH = 4 * WEEK


def run_with_feedback(
    payments: Payments, folds: Sequence[date], plan: Plan, *, cards_a_day: int = 100
) -> list[Quality]:
    """Measure models where an investigator looks at some cards of each day.

    A card of which a fraud of the last three weeks is known is not looked at. Each week a model is
    trained anew on 14 days, as far as they are known. The tests are those without an investigator,
    to the payment. CP@100 takes the cards in the order in which the investigator did: suspicious
    ones by their scores, then those that were looked at to learn, then all others.

    Args:
      payments: of 14 days before the first fold, and of all that test; the investigator begins with
        the first week that trains.
      folds: as `list_folds` has them.
      plan: how the models are made; its `train_days` do not count.
      cards_a_day: how many cards the investigator looks at.
    """
    begin = (min(folds) - EPOCH).days
    end = (max(folds) - EPOCH).days + 3 * WEEK
    office = _Office(payments, plan, cards_a_day)
    office.wait_until(begin - 2 * WEEK)
    for day in range(begin - 2 * WEEK, end):
        office.work(day, is_open=day >= begin, trains=(end - day) % WEEK == 0)
    found = []
    for first_day in folds:
        test = split(payments, first_day).test
        _, cards, _, _, is_fraud = tested = payments.take(test)
        scores = office.scores[test]
        found.append(
            Quality(
                compute_auc(scores, is_fraud),
                compute_average_precision(scores, is_fraud),
                compute_card_precision(office.ranks[test], is_fraud, cards, tested.days),
            )
        )
    return found


class _Office:
    """Where an investigator works day by day, with all that is known by then."""

    def __init__(self, payments: Payments, plan: Plan, cards_a_day: int) -> None:
        self.payments = payments
        self.plan = plan
        self.cards_a_day = cards_a_day
        self.features = Features()
        self.scores: Whole = np.zeros(len(payments.time_ms), np.int64)
        self.ranks = self.scores.copy()
        """As scores, but cards that were looked at to learn come before all not looked at."""
        self._told = np.zeros(len(payments.time_ms), np.bool_)
        """By the investigator, or after seven days."""
        self._rows: dict[int, Whole] = {}
        self._trees: Trees | None = None
        self._telling: Whole = np.zeros(0, np.int64)
        """What the investigator tells the next morning."""

    def wait_until(self, day: int) -> None:
        """Take in all days before, with verdicts after seven days."""
        self._take(int(self.payments.days[0]), day)

    def work(self, day: int, *, is_open: bool, trains: bool) -> None:
        """Take in a day, score it, and choose whom to look at."""
        self._rows[day] = self._take(day, day + 1)
        self._rows.pop(day - 2 * WEEK - 1, None)
        if is_open and (trains or self._trees is None):
            self._train(day)
        if self._trees is None:
            return
        today = self._find(day, day + 1)
        self.scores[today] = score(self._trees, self._rows[day])
        self._investigate(day, today)

    def _find(self, begin: int, end: int) -> Whole:
        low, high = np.searchsorted(self.payments.time_ms, [begin * DAY_MS, end * DAY_MS])
        return np.arange(low, high)

    def _take(self, begin: int, end: int) -> Whole:
        ripe = self._find(begin - WEEK, end - WEEK)
        numbers = np.concatenate([self._telling, ripe])
        told_ms = np.concatenate(
            [
                np.full(len(self._telling), begin * DAY_MS),
                self.payments.time_ms[ripe] + WEEK * DAY_MS,
            ]
        )
        self._told[self._telling] = True
        self._telling = self._telling[:0]
        events = lay_out(self.payments, self._find(begin, end), numbers, told_ms)
        return take_in_blocks(self.features, events)

    def _train(self, day: int) -> None:
        days = range(day - 2 * WEEK, day)
        places = self._find(days[0], day)
        known = self._is_known(places, day)
        rows = np.concatenate([self._rows[each] for each in days])[known]
        is_fraud = self.payments.is_fraud[places][known]
        self._trees = fit(rows, is_fraud, self.plan)

    def _is_known(self, places: Whole, day: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return self._told[places] | (self.payments.days[places] < day - WEEK)

    def _investigate(self, day: int, today: Whole) -> None:
        cards = self.payments.cards
        lately = self._find(day - 3 * WEEK, day + 1)
        known = lately[self._is_known(lately, day)]
        found = cards[known[self.payments.is_fraud[known]]]
        open_today = today[~np.isin(cards[today], found)]
        suspicious = open_today[self.scores[open_today] > SUSPICIOUS]
        chosen = find_top_cards(self.scores[suspicious], cards[suspicious], self.cards_a_day)
        asked = np.setdiff1d(cards[open_today], chosen)
        learning = self._choose_to_learn(day, chosen, asked, self.cards_a_day - len(chosen))
        self.ranks[today] = self.scores[today]
        self.ranks[today[np.isin(cards[today], learning)]] = SUSPICIOUS
        recent = self._find(day + 1 - WEEK, day + 1)
        looked_at = np.isin(cards[recent], np.concatenate([chosen, learning]))
        self._telling = recent[looked_at & ~self._told[recent]]

    def _choose_to_learn(self, day: int, chosen: Whole, asked: Whole, count: int) -> Whole:
        """Choose cards, one after the other, whose recent payments would tell most.

        Args:
          day: that ends now.
          chosen: cards that are looked at anyway.
          asked: cards of which some may be chosen.
          count: how many, at most.
        """
        payments = self.payments
        ends_ms = (day + 1) * DAY_MS
        genuine_ms, is_worth = self._recall_terminals(day)
        recent = self._find(day + 1 - WEEK, day + 1)
        recent = recent[~self._told[recent]]
        anyway = recent[np.isin(payments.cards[recent], chosen)]
        np.maximum.at(genuine_ms, payments.terminals[anyway], payments.time_ms[anyway])
        recent = recent[np.isin(payments.cards[recent], asked)]
        owner = np.searchsorted(asked, payments.cards[recent])
        terminals, times_ms = payments.terminals[recent], payments.time_ms[recent]
        weight = is_worth[terminals]
        learning: list[int] = []
        while len(learning) < count:
            gain = _square(times_ms, ends_ms) - _square(genuine_ms[terminals], ends_ms)
            worth = np.bincount(owner, weight * np.maximum(gain, 0), minlength=len(asked))
            if not worth.any():
                break
            best = int(worth.argmax())
            learning.append(int(asked[best]))
            told = owner == best
            np.maximum.at(genuine_ms, terminals[told], times_ms[told])
        return np.array(learning, np.int64)

    def _recall_terminals(self, day: int) -> tuple[Whole, Floats]:
        """Recall of each terminal until when it is known as genuine, and what it is worth to know.

        That is how many payments a day it gets; nothing if it is known to be compromised.
        """
        payments = self.payments
        count = int(payments.terminals.max()) + 1
        month = self._find(day + 1 - _MONTH, day + 1)
        known = month[self._is_known(month, day)]
        newest: list[Whole] = []
        for places in (known[~payments.is_fraud[known]], known[payments.is_fraud[known]]):
            newest.append(np.zeros(count, np.int64))
            np.maximum.at(newest[-1], payments.terminals[places], payments.time_ms[places])
        genuine_ms, fraud_ms = newest
        rate = np.bincount(payments.terminals[month], minlength=count) / _MONTH
        return genuine_ms, np.where(fraud_ms > genuine_ms, 0.0, rate)


def _square(times_ms: Whole, ends_ms: int) -> Floats:
    """Square the days of a week that are left when a verdict on a payment would be a week old.

    A terminal may have been compromised at any moment since it was last known as genuine, and its
    first fraud is known a week later anyway. What looking at a later payment saves, in days of not
    knowing, is the integral of what is left between both: half the difference of these squares.
    """
    left = np.maximum(times_ms + WEEK * DAY_MS - ends_ms, 0) / DAY_MS
    return left * left
