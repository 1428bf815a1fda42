"""The verifying processes: what they find, and how they end."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import ClassVar

import pytest
from tests.world import make_genesis

from hansa.engine.verification import JOB_BYTES, PoolVerifier
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network

ROOT = Path(__file__).resolve().parents[3]

PARENT = """
import asyncio, os, sys
from hansa.engine.verification import PoolVerifier
from hansa.kernel.genesis import Network
from tests.world import make_genesis

async def main():
    verifier = PoolVerifier(Network.of(make_genesis()), 2)
    await asyncio.gather(*(verifier.check_batch(bytes(size)) for size in range(8)))
    print("ready", flush=True)
    sys.stdin.read()

if __name__ == "__main__":
    asyncio.run(main())
"""


CROWDED = """
import asyncio, resource
from hansa.engine.verification import PoolVerifier
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network
from tests.world import make_genesis

async def main():
    verifier = PoolVerifier(Network.of(make_genesis()), 1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        await verifier.check_batch(b"")
    except Unavailable as error:
        print(error.message)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    print(type(await verifier.check_batch(b"x")).__name__)
    verifier.close()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_others_take_the_place_of_one_that_died():
    async def play():
        verifier = PoolVerifier(Network.of(make_genesis()), 2)
        try:
            verdict = await verifier.check_batch(b"")
            for child in multiprocessing.active_children():
                child.kill()
                child.join()
            for _ in range(3):  # several may be at work when it happens
                with suppress(Unavailable):
                    await verifier.check_batch(b"")
            again = await verifier.check_batch(b"")
            assert again.rejected.message == verdict.rejected.message
        finally:
            verifier.close()

    asyncio.run(play())


def test_they_end_when_their_node_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.communicate(timeout=30)  # comes to an end once nobody holds the pipe any more


def test_none_stays_though_work_for_it_was_given_up():
    async def play():
        before = set(multiprocessing.active_children())
        verifier = PoolVerifier(Network.of(make_genesis()), 2)
        jobs = [asyncio.ensure_future(verifier.check_batch(bytes(size))) for size in range(8)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # now those that are not to wait are handed over
        workers = set(multiprocessing.active_children()) - before
        try:
            jobs[-1].cancel()
            min(workers, key=lambda worker: worker.pid).kill()
            await asyncio.gather(*jobs, return_exceptions=True)
            for worker in workers:
                assert wait([worker.sentinel], 30), "it is still there"
        finally:
            for worker in workers:
                worker.kill()
            verifier.close()

    asyncio.run(play())


def test_a_batch_that_comes_twice_is_checked_once_and_one_in_a_hurry_before_others():
    async def play():
        verifier = PoolVerifier(Network.of(make_genesis()), 1)
        try:
            big = [bytes([number]) * JOB_BYTES for number in range(6)]  # each is a job of its own
            done = []

            async def check(raw):
                await verifier.check_batch(raw)
                done.append(raw)

            jobs = [asyncio.ensure_future(check(raw)) for raw in (*big, big[3])]
            await asyncio.sleep(0)
            verifier.hurry(big[5])
            verifier.hurry(b"unknown")
            await asyncio.gather(*jobs)
            # Two were handed over before that.
            assert done == [big[0], big[1], big[5], big[2], big[3], big[3], big[4]]
        finally:
            verifier.close()

    asyncio.run(play())


def test_once_it_is_closed_it_takes_nothing_and_starts_nothing():
    async def play():
        before = set(multiprocessing.active_children())
        verifier = PoolVerifier(Network.of(make_genesis()), 1)
        await verifier.check_batch(b"")
        verifier.close()
        for asked in (verifier.check_batch(b"x"), verifier.check_envelopes([b"x"])):
            with pytest.raises(Unavailable, match="the node is stopping"):
                async with asyncio.timeout(30):
                    await asked
        assert set(multiprocessing.active_children()) == before

    asyncio.run(play())


def test_where_no_process_can_be_started_it_says_so_and_goes_on():
    """In a process of its own, which may open no more files for a while."""
    done = subprocess.run(
        [sys.executable, "-c", CROWDED],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    told, verdict = done.stdout.splitlines()
    assert told == (
        "no verifying process can be started: Too many open files; send again in a moment"
    )
    assert verdict == "Verdict"


def test_what_waits_is_given_up_when_it_is_closed():
    async def play():
        verifier = PoolVerifier(Network.of(make_genesis()), 1)
        raws = [bytes([number]) * JOB_BYTES for number in range(6)]
        jobs = [asyncio.ensure_future(verifier.check_batch(raw)) for raw in raws]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        verifier.close()
        async with asyncio.timeout(30):
            ends = await asyncio.gather(*jobs, return_exceptions=True)
        assert isinstance(ends[-1], asyncio.CancelledError)

    asyncio.run(play())


class Noted(bytes):
    """A batch that notes when it is handed to a process."""

    handed_over: ClassVar[list[int]] = []

    def __reduce__(self):
        self.handed_over.append(self[0])
        return bytes, (bytes(self),)


def test_what_nobody_asks_for_any_more_is_not_checked_unless_another_asks():
    async def play():
        verifier = PoolVerifier(Network.of(make_genesis()), 1)
        try:
            big = [Noted(bytes([number]) * JOB_BYTES) for number in range(5)]
            jobs = [asyncio.ensure_future(verifier.check_batch(raw)) for raw in (*big, big[4])]
            await asyncio.sleep(0)
            for given_up in jobs[3:5]:
                given_up.cancel()
            verdicts = await asyncio.gather(*jobs[:3], jobs[5])
            assert all(verdict.rejected for verdict in verdicts)
            assert Noted.handed_over == [0, 1, 2, 4]
        finally:
            verifier.close()

    asyncio.run(play())
