"""The block log on real files; crashes are in tests/simulation/test_log_crashes.py."""

from __future__ import annotations

import struct
import zlib

import pytest

from hansa.engine.log import BlockLog, BlockReader
from hansa.engine.log.format import PAYLOAD_BYTES_MAX, encode_mark, make_mark
from hansa.engine.storage import FileStorage
from hansa.kernel.errors import Corrupt, Invalid, NotFound, Unavailable


def payload(height: int) -> bytes:
    return b"%d." % height * (height % 7)


def write(folder, heights, **options):
    log = BlockLog.open(FileStorage(folder), **options)
    for height in heights:
        log.append(height, payload(height))
        log.sync()
    log.close()


def read_all(log):
    return list(log.iterate(0))


def expected(heights):
    return [(height, payload(height)) for height in heights]


def open_reader(folder):
    return BlockReader.open(FileStorage(folder, read_only=True))


def test_what_is_appended_is_read_back(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path))
    assert (log.height_max, log.confirmed_height) == (-1, -1)
    for height in range(10):
        log.append(height, payload(height))
    assert (log.height_max, log.confirmed_height) == (9, -1)
    assert log.sync() == 9
    assert log.confirmed_height == 9
    assert read_all(log) == expected(range(10))
    log.close()
    log = BlockLog.open(FileStorage(tmp_path), trusted_height=4)
    assert read_all(log) == expected(range(10))
    assert list(log.iterate(8)) == expected([8, 9])
    assert log.recovered_bytes == 0
    log.close()


def test_a_log_may_begin_at_any_height_and_then_has_no_gap(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path))
    log.append(500, b"a")
    log.append(501, b"b")
    assert (log.height_min, log.height_max) == (500, 501)
    for height in (501, 503):
        with pytest.raises(Corrupt, match="after block 501"):
            log.append(height, b"")
    with pytest.raises(NotFound, match=r"499 is not kept here.* oldest kept is 500"):
        log.read(499)
    for height in (-1, 502):
        with pytest.raises(NotFound, match="500 to 501"):
            log.read(height)
    log.close()
    assert read_all(open_reader(tmp_path)) == [(500, b"a"), (501, b"b")]


def test_a_block_over_the_limit_is_refused(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path))
    with pytest.raises(Invalid):
        log.append(0, bytes(PAYLOAD_BYTES_MAX + 1))
    log.append(0, b"")
    log.close()


@pytest.mark.parametrize("trusted_height", [None, 0, 17, 99])
@pytest.mark.parametrize("is_indexed", [True, False])
def test_many_segments_open_with_and_without_index(tmp_path, trusted_height, is_indexed):
    write(tmp_path, range(60), segment_bytes=300)
    write(tmp_path, range(60, 100), segment_bytes=300)
    names = FileStorage(tmp_path).list()
    assert "blocks-00000000000000000000.log" in names
    assert len(names) > 10
    if not is_indexed:
        (tmp_path / "blocks.idx").unlink()
    reader = open_reader(tmp_path)
    assert read_all(reader) == expected(range(100))
    log = BlockLog.open(FileStorage(tmp_path), trusted_height=trusted_height)
    assert read_all(log) == expected(range(100))
    assert (tmp_path / "blocks.idx").stat().st_size == 16 + 8 * 100
    log.close()
    reader.close()


def test_a_reader_follows_the_writer_and_sees_confirmed_blocks_only(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path), segment_bytes=200)
    reader = open_reader(tmp_path)
    assert reader.height_max == -1
    for height in range(40):
        log.append(height, payload(height))
        assert reader.refresh() == height - 1
        with pytest.raises(NotFound):
            reader.read(height)
        log.sync()
        assert reader.read(height) == payload(height)
    assert read_all(reader) == expected(range(40))
    reader.close()
    log.close()


def test_pruning_removes_whole_segments_and_never_the_last(tmp_path):
    write(tmp_path, range(40), segment_bytes=300)
    log = BlockLog.open(FileStorage(tmp_path), segment_bytes=300)
    reader = open_reader(tmp_path)
    count = len(list(tmp_path.glob("blocks-*.log")))
    end = log.oldest_end
    assert end is not None
    assert not log.prune(end - 1)
    assert log.prune(end)
    assert log.height_min == end
    assert len(list(tmp_path.glob("blocks-*.log"))) == count  # until something is confirmed
    log.append(40, payload(40))
    log.sync()
    assert len(list(tmp_path.glob("blocks-*.log"))) == count - 1
    assert read_all(log) == expected(range(end, 41))
    assert reader.read(0) == payload(0)  # it holds the file
    reader.refresh()
    assert read_all(reader) == expected(range(end, 41))
    with pytest.raises(NotFound, match=f"oldest kept is {end}"):
        reader.read(0)
    reader.close()
    assert log.prune(10**6)
    assert log.oldest_end is None
    lowest = log.height_min
    assert 0 < lowest <= 40
    log.append(41, payload(41))
    log.sync()
    log.close()
    assert (tmp_path / "blocks.idx").stat().st_size == 16 + 8 * (42 - lowest)
    for log in (open_reader(tmp_path), BlockLog.open(FileStorage(tmp_path))):
        assert read_all(log) == expected(range(lowest, 42))
        log.close()


def test_an_index_from_before_a_pruning_serves(tmp_path):
    """As a kill leaves it between the removal of a segment and the next block."""
    write(tmp_path, range(40), segment_bytes=300)
    index = (tmp_path / "blocks.idx").read_bytes()
    log = BlockLog.open(FileStorage(tmp_path), segment_bytes=300)
    assert log.prune(log.oldest_end)
    log.append(40, payload(40))
    log.close()
    (tmp_path / "blocks.idx").write_bytes(index)
    log = BlockLog.open(FileStorage(tmp_path), trusted_height=30, segment_bytes=300)
    assert read_all(log) == expected(range(log.height_min, 41))
    log.close()
    assert (tmp_path / "blocks.idx").stat().st_size == 16 + 8 * (41 - log_minimum(tmp_path))


def prune_once(folder, blocks=40):
    """Prune the oldest segment of a log; returns where it begins then."""
    write(folder, range(blocks), segment_bytes=300)
    log = BlockLog.open(FileStorage(folder), segment_bytes=300)
    assert log.prune(log.oldest_end)
    log.append(blocks, payload(blocks))
    log.close()
    return log_minimum(folder)


def list_segments(folder):
    return sorted(folder.glob("blocks-*.log"))


def open_both(folder):
    """Open a log as its node does, and as others do beside it; yields what either raises."""
    for open_it in (lambda: BlockLog.open(FileStorage(folder)), lambda: open_reader(folder)):
        with pytest.raises(Corrupt) as caught:
            open_it()
        yield caught.value


def test_a_segment_that_is_lost_is_not_taken_for_pruned(tmp_path):
    write(tmp_path, range(40), segment_bytes=300)
    lost, following, *_ = list_segments(tmp_path)
    lost.unlink()
    begins = int(following.name[7:27])
    for error in open_both(tmp_path):
        assert error.facts["height"] == 0
        assert f"blocks 0 to {begins - 1} are missing" in error.message
        assert "restore a backup" in error.message


def test_a_segment_of_a_pruned_log_that_is_lost_is_told_with_its_height(tmp_path):
    kept_from = prune_once(tmp_path)
    lost, following, *_ = list_segments(tmp_path)
    lost.unlink()
    begins = int(following.name[7:27])
    for error in open_both(tmp_path):
        assert error.facts["height"] == kept_from
        assert f"blocks {kept_from} to {begins - 1} are missing" in error.message
        assert f"pruned only up to block {kept_from}" in error.message


@pytest.mark.parametrize("at", [0, 9, 20, 40, -1])
def test_a_mark_of_pruning_that_is_damaged_is_told(tmp_path, at):
    prune_once(tmp_path)
    raw = bytearray((tmp_path / "pruned").read_bytes())
    raw[at] ^= 1
    (tmp_path / "pruned").write_bytes(raw)
    for error in open_both(tmp_path):
        assert "the file pruned" in error.message
        assert "is damaged" in error.message


def test_a_mark_of_another_log_is_told(tmp_path):
    begins = prune_once(tmp_path)
    (tmp_path / "pruned").write_bytes(encode_mark(make_mark(begins, b"another block")))
    for error in open_both(tmp_path):
        assert error.facts["height"] == begins
        assert "is not the one" in error.message


def test_what_a_kill_left_of_a_pruning_is_removed(tmp_path):
    """As it leaves it between the mark and the removal of a segment."""
    write(tmp_path, range(40), segment_bytes=300)
    _, second, *_ = list_segments(tmp_path)
    begins = int(second.name[7:27])
    (tmp_path / "pruned").write_bytes(encode_mark(make_mark(begins, payload(begins))))
    reader = open_reader(tmp_path)
    assert reader.height_min == 0
    reader.close()
    log = BlockLog.open(FileStorage(tmp_path))
    assert read_all(log) == expected(range(begins, 40))
    log.close()
    assert list_segments(tmp_path)[0] == second


def test_a_log_that_is_begun_anew_has_the_mark_of_its_own_beginning(tmp_path):
    prune_once(tmp_path)
    for begins in (7, 0):
        BlockLog.wipe(FileStorage(tmp_path))
        write(tmp_path, range(begins, 9))
        assert (tmp_path / "pruned").exists() == (begins > 0)
        assert log_minimum(tmp_path) == begins


def log_minimum(folder):
    reader = open_reader(folder)
    try:
        return reader.height_min
    finally:
        reader.close()


def test_the_second_writer_is_turned_away(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path))
    with pytest.raises(Unavailable, match="is in use by process"):
        BlockLog.open(FileStorage(tmp_path))
    log.close()
    BlockLog.open(FileStorage(tmp_path)).close()


def test_a_failed_open_gives_the_folder_back(tmp_path):
    write(tmp_path, range(3))
    with pytest.raises(Corrupt, match="ends at height 2, but 7 was confirmed"):
        BlockLog.open(FileStorage(tmp_path), trusted_height=7)
    BlockLog.open(FileStorage(tmp_path)).close()


@pytest.mark.parametrize("cut", [1, 20, 33])
def test_a_torn_tail_is_cut_off_and_counted(tmp_path, cut):
    write(tmp_path, range(5))
    segment = tmp_path / "blocks-00000000000000000000.log"
    whole = segment.read_bytes()
    log = BlockLog.open(FileStorage(tmp_path))
    log.append(5, b"torn")
    log._storage.unlock()  # noqa: SLF001 - the process is gone without closing
    segment.write_bytes(segment.read_bytes()[: len(whole) + cut])
    log = BlockLog.open(FileStorage(tmp_path))
    assert (log.height_max, log.recovered_bytes) == (4, cut)
    assert segment.read_bytes() == whole
    log.append(5, payload(5))
    log.close()
    assert read_all(open_reader(tmp_path)) == expected(range(6))


@pytest.mark.parametrize("raw", [b'{"x":1', b"\xff" * 1024, b"", None])
def test_a_reader_does_without_the_confirmed_record(tmp_path, raw):
    write(tmp_path, range(8))
    path = tmp_path / "confirmed"
    if raw is None:
        path.unlink()
    else:
        path.write_bytes(raw)
    reader = open_reader(tmp_path)
    assert read_all(reader) == expected(range(8))
    reader.close()
    write(tmp_path, range(8, 10))
    reader = open_reader(tmp_path)
    assert read_all(reader) == expected(range(10)), "the writer has made it anew"
    reader.close()


def test_a_missing_confirmed_block_is_corrupt(tmp_path):
    write(tmp_path, range(5))
    segment = tmp_path / "blocks-00000000000000000000.log"
    segment.write_bytes(segment.read_bytes()[:-3])
    for open_it in (lambda: BlockLog.open(FileStorage(tmp_path)), lambda: open_reader(tmp_path)):
        with pytest.raises(Corrupt, match="block 4 in blocks-") as caught:
            open_it()
        assert caught.value.facts["height"] == 4
        assert f"The log is in {tmp_path}: stop the node, keep" in caught.value.message


def test_a_missing_segment_is_corrupt(tmp_path):
    write(tmp_path, range(40), segment_bytes=300)
    segments = [name for name in FileStorage(tmp_path).list() if name.startswith("blocks-")]
    (tmp_path / segments[2]).unlink()
    with pytest.raises(Corrupt):
        BlockLog.open(FileStorage(tmp_path))


def test_a_damaged_segment_header_names_the_height(tmp_path):
    write(tmp_path, range(40), segment_bytes=300)
    segment = sorted(tmp_path.glob("blocks-*.log"))[1]
    raw = bytearray(segment.read_bytes())
    raw[22] ^= 1
    segment.write_bytes(raw)
    for open_it in (lambda: BlockLog.open(FileStorage(tmp_path)), lambda: open_reader(tmp_path)):
        with pytest.raises(Corrupt, match="header of log segment") as caught:
            open_it()
        assert caught.value.facts["height"] == int(segment.name[7:27]) > 0


def test_other_files_of_the_folder_are_left_alone(tmp_path):
    write(tmp_path, range(3))
    for name in ("blocks-old.log", "blocks-1.log", "blocks-00000000000000000000.log.bak"):
        (tmp_path / name).write_bytes(b"mine")
    assert read_all(open_reader(tmp_path)) == expected(range(3))


def test_a_wrong_index_is_noticed_at_the_first_read(tmp_path):
    write(tmp_path, range(30))
    index = tmp_path / "blocks.idx"
    raw = bytearray(index.read_bytes())
    raw[16 + 8 * 11] ^= 4
    index.write_bytes(raw)
    log = BlockLog.open(FileStorage(tmp_path), trusted_height=20)
    assert read_all(log) == expected(range(30))
    log.close()


def test_the_layout_is_the_one_in_the_reference(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path))
    log.append(7, b"first")
    log.sync()
    log.append(8, b"second")
    log.close()
    raw = (tmp_path / "blocks-00000000000000000007.log").read_bytes()
    assert raw[:20] == b"HANSALOG" + struct.pack("<IQ", 1, 7)
    salt = raw[20:36]
    assert raw[36:40] == struct.pack("<I", zlib.crc32(raw[:36]))
    first = b"HBLK" + struct.pack("<IQqI", 5, 7, -1, zlib.crc32(b"first"))
    assert raw[40:72] == first + struct.pack("<I", zlib.crc32(salt + first))
    assert raw[72:77] == b"first"
    second = b"HBLK" + struct.pack("<IQqI", 6, 8, 7, zlib.crc32(b"second"))
    assert raw[77:] == second + struct.pack("<I", zlib.crc32(salt + second)) + b"second"
    assert (tmp_path / "blocks.idx").read_bytes() == b"HANSAIDX" + struct.pack("<QQQ", 7, 40, 77)
    confirmed = (tmp_path / "confirmed").read_bytes()
    slots = [confirmed[0:16], confirmed[512:528]]
    record = b"HCNF" + struct.pack("<q", 8)
    assert record + struct.pack("<I", zlib.crc32(record)) in slots
