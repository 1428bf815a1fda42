"""A model of the same shape, or the same graph, by others' software: a program run in theirs.

    python program.py lightgbm|xgboost|onnxruntime|river|snapml FOLDER SECONDS

It prints JSON: its version, and what it measured. Nothing of Hansa is imported, as nothing of it is
installed there. One thread each. In FOLDER lie `rows.npy` (float64, a payment a row),
`is_illicit.npy`, the shipped model's arrays `tree_*.npy`, and the graphs `uniform.npy` and
`zipf.npy` (payer, payee, amount, milliseconds).

**lightgbm, xgboost**: 200 trees of 31 leaves, trained on these rows; one row after the other given
to `Booster.predict` and `Booster.inplace_predict`. **onnxruntime**: our own trees as a
TreeEnsembleRegressor, `InferenceSession.run` of one row. **river** has no boosted trees: a forest
of ten adaptive trees, as it comes, learns a thousand rows and is asked of others; and sums of a
payer's amounts over an hour, a day, a week and a month are kept (`windows_per_s`), as our features
keep many times. **snapml**: `GraphFeaturePreprocessor`, fans, degrees, scatter-gather, temporal
cycles and cycles to length 5 within a week, as our own look back, in blocks of 128 edges, until the
time is over.

Source: docs/performance.md, "Risk control beside others"; the documentation of each.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 3_000
"""Asked one by one."""
TREES, LEAVES, LEARNING_RATE = 200, 31, 0.1
RIVER_ROWS = 1_000
SNAPML_BLOCK = 128
SNAPML_WINDOW_S = 7 * 86_400
SNAPML_PATTERNS = ("fan", "degree", "scatter-gather", "temp-cycle", "lc-cycle")
SNAPML_CYCLE = 5
WINDOWS_H = (1, 24, 168, 720)

Ask = Callable[[Any], object]


def ask_lightgbm(folder: Path, _: float) -> dict[str, Any]:
    """Ask LightGBM of rows, one by one."""
    lightgbm = import_module("lightgbm")
    rows, is_illicit = _read(folder)
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": LEARNING_RATE,
        "num_threads": 1,
        "verbose": -1,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, is_illicit), TREES)
    return _ask(lambda row: booster.predict(row, num_threads=1), rows)


def ask_xgboost(folder: Path, _: float) -> dict[str, Any]:
    """Ask XGBoost of rows, one by one, in place."""
    xgboost = import_module("xgboost")
    rows, is_illicit = _read(folder)
    parameters = {
        "objective": "binary:logistic",
        "grow_policy": "lossguide",
        "max_leaves": LEAVES,
        "max_depth": 0,
        "eta": LEARNING_RATE,
        "nthread": 1,
    }
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, is_illicit), TREES)
    return _ask(booster.inplace_predict, rows)


def ask_onnxruntime(folder: Path, _: float) -> dict[str, Any]:
    """Ask onnxruntime of rows, one by one, by our own trees."""
    runtime = import_module("onnxruntime")
    rows, _labels = _read(folder)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = _build_onnx(folder, rows.shape[1]).SerializeToString()
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return _ask(lambda row: session.run(None, {"row": row}), rows.astype(np.float32))


def _build_onnx(folder: Path, features: int) -> Any:  # noqa: ANN401 - of another environment
    helper = import_module("onnx.helper")
    feature, threshold, left, value, roots = (
        np.load(folder / f"tree_{name}.npy")
        for name in ("feature", "threshold", "left", "value", "roots")
    )
    at = np.arange(len(left))
    is_leaf = left == at
    tree = np.searchsorted(roots, at, side="right") - 1
    own = at - roots[tree]
    leaves = np.flatnonzero(is_leaf)
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["row"],
        ["score"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=tree.tolist(),
        nodes_nodeids=own.tolist(),
        nodes_featureids=feature.tolist(),
        nodes_values=np.where(is_leaf, 0, threshold).astype(float).tolist(),
        nodes_modes=["LEAF" if each else "BRANCH_LEQ" for each in is_leaf],
        nodes_truenodeids=np.where(is_leaf, 0, left - roots[tree]).tolist(),
        nodes_falsenodeids=np.where(is_leaf, 0, left + 1 - roots[tree]).tolist(),
        target_treeids=tree[leaves].tolist(),
        target_nodeids=own[leaves].tolist(),
        target_ids=[0] * len(leaves),
        target_weights=(value[leaves] / 2**32).tolist(),
    )
    kind = import_module("onnx").TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("row", kind, [None, features])],
        [helper.make_tensor_value_info("score", kind, [None, 1])],
    )
    versions = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=versions, ir_version=9)


def ask_river(folder: Path, limit_s: float) -> dict[str, Any]:
    """Ask a forest of river's of rows, one by one; and keep sums over windows."""
    forest = import_module("river.forest").ARFClassifier(seed=1)
    rows, is_illicit = _read(folder)
    named = [dict(enumerate(row)) for row in rows[: RIVER_ROWS + ROWS].tolist()]
    end = time.monotonic() + limit_s / 2
    for row, label in zip(named[:RIVER_ROWS], is_illicit.tolist(), strict=False):
        forest.learn_one(row, label)
        if time.monotonic() > end:
            break
    found = _time(forest.predict_proba_one, named[RIVER_ROWS:], limit_s / 4)
    utils, stats = import_module("river.utils"), import_module("river.stats")
    windows: dict[int, list[Any]] = {}
    edges = np.load(folder / "uniform.npy")[:20_000].tolist()
    count, began = 0, time.perf_counter()
    for payer, _, amount, time_ms in edges:
        if payer not in windows:
            windows[payer] = [
                utils.TimeRolling(stats.Sum(), period=dt.timedelta(hours=hours))
                for hours in WINDOWS_H
            ]
        when = dt.datetime.fromtimestamp(time_ms / 1e3, dt.UTC).replace(
            tzinfo=None
        )  # as it wants it
        for each in windows[payer]:
            each.update(amount, t=when)
        count += 1
    return {**found, "windows_per_s": round(count / (time.perf_counter() - began))}


def ask_snapml(folder: Path, limit_s: float) -> dict[str, Any]:
    """Ask snapml for features of the graph around payments, in blocks, until the time is over."""
    found: dict[str, Any] = {}
    for kind in ("uniform", "zipf"):
        edges = np.load(folder / f"{kind}.npy").astype(np.float64)
        edges[:, 3] = (edges[:, 3] - edges[0, 3]) // 1_000
        numbered = np.column_stack([np.arange(len(edges)), edges[:, (0, 1, 3, 2)]])
        graph = import_module("snapml").GraphFeaturePreprocessor()
        parameters: dict[str, Any] = {
            "num_threads": 1,
            "time_window": SNAPML_WINDOW_S,
            "max_no_edges": -1,
            "vertex_stats": False,
            "lc-cycle_len": SNAPML_CYCLE,
        }
        for name in SNAPML_PATTERNS:
            parameters |= {name: True, f"{name}_tw": SNAPML_WINDOW_S}
        graph.set_params(parameters)
        done, began = 0, time.perf_counter()
        for first in range(0, len(numbered), SNAPML_BLOCK):
            graph.transform(np.ascontiguousarray(numbered[first : first + SNAPML_BLOCK]))
            done += min(SNAPML_BLOCK, len(numbered) - first)
            if time.perf_counter() - began > limit_s / 3:
                break
        found[f"{kind}_edges_per_s"] = round(done / (time.perf_counter() - began))
        found[f"{kind}_edges"] = done
        print(json.dumps(found), flush=True)  # noqa: T201 - what stands if the next takes too long
    return found


def _read(folder: Path) -> tuple[Any, Any]:
    return np.load(folder / "rows.npy"), np.load(folder / "is_illicit.npy")


def _ask(ask: Ask, rows: Any) -> dict[str, Any]:  # noqa: ANN401 - of numpy
    return _time(ask, [rows[at : at + 1] for at in range(ROWS)], None)


def _time(ask: Ask, asked: list[Any], limit_s: float | None) -> dict[str, Any]:
    """Ask one by one; tell the median and the hundredth that takes longest."""
    ask(asked[0])
    took: list[int] = []
    end = None if limit_s is None else time.monotonic() + limit_s
    for each in asked:
        began = time.perf_counter_ns()
        ask(each)
        took.append(time.perf_counter_ns() - began)
        if end is not None and time.monotonic() > end:
            break
    took.sort()
    p99 = took[len(took) * 99 // 100]
    return {"p50_us": round(took[len(took) // 2] / 1e3, 1), "p99_us": round(p99 / 1e3, 1)}


PEERS: dict[str, tuple[str, Callable[[Path, float], dict[str, Any]]]] = {
    "lightgbm": ("lightgbm", ask_lightgbm),
    "xgboost": ("xgboost-cpu", ask_xgboost),
    "onnxruntime": ("onnxruntime", ask_onnxruntime),
    "river": ("river", ask_river),
    "snapml": ("snapml", ask_snapml),
}
"""By name: the package, and what is asked of it."""


def main(name: str, folder: str, limit_s: str) -> None:
    """Ask one of them, and print what came of it as JSON, on the last line."""
    package, ask = PEERS[name]
    found = ask(Path(folder), float(limit_s))
    print(json.dumps({"version": version(package), **found}))  # noqa: T201 - this is its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
