"""A fifth node joins four others from a snapshot, and executes nothing of what came before it."""

import asyncio
from dataclasses import replace

import pytest
from tests.integration.test_cometbft_engine import fund, pay_round, reach, running, send
from tests.voted import WEIGHT, VotedNode, find_ports, make_network, open_signer
from tests.world import START_MS

from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.configuration import (
    Configuration,
    StateSync,
    Validator,
    write_configuration,
    write_genesis,
)
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.joining import join
from hansa.engine.snapshots.keeping import Retention
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.storage import FileStorage
from hansa.engine.store import StateStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.light.trail import compute_chain_id

pytestmark = pytest.mark.integration

WITHIN_S = 90


def make_fifth(folder, nodes, node_key) -> tuple[VotedNode, Configuration]:
    """Make the folder of a node that follows, which the others know."""
    network = nodes[0].network
    home = CometHome(folder / "n4" / "cometbft")
    home.path.parent.mkdir()
    home.create_keys(node_key, CometKey.generate())
    peers = tuple(
        sorted({peer for node in nodes for peer in node.peers if not peer.endswith(":1")})
    )
    validators = [Validator(node.consensus_key, WEIGHT) for node in network.genesis.nodes]
    chain_id = compute_chain_id(network.genesis_hash)
    write_genesis(home, chain_id, START_MS, validators, network.limits.batch_bytes)
    (port,) = find_ports(1)
    configuration = Configuration(listen=f"127.0.0.1:{port}", peers=peers, heartbeat_s=1)
    return VotedNode(home, home.path.parent / "log", network, peers), configuration


async def make_snapshots(engine, node):
    """Pay until the node has made a snapshot; returns the wallets' world."""
    world = open_signer(engine.chain)
    for raw in fund(world, 10):
        await send(engine, raw)
    number = 0
    async with asyncio.timeout(WITHIN_S):
        while not node.open_shelf().list():
            assert set(await pay_round(engine, world, number)) == {""}
            number += 1
    return world


async def find_trust(engine) -> tuple[int, bytes]:
    """Ask a node that is trusted for the hash of a header."""
    answer = await engine.rpc.call("commit", height="2")
    return 2, bytes.fromhex(answer["signed_header"]["commit"]["block_id"]["hash"])


async def join_from(fifth, configuration, servers, trust):
    batch_bytes = fifth.network.limits.batch_bytes
    state_sync = StateSync(servers, *trust)
    write_configuration(fifth.home, configuration, "n4", batch_bytes, state_sync=state_sync)
    folder = fifth.log_path.parent

    def open_empty():
        BlockLog.wipe(FileStorage(fifth.log_path))
        StateStore.wipe(folder / "store")
        return BlockLog.open(FileStorage(fifth.log_path)), StateStore.open(folder / "store")

    def open_chain(log, store):
        rules = Registry(fifth.network.genesis)
        return Chain.open(log, store, fifth.network, rules, NobodySeals())

    named = {bytes.fromhex(peer.partition("@")[0]) for peer in fifth.peers}
    restorer = Restorer(fifth.open_shelf(), fifth.network, open_empty)
    verifier = InlineVerifier(fifth.network)
    async with asyncio.timeout(WITHIN_S):
        await join(fifth.home, find_binary(), restorer, open_chain, verifier, named.__contains__)
    write_configuration(fifth.home, configuration, "n4", batch_bytes)


async def play(folder):
    node_key = CometKey.generate()
    nodes = [
        replace(
            node,
            retention=Retention(5, 2, 0),
            peers=(*node.peers, f"{node_key.address.hex()}@127.0.0.1:1"),
        )
        for node in make_network(folder, heartbeat_s=1)
    ]
    async with running(nodes) as engines:
        world = await make_snapshots(engines[0], nodes[0])
        fifth, configuration = make_fifth(folder, nodes, node_key)
        servers = [f"unix://{node.home.rpc_path.absolute()}" for node in nodes[:2]]
        await join_from(fifth, configuration, servers, await find_trust(engines[0]))
        (joined,) = fifth.open_shelf().list()
        store = StateStore.open(fifth.log_path.parent / "store")
        assert store.height >= joined.height
        store.close()
        async with running([fifth]) as (engine,):
            codes = await pay_round(engines[1], world, 1_000)
            await reach(engine, engines[0].chain.confirmed_height)
            status = await engine.rpc.call("status")
            earliest = int(status["sync_info"]["earliest_block_height"])
            return codes, joined, earliest, engine.chain.head, engines[0].chain.head


def test_a_fifth_node_joins_from_a_snapshot_and_goes_on_with_the_others(cometbft, tmp_path):
    codes, joined, earliest, theirs, ours = asyncio.run(play(tmp_path))
    assert set(codes) == {""}
    assert earliest > joined.consensus_height > 1
    assert theirs.height > joined.height
    assert theirs == ours
