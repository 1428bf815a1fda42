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

from hansa.engine.storage import OWN_FOLDER
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.system_errors import ADVICE


@contextmanager
def making(target: Path, *, may_be_empty: bool = False, last: str = "") -> Iterator[Path]:
    """Make a folder beside its place, and put it there once it is whole and durable.

    What a killed process left half made is removed by the next one; a lock, which the system gives
    back when a process dies, tells it from one that is being made.

    Args:
      target: the folder's place; its parents are made where they lack.
      may_be_empty: whether an empty folder may be there already.
      last: an empty disk may be mounted there, which nothing can be put in the place of: then what
        was made moves into it piece by piece, and what has this name last, without which it is
        nothing. Such a place is refused where there is no such name.

    Raises:
      Invalid: something is there.
      Unavailable: the disk refused; whatever is raised within, nothing is left.
    """
    with translating(target):
        is_disk = may_be_empty and target.is_mount()
        if is_disk and not last:
            raise _occupied(f"a disk is mounted at {target}")
        parent = target if is_disk else target.parent
        prefix, suffix = f".{target.name}.", ".partial"
        missing = [each for each in (parent, *parent.parents) if not each.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        for each in missing:
            _sync(each.parent)
        for left in parent.glob(f"{prefix}*{suffix}"):
            with _locked(left) as is_locked:
                if is_locked:
                    shutil.rmtree(left)
        require_free(target, may_be_empty=may_be_empty)
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=parent))
        try:
            with _locked(folder):
                yield folder
                for path in (*folder.rglob("*"), folder):
                    _sync(path)
                if is_disk:
                    _move_up(folder, last)
                else:
                    require_free(target, may_be_empty=may_be_empty)
                    folder.rename(target)
                _sync(parent)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def require_folder(path: Path, wanted: str) -> None:
    """Refuse a file in the place of a folder; what is not there is not refused.

    Args:
      path: what was named.
      wanted: what to name instead, in words.

    Raises:
      Invalid: it is no folder.
    """
    if path.exists() and not path.is_dir():
        what = "a file" if path.is_file() else "something else"
        message = f"{path} is {what}, not a folder: name {wanted}"
        raise Invalid(InvalidCode.MALFORMED, message, path=str(path))


def require_free(target: Path, *, may_be_empty: bool = False) -> None:
    """Refuse a place where something is; raises `Invalid`, or `Unavailable` if it cannot be seen.

    Args:
      target: the place.
      may_be_empty: whether an empty folder may be there.
    """
    with translating(target):
        if not os.path.lexists(target):
            return
        if may_be_empty and target.is_dir() and not any(target.iterdir()):
            return
        what = "is not empty" if may_be_empty and target.is_dir() else "exists already"
        raise _occupied(f"{target} {what}")


def _occupied(what: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"{what}: nothing is overwritten; name another folder")


def _move_up(folder: Path, last: str) -> None:
    """Move what a folder holds into its parent."""
    folder.parent.chmod(OWN_FOLDER)
    for item in sorted(folder.iterdir(), key=lambda item: item.name == last):
        if item.name == last:
            _sync(folder.parent)
        item.rename(folder.parent / item.name)
    folder.rmdir()


@contextmanager
def translating(target: Path) -> Iterator[None]:
    """Turn an `OSError` about a folder, or something in it, into one of ours.

    Raises:
      Invalid: a file stands where a folder must be.
      Unavailable: the disk refuses.
    """
    try:
        yield
    except OSError as error:
        for each in reversed(target.parents):
            require_folder(each, "another folder")
        advice = ADVICE.get(error.errno or 0, error.strerror)
        where = error.filename or target
        raise Unavailable(f"cannot make or read {where}: {advice}", path=str(target)) from error


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


def _sync(path: Path) -> None:
    """Make a file, or what a folder lists, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
