"""Nodes that keep no more of their past than they are told to, on either engine."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from tests.conftest import HANSA
from tests.faulted import FaultedNetwork
from tests.played import PASSPHRASE, open_folder
from tests.world import ASSET, MINUTE_MS, World, key, pay

from hansa.cli.main import main
from hansa.contracts import currency
from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.cometbft.rpc.light import fetch_base
from hansa.engine.log.format import MARK_NAME
from hansa.engine.snapshots.keeping import Retention
from hansa.engine.store import StateStore
from hansa.kernel.errors import Unavailable
from hansa.kernel.light.votes import check_votes
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Role
from hansa.node.audit import audit_folder
from hansa.node.home import Home, open_chain
from hansa.node.service import wall_clock_ms
from hansa.node.verify import verify_folder
from hansa.sdk.client import Client

pytestmark = pytest.mark.integration

WITHIN_S = 90
POLL_S = 0.1
BLOCKS_BEFORE = 60
PAYMENTS_MAX = 5_000
"""A minute's, one after the other; a few hundred are enough."""


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
            closed = head + 1  # by an empty block, as a checkpoint
            assert network.engines[0].chain.head.height in (head, closed), "it was quiet"
            await check_newest_votes(network.engines[0])
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


async def check_newest_votes(engine):
    """Check that the newest block can still be proved, though CometBFT has dropped its own."""
    chain = engine.chain
    record, height = chain.get_record(chain.head.height), chain.head.height
    await wait_for_base(engine, record.consensus_height + 1)
    check_votes(chain.network, record.header, await engine.fetch_votes(height))
    with pytest.raises(Unavailable, match=r"votes on block \d+ are not kept here any more"):
        await engine.fetch_votes(height - 1)


def require_pruned_and_sound(node):
    """Audit and verify what a node has left; returns where it ends."""
    audited = audit_folder(node.log_path, node.log_path.parent / "store", node.network)
    verified = verify_folder(node.log_path, node.network)
    assert (audited.findings, verified.findings) == ([], [])
    assert audited.base_height == verified.base_height > 0
    return verified.height, verified.state_root


# --- one node that seals, as a process --------------------------------------------------------


def make_old_folder(path):
    """Make the folder of a node whose blocks are of long ago, in several files; gives a receipt."""
    with open_folder(path) as world:
        world.fund("ann", "shop")
    home = Home(path)
    chain = open_chain(home, home.load_key("node", PASSPHRASE), segment_bytes=20_000)
    world = World(chain, chain.head.time_ms, nonces=10**6)
    for number in range(BLOCKS_BEFORE):
        world.time_ms += MINUTE_MS
        assert world.do("ann", pay("ann", "shop", 1, f"old-{number}")) == ""
    old = world.results[0].tx_ids[0]
    chain.close()
    home.settings_path.write_text("[history]\nsegment_bytes = 65536\n")
    return home, old.hex()


@contextmanager
def up(home, *, kill_it=False):
    """Run the node of a folder, which prunes; gives its URL."""
    command = [HANSA, "up", "--data", home.path, "--port", "0", "--json", "--retain-blocks", "5"]
    environment = {**os.environ, "HANSA_PASSPHRASE": PASSPHRASE}
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            line = process.stdout.readline()
            assert line, "it ended before it answered"
            yield json.loads(line)["url"]
        finally:
            process.send_signal(signal.SIGKILL if kill_it else signal.SIGTERM)
            process.wait(WITHIN_S)


def hansa(capsys, *words, code=0):
    """Run a command beside the node; returns its JSON."""
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    return json.loads(out or err)


def test_a_node_that_prunes_bounds_its_log_and_old_receipts_stay_good(tmp_path, capsys):
    home, old = make_old_folder(tmp_path / "node")
    files = sorted(home.log_path.glob("blocks-*.log"))
    hansa(capsys, "receipt", "save", old, tmp_path / "old.receipt", "--data", home.path)
    with up(home, kill_it=True) as url, Client(url) as client:
        for number in range(PAYMENTS_MAX):
            client.send([key("ann")], [pay("ann", "shop", 1, f"new-{number}")])
            if not files[0].exists():
                break
    assert not files[0].exists()
    with up(home) as url:
        token = make_token(home)
        (tmp_path / "token").write_text(token)
        node = ("--node", url, "--api-key-file", tmp_path / "token")
        told = hansa(capsys, "block", "3", *node, code=4)
        assert "block 3 is not kept here" in told["message"]
        assert "ask a node that keeps all" in told["message"]
        gone = hansa(capsys, "receipt", "save", old, tmp_path / "none", *node, code=4)
        assert "in any block that is kept here" in gone["message"]
        for command in ("audit", "verify"):
            found = hansa(capsys, command, *node)
            assert found[f"{command}_ok"]
            assert found["base_height"] > BLOCKS_BEFORE
    genesis_hash = home.load_network().genesis_hash.hex()
    kept = hansa(capsys, "receipt", "verify", tmp_path / "old.receipt", "--genesis", genesis_hash)
    assert (kept["valid"], kept["tx_id"]) == (True, old)
    assert hansa(capsys, "audit", "--data", home.path)["audit_ok"]


def make_token(home):
    fields = {"role": Role.CENTRAL_BANK, "member": key("officer0").address_text}
    return add_key(home.api_keys_path, name="test", now_ms=wall_clock_ms(), **fields)[1]
