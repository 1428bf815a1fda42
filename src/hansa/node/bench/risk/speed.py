"""`hansa bench risk`: how fast payments are decided on, and what that costs the ledger.

Each part runs in a process of its own, one after the other; nobody else should run.

Source: docs/performance.md, "Risk control".
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hansa.node.bench.apart import measure_apart
from hansa.node.bench.machine import describe_machine
from hansa.node.bench.risk.graph import SIZES, measure_graphs
from hansa.node.bench.risk.live import measure_live
from hansa.node.bench.risk.peers.measuring import measure_peers
from hansa.node.bench.risk.scoring import measure_scoring
from hansa.node.bench.risk.screening import measure_screening
from hansa.node.bench.risk.single import measure_memory, measure_single


@dataclass(frozen=True, slots=True)
class SpeedSettings:
    """What is measured."""

    datasets: Path = Path("../shared/data")
    """Folder of public data sets: lists are screened against if they are there."""
    peers: Path = Path(".tools/peers")
    """Folder of the environments of other software; what is not there is not measured."""
    decisions: int = 50_000
    """One by one, at an even pace."""
    per_s: int = 5_000
    live: int = 60_000
    """Decisions through the risk desk, and taken anew."""
    edges: tuple[int, ...] = SIZES
    names: int = 5_000
    """That are screened of each file."""
    wallets: int = 125_000
    """Of which memory is measured."""
    turns: int = 4
    """Of the ledger with scoring, and of that without."""
    turn_s: float = 4.0
    peer_limit_s: float = 40.0


@dataclass
class _Run:
    tell: Callable[[str], object]
    found: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def take(self, name: str, step: Callable[..., object], *arguments: object) -> None:
        """Run a part in a process of its own, and keep what it found."""
        self.tell(f"{name}...")
        began = time.monotonic()
        self.found |= measure_apart(step, *arguments).result
        self.seconds[name] = round(time.monotonic() - began, 1)


def run_speed_bench(
    settings: SpeedSettings, tell: Callable[[str], object] = lambda _: None
) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints.

    Args:
      settings: what is measured.
      tell: is called with what is begun, for people.
    """
    run = _Run(tell)
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as name:
        folders = {part: Path(name, part) for part in ("single", "live", "ledger", "peers")}
        for folder in folders.values():
            folder.mkdir()
        single = (folders["single"], settings.decisions, settings.per_s)
        run.take("One decision at a time", measure_single, *single)
        run.take("The node's own path, and replay", measure_live, folders["live"], settings.live)
        run.take("Memory", measure_memory, settings.wallets)
        run.take("Names", measure_screening, settings.datasets, settings.names)
        ledger = (folders["ledger"], settings.turns, settings.turn_s)
        run.take("The ledger with scoring and without", measure_scoring, *ledger)
        run.take("Others beside it", _measure_peers, settings, folders["peers"])
        run.take("The graph", measure_graphs, settings.edges)
    return {
        "name": "risk",
        "machine": describe_machine(),
        "settings": asdict(settings)
        | {"datasets": str(settings.datasets), "peers": str(settings.peers)},
        **run.found,
        "seconds": run.seconds,
    }


def _measure_peers(settings: SpeedSettings, folder: Path) -> dict[str, Any]:
    return {"peers": measure_peers(settings.peers, folder, settings.peer_limit_s)}
