"""What a score compares if its rules do not say it, and what it cannot compare.

Source: docs/reference/reconciliation-rules.md, "What `score` compares".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import get_args

from hansa.reconcile.rules.book import ComparedText, Comparison, Measure, Score

LEVELS: dict[Measure, tuple[int, ...]] = {
    "ppm": (0, 5_000, 20_000, 50_000, 100_000),
    "days": (-1, 0, 1, 2, 3, 7, 21),
    "equal": (0,),
    "letters": (500, 700, 850, 999),
    "beginning": (2, 4, 6, 8, 10, 12),
    "words": (0, 3, 6, 9, 12),
}
"""Upper ends of levels of each measure that has usual ones."""
TEXT_MEASURES: tuple[Measure, ...] = ("letters", "beginning", "words", "equal")
AMOUNT_MEASURES: tuple[Measure, ...] = ("ppm", "difference", "equal")
DATE_MEASURES: tuple[Measure, ...] = ("days", "equal")
COMBINATIONS_MAX = 1 << 62
"""Of levels: they are numbered in 64 bits."""


def list_measures(field: str) -> tuple[Measure, ...]:
    """List how a field may be measured, the usual way first."""
    if field in get_args(ComparedText):
        return TEXT_MEASURES
    return AMOUNT_MEASURES if field == "amount_minor" else DATE_MEASURES


def get_measure(comparison: Comparison) -> Measure:
    """Get how a field is measured."""
    return comparison.measure or list_measures(comparison.field)[0]


def get_levels(comparison: Comparison) -> tuple[int, ...]:
    """Get where levels end; nothing where rules must say it and do not."""
    return comparison.levels or LEVELS.get(get_measure(comparison), ())


def find_score_faults(score: Score, at: str) -> Iterator[str]:
    """Find what is wrong with a score beyond single values.

    Args:
      score: as it was read.
      at: where it is, for people.
    """
    measured = [(each.field, get_measure(each)) for each in score.compare]
    for number, each in enumerate(score.compare):
        yield from _find_comparison_faults(each, f"{at}.compare[{number}] ({each.field})")
        if measured.index(measured[number]) < number:
            yield f"{at}.compare[{number}]: {each.field} is measured by {measured[number][1]} twice"
    if prod(len(get_levels(each)) + 2 for each in score.compare) > COMBINATIONS_MAX:
        yield f"{at}.compare: too many comparisons, or levels of them: leave some out"
    compared = {each.field for each in score.compare}
    for number, block in enumerate(score.blocks):
        for field in sorted(set(block.teaches) - compared):
            yield f"{at}.blocks[{number}].teaches: {field} is not compared: add it, or leave it out"
    taught = {field for block in score.blocks for field in block.teaches}
    if score.blocks and compared - taught:
        yield (
            f"{at}.blocks: none teaches {', '.join(sorted(compared - taught))}: name it under "
            "teaches where neither what is shared nor the bounds say much of it"
        )


def _find_comparison_faults(comparison: Comparison, at: str) -> Iterator[str]:
    measure, possible = get_measure(comparison), list_measures(comparison.field)
    levels = comparison.levels
    if measure not in possible:
        yield f"{at}.measure: {measure} does not fit; it may be {', '.join(possible)}"
    elif measure == "equal" and levels:
        yield f"{at}.levels: fields are equal or not, leave the levels out"
    elif not get_levels(comparison):
        yield f"{at}.levels: {measure} has no usual levels, list their upper ends in minor units"
    elif any(one >= other for one, other in pairwise(levels)):
        yield f"{at}.levels: must rise"
