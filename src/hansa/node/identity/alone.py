"""Having a folder alone, as who works with a wallet or serves an issuer does.

Source: flock(2), which the system gives back if the process dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hansa.kernel.errors import NotFound, Unavailable


@contextmanager
def alone_in(folder: Path, *, missing: str, taken: str) -> Iterator[None]:
    """Keep others who ask for the same out of a folder meanwhile.

    Args:
      folder: that must be there.
      missing: what to say if it is not.
      taken: what to say if another has it.

    Raises:
      NotFound: there is no such folder.
      Unavailable: another has it, or the disk refuses.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(missing) from None
    except OSError as error:
        raise Unavailable(f"cannot open {folder}: {error.strerror}", path=str(folder)) from None
    try:
        _take(descriptor, taken)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, taken: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unavailable(taken) from None
