"""How a node decides at present, and how decisions of the last day came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hansa.node.console.charts import Chart, build_stacks
from hansa.node.console.reading import Reader
from hansa.node.console.risk.queue import Line, read_line
from hansa.node.console.risk.reasons import tell_reason
from hansa.node.console.risk.words import SERIES
from hansa.node.risk.clerk.format import KeptTally
from hansa.node.risk.clerk.tallying import HOUR_MS, sum_reasons
from hansa.node.risk.desk import RiskDesk, Standing
from hansa.node.risk.obstacles import Obstacle, find_obstacle
from hansa.risk.rules.book import Rule

HOURS: Final = 24
REASONS_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class HourLine:
    """Decisions of one hour."""

    from_ms: int
    verdicts: tuple[int, int, int, int]
    """Transactions, from the mildest verdict on."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.verdicts)


@dataclass(frozen=True, slots=True)
class FrequentReason:
    """A reason, and how many of the last day's transactions were not allowed for it."""

    code: str
    sentence: str
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The page."""

    standing: Standing
    obstacle: Obstacle | None
    """Why no model decides; None if one does."""
    hours: tuple[HourLine, ...]
    """The oldest first."""
    chart: Chart
    reasons: tuple[FrequentReason, ...]
    waiting: int
    oldest: Line | None
    """What waits the longest."""

    @property
    def verdicts(self) -> tuple[int, ...]:
        """Transactions of all these hours, from the mildest verdict on."""
        return tuple(
            sum(counts) for counts in zip(*(each.verdicts for each in self.hours), strict=True)
        )


async def read_overview(
    reader: Reader, desk: RiskDesk, rules: Mapping[str, Rule], now_ms: int
) -> Overview:
    """Read how a node decides, and how that came out up to now."""
    standing = desk.tell_standing()
    last = now_ms // HOUR_MS
    begins = [(last - HOURS + 1 + at) * HOUR_MS for at in range(HOURS)]
    tallies = await desk.list_tallies(begins[0], begins[-1] + HOUR_MS)
    hours = [HourLine(begin, tallies.get(begin, KeptTally()).verdicts) for begin in begins]
    waiting = desk.list_open()
    oldest = min(waiting, key=lambda held: held.taken_ms, default=None)
    reasons = sum_reasons(tallies.values())[:REASONS_SHOWN]
    return Overview(
        standing,
        find_obstacle(reader.rows, desk.operator, desk.registry, standing.loaded),
        tuple(hours),
        _draw(hours),
        tuple(FrequentReason(code, tell_reason(code, rules), count) for code, count in reasons),
        len(waiting),
        None if oldest is None else await read_line(reader, desk, rules, oldest),
    )


def _draw(hours: Sequence[HourLine]) -> Chart:
    """Draw what was not allowed at once, by the hour."""
    return build_stacks(SERIES, [each.verdicts[1:] for each in hours])
