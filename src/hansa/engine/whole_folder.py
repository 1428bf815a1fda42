"""Makes a folder that is there whole and durable, or not at all, whenever the process dies.

Source: rename(2), flock(2), fsync(2).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hansa.kernel.errors import Invalid, InvalidCode


@contextmanager
def making(target: Path, *, may_be_empty: bool = False) -> Iterator[Path]:
    """Make a folder beside its place, and put it there once it is whole and durable.

    What a killed process left half made is removed by the next one; a lock, which the system gives
    back when a process dies, tells it from one that is being made.

    Args:
      target: the folder's place; its parents are made where they lack.
      may_be_empty: whether an empty folder may be there already.

    Raises:
      Invalid: something is there.
      OSError: the disk refused.
    """
    _require_free(target, may_be_empty=may_be_empty)
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix, suffix = f".{target.name}.", ".partial"
    for left in target.parent.glob(f"{prefix}*{suffix}"):
        with _locked(left) as is_locked:
            if is_locked:
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=target.parent))
    try:
        with _locked(folder):
            yield folder
            for path in (*folder.rglob("*"), folder):
                _sync(path)
            _require_free(target, may_be_empty=may_be_empty)
            folder.rename(target)
            _sync(target.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock; says whether it was to be had."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _require_free(target: Path, *, may_be_empty: bool) -> None:
    if not os.path.lexists(target):
        return
    if may_be_empty and target.is_dir() and not any(target.iterdir()):
        return
    what = "is not empty" if may_be_empty and target.is_dir() else "exists already"
    raise Invalid(InvalidCode.MALFORMED, f"{target} {what}: name another folder", path=str(target))


def _sync(path: Path) -> None:
    """Make a file, or what a folder lists, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
