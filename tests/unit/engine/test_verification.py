"""The verifying processes: what they find, and how they end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
