"""A match or a break as one of its banks sees it: its own entries, and the other bank's.

What comes in at one bank may go out at the other: the other bank's amounts are turned to the sign
that they would have in the own books, so that the two can be read beside each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hansa.reconcile.entries import Entry
from hansa.reconcile.stream.closing import Group
from hansa.reconcile.stream.entries import read_entry
from hansa.reconcile.stream.terms import Pair, Place

_MISSING = ("missing_left", "missing_right")


class Sides(NamedTuple):
    """The entries of a group."""

    ours: tuple[Entry, ...]
    theirs: tuple[Entry, ...]
    """With amounts as the own books would have them."""

    @property
    def differences(self) -> Mapping[str, int]:
        """By currency: minor units that the own books have more than the other bank's."""
        ours, theirs = add_up(self.ours), add_up(self.theirs)
        return {
            currency: ours.get(currency, 0) - theirs.get(currency, 0)
            for currency in sorted(ours.keys() | theirs.keys())
        }

    @property
    def day(self) -> int | None:
        """Day of the oldest entry, from 1970-01-01; None if no entry has one."""
        days = [day for each in (*self.ours, *self.theirs) if (day := find_day(each)) is not None]
        return min(days, default=None)

    @property
    def first(self) -> Entry:
        """An entry that stands for all: one's own, if there is one."""
        return (*self.ours, *self.theirs)[0]


def add_up(entries: Iterable[Entry]) -> dict[str, int]:
    """Add entries up by currency, in minor units."""
    found: dict[str, int] = defaultdict(int)
    for entry in entries:
        found[entry.currency] += entry.amount_minor
    return dict(sorted(found.items()))


def read_sides(pair: Pair, place: Place, group: Group) -> Sides:
    """Read the entries of a group, as the bank at a place sees them."""
    sides = group.left, group.right
    factor = pair.sides[place].sign * pair.sides[place.other].sign
    return Sides(
        tuple(map(read_entry, sides[place])),
        tuple(_turn(entry, factor) for entry in map(read_entry, sides[place.other])),
    )


def name_class(group: Group, place: Place) -> str:
    """Name the class of a break, what is missing as the bank at a place sees it."""
    if group.label not in _MISSING:
        return group.label
    return "missing_ours" if _MISSING.index(group.label) == place else "missing_theirs"


def find_day(entry: Entry) -> int | None:
    """Find the day that an entry counts as of: the value date, else the booking date."""
    return entry.booking_date if entry.value_date is None else entry.value_date


def list_references(entries: Iterable[Entry]) -> list[str]:
    """List what entries are called, each once: the first reference of each that is not empty."""
    texts = (
        each.reference or each.transaction_id or each.bank_reference or each.text
        for each in entries
    )
    return list(dict.fromkeys(text for text in texts if text))


def _turn(entry: Entry, factor: int) -> Entry:
    original = entry.original_minor
    return entry._replace(
        amount_minor=factor * entry.amount_minor,
        original_minor=None if original is None else factor * original,
    )
