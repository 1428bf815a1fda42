"""Worker processes: they end with the process that started them, and give way to it.

The process that executes does its work alone and in order, so it is what all else waits for.
Where there are no more cores than processes at work, the scheduler would take turns fairly;
workers with a lower priority leave it its core.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from threading import Thread
from typing import Any

NICENESS = 5


def start_workers(
    count: int,
    begin: Callable[..., None] | None = None,
    *arguments: Any,  # noqa: ANN401 - handed on
) -> ProcessPoolExecutor:
    """Start a pool of workers, each of which calls `begin(*arguments)` first."""
    return ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(begin, arguments),
    )


def _begin(begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    os.nice(NICENESS)
    if begin is not None:
        begin(*arguments)


def _end_with_parent() -> None:
    """End at once when the process that started this one has ended, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
