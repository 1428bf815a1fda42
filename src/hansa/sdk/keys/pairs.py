"""Key pairs, and their encrypted files.

A key file is JSON: the public half in the clear, the private key under AES-256-GCM with a key
that scrypt derives from a passphrase. A checksum over the stored bytes tells a damaged file from
a wrong passphrase. Format to the byte: docs/reference/keys.md.

Source: RFC 7914 (scrypt); NIST SP 800-38D (GCM); OWASP Password Storage Cheat Sheet (costs).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from hansa.kernel.crypto.address import address_of, to_text
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.crypto.signatures import (
    PRIVATE_KEY_BYTES,
    Suite,
    is_private_key,
    public_key_of,
    sign,
)
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

SUITES: Mapping[str, Suite] = MappingProxyType(
    {"ed25519": Suite.ED25519, "p256": Suite.P256, "secp256k1": Suite.SECP256K1}
)
"""By the names that people and files give them."""
SUITE_NAMES: Mapping[Suite, str] = MappingProxyType({suite: name for name, suite in SUITES.items()})

_ATTEMPTS_MAX = 256
_SEED_DOMAIN = b"hansa\x00seed\x00"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key with what follows from it; its `repr` hides the private half.

    Raises:
      Invalid: `SUITE` or `MALFORMED` if suite, key or hash are not of a kind Hansa knows.
    """

    suite: Suite
    private_key: bytes = field(repr=False)
    hash_name: str = "sha256"
    public_key: bytes = field(init=False)
    address: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Derive the public key, and the address under the hash of the network's profile."""
        public_key = public_key_of(self.suite, self.private_key)
        digest = crypto_profile(self.hash_name).digest
        object.__setattr__(self, "suite", Suite(self.suite))
        object.__setattr__(self, "public_key", public_key)
        object.__setattr__(self, "address", address_of(self.suite, public_key, digest))

    @classmethod
    def generate(
        cls,
        suite: Suite = Suite.ED25519,
        entropy: Callable[[int], bytes] = os.urandom,
        hash_name: str = "sha256",
    ) -> KeyPair:
        """Make a new key; `entropy(n)` returns n unpredictable bytes.

        Raises:
          Invalid: `MALFORMED` if `entropy` yields nothing usable.
        """
        candidates = iter(lambda: entropy(PRIVATE_KEY_BYTES), None)
        return cls(suite, _first_private_key(suite, candidates), hash_name)

    @classmethod
    def from_seed(
        cls, seed: bytes, suite: Suite = Suite.ED25519, hash_name: str = "sha256"
    ) -> KeyPair:
        """Derive a key from a seed, always the same one: for demos, tests and benchmarks.

        The key is SHA-256 of `hansa 0 seed 0`, suite byte, a 4-byte counter from 0, and the
        seed; the first in range. Whoever knows the seed has the key.

        >>> len(KeyPair.from_seed(b"example").sign(b"message"))
        64
        """
        domain = _SEED_DOMAIN + bytes([suite])
        candidates = (
            hashlib.sha256(domain + counter.to_bytes(4, "big") + seed).digest()
            for counter in range(_ATTEMPTS_MAX)
        )
        return cls(suite, _first_private_key(suite, candidates), hash_name)

    @property
    def address_text(self) -> str:
        """The address as people see it."""
        return to_text(self.address)

    def sign(self, message: bytes) -> bytes:
        """Sign deterministically; `message` already begins with its signing prefix."""
        return sign(self.suite, self.private_key, message)


class _KeyFile(LockedFile, frozen=True, forbid_unknown_fields=True):
    """The JSON object of a key file; byte strings are lower-case hex."""

    format: Literal["hansa-key"]
    version: Literal[1]
    suite: str
    hash: str
    public_key: str
    address: str


class _Sealed(NamedTuple):
    """A key file in bytes, after everything that needs no passphrase has been checked."""

    suite: Suite
    hash_name: str
    public_key: bytes
    locked: Locked

    def header(self) -> bytes:
        """Encode what the cipher authenticates beside the private key."""
        return _write_header(
            self.suite, self.hash_name, self.public_key, self.locked.cost, self.locked.salt
        )


def _write_header(
    suite: Suite, hash_name: str, public_key: bytes, cost: ScryptCost, salt: bytes
) -> bytes:
    return encode([1, int(suite), hash_name, public_key, *cost, salt])


def save_key(
    path: Path | str,
    key: KeyPair,
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
    locked = lock(
        key.private_key,
        passphrase,
        cost,
        lambda salt: _write_header(key.suite, key.hash_name, key.public_key, cost, salt),
    )
    sealed = _Sealed(key.suite, key.hash_name, key.public_key, locked)
    write_key_file(Path(path), _to_file(sealed, key.address_text), replace=replace)


def load_key(path: Path | str, passphrase: str) -> KeyPair:
    """Read and decrypt a key file.

    Raises:
      Invalid: `UNAUTHENTICATED` for a wrong passphrase; `MALFORMED` for a damaged file or one
        that others than its owner may read or write.
      NotFound: there is no such file.
      Unavailable: the disk refused.
    """
    path = Path(path)
    sealed = _parse(path, read_key_file(path))
    private_key = unlock(path, sealed.locked, passphrase, sealed.header())
    try:
        key = KeyPair(sealed.suite, private_key, sealed.hash_name)
    except Invalid:
        raise_damaged(path, "its private key is not one of its suite")
    if key.public_key != sealed.public_key:
        raise_damaged(path, "its private and public key do not belong together")
    return key


def _first_private_key(suite: Suite, candidates: Iterator[bytes]) -> bytes:
    for candidate in islice(candidates, _ATTEMPTS_MAX):
        if is_private_key(suite, candidate):
            return candidate
    message = f"no private key of suite {int(suite)} found in {_ATTEMPTS_MAX} attempts"
    raise Invalid(InvalidCode.MALFORMED, message, suite=int(suite))


def _to_file(sealed: _Sealed, address_text: str) -> _KeyFile:
    return _KeyFile(
        format="hansa-key",
        version=1,
        suite=SUITE_NAMES[sealed.suite],
        hash=sealed.hash_name,
        public_key=sealed.public_key.hex(),
        address=address_text,
        **sealed.locked.write_fields(sealed.header()),
    )


def _parse(path: Path, content: bytes) -> _Sealed:
    """Check everything that needs no passphrase."""
    require_kind(path, content, "hansa-key")
    try:
        file = msgspec.json.decode(content, type=_KeyFile)
        public_key = bytes.fromhex(file.public_key)
        locked = file.read_locked()
        sealed = _Sealed(SUITES[file.suite], file.hash, public_key, locked)
        digest = crypto_profile(file.hash).digest
    except (*DECODE_ERRORS, KeyError, HansaError) as error:
        raise_damaged(path, tell_fault(error))
    if not locked.is_sound(SECRET_BYTES):
        raise_damaged(path, "salt, nonce or ciphertext has a wrong length")
    if file != _to_file(sealed, to_text(address_of(sealed.suite, public_key, digest))):
        raise_damaged(path, "its checksum or its address does not fit the rest")
    return sealed
