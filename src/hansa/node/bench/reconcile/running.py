"""`hansa bench reconcile`: the books of two sides with planted cases, and one large statement.

    planting -> two Parquet files -> the whole job -> a result -> judged by the truth
                                     the bare net of the same files, by the same engine
    a public set   -> shuffled, truth put aside -> the whole job -> judged by the truth
    a million of planted payments -> the whole job, datacompy and Splink -> judged by the truth
    entries of two banks -> both services over one node -> judged by what was planted

All of these run in processes of their own, one after the other; nobody else should run.

Source: docs/performance.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
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
from hansa.node.bench.reconcile.streaming import StreamSettings, measure_stream
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
    stream: StreamSettings | None = field(default_factory=StreamSettings)
    """Of reconciling as entries arrive; None to leave that out."""


def run_reconcile_bench(
    settings: ReconcileSettings, tell: Callable[[str], object] = lambda _: None
) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints.

    Args:
      settings: what is measured.
      tell: is called with what is begun, for people.
    """
    tell("As entries arrive: first as fast as they are taken, then paced...")
    stream = _measure_stream(settings.stream)
    tell(f"In batch: {settings.rows} planted payments...")
    batch = _measure_batch(settings)
    tell(f"A statement of {settings.camt_bytes} bytes...")
    statement = _measure_statement(settings)
    tell("A public set, if it is there...")
    public = _measure_public(settings)
    peers = find_peers(settings.peers)
    peer_rows = min(settings.rows, ROWS_MAX)
    tell(f"Others beside it, if they are there: {peer_rows} planted payments...")
    return {
        "name": "reconcile",
        "machine": describe_machine(),
        "settings": {
            "rows": settings.rows,
            "seed": settings.seed,
            "camt_bytes": settings.camt_bytes,
            "memory_mb": MEMORY_MB,
            "peer_rows": peer_rows,
            "stream": settings.stream and asdict(settings.stream),
        },
        **batch,
        **statement,
        **public,
        **stream,
        "peers": measure_peers(peers, peer_rows, settings.seed),
        "peers_missing": peers.missing,
    }


def _measure_batch(settings: ReconcileSettings) -> dict[str, Any]:
    """Measure the whole job over planted payments, and the bare net beside it."""
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as name:
        folder = Path(name)
        truth = folder / "truth"
        truth.mkdir()
        measure_apart(plant, settings.rows, settings.seed, folder, truth)
        net = measure_apart(_net, folder)
        job = measure_apart(reconcile_planted, folder)
        size = sum((folder / each).stat().st_size for each in (LEFT, RIGHT))
        found = judge(folder / "out", folder, truth)
    return {
        "bytes": size,
        "seconds": round(job.seconds, 2),
        "net_seconds": round(net.seconds, 2),
        "ratio_to_net": round(job.seconds / net.seconds, 2),
        "peak_mb": job.peak_bytes >> 20,
        "net_peak_mb": net.peak_bytes >> 20,
        **found,
    }


def _measure_statement(settings: ReconcileSettings) -> dict[str, Any]:
    """Measure reading one large statement."""
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as name:
        statement = Path(name) / "statement.xml"
        written = write_camt(statement, settings.camt_bytes, settings.seed)
        camt = measure_camt(statement)
    return {
        "camt_entries": written.entries,
        "camt_seconds": round(camt.seconds, 2),
        "camt_peak_mb": round(camt.peak_mb),
        "camt_processor_s": round(camt.processor_s, 2),
    }


def _measure_public(settings: ReconcileSettings) -> dict[str, Any]:
    """Measure how well pairs of the public set are found; null without it."""
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as name:
        scored = score_public(settings.datasets, settings.seed, Path(name))
    names = {"f1": 4, "precision": 4, "recall": 4, "seconds": 2}
    return {
        f"splink_{name}": round(getattr(scored, name), digits) if scored else None
        for name, digits in names.items()
    }


def _measure_stream(settings: StreamSettings | None) -> dict[str, Any]:
    """Measure reconciling as entries arrive, in a process and a folder of its own."""
    if settings is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as name:
        took = measure_apart(measure_stream, Path(name), settings)
    return {**took.result, "stream_peak_mb": took.peak_bytes >> 20}


def _net(folder: Path) -> None:
    with open_engine(folder) as engine:
        engine.execute(_NET.format(left=folder / LEFT, right=folder / RIGHT)).fetchall()
