"""The same blocks give the same bytes in every process, compiled or not, whatever `hash()` says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from hansa.compiled import SWITCH

ROOT = Path(__file__).resolve().parents[3]
SEEDS = ("1", "20261124")
"""Seeds of the order in which sets of texts and byte strings come out."""


def start(seed: str, is_compiled: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.kernel.deterministic"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), SWITCH: is_compiled},
        stdout=subprocess.PIPE,
    )


def test_headers_receipts_and_rows_are_the_same_in_every_process():
    outputs = []
    for process in map(start, SEEDS, "01"):
        output, _ = process.communicate()
        assert process.returncode == 0
        outputs.append(output)
    assert outputs[0].count(b"\n") > 100
    assert len({hashlib.sha256(output).digest() for output in outputs}) == 1


def test_seeds_do_change_the_order_of_sets():
    """So the test above could fail: the processes really differ in what it is about."""
    program = "print(list({bytes([n]) * 9 for n in range(99)}))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in SEEDS
    }
    assert len(outputs) == len(SEEDS)
