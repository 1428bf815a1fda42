"""Laundering in simulated cities, told by what Hansa knows of a payment and by what snapml does.

Eight patterns of laundering among ordinary payments, at three shares of illicit ones. Both sides
are given the amount, the hour and the day, and their own features of the graph over the same window
of a day: over seven, snapml does not come to an end in minutes. Ours are given with and without
what Hansa knows of the parties, as far as no window of it is longer than that day. All choose among
the same shapes of trees, and a threshold, on the same payments between those that train and those
of the test. Payments of other crimes are in the graph, and are neither trained on nor tested.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.node.bench.risk.peers import graph_program
from hansa.risk.evaluation.amlsim import compute_f1
from hansa.risk.evaluation.metrics import compute_average_precision
from hansa.risk.features.catalogue import COLUMNS
from hansa.risk.features.memory import Features
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.graph.searching import Reach
from hansa.risk.models.training import Shape, train
from hansa.risk.models.trees import Trees, score_rows
from hansa.risk.shipped.city import lay_out
from hansa.risk.simulator.columns import LAUNDERING, Pattern
from hansa.risk.simulator.stream import Settings, simulate

ILLICIT_PER_MILLION = (2_000, 5_000, 10_000)
PERSONS = 4_000
DAYS = 40
CITIES = (192_258, 465_155, 725_108)
"""Seeds of the cities: drawn at random, and looked at when all else was chosen."""
WINDOW_S = 86_400
REACH = Reach(short_ms=WINDOW_S * 1_000, long_ms=WINDOW_S * 1_000)
PAID = 4
"""So many features come first that say what a payment says itself: amount, hour and day."""
LONGER = ("_7d", "_30d", "_surprise")
"""In the names of features of the parties that look back for longer than a day in a window."""
PARTIES = [column for name, column in COLUMNS.items() if not any(each in name for each in LONGER)]
TRAINED, CHOSEN = 0.5, 0.65
"""Up to which share of a city's payments they train, and up to which one chooses by them."""
GENUINE_EVERY = 5
"""Of genuine payments that train, one in so many does."""
SHAPES = (
    Shape(200, 15, 0.05, row_share=0.8, feature_share=0.7),
    Shape(300, 15, 0.03, rows_in_leaf_min=50, row_share=0.8, feature_share=0.4, l2=5.0),
    Shape(300, 8, 0.05, rows_in_leaf_min=50, row_share=0.8, feature_share=0.3, l2=10.0),
)
TREES_SEED = 1
TIMEOUT_S = 600
ERROR_LETTERS_MAX = 300
THOUSANDTHS = 1_000
EXACT_MAX = 2.0**53

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class City(NamedTuple):
    """Payments of a city in order of time, what is known of them, and which of them launder."""

    edges: Whole
    """Payer, payee, amount and time in milliseconds; shape (n, 4)."""
    parties: Whole
    """What Hansa knows of payment and parties; shape (n, len(PARTIES))."""
    is_fraud: Flags
    is_asked: Flags
    """It is no other crime."""


class Uses(NamedTuple):
    """Payments of all cities by what they are for: rows, and which of them launder."""

    trains: tuple[Whole, Flags]
    chooses: tuple[Whole, Flags]
    tests: tuple[Whole, Flags]


def measure_own(
    python: Path | None, tell: Callable[[str], object], *, persons: int = PERSONS, days: int = DAYS
) -> dict[str, Any]:
    """Measure F1 at each share of illicit payments.

    Args:
      python: the interpreter of an environment with snapml; None if there is none.
      tell: is called with what is begun.
      persons: in each city.
      days: that are simulated.

    Returns:
      `own_f1_ratio`, the least ratio of our F1 to snapml's, or null without snapml; and `own_f1`
      by share, with what all found, or `error`, with the last that snapml said.
    """
    found = {}
    for share in ILLICIT_PER_MILLION:
        tell(f"Laundering in simulated cities, {share} illicit payments of a million...")
        cities = [make_city(seed, share, persons, days) for seed in CITIES]
        found[str(share)] = measure_share(python, cities)
    ratios = [each["ratio"] for each in found.values() if "ratio" in each]
    return {"own_f1_ratio": min(ratios) if len(ratios) == len(found) else None, "own_f1": found}


def measure_share(
    python: Path | None, cities: Sequence[City], shapes: Sequence[Shape] = SHAPES
) -> dict[str, Any]:
    """Measure cities of one share, as `measure_own` does."""
    with ThreadPoolExecutor(max_workers=1) as beside:  # waits for a process, which has a core
        theirs = [beside.submit(run_snapml, python, city.edges) for city in cities if python]
        graphs = [PaymentGraph(REACH).take(city.edges) for city in cities]
        found: dict[str, Any] = {
            "payments": sum(len(city.edges) for city in cities),
            "laundering": sum(int(city.is_fraud.sum()) for city in cities),
            "hansa": measure_f1(part(cities, graphs, len(PARTIES)), shapes),
            "hansa_graph": measure_f1(part(cities, graphs, PAID), shapes),
        }
        if python is None:
            return found
        try:
            features = [each.result() for each in theirs]
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            said = str(getattr(error, "stderr", None) or error).strip()
            return found | {"error": said.splitlines()[-1][-ERROR_LETTERS_MAX:]}
    f1 = max(measure_f1(part(cities, features, PAID), shapes), 1e-9)
    ratios = {"ratio": found["hansa"] / f1, "graph_ratio": found["hansa_graph"] / f1}
    return found | {"snapml": f1} | ratios


def make_city(seed: int, illicit_per_million: int, persons: int, days: int) -> City:
    """Simulate a city, always the same."""
    simulated = simulate(Settings(seed, days, persons, illicit_per_million))
    paid, pattern = simulated.payments, simulated.truth.pattern
    edges = np.stack([paid.payer, paid.payee, paid.amount_minor, paid.time_ms], 1)
    is_fraud = np.isin(pattern, [int(each) for each in LAUNDERING])
    return City(
        np.ascontiguousarray(edges, np.int64),
        np.ascontiguousarray(Features().take(lay_out(simulated))[:, PARTIES]),
        is_fraud,
        is_fraud | (pattern == Pattern.LICIT),
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


def part(cities: Sequence[City], graphs: Sequence[Whole], known: int) -> Uses:
    """Part the payments of each city by time, and put those of one use together.

    Args:
      cities: one or more.
      graphs: features of the graph of each, shape (n, n_features).
      known: so many features of payment and parties, the first of them, are put before these.
    """
    uses: list[list[tuple[Whole, Flags]]] = [[], [], []]
    for city, graph in zip(cities, graphs, strict=True):
        n = len(city.edges)
        place = np.arange(n)
        is_seen, is_tested = place < n * TRAINED, place >= n * CHOSEN
        is_taken = is_seen & (city.is_fraud | (place % GENUINE_EVERY == 0))
        for use, is_used in zip(uses, (is_taken, ~is_seen & ~is_tested, is_tested), strict=True):
            asked = np.flatnonzero(city.is_asked & is_used)
            rows = np.hstack([city.parties[asked, :known], graph[asked]])
            use.append((rows, city.is_fraud[asked]))
    trains, chooses, tests = (
        (np.concatenate([each[0] for each in use]), np.concatenate([each[1] for each in use]))
        for use in uses
    )
    return Uses(trains, chooses, tests)


def measure_f1(uses: Uses, shapes: Sequence[Shape]) -> float:
    """Measure F1 on the test, with the shape and threshold that are best before it.

    Args:
      uses: what trains, what one chooses by, and what is tested.
      shapes: of trees, to choose from.
    """
    (rows, is_fraud), (chooses, is_chosen), (tests, is_tested) = uses
    tried = []
    for shape in shapes:
        trees = train(rows, is_fraud, shape, seed=TREES_SEED)
        tried.append((trees, score(trees, chooses)))
    trees, scores = max(tried, key=lambda each: compute_average_precision(each[1], is_chosen))
    return compute_f1(score(trees, tests) >= choose_threshold(scores, is_chosen), is_tested)


def score(trees: Trees, rows: Whole) -> Whole:
    """Score payments."""
    scores = np.zeros(len(rows), np.int64)
    score_rows(trees, rows, scores)
    return scores


def choose_threshold(scores: Whole, is_fraud: Flags) -> int:
    """Choose the score from which on F1 is highest."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(is_fraud[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + is_fraud.sum())
    return int(scores[order[int(f1.argmax())]])
