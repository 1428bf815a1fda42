"""Small files of people: read if they are regular ones, written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from secrets import token_hex

from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.regular_files import open_regular, sync_names
from hansa.system_errors import ADVICE

API_KEY_BYTES_MAX = 4_096
OTHERS = 0o077
"""Of a file's mode, what everybody but its owner may do."""


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
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no file {path}", path=str(path)) from None
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, str(error.strerror))
        raise Unavailable(f"cannot read {path}: {advice}", path=str(path)) from None


def require_private(path: Path) -> None:
    """Refuse a key that is not encrypted and that others of this machine may open.

    Raises:
      NotFound: there is no such file.
      Invalid: others may open it.
      Unavailable: it cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", path=str(path)) from None
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}", path=str(path)) from None
    if mode & OTHERS:
        message = (
            f"others may open the key {path}, which is not encrypted (mode "
            f"{stat.S_IMODE(mode):04o}): run chmod 600 {path}"
        )
        raise Invalid(InvalidCode.MALFORMED, message, path=str(path))


def read_api_key_file(path: Path) -> str:
    """Read the key by which a node knows who asks.

    Raises:
      NotFound: there is no such file.
      Invalid: the file is no key.
      Unavailable: it cannot be read.
    """
    raw = read_file(path, API_KEY_BYTES_MAX)
    try:
        text = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > API_KEY_BYTES_MAX:
        raise Invalid(InvalidCode.UNAUTHENTICATED, f"{path} holds no API key", path=str(path))
    return text


def check_file(path: Path) -> None:
    """Check that a regular file is there and may be read; raises as `read_file` does."""
    read_file(path, 0)


def write_file(path: Path, content: bytes, *, replace: bool = False, mode: int = 0o666) -> None:
    """Write a file, whole or not at all, and sync it to the disk.

    It is written beside its place and renamed over it. A new file's name is taken first, and is
    empty until then: of two who write it at once one is refused, also where there are no links.

    Args:
      path: the file.
      content: all of it.
      replace: whether a file that is there gives way, once the new one is whole.
      mode: who may read it, less what the umask takes away.

    Raises:
      FileExistsError: a file is there and `replace` was not asked for.
      NotFound: there is no such folder.
      Unavailable: the disk refused, or no file can be made in that folder.
    """
    try:
        if not replace:
            os.close(_create(path, mode))
        try:
            _write_over(path, content, mode)
            sync_names(path.parent)
        except BaseException:
            if not replace:
                path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        if path.parent.is_dir():  # as /proc, whose files are none of ours
            message = f"cannot write {path}: no file can be made in {path.parent}; name another"
            raise Unavailable(message, path=str(path)) from None
        message = f"cannot write {path}: there is no folder {path.parent}; make it, or name another"
        raise NotFound(message, path=str(path)) from None
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, str(error.strerror))
        raise Unavailable(f"cannot write {path}: {advice}", path=str(path)) from None


def _write_over(path: Path, content: bytes, mode: int) -> None:
    # No name that could be guessed: in a folder of many, someone could have put a link there.
    beside = path.with_name(f".hansa-{token_hex(8)}")
    descriptor = _create(beside, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _create(path: Path, mode: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
