"""datacompy and Splink beside our own job: the same planted payments in the same run.

Each runs in an environment of its own, as it needs other versions than ours, and in a process of
its own, as our job does. They are given the two sides and no truth. What they say is pairs of rows,
which is held against the truth by what is certain about a case whatever its name:

| kind | found if |
|---|---|
| exact, near, twin | each of its entries is in a pair, and in none with another case |
| split | the whole is in a pair with each of its parts, and none with another case |
| duplicate | the one is in a pair with either copy, or both, and none with another case |
| missing_left, missing_right, ambiguous | its entries are in no pair |

That is less than what our job has to tell: for it, each must have its class, too.

Source: docs/performance.md, "Reconciliation beside others".
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

import hansa
from hansa.node.bench.apart import measure_apart
from hansa.node.bench.reconcile.peers import program
from hansa.node.bench.reconcile.planting import (
    LEFT,
    RIGHT,
    TRUTH,
    judge,
    open_engine,
    plant,
    reconcile_planted,
)

ROWS_MAX = 1_000_000
"""Payments that peers are given: more take them minutes."""
TIMEOUT_S = 3_600
ERROR_LETTERS_MAX = 300
_JUDGE = """
WITH pair AS (SELECT row_number() OVER () AS pair, * FROM '{pairs}'),
told AS (
  SELECT pair, true AS is_left, left_row AS row FROM pair
  UNION ALL SELECT pair, false, right_row FROM pair
), known AS (FROM '{truth}' LEFT JOIN told USING (is_left, row)),
mixed AS (
  SELECT pair, count(DISTINCT (kind, one)) > 1 AS is_mixed FROM known
  WHERE pair IS NOT NULL GROUP BY pair
), entries AS (
  SELECT kind, one, row, is_left, count(pair) > 0 AS is_paired,
    coalesce(bool_or(is_mixed), false) AS is_mixed
  FROM known LEFT JOIN mixed USING (pair) GROUP BY kind, one, row, is_left
), cases AS (
  SELECT kind, one, bool_or(is_mixed) AS is_mixed, bool_and(is_paired) AS are_all,
    bool_or(is_paired) AS is_any
  FROM entries GROUP BY kind, one
)
SELECT kind, count(*), count(*) FILTER (WHERE NOT is_mixed AND CASE
  WHEN kind IN ('missing_left', 'missing_right', 'ambiguous') THEN NOT is_any
  WHEN kind = 'duplicate' THEN is_any ELSE are_all END)
FROM cases GROUP BY kind ORDER BY kind
"""


@dataclass(frozen=True, slots=True)
class Peers:
    """The environments of peers that are there."""

    pythons: Mapping[str, Path]
    """The interpreter of each, by its name."""
    missing: str
    """How to install those that are not there; empty if all are."""


def find_peers(folder: Path) -> Peers:
    """Find the environments in a folder, as `make peers` puts them there."""
    pythons = {name: folder / name / "bin" / "python" for name in program.PEERS}
    found = {name: python for name, python in pythons.items() if python.exists()}
    lacking = " and ".join(name for name in pythons if name not in found)
    missing = f"{lacking} not in {folder}: `make peers` installs them" if lacking else ""
    return Peers(found, missing)


def measure_peers(peers: Peers, rows: int, seed: int) -> dict[str, Any] | None:
    """Measure our own job and each peer on the same payments; None if no peer is there.

    Returns:
      By name: `version`, `seconds`, `peak_mb`, `planted` and `wrong` as `judge` has them; or
      `error`, with the last that a peer said.
    """
    if not peers.pythons:
        return None
    with tempfile.TemporaryDirectory(prefix="hansa-peers-") as name:
        folder = Path(name)
        truth = folder / "truth"
        truth.mkdir()
        measure_apart(plant, rows, seed, folder, truth)
        job = measure_apart(reconcile_planted, folder)
        took = {"version": hansa.__version__, "seconds": job.seconds, "peak_bytes": job.peak_bytes}
        found = {"hansa": _tell(took) | judge(folder / "out", folder, truth)}
        for peer, python in peers.pythons.items():
            found[peer] = run_peer(peer, python, folder, truth)
    return found


def run_peer(peer: str, python: Path, folder: Path, truth: Path) -> dict[str, Any]:
    """Run one peer on the payments in a folder, and judge its pairs by the truth."""
    pairs = folder / f"{peer}.parquet"
    files = [str(each) for each in (folder / LEFT, folder / RIGHT, pairs)]
    try:
        done = subprocess.run(  # noqa: S603 - a program of this package
            [python.absolute(), "-I", program.__file__, peer, *files],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
        )
        return _tell(json.loads(done.stdout)) | judge_pairs(pairs, folder, truth)
    except (subprocess.SubprocessError, duckdb.Error, LookupError, OSError, ValueError) as error:
        told = str(getattr(error, "stderr", None) or error).strip()
        return {"error": told.splitlines()[-1][-ERROR_LETTERS_MAX:]}


def judge_pairs(pairs: Path, folder: Path, truth: Path) -> dict[str, Any]:
    """Judge pairs of rows by the truth, as the table above says; `folder` is for what is made."""
    with open_engine(folder) as engine:
        told = engine.execute(_JUDGE.format(pairs=pairs, truth=truth / TRUTH)).fetchall()
    return {
        "planted": {kind: {"planted": count, "found": good} for kind, count, good in told},
        "wrong": sum(count - good for _, count, good in told),
    }


def _tell(took: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": took["version"],
        "seconds": round(took["seconds"], 2),
        "peak_mb": took["peak_bytes"] >> 20,
    }
