"""Nodes that keep no more of their past than they are told to, on either engine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import replace

import pytest
from tests.faulted import FaultedNetwork
from tests.world import ASSET, MINUTE_MS, World, key

from hansa.contracts import currency
from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.cometbft.light import fetch_base
from hansa.engine.log.format import MARK_NAME
from hansa.engine.snapshots.keeping import Retention
from hansa.engine.store import StateStore
from hansa.kernel.errors import Unavailable
from hansa.node.audit import audit_folder
from hansa.node.verify import verify_folder

pytestmark = pytest.mark.integration

WITHIN_S = 90
POLL_S = 0.1
BLOCKS_BEFORE = 60


class OftenNoting(CometEngine):
    noted_every = 5


async def wait_for_base(engine, height):
    """Wait until CometBFT has dropped the blocks up to a height."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if await fetch_base(engine.rpc) > height:
                return
            await asyncio.sleep(POLL_S)


def play_the_past(nodes):
    """Give all nodes one history of an hour of long ago, before CometBFT.

    Nothing younger than fifteen minutes is ever pruned, and tests have no time to wait for that.
    """
    first = nodes[0].log_path.parent
    StateStore.open(first / "store").close()
    world = World(nodes[0].open_chain())
    for _ in range(BLOCKS_BEFORE):
        world.time_ms += MINUTE_MS
        sent = world.sign([key("officer0")], currency.SetQuota(key("north").address, ASSET, 10**9))
        world.apply(world.batch(sent, sponsor="officer0"))
    world.chain.close()
    for node in nodes[1:]:
        for name in ("log", "store"):
            without = shutil.ignore_patterns("LOCK", "lock")
            shutil.copytree(first / name, node.log_path.parent / name, ignore=without)


async def kill(network, *numbers):
    """Kill nodes' CometBFT at once; the nodes end with it, and flush nothing."""
    for number in numbers:
        os.kill(network.engines[number].child_pid, signal.SIGKILL)
    for number in numbers:
        with suppress(Unavailable):
            await network.engines[number].wait()
    await network.stop(*numbers)


def test_voted_nodes_bound_what_they_keep_and_go_on(cometbft, tmp_path):
    network = FaultedNetwork(tmp_path)
    everyone = range(len(network.nodes))
    retention = Retention(snapshot_every=1, snapshots=1, blocks=1, consensus_blocks=10)
    network.nodes = [
        replace(node, retention=retention, segment_bytes=4_000) for node in network.nodes
    ]
    for node in network.nodes:
        path = node.home.configuration_path
        text = path.read_text()
        assert text.count('"30s"') == 1
        path.write_text(text.replace('"30s"', '"50ms"'))  # a heartbeat for people in a hurry
    play_the_past(network.nodes)

    async def flush_once_a_snapshot_is_there():
        while not all(node.open_shelf().list() for node in network.nodes):
            await network.pay(0)
        for engine in network.engines.values():
            engine.chain.flush()

    async def play():
        await network.start(*everyone, kind=OftenNoting)
        try:
            await network.fund()
            await flush_once_a_snapshot_is_there()
            height = network.engines[0].application.consensus_height
            head = network.engines[0].chain.head.height
            for engine in network.engines.values():
                await wait_for_base(engine, height)
            assert network.engines[0].chain.head.height == head, "it was quiet"
            await kill(network, 0)
            await network.start(0, kind=OftenNoting)
            assert network.engines[0].application.consensus_height > height
            while not all((node.log_path / MARK_NAME).exists() for node in network.nodes):
                await network.pay(0)
                for engine in network.engines.values():
                    engine.chain.flush()
            await kill(network, *everyone)
            await network.start(*everyone, kind=OftenNoting)
            for number in everyone:
                await network.pay(number)
        finally:
            await network.close()

    asyncio.run(play())
    ends = [require_pruned_and_sound(node) for node in network.nodes]
    assert max(ends)[0] - min(ends)[0] <= 1, "they were stopped one after the other"


def require_pruned_and_sound(node):
    """Audit and verify what a node has left; returns where it ends."""
    audited = audit_folder(node.log_path, node.log_path.parent / "store", node.network)
    verified = verify_folder(node.log_path, node.network)
    assert (audited.findings, verified.findings) == ([], [])
    assert audited.base_height == verified.base_height > 0
    return verified.height, verified.state_root
