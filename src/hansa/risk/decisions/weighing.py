"""What rules and the model say of rows of features, and what follows from it: compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.compiled import compiled, compiled_inside
from hansa.risk.models.calibration import Calibration, calibrate
from hansa.risk.models.trees import Trees, flatten, score_row, score_rows
from hansa.risk.rules.firing import Rules, fire
from hansa.risk.verdicts import Verdict

BY_RULES, BY_MODEL, SCORE, PPM, FIRES, WEIGHED_COLUMNS = range(6)
"""What is told of a row: the verdict of the rules (`NOTHING` if none fires), that of the model, its
score, its probability in millionths, and 1 if any rule fires, 0 if none."""
IS_SCORED = -1
"""In the place of an amount from which on an officer looks: a model decides."""
NO_TREES = flatten([])
NO_CALIBRATION = Calibration(np.empty(0, np.int64), np.empty(0, np.int64))
_ALLOW, _REVIEW = int(Verdict.ALLOW), int(Verdict.REVIEW)

Whole = npt.NDArray[np.int64]


class Weighing(NamedTuple):
    """All that rows are weighed by."""

    trees: Trees
    """Without a model `NO_TREES`, and then `NO_CALIBRATION`."""
    calibration: Calibration
    rules: Rules
    thresholds: Whole
    """In millionths, from which on the verdict is step-up, review, block; shape (3,)."""
    from_minor: int
    """Where there is no model, the amount from which on the verdict is review; else `IS_SCORED`."""

    def lay_out(self) -> tuple[Any, ...]:
        """Lay it out in plain tuples, which take half the time on the way into compiled code."""
        return (*map(tuple, self[:3]), *self[3:])


@compiled_inside
def read_weighing(laid_out: tuple[Any, ...]) -> Weighing:
    """Read what `Weighing.lay_out` laid out."""
    trees, calibration, rules, thresholds, from_minor = laid_out
    return Weighing(Trees(*trees), Calibration(*calibration), Rules(*rules), thresholds, from_minor)


@compiled
def weigh(
    laid_out: tuple[Any, ...],
    rows: Whole,
    fired: npt.NDArray[np.bool_],
    weighed: Whole,
) -> None:
    """Ask the rules and the model of rows, one or many.

    Args:
      laid_out: a `Weighing`.
      rows: shape (n, n_features), one after the other in memory.
      fired: shape (n, n_rules); filled with the rules that fire.
      weighed: shape (n, `WEIGHED_COLUMNS`); filled.
    """
    weighing = read_weighing(laid_out)
    score_rows(weighing.trees, rows, weighed[:, SCORE])
    for at in range(rows.shape[0]):
        _conclude(weighing, rows[at], fired[at], weighed[at])


@compiled_inside
def weigh_row(weighing: Weighing, row: Whole, fired: npt.NDArray[np.bool_], weighed: Whole) -> None:
    """Ask the rules and the model of one row, as `weigh` does; each array is of one dimension."""
    weighed[SCORE] = score_row(weighing.trees, row)
    _conclude(weighing, row, fired, weighed)


@compiled_inside
def _conclude(weighing: Weighing, row: Whole, fired: npt.NDArray[np.bool_], weighed: Whole) -> None:
    """Fill in what is told of a row, of which the score is there."""
    weighed[BY_RULES] = fire(weighing.rules, row, fired)
    weighed[BY_MODEL] = _ALLOW
    if weighing.from_minor == IS_SCORED:
        weighed[PPM] = calibrate(weighing.calibration, weighed[SCORE])
        for place in range(weighing.thresholds.shape[0]):
            if weighed[PPM] >= weighing.thresholds[place]:
                weighed[BY_MODEL] = place + 1
    else:
        weighed[PPM] = 0
        if row[0] >= weighing.from_minor:
            weighed[BY_MODEL] = _REVIEW
    weighed[FIRES] = 0
    for rule in range(fired.shape[0]):
        weighed[FIRES] |= fired[rule]


@compiled
def combine(by_rules: int, by_model: int, by_lists: int) -> tuple[int, int]:
    """Combine verdicts, of which those of rules and lists may be `NOTHING`.

    Returns:
      The verdict, and what of the model's counts: a list or a rule that allows keeps it from
      stopping the payment.
    """
    if _ALLOW in (by_rules, by_lists):
        by_model = _ALLOW
    return max(by_rules, by_model, by_lists), by_model
