"""`hansa bench node`: payments over HTTP, as clients send them.

The node runs in a process of its own, with API, console and TLS-free HTTP, as `hansa up` runs it;
this process is the client. First single payments as JSON over many connections, each waiting for
its receipt before the next is sent; then a sponsor's signed batches as MessagePack.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

from hansa.engine.verification import PoolVerifier
from hansa.kernel.block import Status, read_status
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.node.bench.load import OPERATOR, SERVER, Signer, create_bench_home, derive_key
from hansa.node.bench.machine import describe_machine
from hansa.node.home import Home, open_chain
from hansa.node.service import Node
from hansa.node.serving.serve import serve
from hansa.node.settings import Limits, Listen, Settings

CONNECTIONS = 64
BATCH_CONNECTIONS = 6
PER_BATCH = 250
SINGLES_PER_S = 8_000
BATCHED_PER_S = 24_000
"""Payments signed beforehand for each second of a run: more than can be confirmed."""
OK = 200
JSON_HEADERS = {"Content-Type": "application/json"}
MSGPACK_HEADERS = {"Content-Type": "application/msgpack"}


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What is measured."""

    seconds: float = 15.0
    """Of each of the two runs."""
    wallets: int = 10_000


@dataclass(slots=True)
class Run:
    """What the requests of one run came to."""

    confirmed: int = 0
    latencies_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0

    def quantile_ms(self, share: float) -> float:
        """Compute the latency that this share of requests kept within."""
        ordered = sorted(self.latencies_s)
        return round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


def run_node_bench(settings: NodeSettings) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints."""
    folder = Path(tempfile.mkdtemp(prefix="hansa-bench-"))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    try:
        home = create_bench_home(folder / "home")
        node = context.Process(target=run_server, args=(str(home.path), theirs), daemon=False)
        node.start()
        theirs.close()
        try:
            return uvloop.run(_measure(home, settings, _receive(ours)))
        finally:
            ours.close()
            node.join()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_server(path: str, pipe: Connection) -> None:
    """Serve the node at `path` until the other end of the pipe is closed."""
    uvloop.run(_serve(Home(Path(path)), pipe))


async def _serve(home: Home, pipe: Connection) -> None:
    chain = open_chain(home, derive_key("node"))
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)
    node = Node(chain, verifier, derive_key(OPERATOR).address, derive_key(SERVER))
    node.start()
    unlimited = Limits(anyone_per_s=0, anyone_burst=0, known_per_s=0, known_burst=0)
    server = await serve(node, Settings(listen=Listen(port=0), limits=unlimited))
    pipe.send(server.url)
    closed = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), closed.set)
    await closed.wait()
    await server.stop()
    await node.stop()


def _receive(pipe: Connection) -> str:
    try:
        return str(pipe.recv())
    except EOFError:
        raise Unavailable("the benchmark's node did not start") from None


async def _measure(home: Home, settings: NodeSettings, url: str) -> dict[str, Any]:
    network = Network.of(decode_genesis(home.read_genesis()))
    async with aiohttp.ClientSession(
        url, connector=aiohttp.TCPConnector(limit=CONNECTIONS), skip_auto_headers=("User-Agent",)
    ) as session:
        with Signer(network.genesis, settings.wallets) as signer:
            for raw in signer.sign_setup():
                if not await post_batch(session, raw):
                    raise Unavailable("the benchmark's wallets could not be set up")
            count = int(settings.seconds * SINGLES_PER_S)
            bodies = [_build_body(raw) for raw in signer.sign_envelopes(count, PER_BATCH)]
            single = await drive(
                bodies, CONNECTIONS, settings.seconds, lambda raw: _pay(session, raw)
            )
            del bodies
            many = int(settings.seconds * BATCHED_PER_S)
            batches = signer.sign_batches(many, PER_BATCH, first=count)
        batched = await drive(
            batches, BATCH_CONNECTIONS, settings.seconds, lambda raw: post_batch(session, raw)
        )
    return {
        "name": "node",
        "machine": describe_machine(),
        "settings": {
            "connections": CONNECTIONS,
            "wallets": settings.wallets,
            "per_batch": PER_BATCH,
            "batch_connections": BATCH_CONNECTIONS,
            "fsync": "fdatasync a block",
            "signed_beforehand": True,
        },
        "seconds": round(single.seconds + batched.seconds, 2),
        "single_per_s": round(single.confirmed / single.seconds),
        "p50_ms": single.quantile_ms(0.5),
        "p99_ms": single.quantile_ms(0.99),
        "client_share": round(single.cpu_s / single.seconds, 3),
        "batch_per_s": round(batched.confirmed / batched.seconds),
        "batch_p50_ms": batched.quantile_ms(0.5),
        "batch_p99_ms": batched.quantile_ms(0.99),
    }


async def drive(
    payloads: Iterable[bytes],
    connections: int,
    seconds: float,
    send: Callable[[bytes], Awaitable[int]],
) -> Run:
    """Send payloads over so many connections, each waiting for its answer, until time is over."""
    run = Run()
    left: Iterator[bytes] = iter(payloads)
    begun, begun_cpu = time.monotonic(), time.process_time()

    async def go_on() -> None:
        for payload in left:
            sent = time.monotonic()
            if sent - begun >= seconds:
                return
            good = await send(payload)
            run.confirmed += good
            run.latencies_s.append(time.monotonic() - sent)

    await asyncio.gather(*(go_on() for _ in range(connections)))
    run.seconds = time.monotonic() - begun
    run.cpu_s = time.process_time() - begun_cpu
    return run


def _build_body(envelope: bytes) -> bytes:
    return msgspec.json.encode({"envelope": base64.b64encode(envelope).decode()})


async def _pay(session: aiohttp.ClientSession, body: bytes) -> int:
    """Send one payment; returns 1 if it was confirmed and is OK."""
    async with session.post("/v1/transactions", data=body, headers=JSON_HEADERS) as answer:
        await answer.read()
        return answer.status == OK


async def post_batch(session: aiohttp.ClientSession, raw: bytes) -> int:
    """Send a batch; returns how many of its transactions were confirmed and are OK."""
    async with session.post("/v1/transactions", data=raw, headers=MSGPACK_HEADERS) as answer:
        body = await answer.read()
        if answer.status != OK:
            return 0
    rows = msgspec.msgpack.decode(body)
    return sum(1 for row in rows if row[0] and read_status(row[0]) is Status.OK)
