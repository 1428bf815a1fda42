"""Passes that match one entry with several, or several with several: only where that is sure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hansa.reconcile.batch.passes.bounds import Measuring
from hansa.reconcile.batch.passes.found import Found, OpenGroup
from hansa.reconcile.batch.passes.halves import Half, describe, explain, halve, pick
from hansa.reconcile.batch.rest import Rest, SharedField
from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.matching.net_zero import KeyGroup, find_by_key
from hansa.reconcile.matching.subset_sum import Outcome, Search, Sums, Window, match_sums
from hansa.reconcile.rules.book import MILLION, NetZero, Parts, Sum, Within

_ANY = 1 << 62
"""Of sums that are looked at before bounds are asked."""


def match_parts(rest: Rest, asked: Parts, measuring: Measuring, *, left_is_whole: bool) -> Found:
    """Match one entry with all that say that they are parts of it, if their sum is its own.

    A whole is named by its reference, and parts by what the pass says that they share.
    """
    left: SharedField = "reference" if left_is_whole else asked.by
    right: SharedField = asked.by if left_is_whole else "reference"
    halves = halve(rest, rest.number_shared(asked.on, left, right), asked, measuring)
    found = []
    for group in _group(halves):
        wholes, parts = (group.left, group.right) if left_is_whole else (group.right, group.left)
        if len(wholes) == 1 and len(parts) > 1 and _is_within(halves, group, asked):
            found.append(explain(halves, group, f"{len(parts)} parts of one payment"))
    return Found(found, [])


def match_net_zero(rest: Rest, asked: NetZero, by: SharedField, measuring: Measuring) -> Found:
    """Match all entries that share a key and have the same sum on both sides."""
    keys = rest.number_shared(asked.on, by, by)
    halves = halve(rest, keys, asked, measuring)
    found = [
        explain(halves, each, f"{len(each.left)} and {len(each.right)} entries of one sum")
        for each in _group(halves)
        if _is_within(halves, each, asked)
    ]
    return Found(found, [])


def match_sum(rest: Rest, asked: Sum, measuring: Measuring) -> Found:
    """Match one entry with several of the other side whose sum it is, if no others could be.

    Both directions are looked at together: what an entry of either side claims is not given to one
    of them.
    """
    halves = halve(rest, rest.number(asked.on), asked, measuring)
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
        wholes, parts = halves if left_is_whole else halves[::-1]
        is_sure = (
            sums.outcome is Outcome.UNIQUE
            and (claimed[0][list(ours)] == 1).all()
            and (claimed[1][list(theirs)] == 1).all()
        )
        if is_sure:
            group = KeyGroup(0, ours, theirs, -sums.difference_minor)
            found.matches.append(
                explain(halves, group, f"the sum of {len(sums.members)}, and of no others")
            )
        else:
            found.open_groups.append(
                OpenGroup(left.find(ours), right.find(theirs), _tell_open(wholes, at, parts, sums))
            )
    return found


def _group(halves: tuple[Half, Half]) -> tuple[KeyGroup, ...]:
    """Group what shares a key on both sides, whatever the sums are."""
    left, right = ((each.keys, each.measured.amounts) for each in halves)
    return find_by_key(left, right, _ANY).balanced


def _is_within(halves: tuple[Half, Half], group: KeyGroup, bounds: Within) -> bool:
    """Whether sums and days of a group are within bounds."""
    left, right = halves
    ours, theirs = group.left, group.right
    sums = [
        sum(pick(half.measured.amounts, indexes))
        for half, indexes in ((left, ours), (right, theirs))
    ]
    allowed = max(bounds.amount_minor, max(map(abs, sums)) * bounds.amount_ppm // MILLION)
    differences = {group.difference_minor}
    if bounds.charges:
        ours_off, theirs_off = (
            sum(pick(half.measured.gross, indexes)) - sum(pick(half.measured.amounts, indexes))
            for half, indexes in ((left, ours), (right, theirs))
        )
        difference = group.difference_minor
        differences |= {difference + ours_off, difference - theirs_off}
        differences.add(difference + ours_off - theirs_off)
    days = [*pick(left.measured.days, ours), *pick(right.measured.days, theirs)]
    is_near = max(days) - min(days) <= bounds.days
    return is_near and min(map(abs, differences)) <= allowed


def _search(wholes: Half, parts: Half, asked: Sum) -> Iterator[tuple[int, Sums]]:
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
    answers: list[tuple[bool, int, Sums]], halves: tuple[Half, Half]
) -> tuple[Ints, Ints]:
    """Count how many answers each entry is in, left and right."""
    counts = tuple(np.zeros(len(each.keys), np.int64) for each in halves)
    for left_is_whole, at, sums in answers:
        whole, parts = counts if left_is_whole else counts[::-1]
        whole[at] += 1
        parts[list(sums.members)] += 1
    return counts[0], counts[1]


def _tell_open(wholes: Half, at: int, parts: Half, sums: Sums) -> str:
    if sums.outcome is Outcome.UNDECIDED:
        return "there are too many entries near it to find all sums"
    [whole] = describe(wholes, (at,))
    listed = "; or ".join(" + ".join(describe(parts, each)) for each in sums.solutions)
    if sums.found > 1:
        more = "; and others" if sums.found > len(sums.solutions) else ""
        return f"{whole} is the sum of several in {sums.found} ways: {listed}{more}"
    return f"{whole} is a sum of which others could have a part, too: {listed}"
