"""`hansa bench reconcile`: the books of two sides with planted cases, and one large statement.

    planting -> two Parquet files -> the whole job -> a result -> judged by the truth
                                     the bare net of the same files, by the same engine
    a public set   -> shuffled, truth put aside -> the whole job -> judged by the truth
    a million of planted payments -> the whole job, datacompy and Splink -> judged by the truth

All of these run in processes of their own, one after the other; nobody else should run.

Source: docs/performance.md.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hansa.node.bench.apart import measure_apart
from hansa.node.bench.machine import describe_machine
from hansa.node.bench.reconcile.camt import measure_camt, write_camt
from hansa.node.bench.reconcile.peers.measuring import ROWS_MAX, find_peers, measure_peers
from hansa.node.bench.reconcile.planting import (
    LEFT,
    RIGHT,
    judge,
    open_engine,
    plant,
    reconcile_planted,
)
from hansa.node.bench.reconcile.public import score_public
from hansa.reconcile.batch.engines import MEMORY_MB

_NET = """
SELECT count(*) FROM (
  SELECT account, currency, amount_minor, value_date, reference FROM (
    SELECT account, currency, amount_minor, value_date, reference, 1 AS copies FROM '{left}'
    UNION ALL SELECT account, currency, -amount_minor, value_date, reference, -1 FROM '{right}'
  ) GROUP BY ALL HAVING sum(copies) <> 0
)
"""
"""Counts the groups that do not cancel out, and says nothing of which entries they are."""


@dataclass(frozen=True, slots=True)
class ReconcileSettings:
    """What is measured."""

    rows: int = 15_000_000
    """Payments that are planted."""
    camt_bytes: int = 1_000_000_000
    seed: int = 1
    datasets: Path = Path("../shared/data")
    """Folder of public data sets; what is not there is not measured."""
    peers: Path = Path(".tools/peers")
    """Folder of the environments of other software; likewise."""


def run_reconcile_bench(settings: ReconcileSettings) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints."""
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as name:
        folder = Path(name)
        truth = folder / "truth"
        truth.mkdir()
        measure_apart(plant, settings.rows, settings.seed, folder, truth)
        net = measure_apart(_net, folder)
        job = measure_apart(reconcile_planted, folder)
        size = sum((folder / each).stat().st_size for each in (LEFT, RIGHT))
        found = judge(folder / "out", folder, truth)
        statement = folder / "statement.xml"
        written = write_camt(statement, settings.camt_bytes, settings.seed)
        camt = measure_camt(statement)
        statement.unlink()
        public = folder / "public"
        public.mkdir()
        scored = score_public(settings.datasets, settings.seed, public)
    peers = find_peers(settings.peers)
    peer_rows = min(settings.rows, ROWS_MAX)
    return {
        "name": "reconcile",
        "machine": describe_machine(),
        "settings": {
            "rows": settings.rows,
            "seed": settings.seed,
            "bytes": size,
            "camt_bytes": settings.camt_bytes,
            "camt_entries": written.entries,
            "memory_mb": MEMORY_MB,
            "peer_rows": peer_rows,
        },
        "seconds": round(job.seconds, 2),
        "net_seconds": round(net.seconds, 2),
        "ratio_to_net": round(job.seconds / net.seconds, 2),
        "peak_mb": job.peak_bytes >> 20,
        "net_peak_mb": net.peak_bytes >> 20,
        **found,
        "camt_seconds": round(camt.seconds, 2),
        "camt_peak_mb": round(camt.peak_mb),
        "camt_processor_s": round(camt.processor_s, 2),
        "splink_f1": round(scored.f1, 4) if scored else None,
        "splink_precision": round(scored.precision, 4) if scored else None,
        "splink_recall": round(scored.recall, 4) if scored else None,
        "splink_seconds": round(scored.seconds, 2) if scored else None,
        "peers": measure_peers(peers, peer_rows, settings.seed),
        "peers_missing": peers.missing,
    }


def _net(folder: Path) -> None:
    with open_engine(folder) as engine:
        engine.execute(_NET.format(left=folder / LEFT, right=folder / RIGHT)).fetchall()
