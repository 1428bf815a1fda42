"""Files are whole or not there; nothing but a regular file is read."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.small_disk import mount

from hansa.kernel.errors import Invalid, NotFound, Unavailable
from hansa.sdk.files import read_file, write_file


@contextmanager
def on_a_small_disk():
    """No file may grow beyond ten bytes, as on a disk that is about to be full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_cannot_be_written_whole_leaves_nothing(tmp_path):
    file = tmp_path / "file"
    with on_a_small_disk(), pytest.raises(Unavailable, match="cannot write"):
        write_file(file, bytes(100))
    assert list(tmp_path.iterdir()) == [], "so that it can be tried again"
    write_file(file, b"whole")
    with on_a_small_disk(), pytest.raises(Unavailable):
        write_file(file, bytes(100), replace=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_a_full_disk_is_told_with_what_to_do(tmp_path):
    with mount(tmp_path / "disk", 16):
        with pytest.raises(Unavailable, match="the disk is full: free some space"):
            write_file(tmp_path / "disk" / "file", bytes(100_000))
        assert list((tmp_path / "disk").iterdir()) == []


def test_a_folder_that_is_there_and_takes_no_files_is_not_said_to_be_missing(tmp_path):
    with pytest.raises(Unavailable, match="no file can be made in /proc; name another"):
        write_file(Path("/proc/x"), b"one")
    with pytest.raises(NotFound, match="there is no folder"):
        write_file(tmp_path / "none" / "x", b"one")


def test_only_who_asks_replaces_a_file(tmp_path):
    file = tmp_path / "file"
    write_file(file, b"one")
    with pytest.raises(FileExistsError):
        write_file(file, b"two")
    write_file(file, b"three", replace=True)
    assert read_file(file, 4) == b"thre" + b"e"


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_nothing_that_is_there_is_written_without_being_asked(tmp_path, there):
    path = tmp_path / "place"
    {
        "file": lambda: path.write_bytes(b"one"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(tmp_path / "elsewhere"),
    }[there]()
    with pytest.raises(FileExistsError):
        write_file(path, b"two")
    assert list(tmp_path.iterdir()) == [path], "nothing beside it, nothing behind the link"


def test_a_folder_is_not_replaced(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(Unavailable, match="Is a directory"):
        write_file(folder, b"whole", replace=True)
    assert list(tmp_path.iterdir()) == [folder]


def test_who_may_read_a_file_is_set_from_its_first_byte(tmp_path):
    for number, replace in enumerate((False, True)):
        for mode in (0o600, 0o666):
            path = tmp_path / f"{number}-{mode:o}"
            old = os.umask(0o027)
            try:
                write_file(path, b"whole", replace=replace, mode=mode)
            finally:
                os.umask(old)
            assert path.stat().st_mode & 0o777 == mode & ~0o027


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Invalid, match="is not a file"):
            read_file(path, 10)
    with pytest.raises(NotFound):
        read_file(tmp_path / "none", 10)
