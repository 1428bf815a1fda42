"""One payment's decision: lists over rules over the model, in one call of compiled code.

Of what lists, rules and the model say, the highest verdict counts. The model's is that of its
probability; a list or a rule that allows keeps it from stopping the payment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from hansa.risk.compiled import compiled
from hansa.risk.decisions.policy import Policy
from hansa.risk.models.calibration import Calibration, calibrate
from hansa.risk.models.file import Model
from hansa.risk.models.trees import Trees, explain_row, score_rows
from hansa.risk.rules.book import ReadRule
from hansa.risk.rules.firing import Rules, fire, fire_rows, lay_out
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


@compiled
def weigh(  # noqa: D417, PLR0913 - one by one: a tuple of them costs 2 us on the way in
    feature: npt.NDArray[np.uint32],
    threshold: npt.NDArray[np.int64],
    left: npt.NDArray[np.uint32],
    value: npt.NDArray[np.int64],
    roots: npt.NDArray[np.uint32],
    score: npt.NDArray[np.int64],
    ppm_of: npt.NDArray[np.int64],
    conditions: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    verdicts: npt.NDArray[np.int64],
    thresholds: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    fired: npt.NDArray[np.bool_],
    weighed: npt.NDArray[np.int64],
) -> None:
    """Ask the rules and the model of rows, one or many.

    Args:
      feature: the first of the parts of `Trees`, in their order.
      score: the first of the parts of `Calibration`, likewise.
      conditions: the first of the parts of `Rules`, likewise.
      thresholds: in millionths, from which on the verdict is step-up, review, block; shape (3,).
      rows: shape (n, n_features), one after the other in memory.
      fired: shape (n, n_rules); filled with the rules that fire.
      weighed: shape (n, 5); filled with the verdict of the rules (-1 if none fires), the verdict of
        the model, its score, its probability in millionths, and 1 if any rule fires, 0 if none.
    """
    trees = Trees(feature, threshold, left, value, roots)
    calibration, rules = Calibration(score, ppm_of), Rules(conditions, bounds, verdicts)
    score_rows(trees, rows, weighed[:, 2])
    for at in range(rows.shape[0]):
        weighed[at, 0] = fire(rules, rows[at], fired[at])
        ppm = calibrate(calibration, weighed[at, 2])
        by_model = 0
        for place in range(thresholds.shape[0]):
            if ppm >= thresholds[place]:
                by_model = place + 1
        weighed[at, 1] = by_model
        weighed[at, 3] = ppm
        weighed[at, 4] = 0
        for rule in range(fired.shape[1]):
            weighed[at, 4] |= fired[at, rule]


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
        self._laid = lay_out(rules)
        self._thresholds = np.array(msgspec.structs.astuple(policy.thresholds), np.int64)
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
        fired, weighed = self._weigh(rows)
        decisions: list[Decision] = []
        for at, (by_rules, by_model, score, ppm, fires) in enumerate(weighed.tolist()):
            if by_model or fires or at in listed or self.model is None:
                told = (by_rules, by_model, score, ppm)
                decisions.append(self._put_together(rows[at], fired[at], told, listed.get(at)))
            else:  # most of them: nothing fires, and the model allows it
                decisions.append(Decision(Verdict.ALLOW, (), score, ppm))
        return decisions

    def find_held(
        self, rows: npt.NDArray[np.int64], listed: Mapping[int, Listed]
    ) -> npt.NDArray[np.bool_]:
        """Find which of many payments are not allowed, as `decide_all` has it, without reasons.

        Returns:
          Shape (n,).
        """
        _, weighed = self._weigh(rows)
        by_rules, by_model = weighed[:, 0], weighed[:, 1]
        are_held = (by_rules > Verdict.ALLOW) | ((by_model > Verdict.ALLOW) & (by_rules < 0))
        for at, each in listed.items():
            verdict, _ = _combine(int(by_rules[at]), int(by_model[at]), each)
            are_held[at] = verdict > Verdict.ALLOW
        return are_held

    def _weigh(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Ask rules and model, as `weigh` has it; where there is no model the amount decides."""
        fired = np.zeros((len(rows), len(self.rules)), np.bool_)
        weighed = np.zeros((len(rows), 5), np.int64)
        if self.model is None:
            fire_rows(self._laid, rows, fired, weighed[:, 0])
            is_large = rows[:, 0] >= self.policy.unscored.review_from_minor
            weighed[:, 1] = np.where(is_large, Verdict.REVIEW, Verdict.ALLOW)
            weighed[:, 4] = fired.any(axis=1)
        else:
            model = (*self.model.trees, *self.model.calibration)
            weigh(*model, *self._laid, self._thresholds, rows, fired, weighed)
        return fired, weighed

    def _put_together(
        self,
        row: npt.NDArray[np.int64],
        fired: npt.NDArray[np.bool_],
        told: Sequence[int],
        listed: Listed | None,
    ) -> Decision:
        by_rules, by_model, score, ppm = told
        verdict, by_model = _combine(by_rules, by_model, listed)
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


def _combine(by_rules: int, by_model: int, listed: Listed | None) -> tuple[int, int]:
    """Find the verdict, and what of the model's counts."""
    by_lists = Verdict.ALLOW if listed is None else listed.verdict
    if by_rules == Verdict.ALLOW or (listed is not None and by_lists is Verdict.ALLOW):
        by_model = Verdict.ALLOW
    return max(by_rules, by_model, by_lists), by_model
