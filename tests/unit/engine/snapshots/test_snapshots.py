"""Snapshots: made, moved, restored; and refused for any change at all."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from tests.world import MINUTE_MS, World, key, make_genesis, pay

from hansa.contracts.registry import Registry
from hansa.engine.chain import INDEX_SPACE, NODE_SPACE, ROW_SPACE, Chain
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.beginning import build_base, find_base
from hansa.engine.snapshots.building import PLACE_SPACE
from hansa.engine.snapshots.format import (
    CHUNK_BYTES,
    Manifest,
    compute_sum,
    cut,
    decode_manifest,
    encode_frame,
)
from hansa.engine.snapshots.making import make_snapshot
from hansa.engine.snapshots.restoring import Restorer, clear_joining
from hansa.engine.snapshots.shelf import ROOM_FACTOR, Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore, StateStore
from hansa.kernel.block import ENTRIES_MAX, Drop, Repeated, decode_record, decode_record_strictly
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, NotFound
from hansa.kernel.genesis import Network
from hansa.node.home import KeySealer

NETWORK = Network.of(make_genesis())


@dataclass
class Made:
    """A chain, the snapshot of its newest block, and an envelope that must not count again."""

    world: World
    shelf: Shelf
    manifest: Manifest
    late: bytes

    @property
    def chunks(self) -> list[bytes]:
        return list(self.shelf.iterate_chunks(self.manifest))


def open_chain(log, store) -> World:
    chain = Chain.open(log, store, NETWORK, Registry(NETWORK.genesis), KeySealer(key("sealer")))
    return World(chain, chain.head.time_ms + 1_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    world = open_chain(BlockLog.open(FileStorage(folder / "log")), MemoryStore())
    world.fund("ann", "shop")
    for number in range(20):
        world.time_ms += MINUTE_MS
        world.do("ann", pay("ann", "shop", 5, f"r{number}"))
    world.do("ann", pay("ann", "shop", 10**9, "refused"))
    world.do("ann", pay("ann", "shop", 0, "dropped"))
    late = world.sign([key("ann")], pay("ann", "shop", 7, "late"), until_ms=world.time_ms + 90_000)
    world.time_ms += 1_000
    world.send(late)
    shelf = Shelf(FileStorage(folder / "snapshots"))
    chain = world.chain
    manifest = make_snapshot(shelf, chain.log, chain.head.height, chain.iterate_rows(b""))
    yield Made(world, shelf, manifest, late)
    chain.close()


def restore(folder, manifest, chunks):
    """Restore as a node that joins does; returns the world that opens."""
    restorer = Restorer(Shelf(FileStorage(folder / "snapshots")), NETWORK, empty(folder))
    restorer.offer(manifest.encoded())
    for number, chunk in enumerate(chunks):
        assert restorer.apply(number, chunk)
    return open_chain(*restorer.finish())


def empty(folder):
    def open_empty():
        BlockLog.wipe(FileStorage(folder / "log"))
        return BlockLog.open(FileStorage(folder / "log")), MemoryStore()

    return open_empty


def test_a_node_that_joins_goes_on_as_the_others_do(made, tmp_path):
    joined = restore(tmp_path, made.manifest, made.chunks)
    ours, theirs = joined.chain, made.world.chain
    assert ours.head == theirs.head
    assert 0 < ours.log.height_min == made.manifest.first_height
    for space in (ROW_SPACE, NODE_SPACE):
        found = dict(ours.store.iterate_prefix(space))
        assert found == dict(theirs.store.iterate_prefix(space))
    assert not list(ours.store.iterate_prefix(PLACE_SPACE))
    for tx_id, position in ours.store.iterate_prefix(INDEX_SPACE):
        assert theirs.find_position(tx_id[1:]) == ours.find_position(tx_id[1:]), position
    assert isinstance(joined.send(made.late)[0], Repeated)
    assert joined.do("ann", pay("ann", "shop", 5, "after")) == ""
    assert joined.balance("ann") == (99_888, 0)
    with pytest.raises(NotFound, match="not kept here"):
        ours.get_record(1)
    ours.close()


def test_a_joined_node_opens_again_and_makes_the_same_snapshot(made, tmp_path):
    restore(tmp_path, made.manifest, made.chunks).chain.close()
    shelf = Shelf(FileStorage(tmp_path / "snapshots"))
    assert shelf.list() == [made.manifest]
    assert not shelf.is_joining
    store = StateStore.open(tmp_path / "store")
    base = find_base(shelf, made.manifest.first_height)
    build_base(shelf, base, NETWORK, store)
    store.close()
    store = StateStore.open(tmp_path / "store")
    joined = open_chain(BlockLog.open(FileStorage(tmp_path / "log")), store)
    other = Shelf(FileStorage(tmp_path / "other"))
    chain = joined.chain
    again = make_snapshot(other, chain.log, chain.head.height, chain.iterate_rows(b""))
    assert again == made.manifest
    assert list(other.iterate_chunks(again)) == made.chunks
    chain.close()


def test_chunks_have_one_size_but_for_the_last():
    frames = [(b"%d" % number, bytes(number)) for number in range(100)]
    stream = b"".join(map(encode_frame, frames))
    for size in (1, 7, 4_096, len(stream) - 1, len(stream)):
        chunks = list(cut(frames, size))
        assert b"".join(chunks) == stream
        assert {len(chunk) for chunk in chunks[:-1]} <= {size}
        assert 0 < len(chunks[-1]) <= size


def recut(made, frames):
    """Make the chunks and the manifest of other frames under the same header."""
    chunks = list(cut(frames, 700))
    return replace(made.manifest, chunks=tuple(map(compute_sum, chunks))), chunks


def list_frames(made):
    from hansa.engine.snapshots.format import FrameReader  # noqa: PLC0415 - only here

    reader = FrameReader()
    return [frame for chunk in made.chunks for frame in reader.feed(chunk)]


def is_refused(made, folder, frames):
    manifest, chunks = recut(made, frames)
    try:
        restore(folder, manifest, chunks)
    except Invalid:
        return True
    return False


class SmallDisk(FileStorage):
    """A disk with room for all but a byte of what one chunk may take."""

    def free_bytes(self):
        return ROOM_FACTOR * CHUNK_BYTES - 1


def test_a_snapshot_that_the_disk_may_have_no_room_for_is_not_begun(made, tmp_path):
    storage = SmallDisk(tmp_path / "snapshots")
    with pytest.raises(Invalid, match=r"6,291,456 bytes of disk, and 6,291,455 are free"):
        Restorer(Shelf(storage), NETWORK, empty(tmp_path)).offer(made.manifest.encoded())
    assert storage.list() == []


def test_a_block_that_lists_more_than_can_be_told_apart_is_refused_unread(made, tmp_path):
    frames = list_frames(made)
    many = (b"",) * (ENTRIES_MAX + 1)
    for name in ("batches", "receipts"):
        raw = encode(replace(decode_record(frames[2][1]), **{name: many}))
        with pytest.raises(Invalid, match="length <= 1048576"):
            decode_record_strictly(raw)


def test_the_same_frames_cut_otherwise_are_the_same_state(made, tmp_path):
    assert not is_refused(made, tmp_path, list_frames(made))


def test_a_chunk_that_was_changed_is_asked_for_again(made, tmp_path):
    restorer = Restorer(Shelf(FileStorage(tmp_path / "snapshots")), NETWORK, empty(tmp_path))
    restorer.offer(made.manifest.encoded())
    (chunk,) = made.chunks
    for at in range(0, len(chunk), 97):
        assert not restorer.apply(0, chunk[:at] + bytes([chunk[at] ^ 1]) + chunk[at + 1 :])
    assert not restorer.apply(0, chunk[:-1])
    assert restorer.apply(0, chunk)
    restorer.finish()[0].close()


def test_rows_that_the_state_root_does_not_prove_are_refused(made, tmp_path):
    """Whoever offers a snapshot names the sums of its chunks, too: those alone prove nothing."""
    frames = list_frames(made)
    rows = [at for at, frame in enumerate(frames) if frame[0]]
    for number, at in enumerate(rows):
        name, value = frames[at]
        flipped = bytes([value[0] ^ 1]) + value[1:] if number % 2 else value[:-1]
        folder = tmp_path / str(number)
        assert is_refused(made, folder, [*frames[:at], (name, flipped), *frames[at + 1 :]])
    missing, swapped = frames[: rows[3]] + frames[rows[4] :], frames.copy()
    swapped[rows[1]], swapped[rows[2]] = swapped[rows[2]], swapped[rows[1]]
    added = [*frames, (b"zz\x01", b"\x90")]
    for number, each in enumerate((missing, swapped, added, frames[:-1], [*frames, frames[-1]])):
        assert is_refused(made, tmp_path / f"other{number}", each)


def change(frames, at, **fields):
    record = replace(decode_record(frames[at][1]), **fields)
    return [*frames[:at], (b"", record.encoded()), *frames[at + 1 :]]


def test_blocks_that_the_headers_do_not_prove_are_refused(made, tmp_path):
    frames = list_frames(made)
    blocks = [at for at, frame in enumerate(frames) if not frame[0]]
    last = blocks[-1]
    records = [decode_record(frames[at][1]) for at in blocks]
    dropping = next(at for at, record in zip(blocks, records, strict=True) if record.dropped)
    dropped = decode_record(frames[dropping][1]).dropped
    other = records[2]
    added = made.world.batch(made.world.sign([key("ann")], pay("ann", "bob", 1, "in no block")))
    drop = Drop(len(other.batches), 0, "EXPIRED", "")
    changes = [
        frames[1:],  # too short a window
        frames[:3] + frames[4:],
        [frames[1], frames[0], *frames[2:]],
        frames[: blocks[-1]] + frames[blocks[-1] + 1 :],
        [*frames[blocks[-1] + 1 :], *frames[: blocks[-1] + 1]],  # rows first
        [*frames, frames[0]],
        [*frames[: last + 1], frames[last], *frames[last + 1 :]],
        [(b"", b"\x90"), *frames[1:]],
        [(b"", frames[0][1] + b"\x00"), *frames[1:]],
        change(frames, 2, receipts=other.receipts[:-1]),
        change(frames, 2, receipts=(*other.receipts, *other.receipts)),
        change(frames, 2, batches=()),
        change(frames, 2, batches=records[3].batches),
        change(frames, 2, batches=(b"\x92\xc4\x00", *other.batches[1:])),
        change(frames, 2, batches=(*other.batches, added), dropped=(*other.dropped, drop)),
        change(frames, 2, signatures=()),
        change(frames, 2, signatures=records[3].signatures),
        change(frames, 2, consensus_height=1),
        change(frames, 2, facts=((0, (("amount", 5),)),)),
        change(frames, 2, dropped=dropped),
        change(frames, dropping, dropped=()),
        change(frames, dropping, dropped=(replace(dropped[0], message="lies"),)),
        change(frames, dropping, dropped=(replace(dropped[0], batch=9),)),
        change(frames, last, header=replace(made.manifest.head, time_ms=1).encoded()),
    ]
    for number, each in enumerate(changes):
        assert is_refused(made, tmp_path / str(number), each), number


def test_a_manifest_of_another_header_is_refused(made, tmp_path):
    restorer = Restorer(Shelf(FileStorage(tmp_path / "snapshots")), NETWORK, empty(tmp_path))
    manifest, head = made.manifest, made.manifest.head
    header_hash = NETWORK.digest(NETWORK.header_prefix + manifest.header)
    other = replace(head, state_root=bytes(32)).encoded()
    wrong = [
        replace(manifest, header=other),
        replace(manifest, seals=()),
        replace(manifest, version=2),
        replace(manifest, chunks=()),
        replace(manifest, first_height=10**6),
        replace(manifest, header=replace(head, checkpoint_height=3).encoded()),
        replace(manifest, header=b"\x90"),
    ]
    for each in wrong:
        with pytest.raises(Invalid):
            restorer.offer(each.encoded())
    for raw in (b"", manifest.encoded() + b"\x00", encode([1, 2, 3]), bytes(4 << 20)):
        with pytest.raises(Invalid):
            restorer.offer(raw)
    with pytest.raises(Invalid, match="not the trusted one"):
        restorer.offer(manifest.encoded(), bytes(32))
    assert restorer.offer(manifest.encoded(), header_hash) == manifest
    restorer.close()


def test_chunks_out_of_turn_are_refused(made, tmp_path):
    restorer = Restorer(Shelf(FileStorage(tmp_path / "snapshots")), NETWORK, empty(tmp_path))
    with pytest.raises(Invalid, match="none was offered"):
        restorer.apply(0, b"")
    manifest, chunks = recut(made, list_frames(made))
    restorer.offer(manifest.encoded())
    with pytest.raises(Invalid, match="out of turn"):
        restorer.apply(1, chunks[1])
    assert restorer.apply(0, chunks[0])
    with pytest.raises(Invalid, match="more chunks"):
        restorer.finish()
    restorer.close()


def test_what_was_left_half_joined_is_thrown_away(made, tmp_path):
    shelf = Shelf(FileStorage(tmp_path / "snapshots"))
    restorer = Restorer(shelf, NETWORK, empty(tmp_path))
    manifest, chunks = recut(made, list_frames(made))
    restorer.offer(manifest.encoded())
    for number, chunk in enumerate(chunks[:-1]):
        restorer.apply(number, chunk)
    restorer.close()
    assert shelf.is_joining
    wiped = []
    assert clear_joining(shelf, FileStorage(tmp_path / "log"), lambda: wiped.append(1))
    assert wiped
    assert not list((tmp_path / "snapshots").iterdir())
    assert BlockLog.open(FileStorage(tmp_path / "log")).height_max == -1
    assert not clear_joining(shelf, FileStorage(tmp_path / "log"), wiped.clear)


def test_a_kept_snapshot_that_is_damaged_is_corrupt(made, tmp_path):
    shelf = Shelf(FileStorage(tmp_path))
    shelf.put_chunk(made.manifest.height, 0, made.chunks[0][:-1])
    shelf.put_manifest(made.manifest)
    with pytest.raises(Corrupt, match="chunk 0 of the snapshot"):
        build_base(shelf, made.manifest, NETWORK, MemoryStore())
    (tmp_path / next(tmp_path.glob("*.manifest")).name).write_bytes(b"\x90")
    with pytest.raises(Corrupt, match=r"manifest .* is damaged"):
        shelf.list()
    with pytest.raises(NotFound):
        shelf.find(5)


def test_dropping_a_snapshot_leaves_the_others(made, tmp_path):
    shelf = Shelf(FileStorage(tmp_path))
    for number in range(3):
        shelf.put_chunk(number, 0, b"x")
    shelf.put_chunk(made.manifest.height, 0, made.chunks[0])
    shelf.put_manifest(made.manifest)
    shelf.clear()
    assert len(list(tmp_path.iterdir())) == 2
    assert decode_manifest(shelf.list()[0].encoded()) == made.manifest
    shelf.drop(made.manifest.height)
    assert not list(tmp_path.iterdir())
    with pytest.raises(Corrupt, match="no snapshot is kept"):
        find_base(shelf, 5)


def test_a_snapshot_needs_the_blocks_of_its_window(made, tmp_path):
    log = BlockLog.open(FileStorage(tmp_path / "log"))
    chain = made.world.chain
    for height, raw in chain.log.iterate(chain.head.height - 3):
        log.append(height, raw)
    with pytest.raises(NotFound, match="no snapshot of block"):
        make_snapshot(Shelf(FileStorage(tmp_path / "s")), log, chain.head.height, iter(()))
    log.close()
