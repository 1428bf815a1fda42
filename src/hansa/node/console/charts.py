"""Bar charts as shapes: where each bar stands on a grid of 100 units in height.

A template draws them as SVG attributes, so no page needs inline styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hansa.node.console.blocks import SLOT_S, Rate

HEIGHT = 100.0
SLOT_WIDTH = 10.0
GAP = 2.4
SERIES = ("payments", "others", "refused")
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle; y counts from the top."""

    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A stacked bar chart with a scale from zero to `top`."""

    bars: tuple[Bar, ...]
    width: float
    top: int
    """Per second."""


def round_up(value: float) -> int:
    """Round up to a number that makes a readable scale with a middle.

    >>> [round_up(each) for each in (0, 1.2, 37, 401)]
    [2, 2, 40, 500]
    """
    size = 1
    while True:
        for step in _STEPS:
            if step * size >= value and step * size % 2 == 0:
                return step * size
        size *= 10


def build_chart(rate: Rate) -> Chart:
    """Stack each slot's transactions a second: payments below, refused on top."""
    top = round_up(rate.peak / SLOT_S)
    bars: list[Bar] = []
    for number, slot in enumerate(rate.slots):
        parts = [slot.per_second(count) * HEIGHT / top for count in slot.counts]
        bars += _stack(number * SLOT_WIDTH + GAP / 2, parts)
    return Chart(tuple(bars), len(rate.slots) * SLOT_WIDTH, top)


def _stack(x: float, parts: Sequence[float]) -> list[Bar]:
    bars = []
    y = HEIGHT
    for series, height in zip(SERIES, parts, strict=True):
        y -= height
        if height:
            bars.append(Bar(series, round(x, 2), round(y, 2), SLOT_WIDTH - GAP, round(height, 2)))
    return bars
