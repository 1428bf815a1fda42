"""Payments by snapml's graph preprocessor: a program that runs in an environment of its own.

    python graph_program.py EDGES WINDOW_S FEATURES

EDGES is an array of shape (n, 4): payer, payee, amount, seconds, in order of time. It writes the
features of each payment as an array, and prints what that took. Nothing of Hansa is imported, as
nothing of it is installed there.

All patterns are on, each over the same window: fans, degrees, scatter-gather, temporal cycles and
cycles of bounded length, to five; and statistics of vertices by amount. Payments come in batches of
128, as in its authors' examples.

Source: Snap ML's documentation, "Graph Feature Preprocessor"; Blanuša et al. (2024).
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

BATCH = 128
PATTERNS = ("fan", "degree", "scatter-gather", "temp-cycle", "lc-cycle")
CYCLE_LENGTH_MAX = 5
Array = npt.NDArray[np.generic]
AMOUNT = 4
"""Column of a payment: after its number, payer, payee and time."""


def describe(edges: Array, window_s: int) -> Array:
    """Describe each payment by all that came up to it and its batch; shape (n, n_features)."""
    preprocessor = import_module("snapml").GraphFeaturePreprocessor()
    settings: dict[str, Any] = {
        "num_threads": 1,
        "time_window": window_s,
        "max_no_edges": -1,
        "vertex_stats": True,
        "vertex_stats_tw": window_s,
        "vertex_stats_cols": [AMOUNT],
        "lc-cycle_len": CYCLE_LENGTH_MAX,
    }
    for pattern in PATTERNS:
        settings |= {pattern: True, f"{pattern}_tw": window_s}
    preprocessor.set_params(settings)
    columns = [np.arange(len(edges)), edges[:, 0], edges[:, 1], edges[:, 3], edges[:, 2]]
    rows = np.ascontiguousarray(np.stack(columns, 1).astype(np.float64))
    parts = [
        preprocessor.transform(np.ascontiguousarray(rows[at : at + BATCH]))[:, AMOUNT + 1 :]
        for at in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def main() -> None:
    """Run as the docstring says."""
    edges, window_s, features = sys.argv[1:]
    began = time.process_time()
    found = describe(np.load(edges), int(window_s))
    seconds = time.process_time() - began
    np.save(features, found)
    sys.stdout.write(json.dumps({"version": version("snapml"), "seconds": seconds}))


if __name__ == "__main__":
    main()
