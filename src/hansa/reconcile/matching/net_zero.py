"""Groups of many to many that cancel out: by a key that they share, or found without one.

Both sides' entries stand in one list; amounts of the right side are taken negatively, so that a
group is reconciled if it sums to zero, within the tolerance.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import Ints, check_amounts, find_ends, find_starts, make_ints
from hansa.reconcile.matching.subset_sum import Outcome, Search, Sums, find_sums


class KeyGroup(NamedTuple):
    """Entries that share a key; indexes ascend."""

    key: int
    left: tuple[int, ...]
    right: tuple[int, ...]
    difference_minor: int
    """Sum of the left side less that of the right side."""


class ByKey(NamedTuple):
    """What sharing a key makes of entries."""

    balanced: tuple[KeyGroup, ...]
    """Both sides are there and sum to the same, within the tolerance; by key."""
    unbalanced: tuple[KeyGroup, ...]
    """Both are there and do not."""


def find_by_key(
    left: tuple[npt.ArrayLike, npt.ArrayLike],
    right: tuple[npt.ArrayLike, npt.ArrayLike],
    tolerance_minor: int = 0,
) -> ByKey:
    """Group entries of both sides, each a column of keys and one of amounts, by key.

    Entries of key 0 have none. Keys that only one side has are in neither list. O(n log n).

    Raises:
      Invalid: `ARGUMENTS`, of columns that do not fit; `AMOUNT`, of amounts beyond 2^53.
    """
    sides = [_read(side) for side in (left, right)]
    key = np.concatenate([side[0] for side in sides])
    amount = np.concatenate([sides[0][1], -sides[1][1]])
    size_left = sides[0][0].size
    order = np.lexsort((np.arange(key.size), key))
    order = order[key[order] != 0]
    starts = find_starts(key[order])
    ends = find_ends(key[order])
    lefts = np.add.reduceat(order < size_left, starts, dtype=np.int64) if order.size else starts
    balanced: list[KeyGroup] = []
    unbalanced: list[KeyGroup] = []
    for start, end, number in zip(starts.tolist(), ends.tolist(), lefts.tolist(), strict=True):
        if number in {0, end - start}:
            continue
        indexes = order[start:end]
        # Python's integers, as any number of amounts may share a key.
        difference = sum(amount[indexes].tolist())
        both = indexes[:number].tolist(), (indexes[number:] - size_left).tolist()
        group = KeyGroup(int(key[indexes[0]]), tuple(both[0]), tuple(both[1]), difference)
        (balanced if abs(difference) <= tolerance_minor else unbalanced).append(group)
    return ByKey(tuple(balanced), tuple(unbalanced))


def _read(side: tuple[npt.ArrayLike, npt.ArrayLike]) -> tuple[Ints, Ints]:
    key, amount = make_ints(side[0]), make_ints(side[1])
    if key.shape != amount.shape:
        raise Invalid(InvalidCode.ARGUMENTS, "each amount has a key")
    check_amounts(amount)
    return key, amount


class NetGroup(NamedTuple):
    """Entries that cancel out, found without a key; indexes ascend."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    difference_minor: int


class NetGroups(NamedTuple):
    """What cancels out in a window."""

    outcome: Outcome
    """`UNIQUE` if every group found is sure, `AMBIGUOUS` if any overlap."""
    groups: tuple[NetGroup, ...] = ()
    """Sure ones: nothing else that cancels out has any of their entries; by left indexes."""
    open_left: tuple[int, ...] = ()
    """Entries of groups that overlap, or, if undecided, all."""
    open_right: tuple[int, ...] = ()
    found: int = 0
    """Smallest groups that were found, the open ones among them."""


FOUND_MAX: Final = 256
"""Sets that cancel out, unions of smaller ones included; where there are more, none is taken."""


def find_net_groups(
    left_minor: npt.ArrayLike,
    right_minor: npt.ArrayLike,
    search: Search = Search(),  # noqa: B008 - a value, never changed
    classes: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> NetGroups:
    """Find the smallest groups of a window, up to `search.size_max` entries, that cancel out.

    "Smallest" is a group with no smaller one in it. Entries of one side that cancel each other,
    as a booking and its reversal, are a group, too. A window in which more than 256 sets
    cancel out is undecided: so many are chance. Cost as `find_sums`.

    Raises:
      Invalid: as `find_sums`.
    """
    lefts, rights = make_ints(left_minor), make_ints(right_minor)
    given = classes or (np.arange(lefts.size), np.arange(rights.size))
    class_left, class_right = (make_ints(column) for column in given)
    # A left and a right entry are never interchangeable.
    numbers = np.concatenate([class_left * 2, class_right * 2 + 1])
    amounts = np.concatenate([lefts, -rights])
    sums = find_sums(0, amounts, search._replace(told_max=FOUND_MAX), numbers)
    if sums.outcome is Outcome.NONE:
        return NetGroups(Outcome.NONE)
    if sums.outcome is Outcome.UNDECIDED or sums.found > FOUND_MAX:
        return NetGroups(Outcome.UNDECIDED, (), *_part(sums.members, lefts.size))
    return _tell(sums, amounts, numbers, lefts.size)


def _tell(sums: Sums, amounts: Ints, numbers: Ints, size_left: int) -> NetGroups:
    """Tell sure groups from those that overlap, seen as what their entries are."""
    kinds = list(zip(amounts.tolist(), numbers.tolist(), strict=True))
    contents = [Counter(kinds[place] for place in solution) for solution in sums.solutions]
    smallest = [
        place
        for place, content in enumerate(contents)
        if not any(other < content for other in contents)
    ]
    groups = []
    open_entries: set[int] = set()
    for place in smallest:
        solution, content = sums.solutions[place], contents[place]
        if any(content.keys() & contents[other].keys() for other in smallest if other != place):
            open_entries |= {entry for entry in sums.members if kinds[entry] in content}
            continue
        left, right = _part(solution, size_left)
        groups.append(NetGroup(left, right, int(amounts[list(solution)].sum())))
    outcome = Outcome.AMBIGUOUS if open_entries else Outcome.UNIQUE
    opened = _part(tuple(sorted(open_entries)), size_left)
    return NetGroups(outcome, tuple(sorted(groups)), *opened, found=len(smallest))


def _part(entries: tuple[int, ...], size_left: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Part the entries of one list into those of the left and of the right side."""
    return (
        tuple(entry for entry in entries if entry < size_left),
        tuple(entry - size_left for entry in entries if entry >= size_left),
    )
