"""Groups of many to many that cancel out: by a key that they share, or found without one.

Both sides' entries stand in one list; amounts of the right side are taken negatively, so that a
group is reconciled if it sums to zero, within the tolerance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
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


class OpenNet(NamedTuple):
    """Entries of groups that overlap, or of what was not searched; indexes ascend."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    alternatives: tuple[NetGroup, ...]
    """Smallest groups that were found among them."""
    is_undecided: bool
    """Whether there may be more."""


class NetGroups(NamedTuple):
    """What cancels out in some windows."""

    outcome: Outcome
    """`UNDECIDED` if any window is, else `AMBIGUOUS` if any groups overlap."""
    groups: tuple[NetGroup, ...] = ()
    """Sure ones: nothing else that cancels out has any of their entries; by left indexes."""
    open_nets: tuple[OpenNet, ...] = ()
    """No two have an entry in common."""
    found: int = 0
    """Smallest groups that were found, the open ones among them."""


class NetWindow(NamedTuple):
    """Entries that may be of one group, by their indexes."""

    left: tuple[int, ...]
    right: tuple[int, ...]


FOUND_MAX: Final = 256
"""Sets that cancel out, unions of smaller ones included; where there are more, none is taken."""

_Kind = tuple[int, int]
"""What an entry is: its amount, and the number of its class."""


class _Claim(NamedTuple):
    """What a window wants its entries for: a group, or, if undecided, nothing in particular."""

    content: tuple[_Kind, ...]
    """Sorted; a kind stands there as often as the group has it."""
    group: tuple[int, ...] | None


def find_net_groups(
    left_minor: npt.ArrayLike,
    right_minor: npt.ArrayLike,
    search: Search = Search(),  # noqa: B008 - a value, never changed
    classes: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    windows: Iterable[NetWindow] | None = None,
) -> NetGroups:
    """Find the smallest groups, up to `search.size_max` entries, that cancel out in a window.

    "Smallest" is a group with no smaller one in it. Entries of one side that cancel each other,
    as a booking and its reversal, are a group, too. A window in which more than 256 sets
    cancel out is undecided: so many are chance. Windows may overlap, and what is undecided in one
    is sure in no other. Cost as `find_sums` of each; without any, all entries are of one.

    Raises:
      Invalid: as `find_sums`.
    """
    lefts, rights = make_ints(left_minor), make_ints(right_minor)
    given = classes or (np.arange(lefts.size), np.arange(rights.size))
    class_left, class_right = (make_ints(column) for column in given)
    # A left and a right entry are never interchangeable.
    numbers = np.concatenate([class_left * 2, class_right * 2 + 1])
    amounts = np.concatenate([lefts, -rights])
    kinds = list(zip(amounts.tolist(), numbers.tolist(), strict=True))
    if windows is None:
        windows = [NetWindow(tuple(range(lefts.size)), tuple(range(rights.size)))]
    claims: dict[tuple[bool, tuple[_Kind, ...]], _Claim] = {}
    for window in windows:
        places = np.array([*window.left, *(lefts.size + at for at in window.right)], np.int64)
        sums = find_sums(0, amounts[places], search._replace(told_max=FOUND_MAX), numbers[places])
        for each in _claim(sums, places.tolist(), kinds):
            claims.setdefault((each.group is None, each.content), each)
    return _tell(list(claims.values()), kinds, lefts.size)


def _claim(sums: Sums, places: list[int], kinds: list[_Kind]) -> Iterator[_Claim]:
    """Claim the entries of each smallest group of a window, or all if it is undecided."""
    if sums.outcome is Outcome.UNDECIDED or sums.found > FOUND_MAX:
        yield _Claim(tuple(sorted({kinds[places[at]] for at in sums.members})), None)
        return
    groups = [tuple(places[at] for at in solution) for solution in sums.solutions]
    contents = [Counter(kinds[place] for place in group) for group in groups]
    for group, content in zip(groups, contents, strict=True):
        if not any(other < content for other in contents):
            yield _Claim(tuple(sorted(content.elements())), tuple(sorted(group)))


def _tell(claims: list[_Claim], kinds: list[_Kind], size_left: int) -> NetGroups:
    """Tell sure groups from those that overlap, seen as what their entries are."""
    copies: dict[_Kind, list[int]] = defaultdict(list)
    for place, kind in enumerate(kinds):
        copies[kind].append(place)
    groups, open_nets = [], []
    for joined in _join(claims):
        if len(joined) == 1 and joined[0].group is not None:
            groups += [_net(each, kinds, size_left) for each in _repeat(joined[0], copies)]
            continue
        entries = sorted({at for each in joined for kind in each.content for at in copies[kind]})
        found = [_net(each.group, kinds, size_left) for each in joined if each.group is not None]
        is_undecided = len(found) < len(joined)
        sides = _part(entries, size_left)
        open_nets.append(OpenNet(*sides, tuple(sorted(found)), is_undecided))
    outcome = Outcome.UNIQUE if groups else Outcome.NONE
    if open_nets:
        is_undecided = any(each.is_undecided for each in open_nets)
        outcome = Outcome.UNDECIDED if is_undecided else Outcome.AMBIGUOUS
    count = sum(each.group is not None for each in claims)
    return NetGroups(outcome, tuple(sorted(groups)), tuple(sorted(open_nets)), count)


def _join(claims: list[_Claim]) -> list[list[_Claim]]:
    """Join the claims that have a kind in common, directly or by way of others."""
    parents: dict[_Kind, _Kind] = {}

    def find(kind: _Kind) -> _Kind:
        while parents.setdefault(kind, kind) != kind:
            parents[kind] = kind = parents[parents[kind]]
        return kind

    for each in claims:
        for kind in each.content[1:]:
            parents[find(kind)] = find(each.content[0])
    joined: dict[_Kind, list[_Claim]] = defaultdict(list)
    for each in claims:
        joined[find(each.content[0])].append(each)
    return list(joined.values())


def _repeat(claim: _Claim, copies: dict[_Kind, list[int]]) -> list[tuple[int, ...]]:
    """List the groups that a sure one makes, if there are copies of all that is in it."""
    wanted = Counter(claim.content)
    times = min(len(copies[kind]) // count for kind, count in wanted.items())
    return [
        tuple(
            sorted(
                place
                for kind, count in wanted.items()
                for place in copies[kind][at * count : (at + 1) * count]
            )
        )
        for at in range(times)
    ]


def _net(group: tuple[int, ...], kinds: list[_Kind], size_left: int) -> NetGroup:
    return NetGroup(*_part(group, size_left), sum(kinds[place][0] for place in group))


def _part(entries: Sequence[int], size_left: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Part the entries of one list into those of the left and of the right side."""
    return (
        tuple(entry for entry in entries if entry < size_left),
        tuple(entry - size_left for entry in entries if entry >= size_left),
    )
