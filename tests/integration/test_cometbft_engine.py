"""Four validators with real CometBFTs: one order, one state, nothing lost."""

import asyncio
import os
import shutil
import signal
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from tests.voted import make_network, open_signer
from tests.world import ASSET, key, pay

from hansa.contracts import currency, payments, wallets
from hansa.contracts.nodes import Publish
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.home import CometKey
from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.block import decode_header, decode_receipt
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.kernel.transaction import build_checked, check_batch
from hansa.node.network.renewal import prove_keys

pytestmark = pytest.mark.integration

WITHIN_S = 120


@asynccontextmanager
async def running(nodes):
    """Run these nodes' engines."""
    engines = [node.build_engine() for node in nodes]
    try:
        for engine in engines:
            engine.start()
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*(engine.ready() for engine in engines))
        yield engines
    finally:
        for engine in engines:
            await engine.stop()
            engine.chain.close()


async def send(engine, raw):
    """Have a batch ordered; returns its items' errors or receipts' codes."""
    async with asyncio.timeout(WITHIN_S):
        answers = await engine.submit(raw)
    return [str(answer.error or decode_receipt(answer.receipt).code) for answer in answers]


async def reach(engine, height):
    """Wait until a node has confirmed a block."""
    reached = asyncio.Event()
    if engine.chain.confirmed_height >= height:
        return
    engine.listen(lambda result: reached.set() if result.header.height >= height else None)
    async with asyncio.timeout(WITHIN_S):
        await reached.wait()


def fund(world, count):
    """Batches that issue money and open wallets."""
    north = key("north").address
    issue = world.sign(
        [key("officer0")],
        currency.SetQuota(north, ASSET, 10**12),
        currency.Issue(north, ASSET, 10**9),
    )
    opened = []
    for number in range(count):
        wallet = key(f"p{number}").address
        opened.append(
            world.sign(
                [key("north")],
                wallets.Open(wallet, north, wallets.Category(1)),
                payments.CashIn(north, wallet, ASSET, 100_000, f"in-{number}"),
            )
        )
    return [world.batch(issue, sponsor="officer0"), world.batch(*opened)]


def execute_embedded(network, records, folder):
    """Execute a chain's blocks anew, without CometBFT; returns headers, receipts and drops."""
    chain = Chain.open(
        BlockLog.open(FileStorage(folder)),
        MemoryStore(),
        network,
        Registry(network.genesis),
        NobodySeals(),
    )
    for record in records[1:]:
        checked = [
            build_checked(raw, check_batch(raw, network, verify_many), network)
            for raw in record.batches
        ]
        *_, result = chain.execute_stepwise(decode_header(record.header).time_ms, checked)
        chain.append(result, checked)
    chain.sync()
    return [(record.header, record.receipts, record.dropped) for record in list_records(chain)]


def flip(envelope):
    """Break an envelope's signature."""
    return envelope[:-1] + bytes([envelope[-1] ^ 1])


async def pay_round(engine, world, number, count=10):
    """Have each of `count` people pay the next; returns codes."""
    paid = [
        world.sign([key(f"p{n}")], pay(f"p{n}", f"p{(n + 1) % count}", 1, f"r{number}-{n}"))
        for n in range(count)
    ]
    return await send(engine, world.batch(*paid))


def publish_another_key(world, node):
    """Publish another consensus key for the last member's node, so that validators change."""
    member, new_key = key("department0"), CometKey.generate()
    peer = node.home.load_node_key().address
    proofs = prove_keys(node.network, member.address, new_key)
    command = Publish(member.address, new_key.public_key, (peer,), b"", "", proofs)
    return world.batch(world.sign([member], command))


def list_records(chain):
    """List all of a chain's block records."""
    return [chain.get_record(height) for height in range(chain.confirmed_height + 1)]


async def play_and_stop(nodes):
    """Fund people, pay through another node than the first, and stop once all have it."""
    async with running(nodes) as engines:
        world = open_signer(engines[0].chain)
        for raw in fund(world, 10):
            assert set(await send(engines[0], raw)) == {""}
        assert set(await pay_round(engines[1], world, 0)) == {""}
        height = engines[1].chain.confirmed_height
        for engine in engines:
            await reach(engine, height)
        return [list_records(engine.chain) for engine in engines]


async def go_on(nodes):
    """Start them again, pay, and send what cannot be taken; returns what all have."""
    async with running(nodes) as engines:
        world = open_signer(engines[2].chain)
        world.nonces = 1_000
        assert set(await pay_round(engines[2], world, 1)) == {""}
        await send_what_cannot_be_taken(engines, world)
        height = max(engine.chain.confirmed_height for engine in engines)
        for engine in engines:
            await reach(engine, height)
        return [list_records(engine.chain) for engine in engines]


async def send_what_cannot_be_taken(engines, world):
    """Send what is refused, and harms nobody else; and one batch to two nodes."""
    payment = world.sign([key("p0")], pay("p0", "p1", 1, "brought by nobody"))
    with pytest.raises(Invalid, match="no active member"):
        await send(engines[0], world.batch(payment, sponsor="p0"))
    good = world.sign([key("p0")], pay("p0", "p1", 1, "good"))
    bad = flip(world.sign([key("p1")], pay("p1", "p2", 1, "bad")))
    poor = world.sign([key("p2")], pay("p2", "p3", 10**9, "poor"))
    codes = await send(engines[0], world.batch(good, bad, poor))
    assert codes[0] == ""
    assert "does not verify" in codes[1]
    assert codes[2] == "balances.INSUFFICIENT_FUNDS"
    raw = world.batch(world.sign([key("p3")], pay("p3", "p4", 1, "twice")))
    assert await asyncio.gather(send(engines[0], raw), send(engines[1], raw)) == [[""], [""]]
    await overfill(engines, world)


async def overfill(engines, world):
    """Send more at once than a sponsor's quota has room for, each batch alone within it.

    Five of nine are taken, and more only if a day of the ledger ends between two blocks.
    """
    signed = [world.sign([key(f"p{n}")], pay(f"p{n}", "p9", 1, "many")) for n in range(9)]
    batches = [world.batch(each, sponsor="department0") for each in signed]
    async with asyncio.timeout(WITHIN_S):
        sent = [engines[at % 4].submit(raw) for at, raw in enumerate(batches)]
        found = await asyncio.gather(*sent, return_exceptions=True)
    refused = [each.code for each in found if isinstance(each, Invalid)]
    assert set(refused) <= {InvalidCode.QUOTA}
    taken = Counter[int]()
    for at, each in enumerate(found):
        if not isinstance(each, Invalid):
            (answer,) = each
            assert decode_receipt(answer.receipt).code == ""
            taken[engines[at % 4].chain.get_header(answer.height).time_ms // DAY_MS] += 1
    assert len(refused) + taken.total() == len(batches)
    assert max(taken.values()) == 5


def test_four_nodes_make_the_same_blocks_and_go_on_where_they_stood(cometbft, tmp_path):
    quota = {f"sponsor.quota.{key('department0').address.hex()}": (10**6, 5, 10, 10**3)}
    nodes = make_network(tmp_path, policy=quota)
    before, *others = asyncio.run(play_and_stop(nodes))
    assert others == [before] * 3
    # On a slow machine a quiet second between two rounds has a checkpoint's block of its own.
    assert len([record for record in before if record.receipts]) == 3
    heights = [record.consensus_height for record in before]
    assert heights[0] == 0
    assert heights == sorted(set(heights))
    log, *others = asyncio.run(go_on(nodes))
    assert others == [log] * 3
    assert log[: len(before)] == before
    assert len(log) > len(before)
    assert execute_embedded(nodes[0].network, log, tmp_path / "again") == [
        (record.header, record.receipts, record.dropped) for record in log
    ]


async def lose_cometbfts_process_and_data(nodes):
    """Run a network whose validators change, take one node's CometBFT away, and start it again."""
    async with running(nodes) as engines:
        world = open_signer(engines[0].chain)
        for raw in fund(world, 10):
            await send(engines[0], raw)
        assert await send(engines[0], publish_another_key(world, nodes[3])) == [""]
        for number in range(3):
            assert set(await pay_round(engines[1], world, number)) == {""}
        height = engines[1].chain.confirmed_height
        for engine in engines:
            await reach(engine, height)
        os.kill(engines[3].child_pid, signal.SIGKILL)
        with pytest.raises(Unavailable, match="CometBFT ended by signal 9, and the node with it"):
            await engines[3].wait()
        with pytest.raises(Unavailable, match="the engine has stopped"):
            await engines[3].submit(world.batch(world.sign([key("p0")], pay("p0", "p1", 1, "x"))))
        before = list_records(engines[3].chain)
        engines[3].chain.close(is_failed=True)
        forget_data(nodes[3].home)
        engines[3] = nodes[3].build_engine()
        assert nodes[3].home.repeating_path.exists()
        engines[3].start()
        assert set(await pay_round(engines[0], world, 3)) == {""}
        for engine in engines:
            await reach(engine, height + 1)
        assert not nodes[3].home.repeating_path.exists()
        return before, [list_records(engine.chain) for engine in engines]


def forget_data(home):
    """Take CometBFT's blocks away; what was signed must stay."""
    signed = home.signing_state_path.read_bytes()
    shutil.rmtree(home.path / "data")
    home.make_folders()
    home.signing_state_path.write_bytes(signed)


def test_a_node_whose_cometbft_was_killed_and_lost_its_data_fetches_it(cometbft, tmp_path):
    before, logs = asyncio.run(lose_cometbfts_process_and_data(make_network(tmp_path)))
    told = [record.validator_updates for record in before if record.validator_updates]
    assert [sorted(power for _, power in updates) for updates in told] == [[0, 10]]
    assert logs[3][: len(before)] == before
    common = min(map(len, logs))  # some have closed the quiet after the last payments already
    assert max(map(len, logs)) <= common + 1
    assert all(log[:common] == logs[0][:common] for log in logs)


async def join_as_a_new_peer(nodes):
    """Run the last node under keys that nobody knows, and publish them while it runs."""
    home = nodes[3].home
    for path in (home.node_key_path, home.consensus_key_path, home.signing_state_path):
        path.unlink()
    home.create_keys(CometKey.generate(), CometKey.generate())
    async with running(nodes) as engines:
        world = open_signer(engines[0].chain)
        for raw in fund(world, 10):
            assert set(await send(engines[0], raw)) == {""}
        alone = engines[3].chain.confirmed_height
        peer, consensus = home.load_node_key(), home.load_consensus_key()
        member = key("department0")
        fields = (member.address, consensus.public_key, (peer.address,), b"", "")
        command = Publish(*fields, prove_keys(nodes[3].network, member.address, consensus, peer))
        assert await send(engines[0], world.batch(world.sign([member], command))) == [""]
        await reach(engines[3], engines[0].chain.confirmed_height)
        return alone


def test_a_new_peer_is_let_in_once_it_is_published_without_a_start(cometbft, tmp_path):
    assert asyncio.run(join_as_a_new_peer(make_network(tmp_path))) == 0
