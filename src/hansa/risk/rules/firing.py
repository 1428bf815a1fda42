"""Which rules fire at a row of features: all rules in one loop over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.compiled import compiled
from hansa.risk.rules.book import ReadRule
from hansa.risk.rules.conditions import MISSING, THOUSANDTHS, Comparison, Condition

_BELOW, _AT_MOST, _ABOVE, _AT_LEAST, _EQUAL = (int(each) for each in list(Comparison)[:5])
NOTHING = -1
"""The verdict where no rule decided."""


class Rules(NamedTuple):
    """Rules laid out in arrays: those of a rule's conditions that must all hold come first."""

    conditions: npt.NDArray[np.int64]
    """Shape (n_conditions, 5), in the order of `Condition`."""
    bounds: npt.NDArray[np.int64]
    """Shape (n_rules + 1, 2): where a rule's conditions begin, and those of which one must hold."""
    verdicts: npt.NDArray[np.int64]
    """Shape (n_rules,); below zero for a rule on trial."""


def lay_out(rules: Sequence[ReadRule]) -> Rules:
    """Lay out rules in arrays, in their order."""
    conditions: list[Condition] = [each for rule in rules for each in (*rule.all, *rule.any)]
    begins = [0, *accumulate(len(rule.all) + len(rule.any) for rule in rules)]
    of_any = [begin + len(rule.all) for begin, rule in zip(begins, rules, strict=False)]
    return Rules(
        np.array(conditions, np.int64).reshape(-1, len(Condition._fields)),
        np.array([*zip(begins, [*of_any, begins[-1]], strict=True)], np.int64),
        np.array([NOTHING if rule.is_trial else rule.verdict for rule in rules], np.int64),
    )


@compiled
def _holds(conditions: npt.NDArray[np.int64], each: int, row: npt.NDArray[np.int64]) -> bool:
    # By its number, since a part of an array taken by itself would be counted as an owner of it.
    value, comparison = int(row[conditions[each, 0]]), int(conditions[each, 1])
    place, factor, bound = (
        int(conditions[each, 2]),
        int(conditions[each, 3]),
        int(conditions[each, 4]),
    )
    if place < 0 and bound == MISSING:
        return (value == MISSING) == (comparison == _EQUAL)
    rest = 0
    if place >= 0:
        other = int(row[place])
        if other == MISSING:
            return False
        # In two steps, since the product of both could be more than 64 bits hold.
        below = other % THOUSANDTHS * factor
        bound = other // THOUSANDTHS * factor + below // THOUSANDTHS
        rest = 1 if below % THOUSANDTHS else 0
    if value == MISSING:
        return False
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
      row: shape (n_features,); none is above 2**53.
      fired: shape (n_rules,); filled, with those on trial.

    Returns:
      The highest verdict of those that fire and are not on trial; -1 if there is none.
    """
    conditions, bounds, verdicts = rules
    highest = NOTHING
    for rule in range(verdicts.shape[0]):
        of_any, end = bounds[rule, 1], bounds[rule + 1, 0]
        is_firing = True
        for each in range(bounds[rule, 0], of_any):
            if not _holds(conditions, each, row):
                is_firing = False
                break
        if is_firing and of_any < end:
            is_firing = False
            for each in range(of_any, end):
                if _holds(conditions, each, row):
                    is_firing = True
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
