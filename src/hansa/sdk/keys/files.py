"""What files of keys have in common: 32 secret bytes under a passphrase, for their owner only.

The secret stands under AES-256-GCM with a key that scrypt derives from the passphrase; the cipher
authenticates the file's public half beside it. Formats to the byte: docs/reference/keys.md.

Source: RFC 7914 (scrypt); NIST SP 800-38D (GCM); OWASP Password Storage Cheat Sheet (costs).
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, NoReturn

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.sdk.files import OTHERS, open_regular, write_file

SECRET_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
FILE_BYTES_MAX = 16_384
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "hansa-key": "a key that signs",
        "hansa-channel-key": "a channel key, which opens messages and signs nothing",
    }
)
"""What a key file holds, by its format."""
SCRYPT_MEMORY_MAX = 2**30
SCRYPT_PASSES_MAX = 64


class ScryptCost(NamedTuple):
    """Cost of scrypt: memory is 128 * n * r bytes, passed over p times."""

    n: int
    r: int
    p: int


# 32 MiB and about 0.2 s a try; of the same strength, by OWASP, as n = 2^17 with p = 1.
DEFAULT_COST = ScryptCost(n=2**15, r=8, p=3)


class Locked(NamedTuple):
    """A secret under a passphrase."""

    cost: ScryptCost
    salt: bytes
    nonce: bytes
    ciphertext: bytes

    def compute_checksum(self, header: bytes) -> bytes:
        """Compute what tells damage from a wrong passphrase."""
        return hashlib.sha256(header + self.nonce + self.ciphertext).digest()

    def is_sound(self) -> bool:
        """Whether salt, nonce and ciphertext have their lengths."""
        lengths = (len(self.salt), len(self.nonce), len(self.ciphertext))
        return lengths == (SALT_BYTES, NONCE_BYTES, SECRET_BYTES + TAG_BYTES)


def lock(
    secret: bytes, passphrase: str, cost: ScryptCost, write_header: Callable[[bytes], bytes]
) -> Locked:
    """Encrypt a secret under a passphrase; `write_header(salt)` is authenticated beside it.

    Raises:
      Invalid: the passphrase is empty or no text, or scrypt does not have such a cost.
    """
    check_cost(cost)
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    cipher = AESGCM(_derive(passphrase, cost, salt))
    return Locked(cost, salt, nonce, cipher.encrypt(nonce, secret, write_header(salt)))


def unlock(path: Path, locked: Locked, passphrase: str, header: bytes) -> bytes:
    """Decrypt a secret; raises `Invalid`, `UNAUTHENTICATED` for a wrong passphrase."""
    cipher = AESGCM(_derive(passphrase, locked.cost, locked.salt))
    try:
        return cipher.decrypt(locked.nonce, locked.ciphertext, header)
    except InvalidTag:
        message = f"wrong passphrase for the key file {path}"
        raise Invalid(InvalidCode.UNAUTHENTICATED, message, path=str(path)) from None


def check_cost(cost: ScryptCost) -> None:
    """Refuse costs that scrypt does not have, or that would exhaust this machine."""
    is_power_of_two = cost.n > 1 and cost.n & (cost.n - 1) == 0
    is_affordable = (
        cost.r > 0
        and 0 < cost.p <= SCRYPT_PASSES_MAX
        and 128 * cost.n * cost.r <= SCRYPT_MEMORY_MAX
    )
    if not (is_power_of_two and is_affordable):
        message = f"scrypt cannot run with n={cost.n}, r={cost.r}, p={cost.p}"
        raise Invalid(InvalidCode.MALFORMED, message)


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


def _derive(passphrase: str, cost: ScryptCost, salt: bytes) -> bytes:
    """Derive the file's AES key; NFC, so that one passphrase is the same on every keyboard."""
    try:
        raw = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise Invalid(InvalidCode.MALFORMED, "the passphrase is not Unicode text") from None
    if not raw:
        raise Invalid(InvalidCode.MALFORMED, "the passphrase is empty")
    return Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(raw)


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
