"""LightGBM, XGBoost, onnxruntime, river and snapml on what our own engine is given, one by one.

Each runs in a process of its own, LightGBM in our environment and the others in theirs, under a
time limit. What one could not do in it is told, not left out.

Source: docs/performance.md, "Risk control beside others".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import hansa
from hansa.node.bench.risk.bank import write_folder
from hansa.node.bench.risk.graph import make_edges
from hansa.node.bench.risk.live import use_one_core
from hansa.node.bench.risk.peers import program
from hansa.node.bench.risk.simulated import list_events, simulate_payments
from hansa.node.risk.loading import RiskFolder
from hansa.risk.intake.intake import begin_intake
from hansa.risk.models.trees import score_row
from hansa.risk.shipped.loading import load_shipped

OURS = "lightgbm"
"""What our own environment has."""
ROWS = 40_000
EDGES = 200_000
LIMIT_S = 40.0
OVER_S = 20.0
"""What a peer may take longer, to begin and to end, before it is stopped."""
ERROR_LETTERS_MAX = 300


def find_pythons(folder: Path) -> dict[str, Path | None]:
    """Find the interpreter of each peer, as `make peers` puts them there; None if there is none."""
    pythons = {
        name: Path(sys.executable) if name == OURS else folder / name / "bin" / "python"
        for name in program.PEERS
    }
    return {name: python if python.exists() else None for name, python in pythons.items()}


def measure_peers(peers: Path, folder: Path, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """Measure our own trees and each peer.

    Args:
      peers: folder of their environments.
      folder: an empty one for what they are given.
      limit_s: for each.

    Returns:
      By name: `version`, `p50_us` and `p99_us` a row and what else `program` says; or `error`.
    """
    found = {"hansa": _write(folder)}
    for peer, python in find_pythons(peers).items():
        if python is None:
            found[peer] = {"error": f"not in {peers}: `make peers` installs it"}
        else:
            found[peer] = run_peer(peer, python, folder, limit_s)
    return found


def run_peer(
    peer: str, python: Path, folder: Path, limit_s: float, over_s: float = OVER_S
) -> dict[str, Any]:
    """Run one peer on what is in a folder; it is told a limit, and stopped `over_s` after it."""
    told, failure = "", ""
    try:
        done = subprocess.run(  # noqa: S603 - a program of this package
            [python.absolute(), "-I", program.__file__, peer, str(folder), str(limit_s)],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s + over_s,
        )
        told = done.stdout
        if done.returncode:
            failure = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
    except subprocess.TimeoutExpired as error:
        told = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else ""
        failure = f"not done after {limit_s + over_s:.0f} s"
    found: dict[str, Any] = {}
    try:
        found = json.loads(told.splitlines()[-1]) if told.strip() else {}
    except ValueError as error:
        failure = failure or str(error)
    if failure or not found:
        found["error"] = (failure or "it said nothing")[-ERROR_LETTERS_MAX:]
    return found


def _write(folder: Path) -> dict[str, Any]:
    """Write what peers are given, and measure our own trees on it."""
    loaded_folder = folder / "risk"
    write_folder(loaded_folder)
    decider = RiskFolder(loaded_folder).loaded.scoring
    simulated = simulate_payments(ROWS)
    rows = begin_intake().take(list_events(simulated.payments))
    trees = load_shipped().trees
    np.save(folder / "rows.npy", rows.astype(np.float64))
    np.save(folder / "is_illicit.npy", simulated.is_illicit.astype(np.float64))
    for name, array in trees._asdict().items():
        np.save(folder / f"tree_{name}.npy", array.astype(np.int64))
    for kind in ("uniform", "zipf"):
        np.save(folder / f"{kind}.npy", make_edges(EDGES, kind))
    use_one_core()
    trees_ns, decide_ns = [], []
    score_row(trees, rows[0])
    decider.decide(rows[0])
    for row in rows[-program.ROWS :]:
        began = time.perf_counter_ns()
        score_row(trees, row)
        middle = time.perf_counter_ns()
        decider.decide(row)
        decide_ns.append(time.perf_counter_ns() - middle)
        trees_ns.append(middle - began)
    return {
        "version": hansa.__version__,
        "p50_us": _tell(trees_ns, 0.5),
        "p99_us": _tell(trees_ns, 0.99),
        "decider_p50_us": _tell(decide_ns, 0.5),
    }


def _tell(took_ns: list[int], share: float) -> float:
    return round(sorted(took_ns)[int(len(took_ns) * share)] / 1e3, 1)
