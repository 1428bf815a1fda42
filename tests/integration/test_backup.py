"""Backups of a node that runs, is killed, or stands still; and what damage does to them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.played import PASSPHRASE, make_folder, open_folder
from tests.world import key, pay

from hansa.engine.backup import (
    MANIFEST_NAME,
    MANIFEST_SUM_NAME,
    check_backup,
    read_manifest,
)
from hansa.kernel.errors import Corrupt, Invalid, NotFound, Unavailable
from hansa.node.audit import audit_folder
from hansa.node.home import Home, backup_home, create_home, open_chain, restore_home
from hansa.node.verify import verify_folder

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def start(program: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "integration" / program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def read_height(process: subprocess.Popen[str], minimum: int) -> int:
    """Read what a process tells until it has come to a height."""
    for line in process.stdout:
        height = int(line.split()[0])
        if height >= minimum:
            return height
    raise AssertionError("the process ended")


def require_sound(home: Home) -> int:
    """Audit and verify a folder; returns its height."""
    network = home.load_network()
    audited = audit_folder(home.log_path, home.store_path, network)
    verified = verify_folder(home.log_path, network, signatures=False)
    assert (audited.findings, verified.findings) == ([], [])
    assert audited.height == verified.height
    return verified.height


def write_manifest(folder: Path, raw: bytes) -> None:
    """Put a manifest into a backup, with its checksum."""
    (folder / MANIFEST_NAME).write_bytes(raw)
    line = f"{hashlib.sha256(raw).hexdigest()}  {MANIFEST_NAME}\n"
    (folder / MANIFEST_SUM_NAME).write_text(line)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return make_folder(tmp_path_factory.mktemp("backup") / "node")


@pytest.fixture(scope="module")
def archive(home, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("archive") / "monday"
    backup_home(home, target, with_keys=True)
    return target


# --- while it runs ------------------------------------------------------------------------------


def test_a_running_node_is_backed_up_and_a_killed_one_too(tmp_path):
    node = Home(tmp_path / "node")
    with start("writer.py", node.path) as writer:
        confirmed = read_height(writer, 8)
        early = backup_home(node, tmp_path / "early")
        assert early.manifest.height >= confirmed
        later = read_height(writer, early.manifest.height + 8)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    late = backup_home(node, tmp_path / "late")
    assert late.manifest.height >= later
    for report in (early, late):
        back = Home(tmp_path / f"{report.folder.name} restored")
        restore_home(report.folder, back.path)
        assert require_sound(back) == report.manifest.height
        with open_folder(back.path) as world:
            assert world.chain.head.height == report.manifest.height
            assert world.balance("shop")[0] > 1_000_000
            world.nonces = 10**9
            assert world.do("ada", pay("ada", "shop", 1, "it goes on")) == ""
        assert require_sound(back) == report.manifest.height + 1


def test_a_killed_backup_leaves_nothing_under_its_name(home, tmp_path):
    target = tmp_path / "backup"
    with start("backup_process.py", home.path, target) as process:
        read_height(process, 1)
        assert not target.exists()
    assert not target.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial")
    backup_home(home, target)
    assert list(tmp_path.iterdir()) == [target]
    check_backup(target)


def test_two_backups_at_once_do_not_harm_one_another(home, tmp_path):
    target = tmp_path / "backup"
    with start("backup_process.py", home.path, target) as process:
        read_height(process, 1)
        backup_home(home, target)
        process.communicate("\n" * 1_000)
        assert process.returncode != 0
    check_backup(target)
    assert list(tmp_path.iterdir()) == [target]


# --- there and back -----------------------------------------------------------------------------


def test_a_restored_folder_is_the_same(home, archive, tmp_path):
    back = Home(tmp_path / "deep" / "down" / "node")
    report = restore_home(archive, back.path)
    assert back.read_genesis() == home.read_genesis()
    assert require_sound(back) == require_sound(home) == report.manifest.height
    assert back.load_key("node", PASSPHRASE).address == key("sealer").address
    assert back.path.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in back.path.rglob("*"))
    with open_folder(back.path) as world, open_folder(home.path) as original:
        assert dict(world.chain.iterate_rows(b"")) == dict(original.chain.iterate_rows(b""))
    assert report.to_json()["height"] == report.manifest.height
    sizes = [path.stat().st_size for path in back.path.rglob("*") if path.is_file()]
    assert report.size > 0
    assert len(sizes) >= report.to_json()["files"]


def test_keys_are_taken_along_only_if_asked_for_and_settings_always(home, archive, tmp_path):
    (home.settings_path).write_text("port = 1\n")
    try:
        plain = backup_home(home, tmp_path / "plain").manifest
    finally:
        home.settings_path.unlink()
    assert "node.toml" in plain.files
    assert not plain.has_keys
    assert not any(name.startswith("keys/") for name in plain.files)
    assert {"keys/node.json", "keys/sponsor.json"} <= read_manifest(archive).files.keys()


def test_keys_kept_elsewhere_find_their_folder_in_what_was_restored(home, tmp_path):
    backup_home(home, tmp_path / "without")
    restore_home(tmp_path / "without", tmp_path / "back")
    place = Home(tmp_path / "back").keys_path
    assert place.stat().st_mode & 0o777 == 0o700
    assert list(place.iterdir()) == []


def test_the_manifest_can_be_checked_with_other_programs(archive):
    done = subprocess.run(
        ["sha256sum", "-c", MANIFEST_SUM_NAME], cwd=archive, check=True, capture_output=True
    )
    assert b"OK" in done.stdout
    for name, entry in read_manifest(archive).files.items():
        raw = (archive / name).read_bytes()
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (entry.bytes, entry.sha256)


def test_it_says_how_far_it_is(home, tmp_path):
    seen = []
    report = backup_home(
        home, tmp_path / "b", progress=lambda done, total: seen.append((done, total))
    )
    count = report.manifest.height + 1
    assert seen == [(number, count) for number in range(1, count + 1)]


# --- what is refused ----------------------------------------------------------------------------


def test_a_damaged_byte_anywhere_is_refused(archive, tmp_path):
    """Every byte of small files, and a seeded choice of the bytes of large ones."""
    choice = random.Random(5)
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        places = range(len(raw)) if len(raw) < 200 else choice.sample(range(len(raw)), 40)
        for at in places:
            bad = bytearray(raw)
            bad[at] ^= 1 << choice.randrange(8)
            path.write_bytes(bad)
            with pytest.raises(Corrupt):
                check_backup(copy)
        with pytest.raises(Corrupt):
            restore_home(copy, tmp_path / "target")
        assert not (tmp_path / "target").exists()
        path.write_bytes(raw)
    check_backup(copy)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("network", "another"),
        ("genesis_hash", "00" * 32),
        ("height", 10**6),
        ("time_ms", 1),
        ("header_hash", "00" * 32),
        ("has_keys", False),
    ],
)
def test_a_manifest_that_says_what_is_not_so_is_refused(archive, tmp_path, field, value):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    said = json.loads((copy / MANIFEST_NAME).read_bytes())
    write_manifest(copy, json.dumps(said | {field: value}).encode())
    for attempt in (check_backup, lambda folder: restore_home(folder, tmp_path / "target")):
        with pytest.raises(Corrupt, match=f"says {field} {value!r}, but"):
            attempt(copy)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    "lost",
    [(MANIFEST_NAME,), (MANIFEST_SUM_NAME,), (MANIFEST_NAME, MANIFEST_SUM_NAME)],
)
def test_a_backup_that_was_copied_in_part_is_incomplete(archive, tmp_path, lost):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    for name in lost:
        (copy / name).unlink()
    for attempt in (check_backup, lambda folder: restore_home(folder, tmp_path / "target")):
        with pytest.raises(Corrupt, match=f"is incomplete: {lost[0]} is missing.*copy it again"):
            attempt(copy)


def test_a_backup_says_it_has_keys_only_if_it_has_some(home, tmp_path):
    bare = Home(tmp_path / "bare")
    shutil.copytree(home.path, bare.path)
    shutil.rmtree(bare.keys_path)
    assert not backup_home(bare, tmp_path / "made", with_keys=True).manifest.has_keys
    check_backup(tmp_path / "made")


@pytest.mark.parametrize("name", ["genesis.bin", "keys/node.json", "log/confirmed"])
def test_a_missing_file_is_refused_and_named(archive, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    (copy / name).unlink()
    with pytest.raises(Corrupt, match=f"{name} is missing"):
        restore_home(copy, tmp_path / "target")


def test_a_file_too_many_and_a_link_are_refused(archive, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    (copy / "log" / "more").write_text("x")
    with pytest.raises(Corrupt, match="does not belong"):
        restore_home(copy, tmp_path / "target")
    (copy / "log" / "more").unlink()
    (copy / "link").symlink_to("/etc/hostname")
    with pytest.raises(Corrupt, match="neither"):
        check_backup(copy)


def test_a_cut_file_is_refused(archive, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    segment = next(copy.glob("log/blocks-*.log"))
    os.truncate(segment, segment.stat().st_size - 1)
    with pytest.raises(Corrupt):
        restore_home(copy, tmp_path / "target")


def test_a_version_to_come_is_refused(archive, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    raw = (copy / MANIFEST_NAME).read_bytes()
    write_manifest(copy, raw.replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(Invalid):
        check_backup(copy)


def test_what_is_there_is_never_overwritten(home, archive, tmp_path):
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    (full / "precious").write_text("x")
    empty.mkdir()
    with pytest.raises(Invalid, match="exists already"):
        backup_home(home, empty)
    with pytest.raises(Invalid, match="is not empty"):
        restore_home(archive, full)
    restore_home(archive, empty)
    assert Home(empty).exists()
    assert [path.name for path in full.iterdir()] == ["precious"]


def test_nothing_is_made_inside_a_backup(home, archive, tmp_path):
    """Neither what is restored nor another backup, by whatever name it is called."""
    copy, door = tmp_path / "copy", tmp_path / "door"
    shutil.copytree(archive, copy)
    door.symlink_to(copy)
    for target in (copy / "sub", copy / "deep" / "down", door / "sub"):
        with pytest.raises(Invalid, match="which stays as it was taken"):
            restore_home(archive, target)
        with pytest.raises(Invalid, match="which stays as it was taken"):
            backup_home(home, target)
    check_backup(copy)
    assert not (copy / "sub").exists()
    assert not (copy / "deep").exists()


def test_a_backup_does_not_lie_in_the_folder_that_it_copies(home, tmp_path):
    (tmp_path / "door").symlink_to(home.path)
    for target in (home.path / "backup", home.log_path / "backup", tmp_path / "door" / "backup"):
        with pytest.raises(Invalid, match="the folder that it would be a copy of"):
            backup_home(home, target)
        assert not target.exists()


@pytest.mark.parametrize("lost", [None, MANIFEST_NAME, MANIFEST_SUM_NAME])
def test_a_backup_is_opened_for_no_writing(archive, tmp_path, lost):
    copy = Home(tmp_path / "copy")
    shutil.copytree(archive, copy.path)
    if lost is not None:
        (copy.path / lost).unlink()
    before = sorted(copy.path.rglob("*"))
    for attempt in (
        lambda: open_chain(copy, key("sealer")),
        lambda: create_home(copy.path, copy.load_network().genesis, {}, PASSPHRASE),
        lambda: create_home(copy.path / "sub", copy.load_network().genesis, {}, PASSPHRASE),
    ):
        with pytest.raises(Invalid, match=r"hansa restore .*copy --data DIR"):
            attempt()
    assert sorted(copy.path.rglob("*")) == before


def test_the_manifest_of_something_else_makes_no_backup(tmp_path):
    home = make_folder(tmp_path / "node")
    (home.path / MANIFEST_NAME).write_text('{"name": "an app"}')
    open_chain(home, key("sealer")).close()
    require_sound(home)


def test_what_is_no_node_or_no_backup_is_said(home, tmp_path):
    with pytest.raises(NotFound):
        backup_home(Home(tmp_path / "nowhere"), tmp_path / "target")
    with pytest.raises(NotFound):
        restore_home(home.path, tmp_path / "target")
    with pytest.raises(NotFound):
        restore_home(tmp_path / "nowhere", tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_node_is_not_backed_up(tmp_path):
    node = make_folder(tmp_path / "node")
    segment = next(node.log_path.glob("blocks-*.log"))
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    with pytest.raises(Corrupt) as error:
        backup_home(node, tmp_path / "target")
    assert isinstance(error.value.facts["height"], int)
    assert not (tmp_path / "target").exists()


def test_a_place_that_cannot_be_written_is_said(home):
    with pytest.raises(Unavailable):
        backup_home(home, Path("/proc/none/backup"))
