"""`hansa bench ledger`: signed single transfers, verified, executed, in the tree, durable.

A separate client process sends batches that were signed beforehand over a pipe; the server is
the embedded engine as a node runs it. Rates count confirmed, successful transfers.

    client process -> pipe -> engine (this process) -> verifying processes
                 <- answers, once the block is durable
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hansa.engine.collector import tune_collector
from hansa.engine.embedded import BLOCK_TRANSACTIONS, EmbeddedEngine
from hansa.engine.ordering import Answer
from hansa.engine.store import StateStore
from hansa.engine.verification import PoolVerifier
from hansa.kernel.block import Status, read_status
from hansa.kernel.errors import Unavailable
from hansa.kernel.trees.commitment import Tree
from hansa.kernel.trees.state_tree import Changes
from hansa.node.audit import audit
from hansa.node.bench.load import Signer, create_bench_home, derive_key
from hansa.node.bench.machine import describe_machine, measure_verify_limit
from hansa.node.bench.postgresql import measure_postgresql
from hansa.node.home import Home, open_chain, open_chain_read_only
from hansa.node.service import wall_clock_ms
from hansa.node.verify import verify

PER_BATCH = 125
IN_FLIGHT = 6
"""Batches that the client has under way: bounds the queue, and so the latency."""
SETUP_IN_FLIGHT = 8

MANY_WALLETS = 1_000_000
SMALL_BLOCKS = 300
VARIANT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What is measured."""

    seconds: float = 30.0
    wallets: int = 10_000
    block_transactions: int = BLOCK_TRANSACTIONS
    rate_estimate: int = 24_000
    """Transfers signed beforehand for each second of the run."""
    is_checked: bool = True
    """Whether audit and verify run on what the benchmark left."""
    has_variants: bool = True
    """Whether small blocks and a million wallets are measured, too."""


def run_ledger(settings: LedgerSettings) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints."""
    limit_per_s = measure_verify_limit()
    measured = _run(settings)
    found: dict[str, Any] = {
        "name": "ledger",
        "machine": describe_machine(),
        "settings": {
            "wallets": settings.wallets,
            "block_transactions": settings.block_transactions,
            "per_batch": PER_BATCH,
            "in_flight": PER_BATCH * IN_FLIGHT,
            "fsync": "fdatasync a block",
            "signed_beforehand": True,
        },
        **measured,
        "verify_limit_per_s": round(limit_per_s),
        "ratio_to_limit": round(measured["confirmed_per_s"] / limit_per_s, 3),
        "postgresql_per_s": measure_postgresql(settings.wallets),
    }
    if settings.has_variants:
        variant = replace(settings, seconds=VARIANT_SECONDS, is_checked=False)
        small = _run(replace(variant, block_transactions=SMALL_BLOCKS))
        found["confirmed_per_s_blocks_300"] = small["confirmed_per_s"]
        many = _run(replace(variant, wallets=MANY_WALLETS))
        found["confirmed_per_s_1m"] = many["confirmed_per_s"]
        found["p99_ms_1m"] = many["p99_ms"]
    return found


def _run(settings: LedgerSettings) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="hansa-bench-"))
    try:
        home = create_bench_home(folder / "home")
        found = asyncio.run(_measure(home, settings))
        return found | _check(home, folder) if settings.is_checked else found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(home: Home, settings: LedgerSettings) -> dict[str, Any]:
    """Open the chain, set the wallets up, and serve the client for the time of the run."""
    chain = open_chain(home, derive_key("node"))
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)
    commitment = chain.machine.commitment
    tree = TimedTree(commitment.tree)
    commitment.tree = tree
    engine = EmbeddedEngine(
        chain, verifier, wall_clock_ms, block_transactions=settings.block_transactions
    )
    engine.start()
    try:
        with Signer(chain.network.genesis, settings.wallets) as signer:
            await set_up(engine, signer.sign_setup())
            chain.flush()  # or the run would write to disk what a million wallets left
            count = int(settings.seconds * settings.rate_estimate)
            load = await asyncio.to_thread(signer.sign_batches, count, PER_BATCH)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        client = context.Process(target=run_client, args=(theirs,), daemon=True)
        client.start()
        await asyncio.to_thread(ours.send, load)
        del load
        tune_collector()
        tree.cpu_s = 0.0
        found = await _answer_client(engine, ours, settings)
        client.join()
    finally:
        await engine.stop()
        chain.close()
    found["tree_share"] = round(tree.cpu_s / found.pop("cpu_s"), 3)
    return found


async def set_up(engine: EmbeddedEngine, batches: Iterator[bytes]) -> None:
    """Bring in what a benchmark begins from, some batches under way at a time.

    Raises:
      Unavailable: not all of it was confirmed.
    """
    while part := await asyncio.to_thread(_take, batches, SETUP_IN_FLIGHT):
        for answers in await asyncio.gather(*map(engine.submit, part)):
            if count_good(answers) != len(answers):
                raise Unavailable("the benchmark's wallets could not be set up")


def _take(batches: Iterator[bytes], count: int) -> list[bytes]:
    return [raw for _, raw in zip(range(count), batches, strict=False)]


def count_good(answers: Sequence[Answer]) -> int:
    """Count the transactions that were confirmed, and did what they were to do."""
    return sum(
        1 for answer in answers if answer.receipt and read_status(answer.receipt) is Status.OK
    )


async def _answer_client(
    engine: EmbeddedEngine, pipe: Connection, settings: LedgerSettings
) -> dict[str, Any]:
    """Take batches from the pipe and answer each once it is confirmed; measure."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(pipe.fileno(), arrived.set)
    running: set[asyncio.Task[None]] = set()
    begun, begun_cpu = time.monotonic(), time.process_time()
    confirmed = 0

    async def serve(number: int, raw: bytes) -> None:
        nonlocal confirmed
        good = count_good(await engine.submit(raw))
        confirmed += good
        pipe.send((number, good))

    pipe.send(("go", settings.seconds))
    client: dict[str, Any] = {}
    while not client:
        await arrived.wait()
        arrived.clear()
        while pipe.poll():
            message = pipe.recv()
            if isinstance(message, dict):
                client = message
                break
            task = asyncio.create_task(serve(*message))
            running.add(task)
            task.add_done_callback(running.discard)
    seconds = time.monotonic() - begun
    loop.remove_reader(pipe.fileno())
    return {
        "seconds": round(seconds, 2),
        "confirmed": confirmed,
        "confirmed_per_s": round(confirmed / seconds),
        "p50_ms": client["p50_ms"],
        "p99_ms": client["p99_ms"],
        "client_share": round(client["cpu_s"] / seconds, 3),
        "cpu_s": time.process_time() - begun_cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def run_client(pipe: Connection) -> None:
    """Send the signed batches, a few under way at a time, until the time is over."""
    load: list[bytes] = pipe.recv()
    _, seconds = pipe.recv()
    begun_cpu = time.process_time()
    end = time.monotonic() + seconds
    sent: dict[int, float] = {}
    latencies: list[float] = []
    number = 0
    while sent or (number < len(load) and time.monotonic() < end):
        while len(sent) < IN_FLIGHT and number < len(load) and time.monotonic() < end:
            sent[number] = time.monotonic()
            pipe.send((number, load[number]))
            number += 1
        answered, _ = pipe.recv()
        latencies.append(time.monotonic() - sent.pop(answered))
    latencies.sort()
    pipe.send(
        {
            "p50_ms": round(1000 * latencies[len(latencies) // 2], 1),
            "p99_ms": round(1000 * latencies[len(latencies) * 99 // 100], 1),
            "cpu_s": time.process_time() - begun_cpu,
        }
    )


class TimedTree:
    """A state tree that counts the CPU time of its updates."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.root = tree.root
        self.cpu_s = 0.0

    def update(self, changes: Changes) -> None:
        """As `StateTree.update`."""
        begun = time.thread_time()
        self._tree.update(changes)
        self.cpu_s += time.thread_time() - begun


def _check(home: Home, folder: Path) -> dict[str, bool]:
    """Audit and verify what the run left."""
    chain = open_chain_read_only(home)
    scratch = StateStore.open(folder / "scratch")
    try:
        audited = audit(chain.iterate_records(0), chain.network)
        verified = verify(chain.iterate_records(0), chain.network, scratch, lambda _: None)
    finally:
        scratch.close()
        chain.close()
    return {"audit_ok": audited.audit_ok, "verify_ok": verified.verify_ok}
