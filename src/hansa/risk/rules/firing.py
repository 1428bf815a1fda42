"""Which rules fire at a row of features: all rules in one loop over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.compiled import compiled, compiled_inside
from hansa.risk.rules.book import ReadRule
from hansa.risk.rules.conditions import MISSING, THOUSANDTHS, Comparison, Condition

_BELOW, _AT_MOST, _ABOVE, _AT_LEAST, _EQUAL = (int(each) for each in list(Comparison)[:5])
NOTHING = -1
"""The verdict where no rule decided."""
_LEFT, _COMPARISON, _RIGHT, _FACTOR = range(4)
_LOW, _HIGH, _IS_OUTSIDE, _IF_MISSING, _COLUMNS = 4, 5, 6, 7, 8
_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Rules(NamedTuple):
    """Rules laid out in arrays: those of a rule's conditions that must all hold come first."""

    conditions: npt.NDArray[np.int64]
    """Shape (n_conditions, 8): the first four as in `Condition`. Of one with a constant then the
    least and greatest value, whether outside of these is asked, and whether it holds for what is
    missing: so it is one question whatever the comparison."""
    bounds: npt.NDArray[np.int64]
    """Shape (n_rules + 1, 2): where a rule's conditions begin, and those of which one must hold."""
    verdicts: npt.NDArray[np.int64]
    """Shape (n_rules,); below zero for a rule on trial."""


def lay_out(rules: Sequence[ReadRule]) -> Rules:
    """Lay out rules in arrays, in their order."""
    conditions = [_lay_out(each) for rule in rules for each in (*rule.all, *rule.any)]
    begins = [0, *accumulate(len(rule.all) + len(rule.any) for rule in rules)]
    of_any = [begin + len(rule.all) for begin, rule in zip(begins, rules, strict=False)]
    return Rules(
        np.array(conditions, np.int64).reshape(-1, _COLUMNS),
        np.array([*zip(begins, [*of_any, begins[-1]], strict=True)], np.int64),
        np.array([NOTHING if rule.is_trial else rule.verdict for rule in rules], np.int64),
    )


def _lay_out(condition: Condition) -> tuple[int, ...]:
    constant = condition.constant
    is_outside = condition.comparison == Comparison.UNEQUAL
    low, high = {
        Comparison.BELOW: (_LEAST, constant - 1),
        Comparison.AT_MOST: (_LEAST, constant),
        Comparison.ABOVE: (constant + 1, _MOST),
        Comparison.AT_LEAST: (constant, _MOST),
    }.get(Comparison(condition.comparison), (constant, constant))
    # What is missing is that number, and nothing else is: it is told before any is compared.
    if_missing = constant == MISSING and not is_outside
    return (*condition[:4], low, high, is_outside, if_missing)


@compiled_inside
def _compare(value: int, comparison: int, other: int, factor: int) -> bool:
    """Compare a feature with another one, by thousandths of which it is multiplied."""
    if MISSING in (value, other):
        return False
    # In two steps, since the product of both could be more than 64 bits hold; then all is below it.
    below = other % THOUSANDTHS * factor
    if factor > 0 and other // THOUSANDTHS >= _MOST // factor:
        bound, rest = _MOST, 0
    else:
        bound = other // THOUSANDTHS * factor + below // THOUSANDTHS
        rest = 1 if below % THOUSANDTHS else 0
    if comparison == _BELOW:
        return value < bound + rest
    if comparison == _AT_MOST:
        return value <= bound
    if comparison == _ABOVE:
        return value > bound
    if comparison == _AT_LEAST:
        return value >= bound + rest
    return (value == bound and rest == 0) == (comparison == _EQUAL)


@compiled
def fire(rules: Rules, row: npt.NDArray[np.int64], fired: npt.NDArray[np.bool_]) -> int:
    """Find which rules fire.

    Args:
      rules: whose features the row has.
      row: shape (n_features,); each below 2**62.
      fired: shape (n_rules,); filled, with those on trial.

    Returns:
      The highest verdict of those that fire and are not on trial; -1 if there is none.
    """
    conditions, bounds, verdicts = rules
    highest = NOTHING
    for rule in range(verdicts.shape[0]):
        of_any, is_firing = bounds[rule, 1], True
        for each in range(bounds[rule, 0], bounds[rule + 1, 0]):
            value, place = row[conditions[each, _LEFT]], conditions[each, _RIGHT]
            if place >= 0:
                comparison, factor = conditions[each, _COMPARISON], conditions[each, _FACTOR]
                holds = _compare(value, comparison, row[place], factor)
            elif value == MISSING:
                holds = conditions[each, _IF_MISSING] != 0
            else:
                is_within = conditions[each, _LOW] <= value <= conditions[each, _HIGH]
                holds = is_within != (conditions[each, _IS_OUTSIDE] != 0)
            is_firing = holds
            if holds != (each < of_any):  # one of all does not hold, or one of any does
                break
        fired[rule] = is_firing
        if is_firing:
            highest = max(highest, verdicts[rule])
    return int(highest)


@compiled
def fire_rows(
    rules: Rules,
    rows: npt.NDArray[np.int64],
    fired: npt.NDArray[np.bool_],
    verdicts: npt.NDArray[np.int64],
) -> None:
    """Find which rules fire at many rows.

    Args:
      rules: as for one row.
      rows: shape (n, n_features).
      fired: shape (n, n_rules); filled.
      verdicts: shape (n,); filled with what `fire` returns.
    """
    for at in range(rows.shape[0]):
        verdicts[at] = fire(rules, rows[at], fired[at])
