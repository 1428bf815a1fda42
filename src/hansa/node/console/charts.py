"""Bar charts as shapes: where each bar stands on a grid of 100 units in height.

A template draws them as SVG attributes, so no page needs inline styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hansa.node.console.blocks import SLOT_S, Rate
from hansa.node.console.history import Supply, SupplySlot

HEIGHT = 100.0
SLOT_WIDTH = 10.0
GAP = 2.4
RATE_SERIES = ("payments", "others", "refused")
SUPPLY_SERIES = ("wallets", "held", "vaults")
"""From the bottom upwards."""
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
    """Per second, in major units, or a count."""


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
        bars += _stack(number, RATE_SERIES, parts)
    return Chart(tuple(bars), len(rate.slots) * SLOT_WIDTH, top)


def build_supply_chart(slots: Sequence[SupplySlot], exponent: int) -> Chart:
    """Stack where an asset's money was at the end of each span: wallets below, vaults on top."""
    unit = 10**exponent
    peak = max((slot.supply.found_minor for slot in slots), default=0)
    top = round_up(peak / unit)
    bars: list[Bar] = []
    for number, slot in enumerate(slots):
        supply = slot.supply
        amounts = (supply.wallets_minor, supply.held_minor, supply.vaults_minor)
        bars += _stack(number, SUPPLY_SERIES, [each / unit * HEIGHT / top for each in amounts])
    return Chart(tuple(bars), max(1, len(slots)) * SLOT_WIDTH, top)


def build_stacks(names: Sequence[str], rows: Sequence[Sequence[int]]) -> Chart:
    """Stack the counts of each row, the first one below; names are those of its series."""
    top = round_up(max(map(sum, rows), default=0))
    bars: list[Bar] = []
    for number, row in enumerate(rows):
        bars += _stack(number, names, [count * HEIGHT / top for count in row])
    return Chart(tuple(bars), max(1, len(rows)) * SLOT_WIDTH, top)


def build_split(supply: Supply) -> tuple[Bar, ...]:
    """Lay where the money is now side by side, on a grid of 100 by 1."""
    whole = supply.found_minor
    if whole <= 0:
        return ()
    amounts = (supply.wallets_minor, supply.held_minor, supply.vaults_minor)
    bars = []
    x = 0.0
    for series, amount in zip(SUPPLY_SERIES, amounts, strict=True):
        width = 100 * amount / whole
        if width:
            bars.append(Bar(series, round(x, 3), 0, round(width, 3), 1))
        x += width
    return tuple(bars)


def _stack(number: int, names: Sequence[str], parts: Sequence[float]) -> list[Bar]:
    x = number * SLOT_WIDTH + GAP / 2
    bars = []
    y = HEIGHT
    for series, height in zip(names, parts, strict=True):
        y -= height
        if height:
            bars.append(Bar(series, round(x, 2), round(y, 2), SLOT_WIDTH - GAP, round(height, 2)))
    return bars
