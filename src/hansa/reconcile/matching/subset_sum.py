"""Whether an entry is the sum of several: all solutions counted, none picked among several.

Sets of up to `size_max` parts are sums of two halves: the first `a = ⌈size_max ÷ 2⌉` parts in
canonical order, and the others. All sets of up to `a` parts are laid out once, sorted by sum; each
first half then finds the second halves that complete it by binary search. That takes C(n, a) steps
and memory for n parts instead of C(n, size_max). How many there would be is computed beforehand,
and where it is too many the answer is "not decided", never a guess.

Parts of one class (equal in all fields) are interchangeable: sets that differ only in which of
them they have are one solution.

Source: E. Horowitz, S. Sahni, "Computing partitions with applications to the knapsack problem",
Journal of the ACM 21 (1974).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import comb
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import (
    Ints,
    check_amounts,
    count_within,
    make_ints,
)

SIZE_MIN: Final = 2
SIZE_MAX: Final = 12
WORK_MAX: Final = 2_000_000
"""Sets that are laid out, and pairs of halves that are looked at, for one target."""
TOLD_MAX: Final = 8
"""Solutions that are listed; all are counted."""


class Outcome(StrEnum):
    """What is known about a target."""

    UNIQUE = "unique"
    """Exactly one set of parts makes the sum."""
    NONE = "none"
    AMBIGUOUS = "ambiguous"
    """Several do; or one does, a part of which another target could have, too."""
    UNDECIDED = "undecided"
    """Finding out would take more work than allowed."""


class Sums(NamedTuple):
    """Which sets of parts make a sum."""

    outcome: Outcome
    found: int = 0
    """How many solutions there are; 0 if undecided."""
    solutions: tuple[tuple[int, ...], ...] = ()
    """Indexes of parts, ascending; of many solutions the first by amounts and classes."""
    members: tuple[int, ...] = ()
    """All parts that any solution has, others of their class too; if undecided, all that fit."""
    difference_minor: int = 0
    """Of a unique solution: its sum less the target."""
    work: int = 0
    """Steps that were taken, or would have been."""


class Search(NamedTuple):
    """What counts as a sum, and how much work finding it may be."""

    size_max: int = 4
    """Parts of a sum, from 2 to 12."""
    tolerance_minor: int = 0
    work_max: int = WORK_MAX
    told_max: int = TOLD_MAX
    """Solutions that are listed."""


class Window(NamedTuple):
    """A target and the places of the parts that it may consist of."""

    target_minor: int
    parts: tuple[int, ...]


class _Sets(NamedTuple):
    """Sets of one size or several: their parts' places in order, filled up with -1."""

    parts: npt.NDArray[np.int64]
    """(sets, size)."""
    total: Ints


class _Pool(NamedTuple):
    """Parts in canonical order: by amount, then class."""

    entry: Ints
    amount: Ints
    leads: npt.NDArray[np.bool_]
    """Whether it is the first of its class; others only follow those before them."""


def find_sums(
    target_minor: int,
    amounts_minor: npt.ArrayLike,
    search: Search = Search(),  # noqa: B008 - a value, never changed
    classes: npt.ArrayLike | None = None,
) -> Sums:
    """Find the sets of 2 to `search.size_max` parts whose sum is the target, within the tolerance.

    `classes` numbers what a part is apart from its amount; parts alike in both are
    interchangeable. The order of parts changes the indexes in the answer only, and numbers of
    classes that follow from their content make "the first" solutions the same, too.
    O(C(n, a) log C(n, a)) with a = ⌈size_max ÷ 2⌉, for the n parts that can be in any solution.

    Raises:
      Invalid: `ARGUMENTS`, of columns that do not fit or of sizes out of range; `AMOUNT`, of an
        amount beyond 2^53.
    """
    amounts = make_ints(amounts_minor)
    class_of = np.arange(amounts.size) if classes is None else make_ints(classes)
    check_amounts(np.append(amounts, target_minor))
    size_max, tolerance_minor, work_max, told_max = search
    if (
        amounts.shape != class_of.shape
        or not SIZE_MIN <= size_max <= SIZE_MAX
        or tolerance_minor < 0
    ):
        raise Invalid(InvalidCode.ARGUMENTS, f"sums have 2 to {SIZE_MAX} parts, each with a class")
    lowest, highest = target_minor - tolerance_minor, target_minor + tolerance_minor
    pool = _lay_out(amounts, class_of, size_max, (lowest, highest))
    half = (size_max + 1) // 2
    size = pool.amount.size
    work = sum(comb(size, each) for each in range(1, half + 1))
    if work > work_max:
        return Sums(Outcome.UNDECIDED, members=tuple(sorted(pool.entry.tolist())), work=work)
    sets = _enumerate(pool, half)
    found = _complete(pool, sets, size_max, (lowest, highest), work_max - work)
    if found is None:
        members = tuple(sorted(pool.entry.tolist()))
        return Sums(Outcome.UNDECIDED, members=members, work=work_max + 1)
    return _tell(pool, found, told_max, target_minor, work)


def _lay_out(amounts: Ints, classes: Ints, size_max: int, bounds: tuple[int, int]) -> _Pool:
    """Sort the parts, without those that can be in no solution."""
    order = np.lexsort((classes, amounts))
    while True:
        values = amounts[order]
        # With a part go at most size_max − 1 others: the most that they add, and the least.
        most = int(np.maximum(values[-(size_max - 1) :], 0).sum())
        least = int(np.minimum(values[: size_max - 1], 0).sum())
        fits = (values + most >= bounds[0]) & (values + least <= bounds[1])
        if fits.all():
            break
        order = order[fits]
    same = (values[1:] == values[:-1]) & (classes[order][1:] == classes[order][:-1])
    leads = np.concatenate((np.ones(min(order.size, 1), np.bool_), ~same))
    return _Pool(order, values, leads)


def _enumerate(pool: _Pool, size_max: int) -> list[_Sets]:
    """List all sets of 0, 1, … parts, each of which follows the one before it.

    A part that does not lead its class is there only behind the one before it: so a set of
    interchangeable parts is listed once. As a first part it may stand alone, behind a first half.
    """
    size = pool.amount.size
    sets = [_Sets(np.zeros((1, 0), np.int64), np.zeros(1, np.int64))]
    single = np.arange(size)
    sets.append(_Sets(single[:, None], pool.amount.copy()))
    leading = np.flatnonzero(pool.leads)
    for _ in range(1, size_max):
        before = sets[-1]
        last = before.parts[:, -1]
        first = np.searchsorted(leading, last, side="right")
        counts = leading.size - first
        row = np.repeat(np.arange(last.size), counts)
        part = leading[np.repeat(first, counts) + count_within(counts)]
        follows = np.flatnonzero((last + 1 < size) & ~pool.leads[np.minimum(last + 1, size - 1)])
        row, part = np.append(row, follows), np.append(part, last[follows] + 1)
        total = before.total[row] + pool.amount[part]
        sets.append(_Sets(np.column_stack((before.parts[row], part)), total))
    return sets


def _complete(
    pool: _Pool, sets: list[_Sets], size_max: int, bounds: tuple[int, int], work_max: int
) -> npt.NDArray[np.int64] | None:
    """Complete first halves to solutions; None if that is too much work."""
    half = len(sets) - 1
    solutions = []
    for size, first in enumerate(sets):
        # Only sets that begin with a leading part are whole; none is a sum of one part.
        starts_well = pool.leads[first.parts[:, 0]] if size else np.zeros(1, np.bool_)
        whole = starts_well & (first.total >= bounds[0]) & (first.total <= bounds[1])
        if size >= SIZE_MIN:
            solutions.append(_fill(first.parts[whole], size_max))
        if size < half:
            continue
        heads = np.flatnonzero(starts_well)
        for second in sets[1 : size_max - half + 1]:
            order = np.argsort(second.total, kind="stable")
            totals = second.total[order]
            start = np.searchsorted(totals, bounds[0] - first.total[heads])
            end = np.searchsorted(totals, bounds[1] - first.total[heads], side="right")
            work_max -= int((end - start).sum())
            if work_max < 0:
                return None
            head = np.repeat(heads, end - start)
            tail = order[np.repeat(start, end - start) + count_within(end - start)]
            last, following = first.parts[head, -1], second.parts[tail, 0]
            fits = (following > last) & (pool.leads[following] | (following == last + 1))
            parts = np.column_stack((first.parts[head[fits]], second.parts[tail[fits]]))
            solutions.append(_fill(parts, size_max))
    return np.concatenate(solutions)


def _fill(parts: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    filled = np.full((parts.shape[0], width), -1, np.int64)
    filled[:, : parts.shape[1]] = parts
    return filled


def _tell(
    pool: _Pool, found: npt.NDArray[np.int64], told_max: int, target_minor: int, work: int
) -> Sums:
    if not found.shape[0]:
        return Sums(Outcome.NONE, work=work)
    first = found[np.lexsort(found.T[::-1])[:told_max]]
    solutions = tuple(tuple(sorted(pool.entry[row[row >= 0]].tolist())) for row in first)
    class_of = np.cumsum(pool.leads)
    used = np.isin(class_of, class_of[np.unique(found[found >= 0])])
    members = tuple(sorted(pool.entry[used].tolist()))
    if found.shape[0] > 1:
        return Sums(Outcome.AMBIGUOUS, found.shape[0], solutions, members, work=work)
    difference = int(pool.amount[found[0][found[0] >= 0]].sum()) - target_minor
    return Sums(Outcome.UNIQUE, 1, solutions, members, difference, work)


def match_sums(
    windows: Sequence[Window],
    amounts_minor: npt.ArrayLike,
    search: Search = Search(),  # noqa: B008 - a value, never changed
    classes: npt.ArrayLike | None = None,
) -> list[Sums]:
    """Find the sums of many targets, which may want the same parts: an answer for each.

    A unique solution stands only if no other target could have any of its parts, in any of its
    solutions, or undecided as it is; otherwise both are ambiguous. So no order of targets
    gives one of them what the other wanted. Parts are indexes of `amounts_minor`.

    Raises:
      Invalid: as `find_sums`.
    """
    amounts = make_ints(amounts_minor)
    class_of = np.arange(amounts.size) if classes is None else make_ints(classes)
    answers = []
    for window in windows:
        parts = np.asarray(window.parts, np.int64)
        sums = find_sums(window.target_minor, amounts[parts], search, class_of[parts])
        solutions = tuple(_translate(parts, solution) for solution in sums.solutions)
        answers.append(sums._replace(solutions=solutions, members=_translate(parts, sums.members)))
    claims = np.array([part for sums in answers for part in sums.members], np.int64)
    claimed = np.bincount(claims, minlength=amounts.size)
    return [
        sums._replace(outcome=Outcome.AMBIGUOUS)
        if sums.outcome is Outcome.UNIQUE and (claimed[list(sums.members)] > 1).any()
        else sums
        for sums in answers
    ]


def _translate(parts: Ints, places: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(parts[list(places)].tolist()))
