"""Reading a folder that anybody may have filled: no link is followed, and every reading has an end.

Whatever is below the folder is opened part by part, from the folder down, so that no name leads out
of it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from hansa.shapes import Unread
from hansa.system_errors import ADVICE

ENTRIES_MAX = 5_000
"""Of a folder, that are looked at."""
DEPTH_MAX = 4
NAME_LETTERS_MAX = 1_024
HASHES_KEPT = 4_096
SETTLED_NS = 2_000_000_000
"""For how long a file has been left alone before its hash is kept: within one tick of the clock of
a file system, two contents of a file look alike."""
_CHUNK_BYTES = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Gone(Unread):
    """There is no such file or folder."""


class Named(NamedTuple):
    """Something in a folder."""

    name: str
    is_link: bool


class Listed(NamedTuple):
    """What is in a folder."""

    folders: list[Named]
    """Folders, and links to whatever."""
    is_whole: bool
    """Whether all was looked at."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open the folder that all is in; it may be a link, as whoever named it wants it.

    Raises:
      Gone: there is none.
      Unread: it cannot be read, or is no folder.
    """
    with _open(str(path), None, _FOLDER) as folder:
        yield folder


@contextmanager
def opened_below(folder: int, name: str) -> Iterator[int]:
    """Open a folder in an open one; raises as `opened`, also if it is a link."""
    with _open(_require_plain(name), folder, _FOLDER | os.O_NOFOLLOW) as below:
        yield below


@contextmanager
def opened_file(folder: int, name: str) -> Iterator[int]:
    """Open a file by its name from an open folder down, with slashes between folders.

    Raises:
      Gone: there is none.
      Unread: it cannot be read, is no file but a link, a pipe or a device, or is not below.
    """
    head, _, rest = name[: NAME_LETTERS_MAX + 1].partition("/")
    if len(name) > NAME_LETTERS_MAX or name.count("/") > DEPTH_MAX:
        raise Unread("has a name that is too long")
    if rest:
        with opened_below(folder, head) as below, opened_file(below, rest) as file:
            yield file
        return
    with _open(_require_plain(name), folder, _FILE) as file:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise Unread("is no file")
        yield file


def list_folders(folder: int) -> Listed:
    """List the folders in an open one, and links; hidden ones, as unfinished ones are, left out."""
    found: list[Named] = []
    for count, each in enumerate(_scan(folder)):
        if count == ENTRIES_MAX:
            return Listed(found, is_whole=False)
        is_link = each.is_symlink()
        if not each.name.startswith(".") and (is_link or _is_folder(each)):
            found.append(Named(each.name, is_link))
    return Listed(found, is_whole=True)


def walk(folder: int, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Walk through what is below an open folder, at most `DEPTH_MAX` folders deep.

    Gives the name of each thing from the folder down, and whether it is a folder. It has as many
    items as there are: whoever asks has to end.
    """
    for each in _scan(folder):
        is_folder = _is_folder(each)
        yield f"{prefix}{each.name}", is_folder
        if is_folder and prefix.count("/") < DEPTH_MAX:
            with suppress(Unread), opened_below(folder, each.name) as below:
                yield from walk(below, f"{prefix}{each.name}/")


def read_below(folder: int, name: str, bytes_max: int) -> bytes:
    """Read a file from an open folder; raises as `opened_file`, and `Unread` if it is longer."""
    with opened_file(folder, name) as file:
        if os.fstat(file).st_size > bytes_max:
            raise Unread(f"has more than {bytes_max:,} bytes")
        return b"".join(_read(file, bytes_max))


def find_time_ns(folder: int, name: str) -> int:
    """Find when a file or folder in an open one was changed; 0 if that cannot be said."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns
    except (OSError, ValueError):
        return 0


class Hashes:
    """Hashes files, each but once until it changes.

    Args:
      clock_ns: what the time is.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._kept: OrderedDict[tuple[int, ...], str] = OrderedDict()

    def hash(self, file: int) -> str:
        """Hash an open file by SHA-256; raises `Unread` if it cannot be read."""
        seen = os.fstat(file)
        key = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
        known = self._kept.get(key)
        if known is not None:
            return known
        digest = hashlib.sha256()
        for chunk in _read(file, seen.st_size):
            digest.update(chunk)
        found = digest.hexdigest()
        if self._clock_ns() - seen.st_ctime_ns > SETTLED_NS:
            self._kept[key] = found
            while len(self._kept) > HASHES_KEPT:
                self._kept.popitem(last=False)
        return found


@contextmanager
def _open(name: str, folder: int | None, flags: int) -> Iterator[int]:
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        raise Gone("is not there") from None
    except (OSError, ValueError) as error:
        raise Unread(_tell(error)) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _tell(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ELOOP, errno.ENOTDIR}:
        return "is a link, which is not followed, or no folder"
    if number is None or number == errno.ENAMETOOLONG:
        return "has a name that no file has"
    advice = ADVICE.get(number, os.strerror(number))
    return f"cannot be read: {advice}"


def _require_plain(name: str) -> str:
    """Require a name that leads nowhere but into its folder."""
    if name in {"", ".", ".."} or "/" in name:
        raise Unread("has a name that leads elsewhere")
    return name


def _scan(folder: int) -> Iterator[os.DirEntry[str]]:
    try:
        with closing(os.scandir(folder)) as found:
            yield from found
    except OSError as error:
        raise Unread(_tell(error)) from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _read(file: int, bytes_max: int) -> Iterator[bytes]:
    """Read a file until its end, or so many bytes."""
    left = bytes_max
    try:
        while left and (chunk := os.read(file, min(_CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
    except OSError as error:
        raise Unread(_tell(error)) from None
