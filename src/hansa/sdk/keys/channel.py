"""Channel keys: what messages to a member's node are encrypted to, and their encrypted files.

X25519 pairs, which sign nothing: a signing key has an address and acts for an account, this one
has neither. The ledger names the public half in the member's row of the contract `nodes`.

Source: RFC 7748 (X25519); docs/reference/keys.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hansa.kernel.encoding import DECODE_ERRORS, encode, tell_fault
from hansa.kernel.errors import HansaError, Invalid, InvalidCode
from hansa.passphrases import DEFAULT_COST, Locked, LockedFile, ScryptCost
from hansa.sdk.keys.files import (
    SECRET_BYTES,
    lock,
    raise_damaged,
    read_key_file,
    require_kind,
    unlock,
    write_key_file,
)

FORMAT = "hansa-channel-key"


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """An X25519 pair; its `repr` hides the private half.

    Raises:
      Invalid: `MALFORMED` if the private key has not 32 bytes.
    """

    private_key: bytes = field(repr=False)
    public_key: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Derive the public key."""
        if len(self.private_key) != SECRET_BYTES:
            raise Invalid(InvalidCode.MALFORMED, f"a channel key has {SECRET_BYTES} bytes")
        pair = X25519PrivateKey.from_private_bytes(self.private_key)
        object.__setattr__(self, "public_key", pair.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, entropy: Callable[[int], bytes] = os.urandom) -> ChannelKey:
        """Make a new key; `entropy(n)` returns n unpredictable bytes."""
        return cls(entropy(SECRET_BYTES))


class _File(LockedFile, frozen=True, forbid_unknown_fields=True):
    """The JSON object of a key file; byte strings are lower-case hex."""

    format: Literal["hansa-channel-key"]
    version: Literal[1]
    algorithm: Literal["x25519"]
    public_key: str


def is_channel_key_file(path: Path | str) -> bool:
    """Whether a file says that it holds a channel key; raises as `load_channel_key`."""
    return f'"{FORMAT}"'.encode() in read_key_file(Path(path))


def save_channel_key(
    path: Path | str,
    key: ChannelKey,
    passphrase: str,
    *,
    replace: bool = False,
    cost: ScryptCost = DEFAULT_COST,
) -> None:
    """Write a key file of mode 0600, whole or not at all, and sync it to the disk.

    Raises:
      Invalid: the passphrase is empty, or a file is there and `replace` was not asked for.
      Unavailable: the disk refused.
    """
    public_key = key.public_key
    locked = lock(
        key.private_key, passphrase, cost, lambda salt: _write_header(public_key, cost, salt)
    )
    write_key_file(Path(path), _to_file(public_key, locked), replace=replace)


def load_public_channel_key(path: Path | str) -> bytes:
    """Read the public key of a key file, which takes no passphrase; else as `load_channel_key`."""
    public_key, _ = _parse(Path(path), read_key_file(Path(path)))
    return public_key


def load_channel_key(path: Path | str, passphrase: str) -> ChannelKey:
    """Read and decrypt a key file.

    Raises:
      Invalid: `UNAUTHENTICATED` for a wrong passphrase; `MALFORMED` for a damaged file, one of
        another kind, or one that others than its owner may read or write.
      NotFound: there is no such file.
      Unavailable: the disk refused.
    """
    path = Path(path)
    public_key, locked = _parse(path, read_key_file(path))
    header = _write_header(public_key, locked.cost, locked.salt)
    key = ChannelKey(unlock(path, locked, passphrase, header))
    if key.public_key != public_key:
        raise_damaged(path, "its private and public key do not belong together")
    return key


def _write_header(public_key: bytes, cost: ScryptCost, salt: bytes) -> bytes:
    """Encode what the cipher authenticates beside the private key."""
    return encode([FORMAT, 1, public_key, *cost, salt])


def _to_file(public_key: bytes, locked: Locked) -> _File:
    header = _write_header(public_key, locked.cost, locked.salt)
    return _File(
        format="hansa-channel-key",
        version=1,
        algorithm="x25519",
        public_key=public_key.hex(),
        **locked.write_fields(header),
    )


def _parse(path: Path, content: bytes) -> tuple[bytes, Locked]:
    """Check everything that needs no passphrase."""
    require_kind(path, content, FORMAT)
    try:
        file = msgspec.json.decode(content, type=_File)
        public_key = bytes.fromhex(file.public_key)
        locked = file.read_locked()
    except (*DECODE_ERRORS, HansaError) as error:
        raise_damaged(path, tell_fault(error))
    if not locked.is_sound(SECRET_BYTES):
        raise_damaged(path, "salt, nonce or ciphertext has a wrong length")
    if file != _to_file(public_key, locked):
        raise_damaged(path, "its checksum does not fit the rest")
    return public_key, locked
