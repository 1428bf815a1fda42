"""Pools of worker processes: a pool that lost one of them leaves none behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from threading import Thread

import pytest

from hansa.engine.workers import start_workers

WAIT_S = 60


def start_two(*begin, pauses=8):
    """Start a pool; returns it, its two workers, and jobs that never end by themselves."""
    before = set(multiprocessing.active_children())
    pool = start_workers(2, *begin)
    seen = set()
    while len(seen) < 2:
        seen |= {job.result(WAIT_S) for job in [pool.submit(os.getpid) for _ in range(8)]}
    jobs = [pool.submit(signal.pause) for _ in range(pauses)]
    workers = [child for child in multiprocessing.active_children() if child not in before]
    assert len(workers) == 2
    return pool, workers, jobs


def end(workers):
    for worker in workers:
        worker.kill()
        worker.join()


def test_the_others_end_with_one_that_died_whatever_they_do():
    """The pool's own signal may miss one: it comes too early for one that is only starting."""
    pool, workers, jobs = start_two(signal.signal, signal.SIGTERM, signal.SIG_IGN)
    try:
        workers[0].kill()
        assert isinstance(jobs[0].exception(WAIT_S), BrokenProcessPool)
        assert wait([workers[1].sentinel], WAIT_S), "it is still there"
    finally:
        end(workers)
        pool.shutdown()


def test_no_more_work_is_taken_after_that():
    pool, workers, jobs = start_two()
    try:
        workers[0].kill()
        assert isinstance(jobs[-1].exception(WAIT_S), BrokenProcessPool)
        with pytest.raises(BrokenProcessPool):
            pool.submit(signal.pause)
    finally:
        end(workers)
        pool.shutdown()


def test_large_work_is_not_written_to_nobody_for_ever():
    pool, workers, jobs = start_two(pauses=2)  # so that the third is written to the pipe
    try:
        jobs.append(pool.submit(len, bytes(1 << 20)))  # far more than a pipe holds
        for worker in workers:
            worker.kill()
        for job in jobs:
            assert isinstance(job.exception(WAIT_S), BrokenProcessPool)
        ending = Thread(target=pool.shutdown, daemon=True)
        ending.start()
        ending.join(WAIT_S)
        assert not ending.is_alive(), "it waits for ever"
    finally:
        end(workers)


def test_work_in_hand_is_finished_before_a_pool_ends():
    pool = start_workers(1)
    job = pool.submit(sum, (1, 2))
    pool.shutdown()
    assert job.result() == 3
