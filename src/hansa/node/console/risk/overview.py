"""How a node decides at present, and how decisions of the last day came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.contracts.risk.risk import Model as Registered
from hansa.contracts.risk.risk import State
from hansa.node.console.charts import Chart, build_stacks
from hansa.node.console.reading import Reader
from hansa.node.console.risk.queue import Line, read_line
from hansa.node.console.risk.reasons import tell_reason
from hansa.node.console.risk.words import SERIES, STATES
from hansa.node.risk.desk import RiskDesk, Standing
from hansa.node.risk.format import KeptTally
from hansa.node.risk.registry import Roles
from hansa.node.risk.tallying import HOUR_MS, sum_reasons
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
    roles: Roles
    obstacle: str
    """Why no model decides, in words; empty if one does."""
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
    roles = desk.registry.roles
    last = now_ms // HOUR_MS
    begins = [(last - HOURS + 1 + at) * HOUR_MS for at in range(HOURS)]
    tallies = await desk.list_tallies(begins[0], begins[-1] + HOUR_MS)
    hours = [HourLine(begin, tallies.get(begin, KeptTally()).verdicts) for begin in begins]
    waiting = desk.list_open()
    oldest = min(waiting, key=lambda held: held.taken_ms, default=None)
    reasons = sum_reasons(tallies.values())[:REASONS_SHOWN]
    return Overview(
        standing,
        roles,
        "" if standing.is_scored else find_obstacle(reader, desk, standing, roles),
        tuple(hours),
        _draw(hours),
        tuple(FrequentReason(code, tell_reason(code, rules), count) for code, count in reasons),
        len(waiting),
        None if oldest is None else await read_line(reader, desk, rules, oldest),
    )


def find_obstacle(reader: Reader, desk: RiskDesk, standing: Standing, roles: Roles) -> str:
    """Find why no model decides, in words."""
    if roles.is_stopped:
        return "Models were stopped at this node; promoting one, or going back, lets it decide."
    if roles.champion is None:
        return "No model was promoted at this node."
    model_id = standing.loaded.model_id
    if model_id == NO_MODEL:
        return "The model that was promoted cannot be read: " + "; ".join(desk.registry.faults)
    row = reader.load(Registered, desk.operator, model_id)
    if row is None:
        return (
            "The model that was promoted is not registered on the ledger: an officer proposes it."
        )
    if row.state is State.PROPOSED:
        return (
            "The model that was promoted is proposed on the ledger: a second officer approves it."
        )
    if row.state is not State.APPROVED:
        return f"The model that was promoted is {STATES[row.state]} on the ledger."
    if any(each.model == model_id for each in standing.in_force):
        return (
            "The model is in force on the ledger under another policy than the one that is loaded: "
            "policy, rules or lists were changed, and an officer has yet to declare that."
        )
    return "The model is approved on the ledger and not in force: an officer has yet to declare it."


def _draw(hours: Sequence[HourLine]) -> Chart:
    """Draw what was not allowed at once, by the hour."""
    return build_stacks(SERIES, [each.verdicts[1:] for each in hours])
