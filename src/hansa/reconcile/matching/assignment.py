"""Which candidates to pair, so that all scores together are the highest: exactly, and only if sure.

A pairing gives every entry at most one of the other side; its worth is the sum of its scores, and
each score is above zero, so that pairing is always better than leaving alone. Candidates that
share no entry are independent: every connected component is decided by itself.

What is kept: a pair that every best pairing has. What is *not* picked: where two best pairings
differ, the pairs in which they do are an ambiguous group, told with its members. Entries of one
class (equal in all fields) are interchangeable: which of them is paired makes no difference, so it
makes no ambiguity either; what must be the same in every best pairing is how many of one class are
paired with how many of another.

1. A pair whose score is above the best other score of its left plus that of its right entry is in
   every best pairing: whoever has neither gains by taking it. These go first, in rounds.
2. What is left of each component is solved exactly: by Jonker and Volgenant's shortest augmenting
   paths, on a sparse matrix; sums of scores stay below 2^53, where floating point is exact.
3. `choices` then asks of every pair whether another best pairing does without it.

Source: R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
assignment problems", Computing 38 (1987).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.matching.arrays import (
    Bools,
    Ints,
    count_within,
    find_ends,
    find_starts,
    make_ints,
)
from hansa.reconcile.matching.choices import Network, find_choices

SCORE_MAX = 1 << 32
"""Of one pair; a component of a million pairs still adds up exactly."""
ROUNDS_MAX = 64
"""Of step 1; what they leave is solved in step 2."""
BUNDLE = 256
"""Candidates that are solved at once, where components are smaller."""


class Limits(NamedTuple):
    """How large a component may be, once step 1 is done; a larger one is told, not solved."""

    entries: int = 50_000
    """Of one side."""
    pairs: int = 1_000_000
    paths: int = 10_000
    """Steps in search of other pairings of the same worth."""


class Reason(StrEnum):
    """Why entries are not paired though they have candidates."""

    AMBIGUOUS = "ambiguous"
    """Several pairings are the best."""
    UNDECIDED = "undecided"
    """Deciding would take more work than allowed: `Limits`."""


class Group(NamedTuple):
    """Entries that have candidates among each other, of which none was picked."""

    reason: Reason
    left: tuple[int, ...]
    """Indexes, ascending."""
    right: tuple[int, ...]


class Assignment(NamedTuple):
    """What was decided; arrays have a place for each pair, by left index.

    Entries with candidates that are in no pair and no group stay alone in every best pairing.
    """

    left: Ints
    right: Ints
    score: Ints
    other_left: Ints
    """Best score that the left entry has with an entry of another class; 0 if with none."""
    other_right: Ints
    groups: tuple[Group, ...]
    """By smallest left index."""


class _Classes(NamedTuple):
    """One side: classes from 0 that have candidates, and who is in them."""

    members: Ints
    """Indexes of entries, by class, then ascending."""
    starts: Ints
    sizes: Ints
    of_pair: Ints
    """Class of the entry of each candidate."""


class _Edges(NamedTuple):
    """Candidates between classes, each once."""

    left: Ints
    right: Ints
    score: Ints

    def select(self, which: Bools | Ints) -> _Edges:
        return _Edges(self.left[which], self.right[which], self.score[which])


_Open = tuple[Reason, list[int], list[int]]
"""Classes of both sides that are left open, and why."""


def assign(
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    score: npt.ArrayLike,
    classes: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - a value, never changed
) -> Assignment:
    """Decide between candidates: `left[i]` with `right[i]` would be worth `score[i]`.

    `classes` has the class of each entry, left and right, by index; without them no two entries are
    equal. All members of a class must have the same candidates. Of a candidate that is there
    twice the higher score counts. The order of candidates makes no difference.
    O(n log n) for n candidates, and O(k³) at worst for the k of a component that step 1 leaves.

    Raises:
      Invalid: `ARGUMENTS`, of columns that are no integers or not of one length, or of a score
        that is not from 1 to 2^32.
    """
    lefts, rights, scores = make_ints(left), make_ints(right), make_ints(score)
    if not lefts.shape == rights.shape == scores.shape:
        raise Invalid(InvalidCode.ARGUMENTS, "candidates need a left, a right and a score each")
    if scores.size and not (scores.min() > 0 and scores.max() <= SCORE_MAX):
        raise Invalid(InvalidCode.ARGUMENTS, "a score is from 1 to 2^32", scale=SCORE_MAX)
    class_left, class_right = (None, None) if classes is None else map(make_ints, classes)
    sides = _gather(lefts, class_left), _gather(rights, class_right)
    edges = _merge(sides[0].of_pair, sides[1].of_pair, scores)
    others = _find_others(edges, (sides[0].sizes.size, sides[1].sizes.size))
    room = sides[0].sizes.copy(), sides[1].sizes.copy()
    flow = np.zeros(edges.score.size, np.int64)
    alive = _take_certain(edges, room, flow)
    groups = _solve(edges, alive, room, flow, limits)
    return _tell(sides, edges, flow, others, groups)


def _gather(entries: Ints, class_of_entry: Ints | None) -> _Classes:
    """Gather the entries of candidates into classes."""
    members = np.unique(entries)
    classes = members if class_of_entry is None else class_of_entry[members]
    order = np.lexsort((members, classes))
    starts = find_starts(classes[order])
    sizes = np.diff(starts, append=members.size)
    number = np.empty(members.size, np.int64)
    number[order] = np.repeat(np.arange(starts.size), sizes)
    return _Classes(members[order], starts, sizes, number[np.searchsorted(members, entries)])


def _merge(left: Ints, right: Ints, score: Ints) -> _Edges:
    order = np.lexsort((score, right, left))
    both = left[order] * (int(right.max(initial=0)) + 1) + right[order]
    last = order[find_ends(both) - 1]
    return _Edges(left[last], right[last], score[last])


def _find_best(node: Ints, score: Ints, count: int) -> tuple[Ints, Ints]:
    """Find the best and the second best score of each node; 0 where there is none."""
    best, second = np.zeros(count, np.int64), np.zeros(count, np.int64)
    order = np.lexsort((score, node))
    ends = find_ends(node[order]) - 1
    best[node[order[ends]]] = score[order[ends]]
    has_more = ends[(ends > 0) & (node[order[ends - 1]] == node[order[ends]])]
    second[node[order[has_more]]] = score[order[has_more - 1]]
    return best, second


def _find_others(edges: _Edges, counts: tuple[int, int]) -> tuple[Ints, Ints]:
    """Find the best score that each edge's ends have elsewhere."""
    (best_l, second_l), (best_r, second_r) = (
        _find_best(node, edges.score, count)
        for node, count in zip((edges.left, edges.right), counts, strict=True)
    )
    left, right, score = edges
    return (
        np.where(score == best_l[left], second_l[left], best_l[left]),
        np.where(score == best_r[right], second_r[right], best_r[right]),
    )


def _take_certain(edges: _Edges, room: tuple[Ints, Ints], flow: Ints) -> Ints:
    """Take pairs that every best pairing has; give the places of edges that remain."""
    alive = np.arange(edges.score.size)
    for _ in range(ROUNDS_MAX):
        live = edges.select(alive)
        other_left, other_right = _find_others(live, (room[0].size, room[1].size))
        taken = live.score > other_left + other_right
        if not taken.any():
            break
        # An edge that beats all others of both its ends is the only such edge of either.
        left, right = live.left[taken], live.right[taken]
        amount = np.minimum(room[0][left], room[1][right])
        flow[alive[taken]] = amount
        room[0][left] -= amount
        room[1][right] -= amount
        alive = alive[(room[0][live.left] > 0) & (room[1][live.right] > 0) & ~taken]
    return alive


def _solve(
    edges: _Edges, alive: Ints, room: tuple[Ints, Ints], flow: Ints, limits: Limits
) -> list[_Open]:
    """Solve what remains; give the groups that stay open, as classes of both sides."""
    live = edges.select(alive)
    component, count = _find_components(live, room)
    sizes = _cap(live, room)
    of_edge = component[live.left]
    cells = _sum(of_edge, sizes[0][live.left] * sizes[1][live.right], count)
    rows = _sum(component[: room[0].size], sizes[0], count)
    columns = _sum(component[room[0].size :], sizes[1], count)
    is_large = (np.maximum(rows, columns) > limits.entries) | (cells > limits.pairs)
    open_groups = [
        (Reason.UNDECIDED, *(np.unique(ends[places]).tolist() for ends in live[:2]))
        for places in _split(of_edge, np.flatnonzero(is_large[of_edge]))
    ]
    places = np.flatnonzero(~is_large[of_edge])
    for part in _split(_bundle(cells)[of_edge], places):
        flow[alive[part]] = _match(live.select(part), sizes)
    if places.size:
        network = Network(*live.select(places), flow[alive[places]], *room, component)
        choices = find_choices(network, limits.paths)
        flow[alive[places[choices.open]]] = 0
        reasons = {True: Reason.UNDECIDED, False: Reason.AMBIGUOUS}
        open_groups += [(reasons[stopped], *ends) for stopped, *ends in choices.groups]
    return open_groups


def _sum(group: Ints, values: Ints, count: int) -> Ints:
    """Sum values by group; each sum is below 2^53, so that it is exact in floating point, too."""
    return np.bincount(group, values, minlength=count).astype(np.int64)


def _find_components(edges: _Edges, room: tuple[Ints, Ints]) -> tuple[Ints, int]:
    """Number the connected components, of each left class, then of each right class; count."""
    size_left = room[0].size
    total = size_left + room[1].size
    graph = csr_array(
        (np.ones(edges.left.size, np.int8), (edges.left, edges.right + size_left)),
        shape=(total, total),
    )
    count, component = connected_components(graph, directed=False)
    return component.astype(np.int64), int(count)


def _cap(edges: _Edges, room: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Cap each class at what its neighbours can take: more would only make matrices larger."""
    left, right, _ = edges
    taken_left = _sum(left, room[1][right], room[0].size)
    taken_right = _sum(right, room[0][left], room[1].size)
    return np.minimum(room[0], taken_left), np.minimum(room[1], taken_right)


def _bundle(cells: Ints) -> Ints:
    """Bundle small components, as starting to solve one takes longer than solving it."""
    is_small = cells <= BUNDLE
    bundle = np.cumsum(np.where(is_small, cells, 0)) // BUNDLE
    return np.where(is_small, bundle, bundle[-1:] + 1 + np.arange(cells.size))


def _split(group: Ints, places: Ints) -> list[Ints]:
    """Split places by the group that they are in."""
    if not places.size:
        return []
    ordered = places[np.argsort(group[places], kind="stable")]
    return np.split(ordered, find_starts(group[ordered])[1:])


def _match(edges: _Edges, sizes: tuple[Ints, Ints]) -> Ints:
    """Find one best pairing of components: how many of each edge."""
    left, at_left = np.unique(edges.left, return_inverse=True)
    right, at_right = np.unique(edges.right, return_inverse=True)
    sizes_left, sizes_right = sizes[0][left], sizes[1][right]
    cells = sizes_left[at_left] * sizes_right[at_right]
    within = count_within(cells)
    width = np.repeat(sizes_right[at_right], cells)
    first_row = np.cumsum(sizes_left) - sizes_left
    first_column = np.cumsum(sizes_right) - sizes_right
    row = np.repeat(first_row[at_left], cells) + within // width
    column = np.repeat(first_column[at_right], cells) + within % width
    shape = int(sizes_left.sum()), int(sizes_right.sum())
    paired_row, paired_column = _pair(row, column, np.repeat(edges.score, cells), shape)
    class_row = np.repeat(np.arange(left.size), sizes_left)
    class_column = np.repeat(np.arange(right.size), sizes_right)
    key = at_left * right.size + at_right
    order = np.argsort(key)
    paired = class_row[paired_row] * right.size + class_column[paired_column]
    found = order[np.searchsorted(key[order], paired)]
    return np.bincount(found, minlength=key.size).astype(np.int64)


def _pair(row: Ints, column: Ints, score: Ints, shape: tuple[int, int]) -> tuple[Ints, Ints]:
    """Pair rows with columns, each at most once, for the highest sum of scores."""
    rows, columns = shape
    if rows > columns:
        at_column, at_row = _pair(column, row, score, (columns, rows))
        return at_row, at_column
    # Every row has a column of its own, worth nothing, so that all can be paired; 1 is added to
    # each score as sparse matrices know no zero.
    own = np.arange(rows)
    matrix_sparse = csr_array(
        (
            np.concatenate([score + 1, np.ones(rows, np.int64)]).astype(np.float64),
            (np.concatenate([row, own]), np.concatenate([column, columns + own])),
        ),
        shape=(rows, columns + rows),
    )
    at_row, at_column = min_weight_full_bipartite_matching(matrix_sparse, maximize=True)
    is_pair = at_column < columns
    return at_row[is_pair].astype(np.int64), at_column[is_pair].astype(np.int64)


def _tell(
    sides: tuple[_Classes, _Classes],
    edges: _Edges,
    flow: Ints,
    others: tuple[Ints, Ints],
    groups: list[_Open],
) -> Assignment:
    """Tell members instead of classes: those with the smallest indexes are paired first."""
    places = np.flatnonzero(flow)
    amount = flow[places]
    members = []
    rests = []
    for side, node in zip(sides, (edges.left, edges.right), strict=True):
        by_node = np.argsort(node[places], kind="stable")
        used = _sum(node[places], amount, side.sizes.size)
        first = np.empty(places.size, np.int64)
        before = np.cumsum(amount[by_node]) - amount[by_node]
        nodes = node[places][by_node]
        starts = find_starts(nodes)
        runs = np.diff(starts, append=nodes.size)
        first[by_node] = before - np.repeat(before[starts], runs) + side.starts[nodes]
        members.append(side.members[np.repeat(first, amount) + count_within(amount)])
        rests.append(used)
    told = []
    for reason, *ends in groups:
        indexes = [
            _list(side, rest, nodes) for side, rest, nodes in zip(sides, rests, ends, strict=True)
        ]
        told.append(Group(reason, *indexes))
    each = np.repeat(places, amount)
    order = np.argsort(members[0])
    return Assignment(
        members[0][order],
        members[1][order],
        edges.score[each][order],
        others[0][each][order],
        others[1][each][order],
        tuple(sorted(told, key=lambda group: group.left)),
    )


def _list(side: _Classes, used: Ints, nodes: list[int]) -> tuple[int, ...]:
    """List the entries of some classes that are not paired."""
    entries: list[int] = []
    for node in nodes:
        start = int(side.starts[node])
        entries += side.members[start + used[node] : start + side.sizes[node]].tolist()
    return tuple(sorted(entries))
