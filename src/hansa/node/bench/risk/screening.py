"""How long a name takes to be screened against OFAC's lists and the United Nations'."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from hansa.node.bench.risk.live import use_one_core
from hansa.risk.screening.evaluation import (
    NEGATIVES,
    TREATED,
    UNTREATED,
    read_folder,
    read_names,
    run,
)
from hansa.risk.screening.screener import Screener

LISTS = Path("risk", "sanctions-ofac-un")
FIXTURES = Path("risk", "yente-screening-fixtures")


def measure_screening(datasets: Path, names_max: int) -> dict[str, Any]:
    """Measure names of the public fixtures, listed and not; null where the lists are not there."""
    lists, fixtures = datasets / LISTS, datasets / FIXTURES
    keys = ("screening_p50_us", "screening_p99_us", "screening_names")
    if not lists.exists() or not fixtures.exists():
        return dict.fromkeys(keys)
    screener = Screener(read_folder(lists))
    use_one_core()
    took: list[int] = []
    for file in (UNTREATED, TREATED, *NEGATIVES):
        names = read_names(fixtures / f"{file}.csv")[:names_max]
        took.extend(each.took_ns for each in run(screener, names, (), time.perf_counter_ns))
    took.sort()
    figures = (took[len(took) // 2] / 1e3, took[len(took) * 99 // 100] / 1e3, screener.name_count)
    return dict(zip(keys, map(round, figures), strict=True))
