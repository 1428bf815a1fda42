"""The state store on disk and in memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from random import Random

import pytest
import rocksdict

from hansa.engine.store import MemoryStore, StateStore
from hansa.engine.table_file import HEIGHT_KEY, build_options
from hansa.kernel.errors import Corrupt, HansaError, NotFound, Unavailable


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    store = StateStore.open(tmp_path / "state") if request.param == "disk" else MemoryStore()
    yield store
    store.close()


def test_reads_what_was_written_before_and_after_a_flush(store):
    assert (store.height, store.pending_height) == (-1, -1)
    store.write({b"ra": b"1", b"rb": b"2", b"rd": None}, 0)
    assert (store.height, store.pending_height) == (-1, 0)
    assert store.get(b"ra") == b"1"
    store.flush()
    assert (store.height, store.pending_height) == (0, 0)
    store.write({b"ra": None, b"rb": b"3", b"rc": b""}, 5)
    wanted = [None, b"3", b"", None, None]
    for _ in range(3):
        assert store.get_many([b"ra", b"rb", b"rc", b"rd", b"re"]) == wanted
        assert [store.get(key) for key in (b"ra", b"rb", b"rc", b"rd", b"re")] == wanted
        store.flush()
        store.write({b"x": b"y"}, store.pending_height + 1)
    assert store.get_many([]) == []


def test_heights_only_grow(store):
    store.write({}, 3)
    for height in (3, 2):
        with pytest.raises(Corrupt):
            store.write({}, height)
    store.flush()
    assert store.height == 3


def test_agrees_with_a_dictionary(store):
    random = Random(1)
    rows: dict[bytes, bytes] = {}
    for height in range(60):
        puts = {
            random.choice([b"r", b"s", b"t"]) + bytes([random.randrange(40)]): random.choice(
                [None, random.randbytes(random.randint(0, 60))]
            )
            for _ in range(random.randint(0, 30))
        }
        store.write(puts, height)
        rows = {key: value for key, value in {**rows, **puts}.items() if value is not None}
        if random.random() < 0.5:
            store.flush(wait=random.random() < 0.5)
        for prefix in (b"r", b"s\x07", b"t", b"", b"zz"):
            assert list(store.iterate_prefix(prefix)) == sorted(
                item for item in rows.items() if item[0].startswith(prefix)
            )
        keys = [b"r%c" % at for at in range(40)]
        assert store.get_many(keys) == [rows.get(key) for key in keys]


def test_iteration_shows_the_moment_it_began(store):
    store.write({b"r1": b"a", b"r3": b"c"}, 0)
    rows = store.iterate_prefix(b"r")
    store.write({b"r2": b"b", b"r3": None}, 1)
    store.flush()
    assert list(rows) == [(b"r1", b"a"), (b"r3", b"c")]


def test_memory_store_reopens_at_its_last_flush():
    store = MemoryStore()
    store.write({b"a": b"1"}, 4)
    store.flush()
    store.write({b"a": None, b"b": b"2"}, 5)
    again = store.reopened()
    assert (again.height, again.pending_height, again.get(b"a"), again.get(b"b")) == (
        4,
        4,
        b"1",
        None,
    )


def test_a_closed_store_opens_at_its_last_flush(tmp_path):
    store = StateStore.open(tmp_path)
    store.write({b"ra": b"1"}, 7)
    store.flush(wait=False)
    store.write({b"ra": b"2"}, 8)
    store.close()
    store = StateStore.open(tmp_path)
    assert (store.height, store.get(b"ra")) == (7, b"1")
    store.close()


KILLED = """
import os, pathlib, sys
from hansa.engine.store import StateStore
store = StateStore.open(pathlib.Path(sys.argv[1]))
for height in range(1_000):
    store.write({b"r%d" % key: b"%d" % height for key in range(300)}, height)
    store.flush(wait=height % 3 == 0)
    print(height, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 5, 14])
def test_a_killed_store_opens_at_a_flushed_height_and_holds_just_that(tmp_path, lines):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        seen = lines + len(process.stdout.read().splitlines())
    store = StateStore.open(tmp_path)
    assert lines - 2 <= store.height <= seen + 1
    values = dict(store.iterate_prefix(b"r"))
    assert len(values) == 300
    assert set(values.values()) == {b"%d" % store.height}
    store.close()


def test_a_second_process_reads_the_last_flush(tmp_path):
    store = StateStore.open(tmp_path)
    store.write({b"ra": b"1"}, 1)
    store.flush()
    store.write({b"ra": b"2"}, 2)
    with pytest.raises(Unavailable, match="another process has it open"):
        StateStore.open(tmp_path)
    reader = StateStore.open_read_only(tmp_path)
    assert (reader.height, reader.get(b"ra")) == (1, b"1")
    with pytest.raises(Unavailable, match="reading only"):
        reader.write({}, 3)
    with pytest.raises(Unavailable, match="reading only"):
        reader.flush()
    store.flush()
    assert reader.get(b"ra") == b"1"
    reader.close()
    reader = StateStore.open_read_only(tmp_path)
    assert (reader.height, reader.get(b"ra")) == (2, b"2")
    reader.close()
    store.close()


def test_reading_writes_nothing_and_needs_no_right_to(tmp_path, monkeypatch):
    folder, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    keys = fill(folder)
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    before = {path.name: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())}
    reader = StateStore.open_read_only(folder)
    assert not list(elsewhere.iterdir())
    assert reader.height == 1
    assert all(reader.get_many(keys))
    assert reader.read_through(10**6)[1]
    reader.close()
    assert before == {path.name: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())}


def test_damage_found_while_reading_is_told_of_the_store_itself(tmp_path):
    fill(tmp_path)
    for path in tmp_path.glob("*.sst"):
        path.unlink()
    with pytest.raises(Corrupt) as caught:
        StateStore.open_read_only(tmp_path)
    assert f"{tmp_path}/0000" in caught.value.message
    assert "hansa-read" not in caught.value.message


def test_without_a_folder_for_links_it_is_said_what_to_do(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="TMPDIR"):
        StateStore.open_read_only(tmp_path)


def test_there_is_no_store_to_read(tmp_path):
    with pytest.raises(NotFound):
        StateStore.open_read_only(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def fill(folder):
    random = Random(3)
    store = StateStore.open(folder)
    for height in range(2):
        store.write({b"r" + random.randbytes(8): random.randbytes(200) for _ in range(500)}, height)
        store.flush()
    keys = [key for key, _ in store.iterate_prefix(b"r")]
    store.close()
    return keys


def test_damage_is_corrupt_and_names_the_height(tmp_path):
    keys = fill(tmp_path)
    for table in tmp_path.glob("*.sst"):
        raw = bytearray(table.read_bytes())
        for at in range(9_000, len(raw) // 2, 700):
            raw[at] ^= 1
        table.write_bytes(raw)
    for read in (
        lambda store: list(store.iterate_prefix(b"r")),
        lambda store: store.get_many(keys),
        lambda store: [store.get(key) for key in keys],
    ):
        store = StateStore.open(tmp_path)
        with pytest.raises(Corrupt, match="made anew from the block log") as caught:
            read(store)
        assert caught.value.facts["height"] == 1
        store.close()


def test_settings_that_were_changed_beside_the_tables_are_damage(tmp_path):
    fill(tmp_path)
    for path in tmp_path.glob("OPTIONS-*"):
        raw = path.read_bytes()
        assert b"zstd_max_train_bytes=0" in raw
        path.write_bytes(raw.replace(b"zstd_max_train_bytes=0", b"zstd_max_train_bytes=1"))
    with pytest.raises(Corrupt, match="made anew from the block log"):
        StateStore.open(tmp_path).close()


@pytest.mark.parametrize("open_store", [StateStore.open, StateStore.open_read_only])
def test_a_list_of_files_that_rocksdb_would_read_for_ever_is_damage(tmp_path, open_store):
    fill(tmp_path)
    manifest = tmp_path / (tmp_path / "CURRENT").read_text().strip()
    sound = manifest.read_bytes()
    at = 0
    while at < len(sound):
        raw = bytearray(sound)
        raw[at + 6] ^= 4  # from a whole record to a whole one of a reused log
        manifest.write_bytes(raw)
        with pytest.raises(Corrupt, match="made anew from the block log"):
            open_store(tmp_path).close()
        at += 7 + int.from_bytes(sound[at + 4 : at + 6], "little")
    manifest.write_bytes(sound)
    open_store(tmp_path).close()


@pytest.mark.parametrize("pattern", ["*.sst", "CURRENT", "MANIFEST-*"])
def test_a_damaged_store_is_wiped_and_made_anew(tmp_path, pattern):
    fill(tmp_path)
    for path in tmp_path.glob(pattern):
        path.write_bytes(b"junk")
    with pytest.raises(Corrupt, match="made anew from the block log"):
        StateStore.open(tmp_path).close()
    StateStore.wipe(tmp_path)
    store = StateStore.open(tmp_path)
    assert store.height == -1
    store.close()


def test_the_key_space_of_the_store_itself_is_refused(tmp_path):
    store = StateStore.open(tmp_path)
    store.write({b"\x00height": b"x"}, 1)
    with pytest.raises(Corrupt, match="key space zero"):
        store.flush()
    with pytest.raises(Corrupt, match="key space zero"):
        store.write({}, 2)
    store.close()


def test_a_flush_goes_on_with_each_step_and_readers_see_no_difference(tmp_path):
    store = StateStore.open(tmp_path / "state")
    rows = {b"r%05d" % number: b"%d" % number for number in range(1_000)}
    store.write(rows, 1)
    store.flush(wait=False)
    store.write({b"r00007": None, b"s": b"new"}, 2)
    steps = 0
    while store.height < 1:
        store.advance(100)
        steps += 1
        assert store.get(b"r00007") is None
        assert store.get(b"r00008") == b"8"
        assert len(list(store.iterate_prefix(b"r"))) == 999
    assert steps > 10
    store.close()
    again = StateStore.open(tmp_path / "state")
    assert again.height == 1
    assert dict(again.iterate_prefix(b"")) == rows
    again.close()


def test_what_fails_in_a_step_is_told_by_what_is_asked_next(tmp_path):
    store = StateStore.open(tmp_path / "state")
    store.write({b"r": b"1"}, 1)
    store.flush(wait=False)
    (tmp_path / "state" / "flush.ingest").unlink()
    while store.height < 1:
        store.advance(1)
        try:
            store.write({b"s": b"2"}, store.pending_height + 1)
        except HansaError:
            break
    assert store.height == -1
    with pytest.raises(HansaError):
        store.flush()
    store.close()


def test_a_store_of_another_format_is_not_gone_on_with(tmp_path):
    """Rows and nodes of a release that means something else by them."""
    folder = tmp_path / "state"
    StateStore.open(folder).close()
    database = rocksdict.Rdict(str(folder), build_options())
    database[HEIGHT_KEY] = struct.pack(">BQ", 1, 7)
    database.close()
    with pytest.raises(Corrupt, match=r"another format.*--rebuild"):
        StateStore.open(folder)
