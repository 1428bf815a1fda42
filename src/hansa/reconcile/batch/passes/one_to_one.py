"""Passes that match one entry with one: within bounds, and reversals with what they reverse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from hansa.reconcile.batch.passes.bounds import Measured, Measuring, tell_days
from hansa.reconcile.batch.passes.found import Found, Match, OpenGroup, Places
from hansa.reconcile.batch.rest import Rest, RestSide
from hansa.reconcile.currencies import write_amount
from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.matching.assignment import Group, Reason, assign
from hansa.reconcile.matching.tolerance import Side, find_candidates
from hansa.reconcile.matching.tolerance import Tolerance as Allowed
from hansa.reconcile.rules.book import Reversal, Tolerance, Within

REASONS = {
    Reason.AMBIGUOUS: "several ways of pairing them are equally good",
    Reason.UNDECIDED: "there are too many ways of pairing them to find the best",
}


class _Half(NamedTuple):
    """One half of what is paired: entries as they are measured, and what they are compared by."""

    side: RestSide
    measured: Measured
    blocks: Ints
    """By place of the side, as the next."""
    references: Ints
    """0 of an entry that has none."""
    currency: str
    """In which amounts are told; empty: each in its own."""


def match_within(rest: Rest, asked: Tolerance, measuring: Measuring) -> Found:
    """Pair entries of both sides that are equal in `on` and within the bounds, best together."""
    left, right = _make_halves(rest, asked, measuring)
    return _pair(left, right, asked)


def match_reversals(rest: Rest, asked: Reversal, measuring: Measuring, *, is_left: bool) -> Found:
    """Pair reversals of one side with what they reverse."""
    half = _make_halves(rest, asked, measuring)[0 if is_left else 1]
    places = half.measured.places
    is_reversal = half.side.entries.column("is_reversal").to_numpy()[places]
    reversals = half._replace(measured=half.measured.select(is_reversal).negate())
    others = half._replace(measured=half.measured.select(~is_reversal))
    return _put_on_side(_pair(reversals, others, asked), is_left=is_left)


def _make_halves(
    rest: Rest, asked: Tolerance | Reversal, measuring: Measuring
) -> tuple[_Half, _Half]:
    blocks, references = rest.number(asked.on), number_references(rest)
    told = measuring.tell_in(asked)
    left, right = (
        _Half(side, measuring.measure(side, asked), blocks[at], references[at], told)
        for at, side in enumerate((rest.left, rest.right))
    )
    return left, right


def number_references(rest: Rest) -> list[Ints]:
    """Number comparable references from 1; 0 of an entry that has none."""
    sides = (rest.left, rest.right)
    numbers = rest.number(["reference"])
    return [
        np.where(side.has_reference, each, 0) for side, each in zip(sides, numbers, strict=True)
    ]


def _pair(left: _Half, right: _Half, bounds: Within) -> Found:
    allowed = Allowed(bounds.amount_minor, bounds.amount_ppm, bounds.days, bounds.days)
    found = [
        find_candidates(_lay_out(left, amounts), _lay_out(right, other_amounts), allowed)
        for amounts, other_amounts in _list_amounts(left, right, charges=bounds.charges)
    ]
    assigned = assign(
        np.concatenate([each.left for each in found]),
        np.concatenate([each.right for each in found]),
        np.concatenate([each.score for each in found]),
        (left.side.classes[left.measured.places], right.side.classes[right.measured.places]),
    )
    matches = _explain(left, right, assigned.left, assigned.right)
    groups = [_open(left, right, group) for group in assigned.groups]
    crowded = np.unique(np.concatenate([each.crowded for each in found]))
    return Found(matches, groups + [_crowd(left, right, int(each)) for each in crowded])


def _list_amounts(left: _Half, right: _Half, *, charges: bool) -> Iterator[tuple[Ints, Ints]]:
    """List which amounts of both are compared: as they are, and before charges."""
    yield left.measured.amounts, right.measured.amounts
    if charges:
        yield left.measured.gross, right.measured.amounts
        yield left.measured.amounts, right.measured.gross
        yield left.measured.gross, right.measured.gross


def _lay_out(half: _Half, amounts: Ints) -> Side:
    places = half.measured.places
    return Side(half.blocks[places], amounts, half.measured.days, half.references[places])


def _explain(left: _Half, right: _Half, at: Ints, other: Ints) -> list[Match]:
    """Explain pairs, by how the right entry differs from the left one."""
    ours, theirs = left.measured, right.measured
    places, other_places = ours.places[at], theirs.places[other]
    differences = theirs.amounts[other] - ours.amounts[at]
    are_charges = (differences == theirs.amounts[other] - theirs.gross[other]) | (
        differences == ours.gross[at] - ours.amounts[at]
    )
    told_in = [left.currency] * len(places)
    references, other_references = left.references[places], right.references[other_places]
    columns = (
        differences,
        are_charges,
        ours.days[at],
        theirs.days[other],
        np.minimum(references, other_references) > 0,
        references == other_references,
    )
    differing = zip(
        told_in if left.currency else left.side.read_currencies(places),
        *(each.tolist() for each in columns),
        strict=True,
    )
    both = zip(places.tolist(), strict=True), zip(other_places.tolist(), strict=True)
    # Among many pairs there are few differences: each is told once.
    return [*map(Match, *both, map(cache(_tell_differing), differing))]


def _tell_differing(differing: tuple[str, int, bool, int, int, bool, bool]) -> str:
    currency, difference_minor, is_charge, day, other_day, *references = differing
    amounts = _tell_amounts(difference_minor, currency, is_charge=is_charge)
    return f"{amounts}; {tell_days(day, other_day)}; {_tell_references(*references)}"


def _tell_amounts(difference_minor: int, currency: str, *, is_charge: bool) -> str:
    if not difference_minor:
        return "equal amounts"
    told = write_amount(difference_minor, currency)
    return f"{told} apart, which is what was charged" if is_charge else f"{told} apart"


def _tell_references(are_there: bool, are_same: bool) -> str:  # noqa: FBT001 - as one reads them
    if not are_there:
        return "no reference to compare"
    return "the same reference" if are_same else "another reference"


def _open(left: _Half, right: _Half, group: Group) -> OpenGroup:
    return OpenGroup(
        tuple(left.measured.places[list(group.left)].tolist()),
        tuple(right.measured.places[list(group.right)].tolist()),
        REASONS[group.reason],
    )


def _crowd(left: _Half, right: _Half, block: int) -> OpenGroup:
    """Tell a block of which too many are close to each other to look at all pairs."""
    ours, theirs = (
        tuple(each.measured.places[each.blocks[each.measured.places] == block].tolist())
        for each in (left, right)
    )
    return OpenGroup(ours, theirs, REASONS[Reason.UNDECIDED])


def _put_on_side(found: Found, *, is_left: bool) -> Found:
    """Put both halves of what was paired on one side, where they are of it."""

    def put(left: Places, right: Places) -> tuple[Places, Places]:
        both = tuple(sorted((*left, *right)))
        return (both, ()) if is_left else ((), both)

    matches = [
        Match(*put(each.left, each.right), f"a reversal: {each.reason}") for each in found.matches
    ]
    groups = [OpenGroup(*put(each.left, each.right), each.reason) for each in found.open_groups]
    return Found(matches, groups)
