"""Making folders: whole, or not at all, also where a disk is mounted in their place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.small_disk import mount

from hansa.engine.whole_folder import making
from hansa.kernel.errors import Invalid, Unavailable

KILLED = """
import os, sys
from pathlib import Path
from hansa.engine.whole_folder import making

with making(Path(sys.argv[1]), may_be_empty=True, last=sys.argv[2]) as folder:
    (folder / "secret").write_text("half")
    os.kill(os.getpid(), 9)
"""


def list_all(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def make(target, **options):
    with making(target, **options) as folder:
        (folder / "first").write_text("1")
        (folder / "last").write_text("2")


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_takes_its_place_and_what_was_left_half_made_goes(tmp_path, is_there):
    target = tmp_path / "above" / "target"
    if is_there:
        target.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", KILLED, str(target), ""], check=False)
    (left,) = target.parent.glob(".target.*.partial")
    assert (left / "secret").exists()
    assert not target.exists() or list_all(target) == []
    make(target, may_be_empty=True)
    assert list_all(tmp_path / "above") == ["target", "target/first", "target/last"]
    assert target.stat().st_mode & 0o777 == 0o700
    for options in ({}, {"may_be_empty": True}):
        with pytest.raises(Invalid, match="name another folder"):
            make(target, **options)


def test_into_a_disk_all_moves_piece_by_piece_and_what_counts_last(tmp_path):
    target = tmp_path / "disk"
    with mount(target, 512):
        with pytest.raises(Invalid, match="a disk is mounted at"):
            make(target, may_be_empty=True)
        subprocess.run([sys.executable, "-c", KILLED, str(target), "last"], check=False)
        assert any(name.endswith("secret") for name in list_all(target))
        make(target, may_be_empty=True, last="last")
        assert list_all(target) == ["first", "last"]
        assert target.stat().st_mode & 0o777 == 0o700
        with pytest.raises(Invalid, match="is not empty"):
            make(target, may_be_empty=True, last="last")


def test_a_full_disk_leaves_nothing_and_is_told_in_words(tmp_path):
    with mount(tmp_path / "disk", 64):
        target = tmp_path / "disk" / "target"
        with (
            pytest.raises(Unavailable, match=r"cannot make or read .*disk"),
            making(target) as folder,
        ):
            (folder / "big").write_bytes(bytes(1 << 20))
        assert list_all(tmp_path / "disk") == []


def test_what_is_raised_within_is_raised_and_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "file").touch()
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), making(tmp_path / "target") as folder:
        fail(folder)
    assert list(Path(tmp_path).iterdir()) == []
