"""Whether a best pairing is the only one, and where it is not.

A pairing is a flow from left classes to right classes. Every other best pairing is reached by
pushing units around cycles that change the worth by nothing, in the residual network: forward along
an edge (its score is gained), backward along one that is used (its score is lost), and
through the component's node "alone", where entries are that stay unpaired. Given potentials of a
best pairing, such cycles consist of tight arcs only; so an edge can change iff it lies on a cycle
of tight arcs, which is a matter of strongly connected components.

Source: R. K. Ahuja, T. L. Magnanti, J. B. Orlin, "Network Flows" (1993), sections 3.5 and 9.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from hansa.reconcile.matching.arrays import Bools, Ints, find_ends, find_starts

DETOURS_MAX = 1_000_000
"""Arcs looked at for one strongly connected component; beyond, its edges count as open."""


class Network(NamedTuple):
    """A best pairing of classes; every edge is there once."""

    left: Ints
    right: Ints
    score: Ints
    flow: Ints
    """How many are paired."""
    room_left: Ints
    """How many there are to pair, of each class."""
    room_right: Ints
    component: Ints
    """Of each left class, then of each right class."""


class Choices(NamedTuple):
    """Where another pairing is as good."""

    open: Bools
    """Of each edge: whether another best pairing has another number of it."""
    groups: list[tuple[bool, list[int], list[int]]]
    """Classes that open edges connect; whether they are open only because work was bounded."""


class _Arcs(NamedTuple):
    source: Ints
    target: Ints
    gain: Ints
    edge: Ints
    """Which edge it follows; -1 if it leads to or from "alone"."""


def find_choices(network: Network, steps_max: int) -> Choices:
    """Find the edges of which best pairings differ.

    O(steps × edges), where steps are as many as the longest chain of pairs that displace each
    other; after `steps_max` of them the components still changing are given as not decided.
    """
    arcs = _lay_arcs(network)
    potential, unsettled = _find_potentials(network, arcs, steps_max)
    tight = potential[arcs.source] + arcs.gain == potential[arcs.target]
    # An unsettled component is left open as a whole.
    is_stopped = np.isin(network.component[network.left], unsettled)
    inner = _Arcs(*(column[tight] for column in arcs))
    is_open = _find_cycles(inner, potential.size, network.left.size) | is_stopped
    return Choices(is_open, _group(network, is_open, is_stopped))


def _group(
    network: Network, is_open: Bools, is_stopped: Bools
) -> list[tuple[bool, list[int], list[int]]]:
    """Group the classes that open edges connect."""
    size_left = network.room_left.size
    total = network.component.size
    left, right, stopped = network.left[is_open], network.right[is_open], is_stopped[is_open]
    graph = csr_array(
        (np.ones(left.size, np.int8), (left, right + size_left)), shape=(total, total)
    )
    group = connected_components(graph, directed=False)[1][left].astype(np.int64)
    order = np.argsort(group, kind="stable")
    columns = left[order].tolist(), right[order].tolist(), stopped[order].tolist()
    runs = find_starts(group[order]).tolist(), find_ends(group[order]).tolist()
    return [
        (columns[2][start], sorted(set(columns[0][start:end])), sorted(set(columns[1][start:end])))
        for start, end in zip(*runs, strict=True)
    ]


def _lay_arcs(network: Network) -> _Arcs:
    """Lay the arcs of the residual network; "alone" of component c is node `total + c`."""
    left, right, score, flow, room_left, room_right, component = network
    size_left = room_left.size
    total = component.size
    node_right = right + size_left
    edge = np.arange(left.size)
    can_grow = flow < np.minimum(room_left[left], room_right[right])
    is_used = flow > 0
    parts = [
        (left[can_grow], node_right[can_grow], score[can_grow], edge[can_grow]),
        (node_right[is_used], left[is_used], -score[is_used], edge[is_used]),
    ]
    sides = (left, room_left, 0), (right, room_right, size_left)
    for is_right, (ends, room, offset) in enumerate(sides):
        used = np.bincount(ends, flow, minlength=room.size).astype(np.int64)
        there = np.unique(ends)
        spare, busy = there[used[there] < room[there]], there[used[there] > 0]
        outward, inward = (busy, spare) if not is_right else (spare, busy)
        for nodes, leads_out in ((outward + offset, True), (inward + offset, False)):
            alone = total + component[nodes]
            source, target = (nodes, alone) if leads_out else (alone, nodes)
            parts.append((source, target, np.zeros(nodes.size, np.int64), np.full(nodes.size, -1)))
    return _Arcs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _find_potentials(network: Network, arcs: _Arcs, steps_max: int) -> tuple[Ints, Ints]:
    """Find the longest ways from each "alone"; and the components where they were not settled.

    There is no cycle that gains, as the pairing is a best one, so that the longest ways exist.
    """
    total = network.component.size
    size = total + int(network.component.max(initial=-1)) + 1
    unreached = np.iinfo(np.int64).min // 2
    potential = np.full(size, unreached, np.int64)
    potential[total:] = 0
    order = np.argsort(arcs.target, kind="stable")
    source, gain, target = arcs.source[order], arcs.gain[order], arcs.target[order]
    starts = find_starts(target)
    nodes = target[starts]
    changed = np.zeros(0, np.int64)
    for _ in range(steps_max):
        longest = np.maximum.reduceat(potential[source] + gain, starts)
        better = longest > potential[nodes]
        changed = nodes[better]
        if not changed.size:
            break
        potential[changed] = longest[better]
    components = np.concatenate([network.component, np.arange(size - total)])
    return potential, np.unique(components[changed])


def _find_cycles(arcs: _Arcs, size: int, edges: int) -> Bools:
    """Find the edges on cycles of more than two arcs."""
    graph = csr_array(
        (np.ones(arcs.source.size, np.int8), (arcs.source, arcs.target)), shape=(size, size)
    )
    _, strong = connected_components(graph, directed=True, connection="strong")
    is_inner = strong[arcs.source] == strong[arcs.target]
    inner = _Arcs(*(column[is_inner] for column in arcs))
    times = np.bincount(inner.edge[inner.edge >= 0], minlength=edges)
    is_open: Bools = times == 1
    # Both ways along one edge make a cycle of two, which changes nothing: is there a longer one?
    order = np.argsort(strong[inner.source], kind="stable")
    starts = find_starts(strong[inner.source][order].astype(np.int64))
    for places in np.split(order, starts[1:]) if order.size else []:
        part = _Arcs(*(column[places] for column in inner))
        both_ways = np.unique(part.edge[(part.edge >= 0) & (times[part.edge] > 1)])
        if both_ways.size:
            is_open[both_ways] = list(_find_detours(part, both_ways))
    return is_open


def _find_detours(arcs: _Arcs, edges: Ints) -> Iterator[bool]:
    """Tell of each edge whether its ends are connected without it, one way or the other."""
    if edges.size * arcs.source.size > DETOURS_MAX:
        yield from (True for _ in edges)
        return
    ways: dict[int, list[tuple[int, int]]] = {}
    ends: dict[int, tuple[int, int]] = {}
    for source, target, _, edge in zip(*(column.tolist() for column in arcs), strict=True):
        ways.setdefault(source, []).append((target, edge))
        ends[edge] = source, target
    for edge in edges.tolist():
        source, target = ends[edge]
        yield _leads(ways, source, target, edge) or _leads(ways, target, source, edge)


def _leads(ways: dict[int, list[tuple[int, int]]], source: int, target: int, without: int) -> bool:
    seen = {source}
    queue = deque([source])
    while queue:
        for node, edge in ways.get(queue.popleft(), ()):
            if edge == without or node in seen:
                continue
            if node == target:
                return True
            seen.add(node)
            queue.append(node)
    return False
