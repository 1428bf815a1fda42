"""Breaks: what no pass matched, put together where it belongs together, each with its class.

The first class that fits counts: a group of which a pass could not choose; a copy too many; a
reversal of nothing; parts whose sum is not the whole; one entry each of the same reference with
another amount, or on another day; and last what has no counterpart at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from hansa.reconcile.batch.passes.found import OpenGroup, Places
from hansa.reconcile.batch.rest import Rest, RestSide
from hansa.reconcile.currencies import write_amount
from hansa.reconcile.matching.arrays import Bools, Ints
from hansa.reconcile.matching.net_zero import KeyGroup, find_by_key
from hansa.reconcile.rules.book import RuleBook

_ANY = 1 << 62


class BreakClass(StrEnum):
    """What is wrong with entries that do not match, in order of precedence."""

    AMBIGUOUS = "ambiguous"
    DUPLICATE = "duplicate"
    REVERSAL = "reversal"
    SPLIT = "split"
    AMOUNT = "amount"
    DATE = "date"
    MISSING_LEFT = "missing_left"
    MISSING_RIGHT = "missing_right"


class Break(NamedTuple):
    """Entries that do not match, by their places; of what is missing one side has none."""

    kind: BreakClass
    left: Places
    right: Places
    reason: str
    """For people."""


class _Left(NamedTuple):
    """Entries that no break has yet, left and right."""

    left: Bools
    right: Bools

    def take(self, places: tuple[Places, Places]) -> bool:
        """Take entries for a break, unless one of them is taken."""
        # One by one: of so few, that is quicker than by arrays.
        for side, ours in zip(self, places, strict=True):
            for place in ours:
                if not side[place]:
                    return False
        for side, ours in zip(self, places, strict=True):
            for place in ours:
                side[place] = False
        return True


def diagnose(rest: Rest, open_groups: Iterable[OpenGroup], book: RuleBook) -> list[Break]:
    """Diagnose what is left, once all passes are done.

    Args:
      rest: both sides, where all that is still open counts.
      open_groups: of all passes, the last first; their entries may be matched meanwhile.
      book: names what must be equal before anything is the same.
    """
    left = _Left(rest.left.is_unmatched.copy(), rest.right.is_unmatched.copy())
    breaks: list[Break] = []
    found = (
        _find_ambiguous(rest, open_groups),
        _find_alone(rest, "is_surplus", BreakClass.DUPLICATE, "a copy of what is matched"),
        _find_alone(rest, "is_reversal", BreakClass.REVERSAL, "it reverses nothing that is here"),
        _find_splits(rest, left, book),
        _find_differences(rest, left, book),
    )
    for each in found:
        breaks += [one for one in each if left.take((one.left, one.right))]
    breaks += _find_missing(left)
    return breaks


def list_common(book: RuleBook) -> list[str]:
    """List of account and currency what every pass asks to be equal."""
    names = ("account", "currency")
    return [name for name in names if all(name in each.on for each in book.passes)]


def _find_ambiguous(rest: Rest, open_groups: Iterable[OpenGroup]) -> Iterator[Break]:
    """Find groups of which nothing was chosen, without those that were matched since."""
    for group in open_groups:
        ours, theirs = (
            tuple(place for place in places if side.is_unmatched[place])
            for side, places in ((rest.left, group.left), (rest.right, group.right))
        )
        if len(ours) + len(theirs) > 1:
            yield Break(BreakClass.AMBIGUOUS, ours, theirs, group.reason)


def _find_alone(rest: Rest, column: str, kind: BreakClass, reason: str) -> Iterator[Break]:
    for is_left, side in ((True, rest.left), (False, rest.right)):
        marked = side.entries.column(column).to_numpy()
        for place in np.flatnonzero(side.is_unmatched & marked).tolist():
            ours, theirs = ((place,), ()) if is_left else ((), (place,))
            yield Break(kind, ours, theirs, reason)


def _find_splits(rest: Rest, left: _Left, book: RuleBook) -> Iterator[Break]:
    """Find wholes and parts that name each other, whose sums differ."""
    common = list_common(book)
    for left_is_whole in (True, False):
        keys = (
            rest.number_shared(common, "reference", "root")
            if left_is_whole
            else rest.number_shared(common, "root", "reference")
        )
        for group, ours, theirs in _group(rest, left, keys):
            wholes, parts = (ours, theirs) if left_is_whole else (theirs, ours)
            if len(wholes) == 1 and len(parts) > 1:
                told = _tell_difference(rest.left, ours[0], group)
                reason = f"{len(parts)} parts of one payment, {told}"
                yield Break(BreakClass.SPLIT, ours, theirs, reason)


def _find_differences(rest: Rest, left: _Left, book: RuleBook) -> Iterator[Break]:
    """Find one entry each of the same reference, beyond what passes allow."""
    keys = rest.number_shared(list_common(book), "reference", "reference")
    for group, ours, theirs in _group(rest, left, keys):
        if len(ours) == len(theirs) == 1:
            if group.difference_minor:
                told = _tell_difference(rest.left, ours[0], group)
                yield Break(BreakClass.AMOUNT, ours, theirs, f"the same reference, {told}")
            else:
                days = int(rest.right.days[theirs[0]] - rest.left.days[ours[0]])
                told = f"{abs(days)} days {'later' if days > 0 else 'earlier'}"
                reason = f"the same reference and amount, {told}"
                yield Break(BreakClass.DATE, ours, theirs, reason)


def _find_missing(left: _Left) -> Iterator[Break]:
    for place in np.flatnonzero(left.left).tolist():
        yield Break(BreakClass.MISSING_RIGHT, (place,), (), "it has no counterpart")
    for place in np.flatnonzero(left.right).tolist():
        yield Break(BreakClass.MISSING_LEFT, (), (place,), "it has no counterpart")


def _group(
    rest: Rest, left: _Left, keys: Sequence[Ints]
) -> Iterator[tuple[KeyGroup, Places, Places]]:
    """Group what is left by keys; gives each group with its places."""
    ours, theirs = (
        np.flatnonzero(is_left & side.is_open)
        for side, is_left in zip((rest.left, rest.right), left, strict=True)
    )
    left_columns = keys[0][ours], rest.left.amounts[ours]
    right_columns = keys[1][theirs], rest.right.amounts[theirs]
    for group in find_by_key(left_columns, right_columns, _ANY).balanced:
        yield (
            group,
            tuple([int(ours[index]) for index in group.left]),
            tuple([int(theirs[index]) for index in group.right]),
        )


def _tell_difference(side: RestSide, place: int, group: KeyGroup) -> str:
    return f"{write_amount(-group.difference_minor, side.read_currency(place))} apart"
