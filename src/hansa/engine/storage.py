"""Files of one folder, as the block log needs them, behind a protocol the simulator replaces.

The rules of a disk are in the protocol: what was appended is lost or torn by a power cut unless
`sync` returned; a name is durable after `replace` returned. A foreign `OSError` never leaves
this module: it becomes `Unavailable` and says what to do.

Source: open(2), fdatasync(2), rename(2), flock(2); docs/reference/log.md.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from hansa.kernel.errors import NotFound, Unavailable
from hansa.regular_files import sync_names
from hansa.system_errors import ADVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN_FOLDER = 0o700
"""Mode of what a node makes: ledger, keys and logs are for its owner alone."""
TEMPORARY_SUFFIX = ".tmp"
LOCK_TRIES = 30
LOCK_PAUSE_MS = 10
LOCK_NAME = "lock"


class StorageFile(Protocol):
    """One open file. Only one writer at a time; any number of readers."""

    def append(self, *parts: bytes) -> None:
        """Write the parts one after another at the end of the file; not durable yet."""

    def pwrite(self, data: bytes, offset: int) -> None:
        """Overwrite at `offset`; not durable yet."""

    def pread(self, length: int, offset: int) -> bytes:
        """Read up to `length` bytes; shorter only at the end of the file."""

    def size(self) -> int:
        """Bytes in the file as readers see it now."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size`; not durable yet."""

    def sync(self) -> None:
        """Make everything written to this file durable (fdatasync)."""

    def close(self) -> None:
        """Close the file; does not sync."""


class Storage(Protocol):
    """A folder of files.

    Every method raises `Unavailable` when the disk refuses; after a failed write or sync nothing
    is known about the bytes concerned, so the caller must stop writing and open again.
    """

    @property
    def place(self) -> str:
        """Where it is, for people."""

    def open(self, name: str, *, writable: bool, create: bool = False) -> StorageFile:
        """Open a file; `create` makes an empty one whose name is not durable yet.

        Raises:
          NotFound: if there is no such file and `create` is false.
        """

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in place at once: after a crash the old or the new one is there.

        Durable when it returns: temporary file, sync, rename, sync of the folder.
        """

    def remove(self, name: str) -> None:
        """Remove a file; durable when it returns."""

    def list(self) -> list[str]:
        """Names of the files in the folder, sorted."""

    def sync(self) -> None:
        """Make durable which files the folder holds, and that it is there itself."""

    def lock(self) -> None:
        """Take the folder for this process until `unlock`.

        Raises:
          Unavailable: another process has it; names the process and the folder.
        """

    def unlock(self) -> None:
        """Give the folder back; does nothing if it is not held."""

    def free_bytes(self) -> int:
        """Bytes that can still be written to this disk by this user."""


class FileStorage:
    """A real folder.

    Args:
      folder: made if it is missing, unless `read_only`.
      read_only: for a second process beside a running node; takes no lock and writes nothing.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.folder = folder
        self._lock_descriptor: int | None = None
        if read_only:
            if not folder.is_dir():
                raise NotFound(f"there is no folder {folder}", folder=str(folder))
            return
        make_folder(folder)

    @property
    def place(self) -> str:
        """The folder's path from the root."""
        return str(self.folder.absolute())

    def open(self, name: str, *, writable: bool, create: bool = False) -> StorageFile:
        """Open a file under the folder."""
        path = self.folder / name
        flags = (os.O_RDWR if writable else os.O_RDONLY) | (os.O_CREAT if create else 0)
        with _translating("open", path):
            # A pipe that lies in the place of a file must not make us wait.
            return _File(os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600), path)

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in place at once; durable when it returns."""
        temporary = self.folder / (name + TEMPORARY_SUFFIX)
        with _translating("write", temporary):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            file = _File(os.open(temporary, flags, 0o600), temporary)
        try:
            file.append(data)
            file.sync()
        finally:
            file.close()
        with _translating("rename", temporary):
            temporary.rename(self.folder / name)
        sync_folder(self.folder)

    def remove(self, name: str) -> None:
        """Remove a file; durable when it returns."""
        with _translating("remove", self.folder / name):
            (self.folder / name).unlink(missing_ok=True)
        sync_folder(self.folder)

    def list(self) -> list[str]:
        """Names of the files in the folder, sorted."""
        with _translating("list", self.folder), os.scandir(self.folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_file())

    def sync(self) -> None:
        """Make durable which files the folder holds, and that it is there itself."""
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    def lock(self) -> None:
        """Take the folder with flock(2), which the system gives back if the process dies."""
        if self._lock_descriptor is not None:
            return
        path = self.folder / LOCK_NAME
        with _translating("lock", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _flock(descriptor)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            except BlockingIOError:
                owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise Unavailable(
                    f"{self.folder} is in use by process {owner or 'unknown'}: "
                    "stop that process first, or name another folder",
                    pid=owner,
                    folder=str(self.folder),
                ) from None
            except OSError:
                os.close(descriptor)
                raise
        self._lock_descriptor = descriptor

    def unlock(self) -> None:
        """Give the folder back."""
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def free_bytes(self) -> int:
        """Bytes that this user can still write."""
        with _translating("look at the free space of", self.folder):
            status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize


def is_locked(folder: Path) -> bool:
    """Whether a process has a folder of `FileStorage` locked; nothing is written.

    Raises:
      OSError: its lock cannot be opened.
    """
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _flock(descriptor: int) -> None:
    """Take a lock; whoever only looks whether it is taken has it for a moment."""
    for _ in range(LOCK_TRIES - 1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_MS / 1_000)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone, where it is missing; durable when it returns.

    Those above it are made too, as the system makes folders.

    Raises:
      Unavailable: the disk refuses.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    with _translating("make the folder", folder):
        folder.mkdir(OWN_FOLDER, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make durable which files and folders a folder holds.

    Raises:
      Unavailable: the disk refuses.
    """
    with _translating("sync the folder", folder):
        sync_names(folder)


class _File:
    """A real file that is written at an end of its own, so that `pwrite` stays possible."""

    __slots__ = ("_descriptor", "_end", "_path")

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._end = os.fstat(descriptor).st_size

    def append(self, *parts: bytes) -> None:
        with _translating("write to", self._path):
            written = os.pwritev(self._descriptor, parts, self._end)
            self._end += written
            if written < sum(map(len, parts)):  # a signal, a limit, or a disk about to be full
                self._write_all(memoryview(b"".join(parts))[written:])

    def _write_all(self, rest: memoryview) -> None:
        while rest:
            written = os.pwrite(self._descriptor, rest, self._end)
            self._end += written
            rest = rest[written:]

    def pwrite(self, data: bytes, offset: int) -> None:
        rest = memoryview(data)
        with _translating("write to", self._path):
            while rest:
                written = os.pwrite(self._descriptor, rest, offset)
                offset += written
                rest = rest[written:]
        self._end = max(self._end, offset)

    def pread(self, length: int, offset: int) -> bytes:
        with _translating("read", self._path):
            data = os.pread(self._descriptor, length, offset)
            while 0 < len(data) < length:
                more = os.pread(self._descriptor, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
            return data

    def size(self) -> int:
        with _translating("look at", self._path):
            return os.fstat(self._descriptor).st_size

    def truncate(self, size: int) -> None:
        with _translating("cut", self._path):
            os.ftruncate(self._descriptor, size)
        self._end = size

    def sync(self) -> None:
        with _translating("sync", self._path):
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        with _translating("close", self._path):
            os.close(self._descriptor)


@contextmanager
def _translating(doing: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into one of ours that says what, where and what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"cannot {doing} {path}: it does not exist", path=str(path)) from error
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, str(error.strerror))
        name = errno.errorcode.get(error.errno or 0, "?")
        raise Unavailable(f"cannot {doing} {path}: {advice}", path=str(path), errno=name) from error
