"""The machine that a figure was taken on, and how fast it verifies signatures at all."""

from __future__ import annotations

import os
import platform
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from hansa.compiled import is_in_use
from hansa.engine.batch_verifier import find_library, load_verify_many
from hansa.engine.workers import Workers
from hansa.kernel.crypto.signatures import SignatureCheck, VerifyMany
from hansa.node.bench.load import derive_key

SAMPLE = 4_000
SAMPLE_KEYS = 1_000
PART = 1_000
"""Signatures that a process verifies together, as many as it is given at once under load."""
ROUNDS = 2


def describe_machine() -> dict[str, Any]:
    """Describe processor, cores, memory, Python, whose builds differ by a fifth, and our own."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "python": f"{platform.python_version()} in {sys.base_prefix}",
        "state_machine": "compiled" if is_in_use() else "from source",
        "signatures": "one by one" if find_library() is None else "by the batch verifier",
    }


def measure_verify_limit() -> float:
    """Measure how many signatures all cores verify a second, doing nothing else."""
    cores = os.cpu_count() or 1
    with Workers(cores, niceness=0) as pool:
        list(pool.map(verify_sample, range(cores)))
        begun = time.monotonic()
        done = sum(pool.map(verify_sample, range(ROUNDS * cores)))
        return done / (time.monotonic() - begun)


def verify_sample(_: int) -> int:
    """Verify the sample as a node does; returns how many signatures were good."""
    checks, verify_many = _make_sample(), _load_verify_many()
    parts = (checks[at : at + PART] for at in range(0, SAMPLE, PART))
    return sum(sum(verify_many(part)) for part in parts)


@lru_cache(maxsize=1)
def _load_verify_many() -> VerifyMany:
    return load_verify_many(find_library())


@lru_cache(maxsize=1)
def _make_sample() -> list[SignatureCheck]:
    checks = []
    for number in range(SAMPLE):
        key = derive_key(f"sample{number % SAMPLE_KEYS}")
        message = number.to_bytes(4, "big") * 50
        checks.append(SignatureCheck(1, key.public_key, key.sign(message), message))
    return checks
