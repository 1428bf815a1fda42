"""Worker processes: they end with the process that started them, and give way to it.

The process that executes does its work alone and in order, so it is what all else waits for.
Where there are no more cores than processes at work, the scheduler would take turns fairly;
workers with a lower priority leave it its core.

A pool that lost a worker is broken, and its others must end, too. The library sends each of them a
signal, but misses one that is only starting, and sends none at all where work was cancelled; such a
one would wait for ever, and this process for it. So every worker watches a pipe, the lifeline, and
ends when nobody holds its other end any more. Nor does the library let go of the pipe from which
work is read, so that a large piece of work would be written for ever to nobody.

Source: concurrent.futures.process of Python 3.11, `_ExecutorManagerThread.terminate_broken`;
https://github.com/python/cpython/issues/94777.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection, wait
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

from hansa.engine.collector import tune_collector

NICENESS = 5

P = ParamSpec("P")
R = TypeVar("R")


class Workers(ProcessPoolExecutor):
    """A pool of workers, each of which calls `begin(*arguments)` first.

    Args:
      count: how many there are at most; they start as work comes in.
      begin: called in each; None for nothing.
      arguments: of `begin`.
      niceness: how far they give way to other processes.
    """

    def __init__(
        self,
        count: int,
        begin: Callable[..., None] | None = None,
        arguments: tuple[Any, ...] = (),
        niceness: int = NICENESS,
    ) -> None:
        watched, self._lifeline = multiprocessing.Pipe(duplex=False)
        super().__init__(
            count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(watched, begin, arguments, niceness),
        )
        self._calls = self._call_queue  # type: ignore[attr-defined]
        reader = self._calls._reader  # noqa: SLF001 - see above
        reader.close = _serialized(reader.close)  # the library's thread closes it, too

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Hand work over; raises `BrokenProcessPool` once a worker has died."""
        try:
            job = super().submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._end_all()
            raise
        job.add_done_callback(self._end_if_broken)
        return job

    async def run(self, function: Callable[..., R], *arguments: Any) -> R:  # noqa: ANN401 - handed on
        """Call a function in a worker; work that its caller gives up is done all the same.

        Raises:
          BrokenProcessPool: a worker has died; all workers of this pool end.
        """
        job = asyncio.get_running_loop().run_in_executor(self, function, *arguments)
        job.add_done_callback(_forget)
        return await asyncio.shield(job)  # a cancelled job would stop the library's cleaning up

    def end(self) -> None:
        """End all workers at once: who waits for work finds them broken."""
        self._end_all()

    def _end_if_broken(self, job: Future[Any]) -> None:
        if not job.cancelled() and isinstance(job.exception(), BrokenProcessPool):
            self._end_all()

    def _end_all(self) -> None:
        """End all workers, and the writing of work to them."""
        with self._shutdown_lock:  # not while one is being started, which takes both
            self._lifeline.close()
            self._calls._reader.close()  # noqa: SLF001 - see above


def _serialized(function: Callable[[], None]) -> Callable[[], None]:
    """Let a function run in one thread at a time."""
    lock = Lock()

    def call() -> None:
        with lock:
            function()

    return call


def _forget(job: asyncio.Future[Any]) -> None:
    """Take note of an error, though nobody may wait for it any more."""
    if not job.cancelled():
        job.exception()


def start_workers(
    count: int,
    begin: Callable[..., None] | None = None,
    *arguments: Any,  # noqa: ANN401 - handed on
) -> Workers:
    """Start a pool of workers, each of which calls `begin(*arguments)` first."""
    return Workers(count, begin, arguments)


def _begin(
    lifeline: Connection,
    begin: Callable[..., None] | None,
    arguments: tuple[Any, ...],
    niceness: int,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    watch = Thread(target=_end_with_pool, args=(lifeline,), name="lifeline", daemon=True)
    watch.start()
    os.nice(niceness)
    if begin is not None:
        begin(*arguments)
    tune_collector()


def _end_with_pool(lifeline: Connection) -> None:
    """End at once when the pool has, or the process that started this one, even if killed."""
    wait([lifeline])
    os._exit(1)
