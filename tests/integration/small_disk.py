"""A small disk in memory, to be full soon."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TRIES = 20


@contextmanager
def try_to_mount(folder: Path, size_kb: int) -> Iterator[bool]:
    """Mount a small disk in memory; gives whether that could be done, as by root only."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(folder)]
    is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def mount(folder: Path, size_kb: int) -> Iterator[None]:
    """Mount a small disk in memory, or skip the test."""
    with try_to_mount(folder, size_kb) as is_mounted:
        if not is_mounted:
            pytest.skip("a disk in memory can be mounted by root only")
        yield


def resize(folder: Path, size_kb: int) -> None:
    """Make the disk larger, or smaller but for what lies on it."""
    command = ["mount", "-o", f"remount,size={size_kb}k", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def leave_room(folder: Path, free_kb: int) -> None:
    """Leave so much room on the disk, while others write to it."""
    for turn in range(TRIES):
        found = os.statvfs(folder)
        used_kb = (found.f_blocks - found.f_bfree) * found.f_frsize // 1_024
        try:
            resize(folder, used_kb + free_kb)
        except subprocess.CalledProcessError:  # by now there is more on it
            if turn == TRIES - 1:
                raise
        else:
            return
