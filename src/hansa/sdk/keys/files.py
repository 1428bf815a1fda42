"""What files of keys have in common: 32 secret bytes under a passphrase, for their owner only.

The secret stands under AES-256-GCM with a key that scrypt derives from the passphrase
(`hansa.passphrases`); the cipher authenticates the file's public half beside it. Formats
to the byte: docs/reference/keys.md.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import msgspec

from hansa import passphrases
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.passphrases import Locked, ScryptCost
from hansa.regular_files import open_regular
from hansa.sdk.files import OTHERS, write_file

SECRET_BYTES = 32
FILE_BYTES_MAX = 16_384
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "hansa-key": "a key that signs",
        "hansa-channel-key": "a channel key, which opens messages and signs nothing",
    }
)
"""What a key file holds, by its format."""


def lock(
    secret: bytes, passphrase: str, cost: ScryptCost, write_header: Callable[[bytes], bytes]
) -> Locked:
    """Encrypt a secret under a passphrase; `write_header(salt)` is authenticated beside it.

    Raises:
      Invalid: the passphrase is empty or no text, or scrypt does not have such a cost.
    """
    return passphrases.lock(secret, passphrase, cost, write_header, os.urandom)


def unlock(path: Path, locked: Locked, passphrase: str, header: bytes) -> bytes:
    """Decrypt a secret; raises `Invalid`, `UNAUTHENTICATED` for a wrong passphrase."""
    try:
        return passphrases.unlock(locked, passphrase, header)
    except Invalid as error:
        if error.code is not InvalidCode.UNAUTHENTICATED:
            raise
        message = f"wrong passphrase for the key file {path}"
        raise Invalid(InvalidCode.UNAUTHENTICATED, message, path=str(path)) from None


def write_key_file(path: Path, file: msgspec.Struct, *, replace: bool) -> None:
    """Write a key file of mode 0600, whole or not at all, and sync it to the disk.

    Raises:
      Invalid: a file is there and `replace` was not asked for.
      Unavailable: the disk refused.
    """
    content = msgspec.json.format(msgspec.json.encode(file))
    try:
        write_file(path, content + b"\n", replace=replace, mode=0o600)
    except FileExistsError:
        message = f"{path} exists already: replacing a key file loses its key"
        raise Invalid(InvalidCode.MALFORMED, message, path=str(path)) from None


def read_key_file(path: Path) -> bytes:
    """Read a small regular file, which only its owner may open if it is a key file.

    Raises:
      Invalid: it is something else, or a key file that others may open.
      NotFound: there is no such file.
      Unavailable: the disk refused.
    """
    try:
        return _read_private(path)
    except FileNotFoundError:
        message = f"there is no key file {path}"
        raise NotFound(message, path=str(path)) from None
    except OSError as error:
        message = f"cannot read the key file {path}: {error.strerror}"
        raise Unavailable(message, path=str(path)) from None


class _Named(msgspec.Struct):
    format: str = ""


def require_kind(path: Path, content: bytes, wanted: str) -> None:
    """Refuse a sound key file of another kind; what is damaged is for the caller to tell.

    Args:
      path: of the file.
      content: of the file.
      wanted: the format that is needed.

    Raises:
      Invalid: it is of another kind.
    """
    found = _find_format(content)
    if found in KINDS and found != wanted:
        message = f"{path} holds {KINDS[found]}: name the file of {KINDS[wanted]}"
        raise Invalid(InvalidCode.MALFORMED, message, path=str(path))


def _find_format(content: bytes) -> str:
    """Find what a file says that it is; nothing if it is none of ours."""
    try:
        return msgspec.json.decode(content, type=_Named).format
    except DECODE_ERRORS:
        return ""


def raise_damaged(path: Path, why: str) -> NoReturn:
    """Raise the `Invalid` for a file that is no key file, or none any more."""
    message = (
        f"{path} is no key file, or is damaged ({why}): name another file, or restore it from a "
        "backup"
    )
    raise Invalid(InvalidCode.MALFORMED, message, path=str(path))


def _read_private(path: Path) -> bytes:
    """Read a small regular file, which only its owner may open if it is a key file."""
    descriptor = open_regular(path)
    try:
        mode = os.fstat(descriptor).st_mode
        content = os.read(descriptor, FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > FILE_BYTES_MAX:
        raise_damaged(path, f"it has more than {FILE_BYTES_MAX} bytes")
    if mode & OTHERS and _find_format(content) in KINDS:  # of another file its reader tells
        message = (
            f"others may open the key file {path} (mode {stat.S_IMODE(mode):04o}): "
            f"run chmod 600 {path}"
        )
        raise Invalid(InvalidCode.MALFORMED, message, path=str(path))
    return content
