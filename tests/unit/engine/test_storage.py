"""Real files: what is written is read, and the system's errors come out as ours."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from hansa.engine.storage import LOCK_NAME, LOCK_PAUSE_MS, FileStorage
from hansa.engine.store import StateStore
from hansa.kernel.errors import NotFound, Unavailable


def test_appends_overwrites_reads_and_cuts(tmp_path):
    file = FileStorage(tmp_path / "new" / "folder").open("a", writable=True, create=True)
    file.append(b"one", b"", b"two")
    file.append(b"three")
    file.pwrite(b"ONE", 0)
    file.sync()
    assert file.pread(100, 0) == b"ONEtwothree"
    assert file.pread(3, 3) == b"two"
    assert file.pread(3, 50) == b""
    file.truncate(3)
    file.append(b"!")
    assert file.size() == 4
    assert file.pread(9, 0) == b"ONE!"
    file.close()


def test_folders_are_for_their_owner_alone(tmp_path):
    FileStorage(tmp_path / "log")
    StateStore.open(tmp_path / "store").close()
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"log": 0o700, "store": 0o700}


def test_a_reopened_file_is_appended_to(tmp_path):
    storage = FileStorage(tmp_path)
    for part in (b"a", b"b"):
        file = storage.open("f", writable=True, create=True)
        file.append(part)
        file.close()
    assert (tmp_path / "f").read_bytes() == b"ab"


def test_replaces_lists_and_removes(tmp_path):
    storage = FileStorage(tmp_path)
    storage.replace("b", b"old")
    storage.replace("b", b"new")
    storage.replace("a", b"")
    (tmp_path / "folder").mkdir()
    assert storage.list() == ["a", "b"]
    assert (tmp_path / "b").read_bytes() == b"new"
    storage.remove("b")
    storage.remove("b")
    assert storage.list() == ["a"]
    assert storage.free_bytes() > 0


def test_a_missing_file_or_folder_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="does not exist"):
        FileStorage(tmp_path).open("x", writable=False)
    with pytest.raises(NotFound, match="nowhere"):
        FileStorage(tmp_path / "nowhere", read_only=True)
    assert not (tmp_path / "nowhere").exists()


def test_the_second_to_lock_learns_who_was_first(tmp_path):
    first, second = FileStorage(tmp_path), FileStorage(tmp_path)
    first.lock()
    first.lock()
    with pytest.raises(Unavailable, match=f"process {os.getpid()}") as caught:
        second.lock()
    assert caught.value.facts == {"pid": str(os.getpid()), "folder": str(tmp_path)}
    first.unlock()
    second.lock()
    second.unlock()
    second.unlock()


def test_who_only_looks_whether_it_is_locked_is_in_nobodys_way(tmp_path):
    storage = FileStorage(tmp_path)
    with (tmp_path / LOCK_NAME).open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        looked = Timer(LOCK_PAUSE_MS / 1_000, fcntl.flock, (looking, fcntl.LOCK_UN))
        looked.start()
        storage.lock()
        looked.join()
    storage.unlock()


def test_a_lock_ends_with_its_process(tmp_path):
    script = (
        "import sys, pathlib, time\n"
        "from hansa.engine.storage import FileStorage\n"
        "storage = FileStorage(pathlib.Path(sys.argv[1])); storage.lock()\n"
        "print('locked', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(Unavailable, match=f"process {process.pid}"):
            FileStorage(tmp_path).lock()
        process.kill()
    storage = FileStorage(tmp_path)
    storage.lock()
    storage.unlock()


def test_a_write_the_system_refuses_is_unavailable(tmp_path):
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = FileStorage(tmp_path).open("f", writable=True, create=True)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(Unavailable, match=r"cannot write to .*/f") as caught:
            file.append(b"a" * 600, b"b" * 600)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.facts["errno"] == "EFBIG"
    assert file.size() == 1000
    file.close()


def test_a_full_disk_says_what_to_do():
    # /dev/full answers every write with "no space left on device".
    file = FileStorage(Path("/dev"), read_only=True).open("full", writable=True)
    with pytest.raises(Unavailable, match="the disk is full: free some space"):
        file.append(b"x")
    with pytest.raises(Unavailable, match="the disk is full"):
        file.pwrite(b"x", 0)
    file.close()
