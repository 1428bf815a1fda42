"""Flat trees say what LightGBM says, on one row and on many, and why."""

import lightgbm
import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.risk.models.trees import SCALE_BITS, explain_row, flatten, score_row, score_rows

FEATURES = 7


@pytest.fixture(scope="module")
def model():
    chance = np.random.default_rng(11)
    rows = chance.integers(-(10**6), 10**6, (4_000, FEATURES))
    is_fraud = rows[:, 0] * rows[:, 1] > rows[:, 2] * 10**5
    data = lightgbm.Dataset(rows.astype(float), is_fraud)
    # 21 trees: five fours, and one that is walked alone.
    return lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 21)


@pytest.fixture(scope="module")
def trees(model):
    return flatten(model.dump_model()["tree_info"])


@pytest.fixture(scope="module")
def rows(model, trees):
    """Random ones, and some that stand on a threshold or just beside it."""
    chance = np.random.default_rng(12)
    rows = chance.integers(-(10**6), 10**6, (203, FEATURES))
    inner = np.flatnonzero(trees.left != np.arange(len(trees.left)))
    for row, node in zip(rows, inner, strict=False):
        row[trees.feature[node]] = trees.threshold[node] + chance.integers(0, 2)
    return rows


def test_scores_are_those_of_lightgbm_to_the_precision_of_a_value(model, trees, rows):
    scores = np.zeros(len(rows), np.int64)
    score_rows(trees, rows, scores)
    expected = model.predict(rows.astype(float), raw_score=True)
    assert np.abs(scores / 2**SCALE_BITS - expected).max() <= len(trees.roots) * 2.0**-SCALE_BITS


def test_a_row_alone_scores_as_among_many(trees, rows):
    scores = np.zeros(len(rows), np.int64)
    score_rows(trees, rows, scores)
    assert [score_row(trees, row) for row in rows] == scores.tolist()
    assert [score_row.py_func(trees, row) for row in rows[:20]] == scores[:20].tolist()


def test_reasons_add_up_to_the_score(trees, rows):
    contributions = np.zeros(FEATURES, np.int64)
    for row in rows:
        known_of_none = explain_row(trees, row, contributions)
        assert known_of_none + contributions.sum() == score_row(trees, row)
    assert np.abs(contributions[:3]).sum() > np.abs(contributions[3:]).sum()


def test_a_split_by_category_is_refused(model):
    tree = model.dump_model()["tree_info"][0]
    tree["tree_structure"]["decision_type"] = "=="
    with pytest.raises(Invalid, match="splits by '=='"):
        flatten([tree])
