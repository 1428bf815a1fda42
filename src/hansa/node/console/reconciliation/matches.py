"""The matches of a window, each with what made it one: the pass, what it asks, and how far apart.

Those of the first pass are counted alone: what has a partner by its tag was never shown to the
other bank, so nobody has both sides of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hansa.node.console.reconciliation.comparing import FIELDS
from hansa.node.console.reconciliation.sides import Sides, find_day, read_sides
from hansa.reconcile.rules.book import (
    Measured,
    Near,
    Net,
    NetZero,
    Parts,
    Pass,
    Reversal,
    Score,
    Sum,
    Tolerance,
    Within,
)
from hansa.reconcile.stream.closing import Group, Outcome
from hansa.reconcile.stream.terms import Pair, Place

PPM_OF_PERCENT = 10_000

_KINDS: Mapping[type[Pass], str] = {
    Net: "Entries that are equal, copy against copy",
    Tolerance: "One entry each, by the best assignment of all together",
    Parts: "One entry against several that say that they belong together",
    Sum: "One entry against several whose sum it is, where that can be said of no others",
    Reversal: "A reversal and what it reverses, on one side",
    NetZero: "Any number of entries of both sides whose sums are equal",
    Score: "Pairs by evidence, with weights learnt from the entries themselves",
}


@dataclass(frozen=True, slots=True)
class PassLine:
    """One pass of the rules."""

    name: str
    text: str
    """What it asks."""
    matches: int


@dataclass(frozen=True, slots=True)
class MatchLine:
    """One match."""

    label: str
    """The pass that made it."""
    reason: str
    sides: Sides
    days: int | None
    """Days between the first and the last of its entries; None if one has no date."""


def list_passes(pair: Pair, outcome: Outcome) -> list[PassLine]:
    """List the passes of the rules, and how many matches each has made."""
    counts = Counter(each.label for each in outcome.matches)
    counts[pair.first.name] = outcome.pairs
    return [PassLine(each.name, tell_pass(each), counts[each.name]) for each in pair.book.passes]


def read_match(pair: Pair, place: Place, group: Group) -> MatchLine:
    """Read a match, as the bank at a place sees it."""
    sides = read_sides(pair, place, group)
    found = [find_day(each) for each in (*sides.ours, *sides.theirs)]
    days = [day for day in found if day is not None]
    apart = max(days) - min(days) if len(days) == len(found) else None
    return MatchLine(group.label, group.reason, sides, apart)


def tell_pass(asked: Pass) -> str:
    """Tell what a pass asks, in words."""
    return f"{_KINDS[type(asked)]}: {'; '.join(_list_bounds(asked))}."


def _list_bounds(asked: Pass) -> Iterator[str]:
    yield f"the same {_join([_name_field(each) for each in asked.on])}"
    if isinstance(asked, Parts | NetZero):
        yield f"they share {'the first part of a reference' if asked.by == 'root' else asked.by}"
    if isinstance(asked, Near):
        bounds = [f"{asked.amount_minor:,} minor units"] if asked.amount_minor else []
        if isinstance(asked, Within) and asked.amount_ppm:
            bounds.append(f"{asked.amount_ppm / PPM_OF_PERCENT:g} %")
        yield f"amounts up to {' or '.join(bounds)} apart" if bounds else "equal amounts"
        days = "business days" if asked.business_days else "days"
        yield f"up to {asked.days} {days} apart" if asked.days else "of the same day"
    if isinstance(asked, Within) and asked.charges:
        yield "or apart by just the charges that one side tells"
    if isinstance(asked, Measured) and asked.converted:
        yield "amounts converted by the rates of the agreement"


def _name_field(name: str) -> str:
    label = FIELDS[name][0] if name in FIELDS else name
    return label[:1].lower() + label[1:]


def _join(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
