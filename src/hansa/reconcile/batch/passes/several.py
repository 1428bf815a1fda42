"""Passes that match one entry with several, or several with several: only where that is sure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hansa.reconcile.batch.passes.bounds import Measured, Measuring
from hansa.reconcile.batch.passes.found import Found, Match, OpenGroup, Places
from hansa.reconcile.batch.rest import Rest, RestSide, SharedField
from hansa.reconcile.currencies import write_amount
from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.matching.net_zero import KeyGroup, find_by_key
from hansa.reconcile.matching.subset_sum import Outcome, Search, Sums, Window, match_sums
from hansa.reconcile.rules.book import MILLION, Near, NetZero, Parts, Sum, Within

_ANY = 1 << 62
"""Of sums that are looked at before bounds are asked."""


class _Half(NamedTuple):
    """One side: entries as they are measured, and what they share."""

    side: RestSide
    measured: Measured
    keys: Ints
    """By place among the measured; 0 of what shares nothing."""
    currency: str

    def find(self, indexes: Places) -> Places:
        """Find the places of measured entries."""
        return tuple(sorted(_pick(self.measured.places, indexes)))


def match_parts(rest: Rest, asked: Parts, measuring: Measuring, *, left_is_whole: bool) -> Found:
    """Match one entry with all that say that they are parts of it, if their sum is its own.

    A whole is named by its reference, and parts by what the pass says that they share.
    """
    left: SharedField = "reference" if left_is_whole else asked.by
    right: SharedField = asked.by if left_is_whole else "reference"
    halves = _halve(rest, rest.number_shared(asked.on, left, right), asked, measuring)
    found = []
    for group in _group(halves):
        wholes, parts = (group.left, group.right) if left_is_whole else (group.right, group.left)
        if len(wholes) == 1 and len(parts) > 1 and _is_within(halves, group, asked):
            found.append(_explain(halves, group, f"{len(parts)} parts of one payment"))
    return Found(found, [])


def match_net_zero(rest: Rest, asked: NetZero, measuring: Measuring) -> Found:
    """Match all entries that share a key and have the same sum on both sides."""
    keys = rest.number_shared(asked.on, asked.by, asked.by)
    halves = _halve(rest, keys, asked, measuring)
    found = [
        _explain(halves, each, f"{len(each.left)} and {len(each.right)} entries of one sum")
        for each in _group(halves)
        if _is_within(halves, each, asked)
    ]
    return Found(found, [])


def match_sum(rest: Rest, asked: Sum, measuring: Measuring) -> Found:
    """Match one entry with several of the other side whose sum it is, if no others could be.

    Both directions are looked at together: what an entry of either side claims is not given to one
    of them.
    """
    halves = _halve(rest, rest.number(asked.on), asked, measuring)
    left, right = halves
    answers = [
        (left_is_whole, at, sums)
        for left_is_whole, wholes, parts in ((True, left, right), (False, right, left))
        for at, sums in _search(wholes, parts, asked)
    ]
    claimed = _count_claims(answers, halves)
    found = Found([], [])
    for left_is_whole, at, sums in answers:
        ours, theirs = ((at,), sums.members) if left_is_whole else (sums.members, (at,))
        is_sure = (
            sums.outcome is Outcome.UNIQUE
            and (claimed[0][list(ours)] == 1).all()
            and (claimed[1][list(theirs)] == 1).all()
        )
        if is_sure:
            group = KeyGroup(0, ours, theirs, -sums.difference_minor)
            found.matches.append(
                _explain(halves, group, f"the sum of {len(sums.members)}, and of no others")
            )
        else:
            found.open_groups.append(
                OpenGroup(left.find(ours), right.find(theirs), _tell_open(sums))
            )
    return found


def _halve(rest: Rest, keys: list[Ints], asked: Near, measuring: Measuring) -> tuple[_Half, _Half]:
    told = measuring.tell_in(asked)
    halves = []
    for side, numbers in zip((rest.left, rest.right), keys, strict=True):
        measured = measuring.measure(side, asked)
        halves.append(_Half(side, measured, numbers[measured.places], told))
    return halves[0], halves[1]


def _group(halves: tuple[_Half, _Half]) -> tuple[KeyGroup, ...]:
    """Group what shares a key on both sides, whatever the sums are."""
    left, right = ((each.keys, each.measured.amounts) for each in halves)
    return find_by_key(left, right, _ANY).balanced


def _is_within(halves: tuple[_Half, _Half], group: KeyGroup, bounds: Within) -> bool:
    """Whether sums and days of a group are within bounds."""
    left, right = halves
    ours, theirs = group.left, group.right
    sums = [
        sum(_pick(half.measured.amounts, indexes))
        for half, indexes in ((left, ours), (right, theirs))
    ]
    allowed = max(bounds.amount_minor, max(map(abs, sums)) * bounds.amount_ppm // MILLION)
    differences = {group.difference_minor}
    if bounds.charges:
        ours_off, theirs_off = (
            sum(_pick(half.measured.gross, indexes)) - sum(_pick(half.measured.amounts, indexes))
            for half, indexes in ((left, ours), (right, theirs))
        )
        difference = group.difference_minor
        differences |= {difference + ours_off, difference - theirs_off}
        differences.add(difference + ours_off - theirs_off)
    days = [*_pick(left.measured.days, ours), *_pick(right.measured.days, theirs)]
    is_near = max(days) - min(days) <= bounds.days
    return is_near and min(map(abs, differences)) <= allowed


def _pick(column: Ints, indexes: Places) -> list[int]:
    """Pick some of a column: of few entries, as most groups have, quicker than an array."""
    return [int(column[index]) for index in indexes]


def _search(wholes: _Half, parts: _Half, asked: Sum) -> Iterator[tuple[int, Sums]]:
    """Search sums for each whole; those that have none are left out."""
    order = np.lexsort((parts.measured.days, parts.keys))
    keys, days = parts.keys[order], parts.measured.days[order]
    windows, targets = [], []
    starts, ends = np.searchsorted(keys, wholes.keys), np.searchsorted(keys, wholes.keys, "right")
    for at, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        day = wholes.measured.days[at]
        first = start + int(np.searchsorted(days[start:end], day - asked.days))
        last = start + int(np.searchsorted(days[start:end], day + asked.days, "right"))
        if last - first > 1:
            near = tuple(sorted(order[first:last].tolist()))
            windows.append(Window(int(wholes.measured.amounts[at]), near))
            targets.append(at)
    search = Search(size_max=asked.parts_max, tolerance_minor=asked.amount_minor)
    classes = parts.side.classes[parts.measured.places]
    answers = match_sums(windows, parts.measured.amounts, search, classes)
    return (
        (at, sums)
        for at, sums in zip(targets, answers, strict=True)
        if sums.outcome is not Outcome.NONE
    )


def _count_claims(
    answers: list[tuple[bool, int, Sums]], halves: tuple[_Half, _Half]
) -> tuple[Ints, Ints]:
    """Count how many answers each entry is in, left and right."""
    counts = tuple(np.zeros(len(each.keys), np.int64) for each in halves)
    for left_is_whole, at, sums in answers:
        whole, parts = counts if left_is_whole else counts[::-1]
        whole[at] += 1
        parts[list(sums.members)] += 1
    return counts[0], counts[1]


def _tell_open(sums: Sums) -> str:
    if sums.outcome is Outcome.UNDECIDED:
        return "there are too many entries near it to find all sums"
    if sums.found > 1:
        return f"it is the sum of several in {sums.found} ways"
    return "entries of its sum could be parts of another, too"


def _explain(halves: tuple[_Half, _Half], group: KeyGroup, what: str) -> Match:
    left, right = halves
    currency = left.currency or left.side.read_currency(int(left.measured.places[group.left[0]]))
    difference = -group.difference_minor
    apart = f", {write_amount(difference, currency)} apart" if difference else ""
    return Match(left.find(group.left), right.find(group.right), f"{what}{apart}")
