"""The power fails at every operation of making a snapshot and of joining from one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.simulation.disk import PowerCutError, SimulatedDisk
from tests.world import MINUTE_MS, World, make_genesis, open_world, pay

from hansa.engine.log import BlockLog
from hansa.engine.snapshots.beginning import build_base, find_base
from hansa.engine.snapshots.format import Manifest, compute_sum
from hansa.engine.snapshots.making import make_snapshot
from hansa.engine.snapshots.restoring import Restorer, clear_joining
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.store import MemoryStore
from hansa.kernel.genesis import Network

pytestmark = pytest.mark.simulation

NETWORK = Network.of(make_genesis())
PIECES = 6


@pytest.fixture(scope="module")
def world():
    world = open_world(SimulatedDisk(0), make_genesis())
    world.fund("ann", "shop")
    for number in range(20):
        world.time_ms += MINUTE_MS
        world.do("ann", pay("ann", "shop", 5, f"r{number}"))
    return world


def make(world: World, disk: SimulatedDisk) -> Manifest:
    chain = world.chain
    return make_snapshot(Shelf(disk), chain.log, chain.head.height, chain.iterate_rows(b""))


def each_crash(act: Callable[[SimulatedDisk], object], check: Callable[[SimulatedDisk], None]):
    """Let the power fail at each operation of an act, by several seeds; returns how often."""
    whole = SimulatedDisk(1)
    act(whole)
    for seed in range(5):
        for point in range(len(whole.operations)):
            disk = SimulatedDisk(seed * 1_009 + point, crash_at=point)
            try:
                act(disk)
            except PowerCutError:
                disk.reboot()
            try:
                check(disk)
            except Exception as error:
                raise AssertionError(f"seed {seed}, point {point}: {error!r}") from error
    return 5 * len(whole.operations)


def test_a_snapshot_is_there_whole_or_not_at_all(world):
    found = set()

    def check(disk: SimulatedDisk) -> None:
        shelf = Shelf(disk)
        shelf.clear()
        for manifest in shelf.list():
            build_base(shelf, manifest, NETWORK, MemoryStore())
        found.add(len(shelf.list()))
        assert make(world, disk) in shelf.list()
        shelf.drop_all()
        assert disk.list() == []

    assert each_crash(lambda disk: make(world, disk), check) > 30
    assert found == {0, 1}


class Node:
    """A node that joins: log and snapshots on disks of their own that lose power together."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.disk = disk
        self.shelf = Shelf(disk)
        self.store = MemoryStore()

    def wipe_store(self) -> None:
        self.store = MemoryStore()

    def open_empty(self) -> tuple[BlockLog, MemoryStore]:
        BlockLog.wipe(self.disk)
        self.wipe_store()
        return BlockLog.open(self.disk), self.store

    def join(self, manifest: Manifest, chunks: list[bytes]) -> None:
        restorer = Restorer(self.shelf, NETWORK, self.open_empty)
        restorer.offer(manifest.encoded())
        for number, chunk in enumerate(chunks):
            assert restorer.apply(number, chunk)
        log, _ = restorer.finish()
        log.close()


def list_pieces(world: World) -> tuple[Manifest, list[bytes]]:
    """The snapshot in several chunks."""
    disk = SimulatedDisk(0)
    manifest = make(world, disk)
    stream = b"".join(Shelf(disk).iterate_chunks(manifest))
    size = len(stream) // PIECES + 1
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    sums = tuple(map(compute_sum, chunks))
    return Manifest(1, 0, manifest.header, manifest.seals, manifest.first_height, sums), chunks


def test_a_node_that_dies_while_it_joins_has_joined_or_begins_anew(world):
    manifest, chunks = list_pieces(world)
    ends = set()

    def check(disk: SimulatedDisk) -> None:
        node = Node(disk)
        clear_joining(node.shelf, disk, node.wipe_store)
        log = BlockLog.open(disk)
        ends.add(log.height_max)
        if log.height_max >= 0:
            assert (log.height_min, log.height_max) == (manifest.first_height, manifest.height)
            base = find_base(node.shelf, log.height_min)
            build_base(node.shelf, base, NETWORK, MemoryStore())
            log.close()
            return
        assert node.shelf.list() == []
        log.close()
        node.join(manifest, chunks)

    assert each_crash(lambda disk: Node(disk).join(manifest, chunks), check) > 200
    assert ends == {-1, manifest.height}


def test_a_mark_that_is_not_kept_is_noticed(world):
    """The planted bug: half of the blocks look like a log."""
    manifest, chunks = list_pieces(world)

    class Forgetful(Shelf):
        def begin_joining(self, manifest: Manifest) -> None:
            pass

    def join(disk: SimulatedDisk) -> None:
        node = Node(disk)
        node.shelf = Forgetful(disk)
        node.join(manifest, chunks)

    def check(disk: SimulatedDisk) -> None:
        node = Node(disk)
        clear_joining(node.shelf, disk, node.wipe_store)
        log = BlockLog.open(disk)
        if log.height_max >= 0:
            find_base(node.shelf, log.height_min)
        log.close()

    with pytest.raises(AssertionError, match="no snapshot is kept"):
        each_crash(join, check)
