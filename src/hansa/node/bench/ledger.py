"""`hansa bench ledger`: signed single transfers, verified, executed, in the tree, durable.

A separate client process signs everything beforehand and sends batches over a pipe; the server
is the embedded engine as a node runs it. Rates count confirmed, successful transfers.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hansa.contracts import currency, payments, wallets
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.store import StateStore
from hansa.engine.verification import PoolVerifier
from hansa.kernel.block import Status
from hansa.kernel.contract import Command
from hansa.kernel.crypto.signatures import SignatureCheck, verify_many
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.node.audit import audit
from hansa.node.home import (
    Home,
    MemberSpec,
    build_genesis,
    create_home,
    open_chain,
    open_chain_read_only,
)
from hansa.node.service import tune_collector, wall_clock_ms
from hansa.node.verify import verify
from hansa.sdk.build import sign_batch, sign_transaction
from hansa.sdk.keys import KeyPair

ASSET = "MOP"
FUNDING_MINOR = 1_000_000
VALIDITY_MS = 14 * 60_000
SIGN_BATCH = 500
IN_FLIGHT = 12
"""Batches that the client has under way: bounds the queue, and so the latency."""

VERIFY_SAMPLE = 4_000
CALLS = 8
WALLETS_PER_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What is measured."""

    seconds: float = 30.0
    wallets: int = 10_000
    block_transactions: int = 2_000
    rate_estimate: int = 24_000
    """Transfers signed beforehand for each second of the run."""
    is_checked: bool = True
    """Whether audit and verify run on what the benchmark left."""


@lru_cache(maxsize=1_000_000)
def _key(name: str) -> KeyPair:
    return KeyPair.from_seed(hashlib.sha256(b"bench\x00" + name.encode()).digest())


def run_ledger(settings: LedgerSettings) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints."""
    folder = Path(tempfile.mkdtemp(prefix="hansa-bench-"))
    try:
        return _run(settings, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(settings: LedgerSettings, folder: Path) -> dict[str, Any]:
    officers = [_key(f"officer{number}") for number in range(2)]
    bank = MemberSpec(
        "Central Bank",
        ("central_bank",),
        tuple(key.address for key in officers),
        _key("bank server").address,
        2,
        1,
    )
    operator = MemberSpec(
        "Bench Bank", ("operator",), (_key("operator").address,), _key("server").address
    )
    genesis = build_genesis("bench", wall_clock_ms(), [bank, operator], sealer=_key("node"))
    home = create_home(folder / "home", genesis, {"node": _key("node")}, "bench")
    limit_per_s = measure_verify_limit()
    count = int(settings.seconds * settings.rate_estimate)
    with ProcessPoolExecutor(
        os.cpu_count() or 1, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        signed = _sign_load(pool, genesis.encoded(), settings, count)
        setup = _sign_setup(pool, genesis.encoded(), settings)
    measured = asyncio.run(_serve(home, settings, setup, signed))
    found: dict[str, Any] = {
        "name": "ledger",
        "machine": describe_machine(),
        "settings": {
            "wallets": settings.wallets,
            "block_transactions": settings.block_transactions,
            "fsync": "fdatasync a block",
            "signed_beforehand": True,
        },
        **measured,
        "verify_limit_per_s": round(limit_per_s),
        "ratio_to_limit": round(measured["confirmed_per_s"] / limit_per_s, 3),
        "postgresql_per_s": measure_postgresql(),
    }
    if settings.is_checked:
        found |= _check(home, folder)
    return found


def _sign_load(
    pool: ProcessPoolExecutor, genesis: bytes, settings: LedgerSettings, count: int
) -> list[bytes]:
    starts = range(0, count, SIGN_BATCH)
    return list(pool.map(partial(sign_transfers, genesis, settings.wallets), starts))


def _sign_setup(pool: ProcessPoolExecutor, genesis: bytes, settings: LedgerSettings) -> list[bytes]:
    starts = range(0, settings.wallets, WALLETS_PER_BATCH)
    opened = pool.map(partial(sign_wallets, genesis, settings.wallets), starts)
    return [sign_issue(genesis, settings.wallets), *opened]


@lru_cache(maxsize=1)
def _network(genesis: bytes) -> Network:
    return Network.of(decode_genesis(genesis))


def _sponsor(network: Network, envelopes: list[bytes]) -> bytes:
    items = [(envelope, None) for envelope in envelopes]
    return sign_batch(network, _key("operator").address, _key("server"), items)


def sign_issue(genesis: bytes, count: int) -> bytes:
    """Sign the issue of all money of the run."""
    network = _network(genesis)
    operator = _key("operator").address
    commands = (
        currency.SetQuota(operator, ASSET, count * FUNDING_MINOR),
        currency.Issue(operator, ASSET, count * FUNDING_MINOR),
    )
    officers = [_key("officer0"), _key("officer1")]
    until = wall_clock_ms() + VALIDITY_MS
    return _sponsor(network, [sign_transaction(network, officers, commands, until).envelope])


def sign_wallets(genesis: bytes, wallet_count: int, start: int) -> bytes:
    """Sign the opening and funding of the wallets of one batch, from `start` on."""
    end = min(start + WALLETS_PER_BATCH, wallet_count)
    network = _network(genesis)
    operator = _key("operator")
    until = wall_clock_ms() + VALIDITY_MS
    envelopes = []
    for first in range(start, end, CALLS):
        commands: list[Command] = []
        for number in range(first, min(first + CALLS, end)):
            wallet = _key(f"wallet{number}").address
            commands += [
                wallets.Open(wallet, operator.address, wallets.Category.I),
                payments.CashIn(operator.address, wallet, ASSET, FUNDING_MINOR, f"in{number}"),
            ]
        envelopes.append(sign_transaction(network, [operator], commands, until).envelope)
    return _sponsor(network, envelopes)


def sign_transfers(genesis: bytes, wallet_count: int, start: int) -> bytes:
    """Sign one batch of transfers between random wallets, each by its payer."""
    network = _network(genesis)
    draw = random.Random(start)  # noqa: S311 - a load, not a secret
    until = wall_clock_ms() + VALIDITY_MS
    envelopes = []
    for number in range(start, start + SIGN_BATCH):
        payer = _key(f"wallet{draw.randrange(wallet_count)}")
        payee = _key(f"wallet{draw.randrange(wallet_count)}")
        if payer is payee:
            payee = _key(f"wallet{(draw.randrange(wallet_count) + 1) % wallet_count}")
        command = payments.Transfer(
            payer.address, payee.address, ASSET, draw.randint(1, 100), f"t{number}"
        )
        envelopes.append(sign_transaction(network, [payer], [command], until).envelope)
    return _sponsor(network, envelopes)


async def _serve(
    home: Home, settings: LedgerSettings, setup: list[bytes], load: list[bytes]
) -> dict[str, Any]:
    """Open the chain, set the wallets up, and serve the client for the time of the run."""
    chain = open_chain(home, _key("node"))
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)
    engine = EmbeddedEngine(
        chain, verifier, wall_clock_ms, block_transactions=settings.block_transactions
    )
    engine.start()
    for raw in setup:
        for answer in await engine.submit(raw):
            if answer.error is not None or answer.receipt[35] != Status.OK:
                raise Unavailable("the benchmark's wallets could not be set up")
    del setup
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    client = multiprocessing.get_context("spawn").Process(target=run_client, args=(theirs,))
    client.start()
    await asyncio.to_thread(ours.send, load)
    del load
    tune_collector()
    try:
        return await _answer_client(engine, ours, settings)
    finally:
        client.join()
        await engine.stop()
        chain.close()


async def _answer_client(
    engine: EmbeddedEngine, pipe: Connection, settings: LedgerSettings
) -> dict[str, Any]:
    """Take batches from the pipe and answer each once it is confirmed; measure."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(pipe.fileno(), arrived.set)
    running: set[asyncio.Task[None]] = set()
    begun = time.monotonic()
    confirmed = 0

    async def serve(number: int, raw: bytes) -> None:
        nonlocal confirmed
        answers = await engine.submit(raw)
        good = sum(1 for answer in answers if answer.receipt and answer.receipt[35] == Status.OK)
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


def measure_verify_limit() -> float:
    """Measure how many signatures all cores verify a second, doing nothing else."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(verify_sample, range(cores)))
        begun = time.monotonic()
        done = sum(pool.map(verify_sample, range(2 * cores)))
        return done / (time.monotonic() - begun)


@lru_cache(maxsize=1)
def _sample() -> list[SignatureCheck]:
    checks = []
    for number in range(VERIFY_SAMPLE):
        key = _key(f"sample{number % 1000}")
        message = number.to_bytes(4, "big") * 50
        checks.append(SignatureCheck(1, key.public_key, key.sign(message), message))
    return checks


def verify_sample(_: int) -> int:
    """Verify the sample; returns how many signatures were good."""
    return sum(verify_many(_sample()))


def measure_postgresql() -> int | None:
    """Measure durable transfers of a local PostgreSQL server, if one answers; else None."""
    pgbench = shutil.which("pgbench")
    if pgbench is None:
        return None
    settings = ["-h", "127.0.0.1", "-U", "postgres", "postgres"]
    made = subprocess.run(  # noqa: S603 - a fixed command
        [pgbench, "-i", "-q", *settings], capture_output=True, check=False
    )
    if made.returncode:
        return None
    ran = subprocess.run(  # noqa: S603 - a fixed command
        [pgbench, "-N", "-c", "8", "-j", "2", "-T", "5", *settings],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in ran.stdout.splitlines():
        if line.startswith("tps = "):
            return round(float(line.split()[2]))
    return None


def describe_machine() -> dict[str, Any]:
    """Describe processor, cores and memory."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gib": memory}


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
