"""Laundering in the simulated city, told by our graph features and by those of snapml.

Eight patterns of laundering among ordinary payments, at three shares of illicit ones. Both sides
are given the amount and the hour, and their own features of the graph over the same window of a
day: over seven, snapml does not come to an end in minutes. Both choose among the same shapes of
trees, and a threshold, on the same payments between those that train and those of the test.
Payments of other crimes are in the graph, and are neither trained on nor tested.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.node.bench.risk.peers import graph_program
from hansa.risk.evaluation.amlsim import compute_f1
from hansa.risk.evaluation.metrics import compute_average_precision
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.graph.searching import Reach
from hansa.risk.models.training import Shape, train
from hansa.risk.models.trees import score_rows
from hansa.risk.simulator.columns import LAUNDERING, Pattern
from hansa.risk.simulator.stream import Settings, simulate

ILLICIT_PER_MILLION = (2_000, 5_000, 10_000)
PERSONS = 4_000
DAYS = 40
SEED = 7
WINDOW_S = 86_400
HOUR_MS = 3_600_000
TRAINED, CHOSEN = 0.5, 0.65
"""Up to which share of the payments they train, and up to which one chooses by them."""
GENUINE_EVERY = 5
"""Of genuine payments that train, one in so many does."""
SHAPES = (
    Shape(200, 15, 0.05, row_share=0.8, feature_share=0.7),
    Shape(300, 15, 0.03, rows_in_leaf_min=50, row_share=0.8, feature_share=0.4, l2=5.0),
    Shape(300, 8, 0.05, rows_in_leaf_min=50, row_share=0.8, feature_share=0.3, l2=10.0),
)
SEEDS = (1, 2, 3)
TIMEOUT_S = 600
ERROR_LETTERS_MAX = 300
THOUSANDTHS = 1_000
EXACT_MAX = 2.0**53

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class City(NamedTuple):
    """Payments of a city in order of time, and which of them launder."""

    edges: Whole
    """Payer, payee, amount and time in milliseconds; shape (n, 4)."""
    is_fraud: Flags
    is_asked: Flags
    """It is no other crime."""


def measure_own(
    python: Path | None, tell: Callable[[str], object], *, persons: int = PERSONS, days: int = DAYS
) -> dict[str, Any]:
    """Measure F1 at each share of illicit payments.

    Args:
      python: the interpreter of an environment with snapml; None if there is none.
      tell: is called with what is begun.
      persons: in the city.
      days: that are simulated.

    Returns:
      `own_f1_ratio`, the least ratio of our F1 to snapml's, or null without snapml; and `own_f1`
      by share, with what both found, or `error`, with the last that snapml said.
    """
    tell("Laundering in the simulated city, by our features of the graph and by snapml's...")
    found: dict[str, Any] = {}
    with ThreadPoolExecutor(max_workers=1) as beside:  # waits for a process, which has a core
        cities = {share: make_city(share, persons, days) for share in ILLICIT_PER_MILLION}
        theirs = {
            share: beside.submit(run_snapml, python, city.edges)
            for share, city in cities.items()
            if python is not None
        }
        for share, city in cities.items():
            reach = Reach(short_ms=WINDOW_S * 1_000, long_ms=WINDOW_S * 1_000)
            ours = measure_f1(city, PaymentGraph(reach).take(city.edges))
            found[str(share)] = {
                "payments": len(city.edges),
                "laundering": int(city.is_fraud.sum()),
                "hansa": ours,
                **_compare(city, ours, theirs.get(share)),
            }
    ratios = [each["ratio"] for each in found.values() if "ratio" in each]
    return {"own_f1_ratio": min(ratios) if len(ratios) == len(found) else None, "own_f1": found}


def _compare(city: City, ours: float, theirs: Future[Whole] | None) -> dict[str, Any]:
    if theirs is None:
        return {}
    try:
        f1 = measure_f1(city, theirs.result())
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        said = str(getattr(error, "stderr", None) or error).strip()
        return {"error": said.splitlines()[-1][-ERROR_LETTERS_MAX:]}
    return {"snapml": f1, "ratio": ours / max(f1, 1e-9)}


def make_city(illicit_per_million: int, persons: int, days: int) -> City:
    """Simulate a city, always the same."""
    simulated = simulate(Settings(SEED, days, persons, illicit_per_million))
    paid, pattern = simulated.payments, simulated.truth.pattern
    edges = np.stack([paid.payer, paid.payee, paid.amount_minor, paid.time_ms], 1)
    is_fraud = np.isin(pattern, [int(each) for each in LAUNDERING])
    return City(
        np.ascontiguousarray(edges, np.int64), is_fraud, is_fraud | (pattern == Pattern.LICIT)
    )


def run_snapml(python: Path, edges: Whole) -> Whole:
    """Have snapml describe payments; in whole thousandths, as our trees are grown on.

    Raises:
      SubprocessError: it failed, or took longer than `TIMEOUT_S`.
      OSError: it did not start, or wrote nothing.
    """
    with tempfile.TemporaryDirectory(prefix="hansa-snapml-") as name:
        given, taken = Path(name, "edges.npy"), Path(name, "features.npy")
        timed = edges.copy()
        timed[:, 3] = (edges[:, 3] - edges[0, 3]) // 1_000
        np.save(given, timed)
        done = subprocess.run(  # noqa: S603 - a program of this package
            [python.absolute(), "-I", graph_program.__file__, given, str(WINDOW_S), taken],
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
        )
        json.loads(done.stdout)
        thousandths = np.rint(np.nan_to_num(np.load(taken)) * THOUSANDTHS)
    features: Whole = np.clip(thousandths, -EXACT_MAX, EXACT_MAX).astype(np.int64)
    return features


def measure_f1(city: City, features: Whole, shapes: Sequence[Shape] = SHAPES) -> float:
    """Measure F1 on the test, with the shape and threshold that are best before it.

    Args:
      city: shape (n,).
      features: of the graph, shape (n, n_features).
      shapes: of trees, to choose from.
    """
    n = len(city.edges)
    hour = city.edges[:, 3] // HOUR_MS % 24
    rows = np.column_stack([city.edges[:, 2], hour, features])
    place = np.arange(n)
    trains = city.is_asked & (place < n * TRAINED)
    trains &= city.is_fraud | (place % GENUINE_EVERY == 0)
    chooses = city.is_asked & (place >= n * TRAINED) & (place < n * CHOSEN)
    tests = city.is_asked & (place >= n * CHOSEN)

    def grow(shape: Shape, seed: int) -> Callable[[Flags], Whole]:
        trees = train(rows[trains], city.is_fraud[trains], shape, seed=seed)

        def score(asked: Flags) -> Whole:
            scores = np.zeros(int(asked.sum()), np.int64)
            score_rows(trees, rows[asked], scores)
            return scores

        return score

    best = max(
        shapes,
        key=lambda shape: compute_average_precision(
            grow(shape, SEEDS[0])(chooses), city.is_fraud[chooses]
        ),
    )
    measured = []
    for seed in SEEDS:
        score = grow(best, seed)
        threshold = choose_threshold(score(chooses), city.is_fraud[chooses])
        measured.append(compute_f1(score(tests) >= threshold, city.is_fraud[tests]))
    return float(np.mean(measured))


def choose_threshold(scores: Whole, is_fraud: Flags) -> int:
    """Choose the score from which on F1 is highest."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(is_fraud[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + is_fraud.sum())
    return int(scores[order[int(f1.argmax())]])
