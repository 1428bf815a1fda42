"""Train trees on whole numbers, with LightGBM: the same rows and seed give the same trees.

Source: Ke et al., LightGBM: a highly efficient gradient boosting decision tree (2017).
"""

from __future__ import annotations

from typing import NamedTuple

import lightgbm
import numpy as np
import numpy.typing as npt

from hansa.risk.models.trees import Trees, flatten


class Shape(NamedTuple):
    """How trees are grown; the defaults are LightGBM's own, but for the number of trees."""

    trees: int = 200
    leaves: int = 31
    learning_rate: float = 0.1
    rows_in_leaf_min: int = 20
    row_share: float = 1.0
    """Of the rows, drawn anew for each tree."""
    feature_share: float = 1.0
    """Of the features, drawn anew for each tree."""
    l2: float = 0.0
    bins: int = 255
    """Between how many values of a feature a split may choose, at most: few are fast."""
    rows_in_bin_min: int = 3


def train(
    rows: npt.NDArray[np.int64],
    is_fraud: npt.NDArray[np.bool_],
    shape: Shape,
    *,
    seed: int,
    threads: int = 1,
) -> Trees:
    """Train trees to tell fraud from the rest.

    Args:
      rows: features, shape (n, n_features); within ±2**53, beyond which LightGBM cannot tell
        neighbours apart.
      is_fraud: shape (n,).
      shape: how the trees are grown.
      seed: of what is drawn.
      threads: how many may work at it; the trees are the same.
    """
    parameters = {
        "objective": "binary",
        "num_leaves": shape.leaves,
        "learning_rate": shape.learning_rate,
        "min_data_in_leaf": shape.rows_in_leaf_min,
        "bagging_fraction": shape.row_share,
        "bagging_freq": int(shape.row_share < 1),
        "feature_fraction": shape.feature_share,
        "lambda_l2": shape.l2,
        "max_bin": shape.bins,
        "min_data_in_bin": shape.rows_in_bin_min,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_col_wise": True,
        "use_missing": False,
        "verbose": -1,
    }
    data = lightgbm.Dataset(rows.astype(np.float64), is_fraud.astype(np.float64), params=parameters)
    booster = lightgbm.train(parameters, data, shape.trees)
    return flatten(booster.dump_model()["tree_info"])
