"""Assignment, held to trying every pairing."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.matching.assignment import Reason, assign

LIMITLESS = 5


@st.composite
def problems(draw):
    """Few classes with few members, scores that often tie: (edges between classes, sizes)."""
    sizes = [
        draw(st.lists(st.integers(1, 2), min_size=1, max_size=3)),
        draw(st.lists(st.integers(1, 2), min_size=1, max_size=3)),
    ]
    score = st.integers(0, 4)
    edges = {}
    for pair in product(range(len(sizes[0])), range(len(sizes[1]))):
        if value := draw(score):
            edges[pair] = value
    return edges, sizes


def best_flows(edges, sizes):
    """All best pairings, each as how many of every edge."""
    pairs = sorted(edges)
    best, flows = -1, []
    ranges = [range(min(sizes[0][left], sizes[1][right]) + 1) for left, right in pairs]
    for flow in product(*ranges):
        fits = all(
            sum(f for f, pair in zip(flow, pairs, strict=True) if pair[side] == node) <= size
            for side in (0, 1)
            for node, size in enumerate(sizes[side])
        )
        worth = sum(f * edges[pair] for f, pair in zip(flow, pairs, strict=True))
        if fits and worth >= best:
            flows = [*(flows if worth == best else []), flow]
            best = worth
    return {pair: {flow[place] for flow in flows} for place, pair in enumerate(pairs)}


def expand(edges, sizes, shuffle):
    """Members of classes in a given order, and all candidates between them."""
    members = [
        [node for node, size in enumerate(sizes[side]) for _ in range(size)] for side in (0, 1)
    ]
    for side in members:
        shuffle(side)
    candidates = [
        (i, j, edges[a, b])
        for i, a in enumerate(members[0])
        for j, b in enumerate(members[1])
        if (a, b) in edges
    ]
    shuffle(candidates)
    return members, candidates


def by_class(assignment, members):
    """What was decided, told in classes, which no order changes."""
    pairs = sorted(
        (members[0][i], members[1][j], s, a, b)
        for i, j, s, a, b in zip(*(c.tolist() for c in assignment[:5]), strict=True)
    )
    groups = sorted(
        (g.reason, sorted(members[0][i] for i in g.left), sorted(members[1][j] for j in g.right))
        for g in assignment.groups
    )
    return pairs, groups


@given(problems(), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_pairs_are_those_of_every_best_pairing_in_any_order(problem, first, second):
    edges, sizes = problem
    results = []
    for random in (first, second):
        members, candidates = expand(edges, sizes, random.shuffle)
        columns = list(zip(*candidates, strict=True)) or [(), (), ()]
        results.append(by_class(assign(*columns, classes=tuple(members)), members))
    assert results[0] == results[1]

    pairs, groups = results[0]
    flows = best_flows(edges, sizes)
    certain = {pair: min(values) for pair, values in flows.items() if len(values) == 1}
    found = {}
    for left, right, *_ in pairs:
        found[left, right] = found.get((left, right), 0) + 1
    assert found == {pair: number for pair, number in certain.items() if number}

    unsure = {pair for pair, values in flows.items() if len(values) > 1}
    assert {left for left, _ in unsure} == {a for _, lefts, _ in groups for a in lefts}
    assert {right for _, right in unsure} == {b for _, _, rights in groups for b in rights}
    assert all(reason is Reason.AMBIGUOUS for reason, *_ in groups)


@given(problems(), st.randoms(use_true_random=False))
def test_without_classes_equal_entries_are_ambiguous(problem, random):
    edges, sizes = problem
    members, candidates = expand(edges, sizes, random.shuffle)
    columns = list(zip(*candidates, strict=True)) or [(), (), ()]
    single = {(i, j): score for i, j, score in candidates}
    flows = best_flows(single, [[1] * len(side) for side in members]) if len(single) < 9 else None
    assignment = assign(*columns)
    if flows is not None:
        pairs = set(zip(assignment.left.tolist(), assignment.right.tolist(), strict=True))
        assert pairs == {pair for pair, values in flows.items() if values == {1}}
