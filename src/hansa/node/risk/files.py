"""Files of an operator's folder: some may be missing, and several may be changing them.

Source: flock(2), which the system gives back if the process dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hansa.kernel.errors import Invalid, InvalidCode, Unavailable


def read_optional(path: Path, bytes_max: int) -> bytes | None:
    """Read a file; None if there is none.

    Raises:
      Invalid: it is larger than that.
      Unavailable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}", path=str(path)) from None
    if len(raw) > bytes_max:
        raise Invalid(
            InvalidCode.TOO_LARGE, f"{path} has more than {bytes_max} bytes", path=str(path)
        )
    return raw


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others who ask for the same out of a folder meanwhile; waits for one who has it.

    Whoever reads a file there to write it anew, changed, needs this, or loses what another writes.

    Raises:
      Unavailable: there is no such folder, or the disk refuses.
    """
    descriptor = -1
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise Unavailable(f"cannot lock {folder}: {error.strerror}", path=str(folder)) from None
    try:
        yield
    finally:
        os.close(descriptor)
