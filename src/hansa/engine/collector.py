"""The cyclic garbage collector, told how seldom it is needed."""

from __future__ import annotations

import gc


def tune_collector() -> None:
    """Let the cyclic collector look seldom: rows, receipts and batches form no cycles.

    At its defaults it costs an eighth of the executing core, and a tenth of those that sign and
    verify (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 50, 100)
