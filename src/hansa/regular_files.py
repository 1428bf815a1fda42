"""Files that people name are opened if they are regular ones: others may have no end, or block.

And what a folder calls its files is made to last.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from hansa.kernel.errors import Invalid, InvalidCode

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> int:
    """Open a regular file for reading; returns its descriptor. A pipe does not make us wait.

    Raises:
      Invalid: it is a folder, a pipe, a device.
      OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device that is not there
            raise _no_file(path, path.stat().st_mode) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _no_file(path, mode)
    return descriptor


def sync_names(folder: Path) -> None:
    """Have the names in a folder last, of files that were made, renamed or removed there.

    Raises:
      OSError: the disk refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _no_file(path: Path, mode: int) -> Invalid:
    kind = next((name for is_one, name in _KINDS if is_one(mode)), "something else")
    message = f"{path} is not a file but {kind}: name a file"
    return Invalid(InvalidCode.MALFORMED, message, path=str(path))
