"""How decisions came out, hour by hour: counted as they are made, and never counted anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from hansa.node.risk.clerk.format import KeptTally
from hansa.risk.verdicts import Verdict

HOUR_MS: Final = 3_600_000
REASONS_KEPT: Final = 256
"""Different reasons of one hour that are counted; the rarest make room."""


class Tallied(NamedTuple):
    """Decisions that were made together: when, and of each its verdict and reasons."""

    time_ms: int
    decisions: Sequence[tuple[Verdict, tuple[str, ...]]]


def add_up(tally: KeptTally, tallied: Tallied) -> KeptTally:
    """Add decisions to what was counted of their hour."""
    verdicts = list(tally.verdicts)
    reasons = Counter(dict(tally.reasons))
    for verdict, codes in tallied.decisions:
        verdicts[verdict] += 1
        if verdict is not Verdict.ALLOW:
            reasons.update(set(codes))
    allowed, stepped_up, reviewed, blocked = verdicts
    return KeptTally((allowed, stepped_up, reviewed, blocked), _order(reasons))


def sum_reasons(tallies: Iterable[KeptTally]) -> list[tuple[str, int]]:
    """Sum reasons of several hours, the most frequent first."""
    reasons: Counter[str] = Counter()
    for tally in tallies:
        reasons.update(dict(tally.reasons))
    return list(_order(reasons))


def _order(reasons: Counter[str]) -> tuple[tuple[str, int], ...]:
    """Order by how often, then by name, so that two machines write the same."""
    return tuple(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))[:REASONS_KEPT])
