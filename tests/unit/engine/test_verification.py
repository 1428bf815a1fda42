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

from tests.world import make_genesis

from hansa.engine.verification import PoolVerifier
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
    await asyncio.gather(*(verifier.check_batch(b"") for _ in range(8)))
    print("ready", flush=True)
    sys.stdin.read()

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
        jobs = [asyncio.ensure_future(verifier.check_batch(b"")) for _ in range(8)]
        await asyncio.sleep(0)  # all are handed over
        workers = [child for child in multiprocessing.active_children() if child not in before]
        try:
            jobs[-1].cancel()
            workers[0].kill()
            await asyncio.gather(*jobs, return_exceptions=True)
            for worker in workers:
                assert wait([worker.sentinel], 30), "it is still there"
        finally:
            for worker in workers:
                worker.kill()
            verifier.close()

    asyncio.run(play())
