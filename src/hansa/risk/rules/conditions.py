"""One condition of a rule: a feature, a comparison, and what it is compared with.

    amount_minor >= 500000
    payer_age_ms < 2h
    amount_minor > 2.5 * payer_mean_30d_minor
    pair_age_ms = missing

Nothing is compared with what is missing: such a condition does not hold, unless it asks for that.

Source: docs/reference/risk-rules.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

MISSING = -1
"""What a feature is that cannot be told; none is negative otherwise."""
NUMBER_MAX = 2**53
FACTOR_MAX = 100
THOUSANDTHS = 1_000

_PARTS = re.compile(r"\A\s*([a-z][a-z0-9_]*)\s*(<=|>=|!=|<|>|=)\s*(.*?)\s*\Z")
_NUMBER = re.compile(r"\A([0-9]{1,16})(s|min|h|d)?\Z")
_SCALED = re.compile(r"\A(?:([0-9]{1,3})(?:\.([0-9]{1,3}))?\s*\*\s*)?([a-z][a-z0-9_]*)\Z")
_MS = {None: 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


class Comparison(IntEnum):
    """How two numbers are compared."""

    BELOW = 0
    AT_MOST = 1
    ABOVE = 2
    AT_LEAST = 3
    EQUAL = 4
    UNEQUAL = 5


_COMPARISONS = dict(zip(("<", "<=", ">", ">=", "=", "!="), Comparison, strict=True))


class Condition(NamedTuple):
    """A condition, with features by their place in the row."""

    left: int
    comparison: Comparison
    right: int
    """A feature's place, or -1 where `constant` is what is compared with."""
    factor_thousandths: int
    """By which the right feature is multiplied."""
    constant: int


class Unsound(Exception):  # noqa: N818 - for the caller, who knows where the condition stands
    """It is no condition; the text says why."""


def parse_condition(text: str, features: Mapping[str, int]) -> Condition:
    """Read a condition.

    Args:
      text: as a rule file has it.
      features: the place of each in a row.

    Raises:
      Unsound: it is no condition, or asks for a feature that is not there.

    Example:
      >>> parse_condition("minor > 2.5 * mean", {"minor": 0, "mean": 1}).factor_thousandths
      2500
    """
    found = _PARTS.match(text)
    if found is None:
        raise Unsound(
            "is no condition: write a feature, one of < <= > >= = != and a number, a duration as "
            "2h, `missing`, or another feature"
        )
    name, sign, right = found.groups()
    left, comparison = _find(name, features), _COMPARISONS[sign]
    if right == "missing":
        if comparison not in {Comparison.EQUAL, Comparison.UNEQUAL}:
            raise Unsound("asks for more or less than `missing`: only = and != can be asked")
        return Condition(left, comparison, -1, 0, MISSING)
    if number := _NUMBER.match(right):
        constant = int(number[1]) * _MS[number[2]]
        if constant > NUMBER_MAX:
            raise Unsound(f"compares with {right}: at most {NUMBER_MAX} can be asked")
        if number[2] and not name.endswith("_ms"):
            raise Unsound(f"compares {name} with a duration: only features that end in _ms are")
        return Condition(left, comparison, -1, 0, constant)
    scaled = _SCALED.match(right)
    if scaled is None:
        raise Unsound(
            f"compares with {right!r}: neither a whole number, nor one with s, min, h or d, nor "
            "`missing`, nor a feature with at most a factor before it as 2.5 *"
        )
    whole, part, other = scaled.groups()
    factor = int(whole or 1) * THOUSANDTHS + int((part or "0").ljust(3, "0"))
    if factor > FACTOR_MAX * THOUSANDTHS:
        raise Unsound(f"multiplies by {whole}: by at most {FACTOR_MAX}")
    return Condition(left, comparison, _find(other, features), factor, 0)


def _find(name: str, features: Mapping[str, int]) -> int:
    place = features.get(name)
    if place is not None:
        return place
    near = difflib.get_close_matches(name, features, 1)
    raise Unsound(
        f"asks for {name}, which is no feature" + (f": perhaps {near[0]} is meant" if near else "")
    )
