"""SQLite files that another process may have open: how to know, copy and look at one.

Source: SQLite's documentation of the online backup API, and of WAL mode.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hansa.kernel.errors import Corrupt, Unavailable

_MAGIC = b"SQLite format 3\0"
_APPLICATION_AT = 68
"""Source: SQLite's documentation of its file format, section 1.3."""


def is_database(path: Path) -> bool:
    """Whether a file is one of SQLite's; False also for what cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_application(path: Path) -> int:
    """Read the number by which an application tells its files from others; 0 for none.

    Raises:
      OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(_APPLICATION_AT)
        return int.from_bytes(file.read(4), "big")


def copy_database(source: Path, target: Path) -> None:
    """Copy a file as of one moment, though others write meanwhile; the copy has mode 0600.

    Raises:
      Corrupt: it is damaged, or no such file.
      Unavailable: the disk refuses.
      OSError: the copy cannot be made.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as to:
            reading.backup(to)
    except sqlite3.OperationalError as error:
        raise Unavailable(f"cannot copy {source}: {error}", path=str(source)) from None
    except sqlite3.DatabaseError as error:
        raise Corrupt(f"{source} is damaged ({error}): put a copy back", path=str(source)) from None


@contextmanager
def left_untouched(path: Path) -> Iterator[str]:
    """Give the URI under which to look at a file that no process has open; nothing is written.

    What a killed process left in the write-ahead log belongs to it: then it is that of a copy of
    both. Raises `OSError`.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        yield f"{path.resolve().as_uri()}?immutable=1"
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        yield copy.as_uri()
