"""Damaged, cut, missing and swapped files of a real chain: named, or made anew, never taken.

Every byte of log and store is flipped under HANSA_SOAK=1, a seeded choice of them otherwise.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from tests.conftest import HANSA
from tests.played import PASSPHRASE, make_folder, open_folder
from tests.world import key, make_genesis, pay

from hansa.cli.main import main
from hansa.engine.log import BlockLog, BlockReader
from hansa.engine.log.format import CONFIRMED_NAME, FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES
from hansa.engine.storage import FileStorage
from hansa.engine.store import StateStore
from hansa.kernel.errors import Corrupt
from hansa.node.audit import audit_folder
from hansa.node.home import Home, open_chain
from hansa.node.verify import verify_folder

SEGMENT_BYTES = 3_000
EXIT_FINDINGS = 1
EXIT_CORRUPT = 70


@dataclass
class Truth:
    """A sound data folder, and all that is in it."""

    home: Home
    blocks: list[tuple[int, bytes]]
    rows: list[tuple[bytes, bytes]]
    store_height: int

    @property
    def segments(self) -> list[str]:
        return sorted(path.name for path in self.home.log_path.glob("blocks-*.log"))

    def list_frames(self) -> Iterator[tuple[str, int, int]]:
        """List (segment, offset, height) of all frames."""
        firsts = [int(name[7:27]) for name in self.segments]
        offset, segment = 0, ""
        for height, payload in self.blocks:
            if height in firsts:
                segment, offset = self.segments[firsts.index(height)], SEGMENT_HEADER_BYTES
            yield segment, offset, height
            offset += FRAME_HEADER_BYTES + len(payload)

    def find_height(self, segment: str, at: int) -> int:
        """Find the block whose frame has the byte at an offset; the first one for the header."""
        frames = [
            (offset, height) for name, offset, height in self.list_frames() if name == segment
        ]
        return max((height for offset, height in frames if offset <= at), default=frames[0][1])


def read_all(home: Home) -> tuple[list[tuple[int, bytes]], list[tuple[bytes, bytes]]]:
    """Open the folder as its node does; read every block and row."""
    chain = open_chain(home, key("sealer"))
    try:
        return list(chain.log.iterate(0)), list(chain.iterate_rows(b""))
    finally:
        chain.close()


def get_store_height(home: Home) -> int:
    store = StateStore.open_read_only(home.store_path)
    try:
        return store.height
    finally:
        store.close()


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> Truth:
    """A day played, its log cut into many segments."""
    home = make_folder(tmp_path_factory.mktemp("damage") / "node")
    with open_folder(home.path) as world:
        world.nonces = 1_000
        for number in range(6):  # what the store does not have yet is executed when it opens
            assert world.do("ada", pay("ada", "shop", 1, f"more-{number}")) == ""
        blocks = list(world.chain.log.iterate(0))
    shutil.rmtree(home.log_path)
    log = BlockLog.open(FileStorage(home.log_path), segment_bytes=SEGMENT_BYTES)
    for height, payload in blocks:
        log.append(height, payload)
        log.sync()
    log.close()
    found = Truth(home, *read_all(home), get_store_height(home))
    assert found.blocks == blocks
    assert len(found.segments) > 3
    return found


@pytest.fixture
def fresh(truth, tmp_path) -> Callable[[], Home]:
    """Copies of the sound folder, one at a time."""

    def copy() -> Home:
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        ignore = shutil.ignore_patterns("LOG*", "LOCK")
        return Home(shutil.copytree(truth.home.path, tmp_path / "copy", ignore=ignore))

    return copy


def flip(path: Path, at: int, mask: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= mask
    path.write_bytes(raw)


def choose(path: Path, random: Random, count: int, *, is_all: bool) -> list[tuple[int, int]]:
    """Choose (offset, mask) of bytes to flip."""
    size = path.stat().st_size
    places = range(size) if is_all else sorted(random.sample(range(size), min(size, count)))
    return [(at, 1 << random.randrange(8)) for at in places]


# --- the log ------------------------------------------------------------------------------------


def test_a_flipped_byte_of_the_log_stops_the_node_and_names_the_height(truth, fresh, soak):
    random = Random(1)
    for segment in truth.segments:
        path = truth.home.log_path / segment
        for at, mask in choose(path, random, 6, is_all=soak):
            home = fresh()
            flip(home.log_path / segment, at, mask)
            with pytest.raises(Corrupt) as caught:
                read_all(home)
            assert caught.value.facts["height"] == truth.find_height(segment, at), (segment, at)
            assert (home.log_path / segment).stat().st_size == path.stat().st_size


@pytest.mark.parametrize("command", ["verify", "audit"])
def test_the_command_says_which_block_is_damaged(truth, fresh, capsys, command):
    for segment, offset, height in list(truth.list_frames())[::5]:
        home = fresh()
        flip(home.log_path / segment, offset + FRAME_HEADER_BYTES + 3, 4)
        assert main([command, "--data", str(home.path)]) == EXIT_CORRUPT
        assert f"block {height} in {segment}" in capsys.readouterr().err


def test_a_running_node_that_meets_damage_ends(truth, fresh):
    """It answers that it has stopped, gives the folder back, and says where the damage is."""
    home = fresh()
    process = subprocess.Popen(
        [HANSA, "up", "--data", str(home.path), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HANSA_PASSPHRASE": PASSPHRASE},
    )
    try:
        text = ""
        while "http://" not in text:
            text = process.stdout.readline()
            assert text, process.stderr.read()
        url = re.search(r"http://[0-9.]+:\d+", text)[0]
        segment, offset, height = next(truth.list_frames())
        flip(home.log_path / segment, offset + FRAME_HEADER_BYTES + 9, 16)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/v1/blocks/{height}", timeout=60)  # noqa: S310
        with caught.value as answer:
            assert answer.status == 503
            assert "data are damaged" in answer.read().decode()
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == EXIT_CORRUPT
    assert f"block {height} in {segment}" in told


@pytest.mark.parametrize("name", [CONFIRMED_NAME, "blocks.idx"])
def test_a_flipped_byte_of_a_side_file_changes_nothing(truth, fresh, soak, name):
    for at, mask in choose(truth.home.log_path / name, Random(2), 12, is_all=soak):
        home = fresh()
        flip(home.log_path / name, at, mask)
        reader = BlockReader.open(FileStorage(home.log_path, read_only=True))
        seen = list(reader.iterate(0))
        reader.close()
        assert seen == truth.blocks[: len(seen)]
        assert read_all(home) == (truth.blocks, truth.rows)


@pytest.mark.parametrize("is_confirmed_kept", [True, False])
def test_a_cut_segment_stops_the_node(truth, fresh, is_confirmed_kept):
    """Without `confirmed`, what the store has is known to have been confirmed."""
    random = Random(3)
    known = truth.blocks[-1][0] if is_confirmed_kept else truth.store_height
    for segment in truth.segments:
        size = (truth.home.log_path / segment).stat().st_size
        for length in {1, random.randrange(size), size - 1}:
            home = fresh()
            path = home.log_path / segment
            path.write_bytes(path.read_bytes()[:length])
            if not is_confirmed_kept:
                (home.log_path / CONFIRMED_NAME).unlink()
            height = truth.find_height(segment, length)
            is_open = segment == truth.segments[-1] and length > SEGMENT_HEADER_BYTES
            if is_open and height > known:
                assert read_all(home)[0] == truth.blocks[:height]
                continue
            with pytest.raises(Corrupt) as caught:
                read_all(home)
            assert caught.value.facts["height"] == height


def test_a_missing_segment_stops_the_node(truth, fresh):
    for segment in truth.segments:
        home = fresh()
        (home.log_path / segment).unlink()
        with pytest.raises(Corrupt) as caught:
            read_all(home)
        assert caught.value.facts["height"] == int(segment[7:27])
        assert not verify_or_error(home)


def verify_or_error(home: Home) -> bool:
    """Whether verification finds nothing wrong."""
    try:
        return verify_folder(home.log_path, home.load_network(), signatures=False).verify_ok
    except Corrupt:
        return False


def test_swapped_segments_stop_the_node(truth, fresh):
    first, second = truth.segments[1:3]
    home = fresh()
    raws = {name: (home.log_path / name).read_bytes() for name in (first, second)}
    (home.log_path / first).write_bytes(raws[second])
    (home.log_path / second).write_bytes(raws[first])
    with pytest.raises(Corrupt) as caught:
        read_all(home)
    assert caught.value.facts["height"] == int(first[7:27])


# --- what belongs to others ---------------------------------------------------------------------


def live_otherwise(path: Path, payments: int, name: str = "test") -> Home:
    """Make another history, sound in itself."""
    with open_folder(path, make_genesis(name=name)) as world:
        world.fund("shop", "cleo", "ben", "ada")
        for number in range(payments):
            world.time_ms += 700
            assert world.do("ben", pay("ben", "cleo", 2, f"other-{number}")) == ""
    return Home(path)


@pytest.mark.parametrize("payments", [6, 60])
def test_a_store_of_another_history_stops_the_node(truth, fresh, tmp_path, payments):
    """One that stands below the log's end, and one that stands above it."""
    other = live_otherwise(tmp_path / "other", payments)
    home = fresh()
    shutil.rmtree(home.store_path)
    shutil.copytree(other.store_path, home.store_path)
    with pytest.raises(Corrupt) as caught:
        read_all(home)
    assert isinstance(caught.value.facts["height"], int)
    network = home.load_network()
    assert audit_folder(home.log_path, home.store_path, network).findings
    shutil.rmtree(home.store_path)
    assert read_all(home) == (truth.blocks, truth.rows)


def test_a_segment_of_another_history_is_found_by_audit_and_verification(truth, fresh, tmp_path):
    other = live_otherwise(tmp_path / "other", 60)
    reader = BlockReader.open(FileStorage(other.log_path, read_only=True))
    name, following = truth.segments[1:3]
    first, end = int(name[7:27]), int(following[7:27])
    log = BlockLog.open(FileStorage(tmp_path / "segment"))
    for height in range(first, end):
        log.append(height, reader.read(height))
    log.close()
    reader.close()
    home = fresh()
    shutil.copy(tmp_path / "segment" / name, home.log_path / name)
    network = home.load_network()
    assert verify_folder(home.log_path, network, signatures=False).differs_at == first
    found = audit_folder(home.log_path, home.store_path, network).findings
    assert f"block {first} does not name the block before it" in found
    assert f"block {end} does not name the block before it" in found


def test_a_log_of_another_network_stops_the_node(fresh, tmp_path, capsys):
    other = live_otherwise(tmp_path / "other", 3, name="elsewhere")
    home = fresh()
    shutil.rmtree(home.log_path)
    shutil.rmtree(home.store_path)
    shutil.copytree(other.log_path, home.log_path)
    with pytest.raises(Corrupt, match="another network") as caught:
        read_all(home)
    assert caught.value.facts["height"] == 0
    for command in ("verify", "audit"):
        assert main([command, "--data", str(home.path)]) == EXIT_FINDINGS
        assert "block 0" in capsys.readouterr().out


# --- the store ----------------------------------------------------------------------------------


def require_named_or_right(home: Home, truth: Truth) -> bool:
    """A damaged store is told of, or does not matter; returns whether it was told of."""
    try:
        found = read_all(home)
    except Corrupt as error:
        assert "state store" in error.message or "store's tree" in error.message  # noqa: PT017
        return True
    assert found == (truth.blocks, truth.rows)
    return False


def list_store_files(truth: Truth) -> list[Path]:
    """All but the store's diary and its empty files."""
    return [
        path
        for path in sorted(truth.home.store_path.iterdir())
        if path.stat().st_size and not path.name.startswith("LOG")
    ]


def test_a_flipped_byte_of_the_store_is_named_or_does_not_matter(truth, fresh, soak):
    random = Random(4)
    told = 0
    for path in list_store_files(truth):
        for at, mask in choose(path, random, 5, is_all=soak):
            home = fresh()
            flip(home.store_path / path.name, at, mask)
            told += require_named_or_right(home, truth)
    assert told > 5


def test_a_cut_or_missing_file_of_the_store_is_named_or_does_not_matter(truth, fresh):
    random = Random(5)
    told = 0
    for path in list_store_files(truth):
        size = path.stat().st_size
        for length in (None, random.randrange(size)):
            home = fresh()
            copy = home.store_path / path.name
            if length is None:
                copy.unlink()
            else:
                copy.write_bytes(copy.read_bytes()[:length])
            told += require_named_or_right(home, truth)
    assert told > 3


def test_a_damaged_store_is_made_anew(truth, fresh):
    home = fresh()
    for table in home.store_path.glob("*.sst"):
        flip(table, 100, 1)
    with pytest.raises(Corrupt, match="with --rebuild"):
        read_all(home)
    open_chain(home, key("sealer"), rebuild=True).close()
    assert read_all(home) == (truth.blocks, truth.rows)


def test_the_audit_says_that_the_store_is_damaged(fresh, capsys):
    home = fresh()
    for table in home.store_path.glob("*.sst"):
        flip(table, 100, 1)
    assert main(["audit", "--data", str(home.path)]) == EXIT_CORRUPT
    assert "made anew from the block log" in capsys.readouterr().err
    assert main(["verify", "--data", str(home.path)]) == 0
