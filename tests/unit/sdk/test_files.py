"""Files are whole or not there; nothing but a regular file is read."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager

import pytest

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


def test_only_who_asks_replaces_a_file(tmp_path):
    file = tmp_path / "file"
    write_file(file, b"one")
    with pytest.raises(FileExistsError):
        write_file(file, b"two")
    write_file(file, b"three", replace=True)
    assert read_file(file, 4) == b"thre" + b"e"


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Invalid, match="is not a file"):
            read_file(path, 10)
    with pytest.raises(NotFound):
        read_file(tmp_path / "none", 10)
