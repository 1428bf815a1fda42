"""One payment's decision: lists over rules over the model, in one call of compiled code.

Of what lists, rules and the model say, the highest verdict counts. The model's is that of its
probability; a list or a rule that allows keeps it from stopping the payment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from hansa.risk.decisions.policy import Policy
from hansa.risk.decisions.weighing import (
    IS_SCORED,
    NO_CALIBRATION,
    NO_TREES,
    WEIGHED_COLUMNS,
    Weighing,
    combine,
    weigh,
)
from hansa.risk.models.file import Model
from hansa.risk.models.trees import explain_row
from hansa.risk.rules.book import ReadRule
from hansa.risk.rules.firing import NOTHING, lay_out
from hansa.risk.verdicts import Verdict

NOT_SCORED = "not_scored"
"""The reason of a decision on which no model was asked, and that an amount decided."""


class Decision(NamedTuple):
    """What becomes of a payment, and why."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """Codes, the weightiest first: of lists, of rules, and features that raised the score."""
    score: int | None
    """In multiples of 2**-32 of the log-odds; None if no model was asked."""
    ppm: int | None
    """Probability of fraud in millionths."""
    trials: tuple[str, ...] = ()
    """Rules on trial that fired, and decided nothing."""


class Listed(NamedTuple):
    """What lists say of a payment."""

    verdict: Verdict
    reason: str


class Decider:
    """Decides by one policy, one rule file and one model; another of them takes another decider."""

    def __init__(
        self,
        policy: Policy,
        rules: Sequence[ReadRule],
        model: Model | None,
        features: Sequence[str],
    ) -> None:
        """Prepare to decide.

        Args:
          policy: the operator's.
          rules: read for rows of these features.
          model: made for them; None where scoring is down, or the model is suspended.
          features: names, in the order of a row.
        """
        self.policy = policy
        self.rules = tuple(rules)
        self.model = model
        self.features = tuple(features)
        self.laid_out = _lay_out(policy, rules, model)
        """By what rows are weighed, as compiled functions take it."""
        self._contributions = np.zeros(len(features), np.int64)

    def prepare(self) -> None:
        """Have its machine code ready: else the first payment waits until it is loaded, or made."""
        row = np.zeros(len(self.features), np.int64)
        self.decide(row)
        if self.model is not None:
            self._explain(self.model, row)

    def decide(self, row: npt.NDArray[np.int64], listed: Listed | None = None) -> Decision:
        """Decide on one payment.

        Args:
          row: its features, shape (n_features,), the first of which is its amount.
          listed: what lists say of it, if anything.
        """
        return self.decide_all(row.reshape(1, -1), {} if listed is None else {0: listed})[0]

    def decide_all(
        self, rows: npt.NDArray[np.int64], listed: Mapping[int, Listed]
    ) -> list[Decision]:
        """Decide on many payments, each as if it were alone.

        Args:
          rows: shape (n, n_features), one after the other in memory.
          listed: what lists say, by a payment's place among the rows.
        """
        fired, weighed = self.make_room(len(rows))
        weigh(self.laid_out, rows, fired, weighed)
        return self.decide_weighed(rows, fired, weighed, listed)

    def decide_weighed(
        self,
        rows: npt.NDArray[np.int64],
        fired: npt.NDArray[np.bool_],
        weighed: npt.NDArray[np.int64],
        listed: Mapping[int, Listed],
    ) -> list[Decision]:
        """Decide on payments of which rules and the model were asked, as `weigh` asks them.

        Args:
          rows: shape (n, n_features).
          fired: shape (n, n_rules).
          weighed: shape (n, `WEIGHED_COLUMNS`).
          listed: as `decide_all` takes it.
        """
        decisions: list[Decision] = []
        for at, (by_rules, by_model, score, ppm, fires) in enumerate(weighed.tolist()):
            if by_model or fires or at in listed or self.model is None:
                told = (by_rules, by_model, score, ppm)
                decisions.append(self._put_together(rows[at], fired[at], told, listed.get(at)))
            else:  # most of them: nothing fires, and the model allows it
                decisions.append(Decision(Verdict.ALLOW, (), score, ppm))
        return decisions

    def make_room(self, count: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Make the arrays that `weigh` fills for so many rows: `fired` and `weighed`."""
        fired = np.empty((count, len(self.rules)), np.bool_)
        return fired, np.empty((count, WEIGHED_COLUMNS), np.int64)

    def _put_together(
        self,
        row: npt.NDArray[np.int64],
        fired: npt.NDArray[np.bool_],
        told: Sequence[int],
        listed: Listed | None,
    ) -> Decision:
        by_rules, by_model, score, ppm = told
        by_lists = NOTHING if listed is None else int(listed.verdict)
        verdict, by_model = combine(by_rules, by_model, by_lists)
        reasons = [] if listed is None else [f"list.{listed.reason}"]
        trials: list[str] = []
        for place in np.flatnonzero(fired).tolist():
            rule = self.rules[place]
            (trials if rule.is_trial else reasons).append(f"rule.{rule.name}")
        if self.model is None:
            return Decision(Verdict(verdict), (*reasons, NOT_SCORED), None, None, tuple(trials))
        if by_model:
            reasons += self._explain(self.model, row)
        return Decision(Verdict(verdict), tuple(reasons), score, ppm, tuple(trials))

    def _explain(self, model: Model, row: npt.NDArray[np.int64]) -> list[str]:
        """Name the features that raised the score the most."""
        moves = self._contributions
        explain_row(model.trees, row, moves)
        highest = np.argsort(-moves, kind="stable")[: self.policy.reasons_max].tolist()
        return [f"feature.{self.features[each]}" for each in highest if moves[each] > 0]


def _lay_out(policy: Policy, rules: Sequence[ReadRule], model: Model | None) -> tuple[Any, ...]:
    return Weighing(
        NO_TREES if model is None else model.trees,
        NO_CALIBRATION if model is None else model.calibration,
        lay_out(rules),
        np.array(msgspec.structs.astuple(policy.thresholds), np.int64),
        policy.unscored.review_from_minor if model is None else IS_SCORED,
    ).lay_out()
