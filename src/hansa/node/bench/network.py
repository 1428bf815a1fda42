"""`hansa bench network`: four validators on this machine, and what CometBFT alone would reach.

Each node is what `hansa up` runs: two processes, and one more that verifies. This process is the
client: it sends a sponsor's batches, signed beforehand, to all nodes in turn over HTTP, so many
under way at a time. Then four CometBFTs with their own `kvstore` order transactions of the same
bytes in the same batches, as many of them under way.

    client -> HTTP -> node 0..3 -> CometBFT -> every node executes -> receipts
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.child.process import CometProcess
from hansa.engine.cometbft.configuration import (
    Configuration,
    Validator,
    write_configuration,
    write_genesis,
)
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.cometbft.rpc.client import CometRpc
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import GenesisNode, Limits, Network
from hansa.node.bench.load import OPERATOR, PASSPHRASE, SERVER, Signer, derive_key
from hansa.node.bench.machine import describe_machine, measure_verify_limit
from hansa.node.bench.node import drive, post_batch
from hansa.node.bench.usage import (
    find_process,
    list_descendants,
    measure_cpu_s,
    measure_disk_bytes,
    read_name,
)
from hansa.node.founding import MemberSpec, build_genesis
from hansa.node.home import SPONSOR_KEY, Home, create_home
from hansa.node.network.folders import list_nodes
from hansa.node.network.places import PORTS_EACH, THIS_MACHINE, Place, choose_places
from hansa.node.network.supervision import Event, Happening, Supervisor
from hansa.node.network.voting import write_first_block
from hansa.node.service import wall_clock_ms
from hansa.program import PASSPHRASE_VARIABLE

VALIDATORS = 4
BASE_PORT = 28_600
"""Not that of a network which may run here."""
BASE_PORT_MAX = 60_000
PER_BATCH = 500
CONNECTIONS = 8
"""Batches under way at a time, over all nodes: bounds the latency."""
KVSTORE_IN_FLIGHT = 24
"""The same for CometBFT alone, whose rate hangs on it: its best is to be compared."""
SIGNED_PER_S = 8_000
"""Payments signed beforehand for each second of a run: more than can be confirmed."""
WITHIN_S = 120.0
POLL_S = 0.1
KVSTORE_POLL_S = 0.02
BATCH_BYTES = 1 << 20
"""Of the largest batch."""
UNLIMITED = """
[limits]
anyone_per_s = 0.0
known_per_s = 0.0
wait_ms = 120000
"""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What is measured."""

    seconds: float = 30.0
    """Of each of the two runs."""
    wallets: int = 10_000


def run_network_bench(settings: NetworkSettings) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints.

    Raises:
      NotFound: CometBFT is not here.
      Unavailable: a node does not start, or ends.
    """
    find_binary()
    limit_per_s = measure_verify_limit()
    folder = Path(tempfile.mkdtemp(prefix="hansa-bench-"))
    os.environ[PASSPHRASE_VARIABLE] = PASSPHRASE
    try:
        homes = create_bench_network(folder / "hansa")
        found, batch_bytes = uvloop.run(_measure(folder / "hansa", homes, settings))
        alone = uvloop.run(_measure_kvstore(folder / "kvstore", batch_bytes, settings.seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "name": "network",
        "machine": describe_machine(),
        "settings": {
            "validators": VALIDATORS,
            "wallets": settings.wallets,
            "per_batch": PER_BATCH,
            "in_flight": PER_BATCH * CONNECTIONS,
            "kvstore_in_flight": PER_BATCH * KVSTORE_IN_FLIGHT,
            "batch_bytes": batch_bytes,
            "fsync": "fdatasync a block and node",
            "signed_beforehand": True,
        },
        **found,
        "kvstore_per_s": round(alone),
        "ratio_to_kvstore": round(found["confirmed_per_s"] / alone, 3),
        "verify_limit_per_s": round(limit_per_s),
    }


def create_bench_network(folder: Path) -> list[Home]:
    """Set up the nodes of a network of a central bank, the sponsor, and two more validators."""
    officers = tuple(derive_key(f"officer{number}").address for number in range(2))
    members = [
        MemberSpec("Central Bank", ("central_bank",), officers, derive_key("bank").address, 2, 1),
        *(
            MemberSpec(
                name, ("operator",), (derive_key(name).address,), derive_key(server).address, 1, 1
            )
            for name, server in ((OPERATOR, SERVER), ("second", "s2"), ("third", "s3"))
        ),
    ]
    servers = ["bank", SERVER, "s2", "s3"]
    keys = [(CometKey.generate(), CometKey.generate()) for _ in members]
    nodes = [
        GenesisNode(member.officers[0], consensus.public_key, (node.address,), b"", "")
        for member, (node, consensus) in zip(members, keys, strict=True)
    ]
    genesis = build_genesis(
        "bench", wall_clock_ms(), members, nodes=nodes, limits=Limits(batch_bytes=BATCH_BYTES)
    )
    places = _choose_free_places()
    peers = [
        f"{node.address.hex()}@{place.host}:{place.peer_port}"
        for (node, _), place in zip(keys, places, strict=True)
    ]
    folder.mkdir()
    homes = []
    for number, (place, pair) in enumerate(zip(places, keys, strict=True)):
        signer = {SPONSOR_KEY: derive_key(servers[number])}
        home = create_home(folder / f"node{number}", genesis, signer, PASSPHRASE)
        home.comet.create_keys(*pair)
        write_first_block(home.comet, Network.of(genesis))
        others = [peer for other, peer in enumerate(peers) if other != number]
        home.settings_path.write_text(_write_settings(place, others))
        homes.append(home)
    return homes


def _choose_free_places() -> list[Place]:
    """Choose places whose ports nobody has, so that benchmarks can run beside other networks."""
    for base in range(BASE_PORT, BASE_PORT_MAX, PORTS_EACH * VALIDATORS):
        places = choose_places(VALIDATORS, base, ())
        if all(_is_free(port) for place in places for port in (place.port, place.peer_port)):
            return places
    raise Unavailable(f"no {VALIDATORS} places are free from port {BASE_PORT} on")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((THIS_MACHINE, port))
        except OSError:
            return False
    return True


def _write_settings(place: Place, peers: Sequence[str]) -> str:
    return place.write_settings(peers) + UNLIMITED


async def _measure(
    folder: Path, homes: Sequence[Home], settings: NetworkSettings
) -> tuple[dict[str, Any], int]:
    """Measure the network; returns what was found, and the bytes of a batch."""
    network = homes[0].load_network()
    urls = [node.url for node in list_nodes(folder)]
    async with _running(folder), AsyncExitStack() as stack:
        sessions = []
        for url in urls:
            connector = aiohttp.TCPConnector(limit=0)
            session = aiohttp.ClientSession(url, connector=connector)
            sessions.append(await stack.enter_async_context(session))
        with Signer(network.genesis, settings.wallets) as signer:
            for raw in signer.sign_setup():
                if not await post_batch(sessions[0], raw):
                    raise Unavailable("the benchmark's wallets could not be set up")
            count = int(settings.seconds * SIGNED_PER_S)
            batches = await asyncio.to_thread(signer.sign_batches, count, PER_BATCH)
        roots = [find_process("--data", str(home.path)) for home in homes]
        parts = _sort_processes(roots)
        cpu_before = {name: measure_cpu_s(processes) for name, processes in parts.items()}
        disk_before = sum(measure_disk_bytes(home.path) for home in homes)
        turns = iter(range(len(batches)))

        async def send(raw: bytes) -> int:
            return await post_batch(sessions[next(turns) % len(sessions)], raw)

        run = await drive(batches, CONNECTIONS, settings.seconds, send)
        used_s = {
            name: measure_cpu_s(processes) - cpu_before[name] for name, processes in parts.items()
        }
        are_equal = await _compare_headers(sessions)
    written = sum(measure_disk_bytes(home.path) for home in homes) - disk_before
    payments = max(1, run.confirmed)
    return {
        "seconds": round(run.seconds, 2),
        "confirmed": run.confirmed,
        "confirmed_per_s": round(run.confirmed / run.seconds),
        "p50_ms": run.quantile_ms(0.5),
        "p99_ms": run.quantile_ms(0.99),
        "bytes_per_payment": round(written / payments / len(homes)),
        "cpu_us_per_payment_per_node": round(1e6 * sum(used_s.values()) / payments / len(homes)),
        "cpu_us_by_part": {
            name: round(1e6 * seconds / payments / len(homes)) for name, seconds in used_s.items()
        },
        "client_share": round(run.cpu_s / run.seconds, 3),
        "headers_equal": are_equal,
    }, len(batches[0])


def _sort_processes(roots: Sequence[int]) -> dict[str, list[int]]:
    """Sort the nodes' processes by what they do."""
    below = [process for process in list_descendants(roots) if process not in roots]
    ordering = [process for process in below if read_name(process) == "cometbft"]
    verifying = [process for process in below if process not in ordering]
    return {"executing": list(roots), "verifying": verifying, "cometbft": ordering}


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[None]:
    """Run all nodes of a network's folder, from when all of them answer."""
    nodes = list_nodes(folder)
    silent = {node.name for node in nodes}
    answer, stopped = asyncio.Event(), asyncio.Event()

    def tell(event: Event) -> None:
        if event.what is Happening.ANSWERS:
            silent.discard(event.node)
        elif event.what in {Happening.LEFT, Happening.ENDED}:
            stopped.set()
        if not silent or stopped.is_set():
            answer.set()

    command = [sys.executable, "-m", "hansa", "up", "--json", "--data"]
    supervisor = Supervisor(folder, nodes, lambda node: [*command, str(node.home.path)], tell)
    running = asyncio.create_task(supervisor.run(stopped))
    try:
        async with asyncio.timeout(WITHIN_S):
            await answer.wait()
        if stopped.is_set():
            raise Unavailable(f"a node of the benchmark does not run: see the logs in {folder}")
        yield
    finally:
        stopped.set()
        await running


async def _compare_headers(sessions: Sequence[aiohttp.ClientSession]) -> bool:
    """Compare the newest block that all nodes have, by its header with all roots in it."""
    heights = [(await _get(session, "/v1/status"))["height"] for session in sessions]
    path = f"/v1/blocks/{min(heights)}"
    first, *others = [await _get(session, path) for session in sessions]
    return all(other == first for other in others)


async def _get(session: aiohttp.ClientSession, path: str) -> Any:  # noqa: ANN401 - JSON
    async with session.get(path) as answer:
        return await answer.json()


async def _measure_kvstore(folder: Path, batch_bytes: int, seconds: float) -> float:
    """Measure how many payments' bytes a second four CometBFTs order for their own `kvstore`."""
    homes = _make_kvstores(folder)
    binary = find_binary()
    async with AsyncExitStack() as stack:
        clients: list[CometRpc] = []
        for home in homes:
            process = await CometProcess.start(binary, home)
            stack.push_async_callback(process.stop)
            client = CometRpc(home.rpc_path)
            stack.push_async_callback(client.close)
            clients.append(client)
        await _await_peers(clients)

        begun = time.monotonic()
        async with asyncio.timeout(seconds + WITHIN_S):
            ordered = await _fill(clients, batch_bytes, begun + seconds)
        return ordered * PER_BATCH / (time.monotonic() - begun)


async def _fill(clients: Sequence[CometRpc], batch_bytes: int, end_s: float) -> int:
    """Keep so many transactions under way until the end, and until a block took some in.

    Returns how many blocks took in.
    """
    height = await clients[0].read_height()
    sent = ordered = 0
    while not ordered or time.monotonic() < end_s:
        count = KVSTORE_IN_FLIGHT - (sent - ordered)
        raws = [
            (b"%012d=" % number).ljust(batch_bytes, b"x") for number in range(sent, sent + count)
        ]
        await asyncio.gather(
            *(clients[number % len(clients)].broadcast(raw) for number, raw in enumerate(raws))
        )
        sent += count
        newest = await clients[0].read_height()
        while height < newest:
            height += 1
            ordered += await clients[0].count_transactions(height)
        await asyncio.sleep(KVSTORE_POLL_S)
    return ordered


def _make_kvstores(folder: Path) -> list[CometHome]:
    places = _choose_free_places()
    keys = [(CometKey.generate(), CometKey.generate()) for _ in places]
    validators = [Validator(consensus.public_key, 1) for _, consensus in keys]
    begun_ms = wall_clock_ms()
    homes = []
    for number, (place, pair) in enumerate(zip(places, keys, strict=True)):
        home = CometHome(folder / f"n{number}")
        home.path.mkdir(parents=True)
        home.create_keys(*pair)
        peers = [
            f"{node.address.hex()}@{other.host}:{other.peer_port}"
            for (node, _), other in zip(keys, places, strict=True)
            if other is not place
        ]
        configuration = Configuration(listen=f"{place.host}:{place.peer_port}", peers=tuple(peers))
        write_genesis(home, "hansa-bench", begun_ms, validators, BATCH_BYTES)
        write_configuration(home, configuration, home.path.name, BATCH_BYTES, application="kvstore")
        homes.append(home)
    return homes


async def _await_peers(clients: Sequence[CometRpc]) -> None:
    """Wait until each has met all others."""
    async with asyncio.timeout(WITHIN_S):
        for client in clients:
            while True:
                with suppress(Unavailable):
                    met = await client.call("net_info")
                    if int(met["n_peers"]) == len(clients) - 1:
                        break
                await asyncio.sleep(POLL_S)
