"""Secrets under a passphrase: scrypt makes a key of it, AES-256-GCM encrypts with that.

What the cipher authenticates beside the secret, its header, is the caller's, and so is the file.

Source: RFC 7914 (scrypt); NIST SP 800-38D (GCM); OWASP Password Storage Cheat Sheet (costs).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hansa.kernel.errors import Invalid, InvalidCode

SALT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
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

    def is_sound(self, secret_bytes: int | None = None) -> bool:
        """Whether salt, nonce and ciphertext have their lengths; any secret's, if none is given."""
        length = len(self.ciphertext) - TAG_BYTES
        is_whole = length >= 0 if secret_bytes is None else length == secret_bytes
        return is_whole and (len(self.salt), len(self.nonce)) == (SALT_BYTES, NONCE_BYTES)

    def write_fields(self, header: bytes) -> dict[str, Any]:
        """Write the fields of a `LockedFile`."""
        return {
            "kdf": "scrypt",
            **self.cost._asdict(),
            "salt": self.salt.hex(),
            "cipher": "aes-256-gcm",
            "nonce": self.nonce.hex(),
            "ciphertext": self.ciphertext.hex(),
            "checksum": self.compute_checksum(header).hex(),
        }


class LockedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a JSON file says of its secret, after its own fields; byte strings in lower-case hex."""

    kdf: Literal["scrypt"]
    n: int
    r: int
    p: int
    salt: str
    cipher: Literal["aes-256-gcm"]
    nonce: str
    ciphertext: str
    checksum: str

    def read_locked(self) -> Locked:
        """Read the secret as it is locked; its lengths and checksum are for the caller to check.

        Raises:
          ValueError: a byte string is no hex.
          Invalid: `check_cost` refuses the cost.
        """
        locked = Locked(
            ScryptCost(self.n, self.r, self.p),
            bytes.fromhex(self.salt),
            bytes.fromhex(self.nonce),
            bytes.fromhex(self.ciphertext),
        )
        check_cost(locked.cost)
        return locked


def lock(
    secret: bytes,
    passphrase: str,
    cost: ScryptCost,
    write_header: Callable[[bytes], bytes],
    draw: Callable[[int], bytes],
) -> Locked:
    """Encrypt a secret under a passphrase; `write_header(salt)` is authenticated beside it.

    Args:
      secret: of any length.
      passphrase: what a person types.
      cost: of a try.
      write_header: gives the header.
      draw: gives that many random bytes.

    Raises:
      Invalid: the passphrase is empty or no text, or scrypt does not have such a cost.
    """
    check_cost(cost)
    salt, nonce = draw(SALT_BYTES), draw(NONCE_BYTES)
    cipher = AESGCM(_derive(passphrase, cost, salt))
    return Locked(cost, salt, nonce, cipher.encrypt(nonce, secret, write_header(salt)))


def unlock(locked: Locked, passphrase: str, header: bytes) -> bytes:
    """Decrypt a secret.

    Raises:
      Invalid: `UNAUTHENTICATED` for a wrong passphrase; the passphrase is empty or no text.
    """
    cipher = AESGCM(_derive(passphrase, locked.cost, locked.salt))
    try:
        return cipher.decrypt(locked.nonce, locked.ciphertext, header)
    except InvalidTag:
        raise Invalid(InvalidCode.UNAUTHENTICATED, "wrong passphrase") from None


def check_cost(cost: ScryptCost) -> None:
    """Refuse costs that scrypt does not have, or that would exhaust this machine.

    Raises:
      Invalid: `MALFORMED`.
    """
    is_power_of_two = cost.n > 1 and cost.n & (cost.n - 1) == 0
    is_affordable = (
        cost.r > 0
        and 0 < cost.p <= SCRYPT_PASSES_MAX
        and 128 * cost.n * cost.r <= SCRYPT_MEMORY_MAX
    )
    if not (is_power_of_two and is_affordable):
        message = f"scrypt cannot run with n={cost.n}, r={cost.r}, p={cost.p}"
        raise Invalid(InvalidCode.MALFORMED, message)


def _derive(passphrase: str, cost: ScryptCost, salt: bytes) -> bytes:
    """Derive an AES key; NFC, so that one passphrase is the same on every keyboard."""
    try:
        raw = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise Invalid(InvalidCode.MALFORMED, "the passphrase is not Unicode text") from None
    if not raw:
        raise Invalid(InvalidCode.MALFORMED, "the passphrase is empty")
    return Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(raw)
