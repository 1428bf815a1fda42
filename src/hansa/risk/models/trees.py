"""Boosted trees as flat arrays: features, thresholds and values are whole numbers, as is the score.

Features are whole, so a threshold is rounded down without moving any of them to the other side; a
value is rounded to a multiple of 2**-32, and so sums of values are exact in any order. A tree's two
children stand side by side, and a leaf leads to itself: so a step has no branch that a processor
could guess wrong, and four trees are walked at once while each waits for its memory.

Source: Friedman, Greedy function approximation (2001); the arrays are those of LightGBM's
`dump_model`, laid out anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.compiled import compiled

SCALE_BITS = 32
"""A value or score is a whole multiple of 2**-32 of the log-odds."""
NEVER = np.iinfo(np.int64).max
"""A leaf's threshold, which nothing exceeds."""


class Trees(NamedTuple):
    """Trees, laid out node by node: each array is of shape (n_nodes,) but the last."""

    feature: npt.NDArray[np.uint32]
    threshold: npt.NDArray[np.int64]
    """At most this goes left."""
    left: npt.NDArray[np.uint32]
    """Where the left child stands, the right one being next; a leaf names itself."""
    value: npt.NDArray[np.int64]
    """Of a leaf, what it adds to the score; of another node, the mean of what lies below it."""
    roots: npt.NDArray[np.uint32]
    """Shape (n_trees,)."""


def flatten(dumped: Sequence[Mapping[str, Any]]) -> Trees:
    """Lay out trees as LightGBM dumps them.

    Args:
      dumped: `dump_model()["tree_info"]` of a model trained on whole numbers without a missing one.

    Raises:
      Invalid: a tree splits in a way of which these arrays know nothing.
    """
    feature: list[int] = []
    threshold: list[int] = []
    left: list[int] = []
    value: list[int] = []
    roots: list[int] = []

    def add(node: Mapping[str, Any]) -> None:
        is_leaf = "split_feature" not in node
        feature.append(0 if is_leaf else node["split_feature"])
        threshold.append(NEVER if is_leaf else _read_threshold(node))
        left.append(len(left))
        value.append(round(node["leaf_value" if is_leaf else "internal_value"] * 2**SCALE_BITS))

    for tree in dumped:
        roots.append(len(left))
        add(tree["tree_structure"])
        waiting = [(roots[-1], tree["tree_structure"])]
        for at, node in waiting:  # grows while it is walked
            if "split_feature" not in node:
                continue
            left[at] = len(left)
            for child in (node["left_child"], node["right_child"]):
                waiting.append((len(left), child))
                add(child)
    return Trees(
        np.array(feature, np.uint32),
        np.array(threshold, np.int64),
        np.array(left, np.uint32),
        np.array(value, np.int64),
        np.array(roots, np.uint32),
    )


def _read_threshold(node: Mapping[str, Any]) -> int:
    if node["decision_type"] != "<=":
        raise Invalid(
            InvalidCode.MALFORMED,
            f"a tree splits by {node['decision_type']!r}: only <= is known, on whole numbers",
        )
    threshold: float = node["threshold"]
    return min(max(floor(threshold), -NEVER), NEVER)


@compiled
def score_row(trees: Trees, row: npt.NDArray[np.int64]) -> int:
    """Sum what all trees say of one row, in multiples of 2**-32 of the log-odds.

    Args:
      trees: all of whose features the row has.
      row: shape (n_features,).
    """
    feature, threshold, left, value, roots = trees
    score = 0
    in_fours = roots.shape[0] // 4 * 4
    for tree in range(0, in_fours, 4):
        a, b, c, d = roots[tree], roots[tree + 1], roots[tree + 2], roots[tree + 3]
        while True:
            next_a = left[a] + np.uint32(row[feature[a]] > threshold[a])
            next_b = left[b] + np.uint32(row[feature[b]] > threshold[b])
            next_c = left[c] + np.uint32(row[feature[c]] > threshold[c])
            next_d = left[d] + np.uint32(row[feature[d]] > threshold[d])
            if next_a == a and next_b == b and next_c == c and next_d == d:
                break
            a, b, c, d = next_a, next_b, next_c, next_d
        score += value[a] + value[b] + value[c] + value[d]
    for tree in range(in_fours, roots.shape[0]):
        a = roots[tree]
        while True:
            next_a = left[a] + np.uint32(row[feature[a]] > threshold[a])
            if next_a == a:
                break
            a = next_a
        score += value[a]
    return int(score)


@compiled
def score_rows(trees: Trees, rows: npt.NDArray[np.int64], scores: npt.NDArray[np.int64]) -> None:
    """Score many rows, eight at a time side by side, which takes half the time.

    Args:
      trees: as for one row.
      rows: shape (n, n_features), one row after the other in memory.
      scores: shape (n,); filled.
    """
    feature, threshold, left, value, roots = trees
    in_eights = rows.shape[0] // 8 * 8
    for first in range(0, in_eights, 8):
        scores[first : first + 8] = 0
        for root in roots:
            a = b = c = d = e = f = g = h = root
            while True:
                next_a = left[a] + np.uint32(rows[first, feature[a]] > threshold[a])
                next_b = left[b] + np.uint32(rows[first + 1, feature[b]] > threshold[b])
                next_c = left[c] + np.uint32(rows[first + 2, feature[c]] > threshold[c])
                next_d = left[d] + np.uint32(rows[first + 3, feature[d]] > threshold[d])
                next_e = left[e] + np.uint32(rows[first + 4, feature[e]] > threshold[e])
                next_f = left[f] + np.uint32(rows[first + 5, feature[f]] > threshold[f])
                next_g = left[g] + np.uint32(rows[first + 6, feature[g]] > threshold[g])
                next_h = left[h] + np.uint32(rows[first + 7, feature[h]] > threshold[h])
                is_over = next_a == a and next_b == b and next_c == c and next_d == d
                is_over = is_over and next_e == e and next_f == f and next_g == g and next_h == h
                if is_over:
                    break
                a, b, c, d = next_a, next_b, next_c, next_d
                e, f, g, h = next_e, next_f, next_g, next_h
            scores[first] += value[a]
            scores[first + 1] += value[b]
            scores[first + 2] += value[c]
            scores[first + 3] += value[d]
            scores[first + 4] += value[e]
            scores[first + 5] += value[f]
            scores[first + 6] += value[g]
            scores[first + 7] += value[h]
    for row in range(in_eights, rows.shape[0]):
        scores[row] = score_row(trees, rows[row])


@compiled
def explain_row(
    trees: Trees, row: npt.NDArray[np.int64], contributions: npt.NDArray[np.int64]
) -> int:
    """Say how much each feature moved the score on the way to its leaves.

    The score is what is returned plus all contributions, exactly.

    Args:
      trees: as for scoring.
      row: shape (n_features,).
      contributions: shape (n_features,); filled, in multiples of 2**-32 of the log-odds.

    Returns:
      The score of a row of which nothing is known: the mean of each tree, summed.

    Source: Saabas, Interpreting random forests (2014).
    """
    feature, threshold, left, value, roots = trees
    contributions[:] = 0
    known_of_none = 0
    for root in roots:
        node = root
        known_of_none += value[node]
        while left[node] != node:
            split = feature[node]
            child = left[node] + np.uint32(row[split] > threshold[node])
            contributions[split] += value[child] - value[node]
            node = child
    return int(known_of_none)
