"""Small files of people: read if they are regular ones, written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable


def open_regular(path: Path) -> int:
    """Open a regular file for reading; returns its descriptor. A pipe does not make us wait.

    Raises:
      Invalid: it is a folder, a pipe, a device.
      OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Invalid(InvalidCode.MALFORMED, f"{path} is not a file", path=str(path))
    return descriptor


def read_file(path: Path, bytes_max: int) -> bytes:
    """Read a regular file, at most `bytes_max` bytes and one, which tells that it is longer.

    Raises:
      NotFound: there is no such file.
      Invalid: it is a folder, a pipe, a device.
      Unavailable: it cannot be read.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read(bytes_max + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", path=str(path)) from None
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}", path=str(path)) from None


def write_file(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a file and sync it; if that fails nothing of it is left.

    Args:
      path: the file.
      content: all of it.
      replace: whether a file that is there gives way, once the new one is whole.

    Raises:
      FileExistsError: a file is there and `replace` was not asked for.
      Unavailable: the disk refused.
    """
    target = path.with_name(f".{path.name}.{os.getpid()}") if replace else path
    try:
        with target.open("wb" if replace else "xb") as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                if replace:
                    target.replace(path)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise
    except OSError as error:
        raise Unavailable(f"cannot write {path}: {error.strerror}", path=str(path)) from None
