"""What a node keeps of its past while blocks come."""

from __future__ import annotations

import pytest
from tests.world import MINUTE_MS, World, key, make_genesis, pay

from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain
from hansa.engine.log import BlockLog, BlockReader
from hansa.engine.snapshots.beginning import build_base, find_base
from hansa.engine.snapshots.keeping import Keeper, Retention
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.block import read_tx_id
from hansa.kernel.errors import NotFound
from hansa.kernel.genesis import Network
from hansa.node.home import KeySealer

NETWORK = Network.of(make_genesis())
SEGMENT_BYTES = 3_000


class FlushingChain(Chain):
    flush_transactions = 2


class Node:
    """A chain with a keeper, and a clock that goes on by minutes."""

    def __init__(self, folder, retention: Retention, store=None) -> None:
        log = BlockLog.open(FileStorage(folder / "log"), segment_bytes=SEGMENT_BYTES)
        sealer = KeySealer(key("sealer"))
        self.folder = folder
        self.chain = FlushingChain.open(
            log, store or MemoryStore(), NETWORK, Registry(NETWORK.genesis), sealer
        )
        self.keeper = Keeper(
            self.chain, Shelf(FileStorage(folder / "snapshots")), self.open_log, retention, 0
        )
        self.world = World(self.chain, self.chain.head.time_ms + 1_000)

    def open_log(self) -> BlockReader:
        return BlockReader.open(FileStorage(self.folder / "log", read_only=True))

    def fund(self) -> None:
        self.world.fund("ann", "shop")

    def live(self, blocks: int, step_ms: int = MINUTE_MS) -> None:
        world = self.world
        for _ in range(blocks):
            world.time_ms += step_ms
            envelope = world.sign([key("ann")], pay("ann", "shop", 1, f"p{world.nonces}"))
            assert world.send(envelope)[0].code == ""
            self.keeper.note(world.results[-1])
            self.keeper.finish()

    def close(self) -> None:
        self.keeper.close()
        self.chain.close()


def list_heights(node: Node) -> list[int]:
    return [manifest.height for manifest in node.keeper.shelf.list()]


def test_snapshots_are_made_at_the_first_checkpoint_behind_each_multiple(tmp_path):
    node = Node(tmp_path, Retention(snapshot_every=10, snapshots=2, blocks=0))
    node.fund()
    node.live(20)
    assert list_heights(node) == [10, 20]
    node.live(6, step_ms=200)  # checkpoints are a second apart
    node.live(30)
    assert list_heights(node) == [40, 50]
    assert node.chain.log.height_min == 0
    assert node.keeper.compute_retain_height(10**9) == 0
    node.close()


def test_a_snapshot_waits_for_a_checkpoint(tmp_path):
    node = Node(tmp_path, Retention(snapshot_every=10, snapshots=2, blocks=0))
    node.fund()
    node.live(5)
    node.live(9, step_ms=300)
    (height,) = list_heights(node)
    assert 10 < height < 14
    assert node.chain.get_header(height).checkpoint_height == height
    node.close()


def test_old_blocks_go_and_the_base_stays(tmp_path):
    node = Node(tmp_path, Retention(snapshot_every=10, snapshots=2, blocks=5))
    node.fund()
    first_tx = node.world.results[-1].tx_ids[0]
    node.live(80)
    log, (base, newest) = node.chain.log, node.keeper.shelf.list()
    assert 0 < log.height_min <= base.first_height < base.height < newest.height
    assert log.height_min >= base.first_height - 12  # a segment or two
    with pytest.raises(NotFound, match="not kept here"):
        node.chain.get_record(5)
    with pytest.raises(NotFound, match="no transaction with this id"):
        node.chain.find_position(first_tx)
    kept = node.world.results[-10]
    assert node.chain.find_position(kept.tx_ids[0]) == (kept.header.height, 0)
    balance = node.world.balance("ann")
    node.close()
    assert len(list((tmp_path / "log").glob("blocks-*"))) < 12
    store = MemoryStore()
    shelf = Shelf(FileStorage(tmp_path / "snapshots"))
    build_base(shelf, find_base(shelf, 30, newest=True), NETWORK, store)
    again = Node(tmp_path, Retention(10, 2, 5), store)
    assert again.world.balance("ann") == balance
    again.world.nonces = 10_000
    again.live(3)
    again.close()


def test_of_a_quiet_network_the_newest_blocks_of_cometbft_are_kept(tmp_path):
    node = Node(tmp_path, Retention(10, 2, 5, consensus_blocks=1_000))
    node.fund()
    node.live(3)
    assert node.keeper.compute_retain_height(10**6) == 0, "without a snapshot nobody could join"
    node.live(40)
    assert node.keeper.compute_retain_height(900) == 0
    assert node.keeper.compute_retain_height(1_500) == 500
    node.close()


def test_a_node_of_few_transactions_prunes_too(tmp_path):
    node = Node(tmp_path, Retention(snapshot_every=10, snapshots=2, blocks=5))
    node.chain.flush_transactions = 10**6
    node.fund()
    node.live(120)
    assert node.chain.log.height_min > 20
    node.close()


def test_a_node_that_was_stopped_while_it_forgot_says_so_of_what_it_forgot(tmp_path):
    store = MemoryStore()
    node = Node(tmp_path, Retention(snapshot_every=10, snapshots=2, blocks=5), store)
    node.fund()
    first_tx = node.world.results[-1].tx_ids[0]
    while not node.chain.indexed_from:
        node.live(1)
    end = node.chain.indexed_from
    node.world.time_ms += MINUTE_MS
    node.world.send(node.world.sign([key("ann")], pay("ann", "shop", 1, "checkpoint")))
    node.close()
    again = Node(tmp_path, Retention(0, 2, 0), store)
    assert again.chain.log.height_min == 0
    with pytest.raises(NotFound, match=f"kept here, the oldest of which is {end}; ask a node"):
        again.chain.find_position(first_tx)
    kept = again.chain.get_record(end).receipts[0]
    assert again.chain.find_position(read_tx_id(kept)) == (end, 0)
    again.close()


def test_nothing_is_pruned_without_a_base(tmp_path):
    node = Node(tmp_path, Retention(snapshot_every=0, snapshots=2, blocks=5))
    node.fund()
    node.live(60)
    assert node.chain.log.height_min == 0
    node.close()


def test_the_replay_window_is_never_pruned(tmp_path):
    node = Node(tmp_path, Retention(snapshot_every=10, snapshots=1, blocks=1))
    node.fund()
    node.live(100, step_ms=2_000)
    assert len(node.keeper.shelf.list()) == 1
    assert node.chain.log.height_min == 0  # all of it is younger than fifteen minutes
    node.close()


def test_a_snapshot_that_cannot_be_made_is_told_and_the_node_goes_on(tmp_path, caplog):
    node = Node(tmp_path, Retention(snapshot_every=10, snapshots=2, blocks=0))
    node.fund()
    node.live(3)
    (tmp_path / "snapshots").rmdir()
    node.live(10)
    assert "does not exist" in node.keeper.problem
    assert "no snapshot of block 10" in caplog.text
    (tmp_path / "snapshots").mkdir()
    node.live(10)
    assert node.keeper.problem == ""
    assert list_heights(node) == [20]
    node.close()
