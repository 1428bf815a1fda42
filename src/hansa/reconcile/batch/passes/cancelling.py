"""Sets of both sides that cancel out, where nothing says that they belong together."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np

from hansa.reconcile.batch.passes.bounds import Measuring
from hansa.reconcile.batch.passes.found import Found, OpenGroup
from hansa.reconcile.batch.passes.halves import Half, describe, explain, halve
from hansa.reconcile.batch.rest import Rest
from hansa.reconcile.matching.arrays import find_ends, find_starts
from hansa.reconcile.matching.net_zero import (
    KeyGroup,
    NetGroup,
    NetWindow,
    OpenNet,
    find_net_groups,
)
from hansa.reconcile.matching.subset_sum import TOLD_MAX, Search
from hansa.reconcile.rules.book import NetZero

ENTRIES_MAX = 4
"""Of a set, if the rule says nothing."""
WORK_MAX = 200_000
"""Steps for one window: with sets of four, it may have 630 entries. Of more, sets are chance."""
WORK_ALL_MAX = 200_000_000
"""Steps for all windows of a pass."""


def match_cancelling(rest: Rest, asked: NetZero, measuring: Measuring) -> Found:
    """Match the smallest sets of both sides with equal sums, if nothing else has their entries.

    Entries of one side that cancel each other are no match, but what they could be is held against
    sets of both: neither is picked.
    """
    halves = halve(rest, rest.number(asked.on), asked, measuring)
    left, right = halves
    windows = list(_cut(halves, asked.days))
    size_max = asked.entries_max or ENTRIES_MAX
    search = Search(size_max, asked.amount_minor, _bound_work(windows, size_max))
    nets = find_net_groups(
        left.measured.amounts,
        right.measured.amounts,
        search,
        (left.side.classes[left.measured.places], right.side.classes[right.measured.places]),
        windows,
    )
    found = Found([], [])
    for net in nets.groups:
        if _is_of_both(net):
            what = f"{len(net.left)} and {len(net.right)} entries that cancel out"
            group = KeyGroup(0, *net)
            found.matches.append(explain(halves, group, f"{what}, and none of them with others"))
    for each in nets.open_nets:
        if each.is_undecided or any(map(_is_of_both, each.alternatives)):
            reason = _tell_open(halves, each)
            found.open_groups.append(
                OpenGroup(left.find(each.left), right.find(each.right), reason)
            )
    return found


def _is_of_both(group: NetGroup) -> bool:
    return bool(group.left and group.right)


def _cut(halves: tuple[Half, Half], days: int) -> Iterator[NetWindow]:
    """Cut entries that are equal in what the rule asks into windows, none of them within another.

    Entries that are so many days apart at most are together in one of them.
    """
    size_left = halves[0].keys.size
    key = np.concatenate([each.keys for each in halves])
    day = np.concatenate([each.measured.days for each in halves])
    order = np.lexsort((day, key))
    key, day = key[order], day[order]
    for start, end in zip(find_starts(key).tolist(), find_ends(key).tolist(), strict=True):
        if end - start < 2:  # noqa: PLR2004 - of a single one, nothing is a set
            continue
        ours = day[start:end]
        first = find_starts(ours)
        last = np.searchsorted(ours, ours[first] + days, "right")
        # One that ends where the one before it does has nothing that is not in that.
        is_new = np.concatenate(([True], last[1:] > last[:-1]))
        for low, high in zip(first[is_new].tolist(), last[is_new].tolist(), strict=True):
            places = np.sort(order[start + low : start + high])
            parted = int(np.searchsorted(places, size_left))
            if 0 < parted < places.size:
                left, right = places[:parted], places[parted:] - size_left
                yield NetWindow(tuple(left.tolist()), tuple(right.tolist()))


def _bound_work(windows: list[NetWindow], size_max: int) -> int:
    """Bound the work for each window, so that there is not too much of it in all."""
    half = (size_max + 1) // 2
    sizes, counts = np.unique(
        [len(each.left) + len(each.right) for each in windows], return_counts=True
    )
    works = [
        (sum(comb(size, each) for each in range(1, half + 1)), count)
        for size, count in zip(map(int, sizes), counts.tolist(), strict=True)
    ]
    work_max = WORK_MAX
    # By size alone, so that no order decides which of the windows are left out.
    while sum(work * count for work, count in works if work <= work_max) > WORK_ALL_MAX:
        work_max //= 2
    return work_max


def _tell_open(halves: tuple[Half, Half], net: OpenNet) -> str:
    """Tell the alternatives, the first eight of many."""
    listed = "; or ".join(
        f"{' + '.join(describe(halves[0], each.left)) or 'nothing'} against "
        f"{' + '.join(describe(halves[1], each.right)) or 'nothing'}"
        for each in net.alternatives[:TOLD_MAX]
    )
    count = len(net.alternatives)
    more = "; and others" if count > TOLD_MAX else ""
    if net.is_undecided:
        so_far = f"; of those that were found: {listed}{more}" if listed else ""
        return f"there are too many entries near each other to find all that cancels out{so_far}"
    return f"sets that cancel out share entries, {count} of them: {listed}{more}"
