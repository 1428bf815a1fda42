"""How a node decides at present, and how decisions of the last day came out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from hansa.contracts.risk.in_force import BASES_MAX, NO_MODEL, Basis
from hansa.contracts.risk.risk import Model as Registered
from hansa.contracts.risk.risk import State
from hansa.kernel.crypto.address import to_text
from hansa.node.console.charts import Chart, build_stacks
from hansa.node.console.reading import Reader
from hansa.node.console.risk.queue import Line, read_line
from hansa.node.console.risk.reasons import tell_reason
from hansa.node.console.risk.words import SEND, SERIES, STATES
from hansa.node.risk.clerk.format import KeptTally
from hansa.node.risk.clerk.tallying import HOUR_MS, sum_reasons
from hansa.node.risk.desk import RiskDesk, Standing
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


class Obstacle(NamedTuple):
    """Why no model decides."""

    words: str
    command: str = ""
    """What an officer types about it; empty where the node’s own commands are meant."""


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
        None if standing.is_scored else find_obstacle(reader, desk, standing),
        tuple(hours),
        _draw(hours),
        tuple(FrequentReason(code, tell_reason(code, rules), count) for code, count in reasons),
        len(waiting),
        None if oldest is None else await read_line(reader, desk, rules, oldest),
    )


def find_obstacle(reader: Reader, desk: RiskDesk, standing: Standing) -> Obstacle:
    """Find why no model decides, and what is typed about it."""
    roles, model_id = desk.registry.roles, standing.loaded.model_id
    if roles.is_stopped:
        return Obstacle("Models were stopped here: promoting one, or going back, lets it decide.")
    if roles.champion is None:
        return Obstacle("No model was promoted at this node.")
    if model_id == NO_MODEL:
        faults = "; ".join(desk.registry.faults)
        return Obstacle(f"The model that was promoted cannot be read: {faults}")
    row = reader.load(Registered, desk.operator, model_id)
    named = {"operator": to_text(desk.operator), "model": model_id.hex()}
    if row is None or row.state is State.SUSPENDED:
        stands = "not registered" if row is None else STATES[row.state]
        words = f"The model that was promoted is {stands} on the ledger: an officer proposes it."
        return Obstacle(words, _write_call("propose", named))
    if row.state is State.PROPOSED:
        words = "The model that was promoted is proposed on the ledger: a second officer approves."
        return Obstacle(words, _write_call("approve", named))
    if row.state is State.RETIRED:
        return Obstacle("The model that was promoted is retired on the ledger: promote another.")
    if any(each.model == model_id for each in standing.in_force):
        words = (
            "The model is in force on the ledger, and not under the policy that is loaded: policy, "
            "rules or lists were changed, and an officer has yet to declare that."
        )
    else:
        words = "The model is approved on the ledger, and an officer has yet to declare it."
    return Obstacle(words, _write_declare(desk.operator, standing))


def _write_declare(operator: bytes, standing: Standing) -> str:
    """Write the command that declares what is loaded, beside what is in force."""
    loaded = standing.loaded
    added = (Basis(loaded.model_id, loaded.policy_hash), Basis(NO_MODEL, loaded.policy_hash))
    bases = dict.fromkeys((*added, *standing.in_force))
    listed = [{"model": each.model.hex(), "policy": each.policy.hex()} for each in bases]
    given = {"operator": to_text(operator), "bases": listed[:BASES_MAX]}
    return _write_call("declare", given)


def _write_call(command: str, arguments: Mapping[str, object]) -> str:
    written = msgspec.json.encode(arguments).decode()
    return SEND.format(command, shlex.quote(written))


def _draw(hours: Sequence[HourLine]) -> Chart:
    """Draw what was not allowed at once, by the hour."""
    return build_stacks(SERIES, [each.verdicts[1:] for each in hours])
