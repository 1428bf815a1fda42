"""What is open under an agreement: breaks by class, currency, age and case, the most urgent first.

Ages are business days by the calendar of the rules, up to the day of the newest block.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hansa.contracts.reconciliation.cases import Case
from hansa.node.console.reading import Pace
from hansa.node.console.reconciliation.sides import Sides, name_class, read_sides
from hansa.node.console.reconciliation.words import CLOSED
from hansa.node.reconcile.service import BreakView
from hansa.reconcile.batch.ageing import Age, Ageing
from hansa.reconcile.rules.calendars import BusinessDays
from hansa.reconcile.stream.terms import Pair, Place

UNDATED = "undated"
"""Age of what has no date."""


@dataclass(frozen=True, slots=True)
class BreakLine:
    """One break."""

    id: bytes
    window: int
    """The last in which it was one."""
    kind: str
    """Its class, a key of `words.CLASSES`."""
    reason: str
    sides: Sides
    age: Age | None
    """None if no entry has a date."""
    priority: int
    """From 1, the most urgent."""
    case: Case | None

    @property
    def age_label(self) -> str:
        """Its class of age."""
        return UNDATED if self.age is None else self.age.label

    @property
    def state(self) -> str:
        """Where its case stands, a key of `words.CASE_STATES`."""
        return name_state(self.case)

    @property
    def currencies(self) -> tuple[str, ...]:
        """In which its entries are."""
        return tuple(self.sides.differences)


@dataclass(frozen=True, slots=True)
class AgeLine:
    """All breaks of one class of age."""

    label: str
    breaks: int
    entries: int
    urgent: int
    """Of the highest priority."""
    cases: int
    """Breaks with a case that is not closed."""
    differences: Mapping[str, int]
    """By currency: the breaks' differences without their signs, added up, in minor units."""


class Choice(NamedTuple):
    """Which breaks are looked for; what is empty is not asked."""

    kind: str = ""
    currency: str = ""
    age: str = ""
    state: str = ""

    def admits(self, line: BreakLine) -> bool:
        """Whether a break is one of them."""
        return (
            self.kind in {"", line.kind}
            and (not self.currency or self.currency in line.currencies)
            and self.age in {"", line.age_label}
            and self.state in {"", line.state}
        )


class Offered(NamedTuple):
    """What can be chosen: each that occurs, and how many breaks have it."""

    kinds: Mapping[str, int]
    currencies: Mapping[str, int]
    ages: Mapping[str, int]
    states: Mapping[str, int]


def list_offered(lines: Sequence[BreakLine], ageing: Ageing) -> Offered:
    """List what can be chosen of some breaks."""
    ages = Counter(line.age_label for line in lines)
    return Offered(
        dict(sorted(Counter(line.kind for line in lines).items())),
        dict(sorted(Counter(each for line in lines for each in line.currencies).items())),
        {label: ages[label] for label in (*ageing.labels, UNDATED) if ages[label]},
        dict(sorted(Counter(line.state for line in lines).items())),
    )


def name_state(case: Case | None) -> str:
    """Name where a case stands."""
    return "none" if case is None else case.state.name.lower()


def build_ageing(pair: Pair, today: int) -> Ageing:
    """Build what tells ages by the rules of an agreement, as of a day from 1970-01-01."""
    return Ageing(pair.book.breaks, BusinessDays(pair.book.calendar), today)


def read_break(pair: Pair, place: Place, ageing: Ageing, view: BreakView) -> BreakLine:
    """Read one break, as the bank at a place sees it."""
    sides = read_sides(pair, place, view.group)
    age = None if sides.day is None else ageing.tell_age(sides.day)
    amounts = [each.amount_minor for each in (*sides.ours, *sides.theirs)]
    return BreakLine(
        view.group.id,
        view.window,
        name_class(view.group, place),
        view.group.reason,
        sides,
        age,
        ageing.tell_priority(amounts, age.days if age else 0),
        view.case,
    )


async def read_queue(
    pair: Pair, place: Place, ageing: Ageing, views: Iterable[BreakView]
) -> list[BreakLine]:
    """Read breaks, the most urgent first, and of these the oldest."""
    pace = Pace()
    lines = []
    for view in views:
        lines.append(read_break(pair, place, ageing, view))
        await pace.rest()
    return sorted(lines, key=_order)


def sum_ages(lines: Sequence[BreakLine], ageing: Ageing) -> list[AgeLine]:
    """Sum breaks up by class of age, the youngest first; what has no date comes last."""
    groups: dict[str, list[BreakLine]] = {label: [] for label in ageing.labels}
    for line in lines:
        groups.setdefault(line.age_label, []).append(line)
    return [_sum_age(label, found) for label, found in groups.items()]


def _sum_age(label: str, lines: Sequence[BreakLine]) -> AgeLine:
    counts: Counter[str] = Counter()
    differences: dict[str, int] = defaultdict(int)
    for line in lines:
        counts["entries"] += len(line.sides.ours) + len(line.sides.theirs)
        counts["urgent"] += line.priority == 1
        counts["cases"] += line.case is not None and line.case.state not in CLOSED
        for currency, minor in line.sides.differences.items():
            differences[currency] += abs(minor)
    found = {currency: minor for currency, minor in sorted(differences.items()) if minor}
    figures = (counts["entries"], counts["urgent"], counts["cases"])
    return AgeLine(label, len(lines), *figures, found)


def _order(line: BreakLine) -> tuple[int, int, bytes]:
    return line.priority, -(line.age.days if line.age else 0), line.id
