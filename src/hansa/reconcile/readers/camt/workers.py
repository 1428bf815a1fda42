"""Runs handed to other processes, and what was in them taken back in their order.

A worker has one piece of work at a time, so that no two processes wait to write to each other. What
a worker that died had is read here instead.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from hansa.reconcile.readers.camt.run import Reading, Run, read_runs

WORKER = "hansa.reconcile.readers.camt_worker"
_DIED = (OSError, EOFError, pickle.UnpicklingError)


class Workers:
    """Some processes that read runs; with a count of nought it is done here."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []
        self._given: deque[tuple[subprocess.Popen[bytes] | None, Sequence[Run]]] = deque()
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.communicate()

    def __len__(self) -> int:
        return len(self._given)

    @property
    def is_full(self) -> bool:
        """Whether something must be taken before more is given."""
        return len(self._given) >= max(self._count, 1)

    def give(self, runs: Sequence[Run], *, is_alone: bool) -> None:
        """Give runs to the next process, or keep them for `take` to read."""
        process = None if is_alone else self._find_process()
        if process and process.stdin:
            try:
                pickle.dump(runs, process.stdin, pickle.HIGHEST_PROTOCOL)
                process.stdin.flush()
            except OSError:
                process = None
        self._given.append((process, runs))

    def take(self) -> Reading:
        """Take what was in the runs that were given first; waits for it."""
        process, runs = self._given.popleft()
        if process and process.stdout:
            with suppress(*_DIED):
                reading: Reading = pickle.load(process.stdout)  # noqa: S301 - of our own process
                return reading
        return read_runs(runs)

    def _find_process(self) -> subprocess.Popen[bytes] | None:
        """Find whose turn it is; all start with the first piece of work."""
        if not self._count:
            return None
        while len(self._processes) < self._count:
            # -P: modules that lie where files are read are none of ours
            command = [sys.executable, "-P", "-m", WORKER]
            self._processes.append(
                subprocess.Popen(  # noqa: S603 - this program, no arguments of others
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
        self._next = (self._next + 1) % self._count
        return self._processes[self._next]
