"""Key pairs, and their encrypted files.

A key file is JSON: the public half in the clear, the private key under AES-256-GCM with a key
that scrypt derives from a passphrase. A checksum over the stored bytes tells a damaged file from
a wrong passphrase. Format to the byte: docs/reference/keys.md.

Source: RFC 7914 (scrypt); NIST SP 800-38D (GCM); OWASP Password Storage Cheat Sheet (costs).
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, NoReturn

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hansa.kernel.crypto.address import address_of, to_text
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.crypto.signatures import (
    PRIVATE_KEY_BYTES,
    Suite,
    is_private_key,
    public_key_of,
    sign,
)
from hansa.kernel.encoding import encode
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.sdk.files import open_regular, write_file

SALT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
FILE_BYTES_MAX = 16_384
SCRYPT_MEMORY_MAX = 2**30
SCRYPT_PASSES_MAX = 64
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


class ScryptCost(NamedTuple):
    """Cost of scrypt: memory is 128 * n * r bytes, passed over p times."""

    n: int
    r: int
    p: int


# 32 MiB and about 0.2 s a try; of the same strength, by OWASP, as n = 2^17 with p = 1.
DEFAULT_COST = ScryptCost(n=2**15, r=8, p=3)


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON object of a key file; byte strings are lower-case hex."""

    format: Literal["hansa-key"]
    version: Literal[1]
    suite: str
    hash: str
    public_key: str
    address: str
    kdf: Literal["scrypt"]
    n: int
    r: int
    p: int
    salt: str
    cipher: Literal["aes-256-gcm"]
    nonce: str
    ciphertext: str
    checksum: str


class _Sealed(NamedTuple):
    """A key file in bytes, after everything that needs no passphrase has been checked."""

    suite: Suite
    hash_name: str
    public_key: bytes
    cost: ScryptCost
    salt: bytes
    nonce: bytes
    ciphertext: bytes

    def header(self) -> bytes:
        """Encode what the cipher authenticates beside the private key."""
        public = [1, int(self.suite), self.hash_name, self.public_key]
        return encode([*public, *self.cost, self.salt])

    def checksum(self) -> bytes:
        """Compute what tells damage from a wrong passphrase."""
        return hashlib.sha256(self.header() + self.nonce + self.ciphertext).digest()


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
    path = Path(path)
    _check_cost(cost)
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    unsealed = _Sealed(key.suite, key.hash_name, key.public_key, cost, salt, nonce, b"")
    secret = _derive(passphrase, cost, salt)
    sealed = unsealed._replace(
        ciphertext=AESGCM(secret).encrypt(nonce, key.private_key, unsealed.header())
    )
    content = msgspec.json.format(msgspec.json.encode(_to_file(sealed, key.address_text)))
    try:
        write_file(path, content + b"\n", replace=replace, mode=0o600)
    except FileExistsError:
        message = f"{path} exists already: replacing a key file loses its key"
        raise Invalid(InvalidCode.MALFORMED, message, path=str(path)) from None


def load_key(path: Path | str, passphrase: str) -> KeyPair:
    """Read and decrypt a key file.

    Raises:
      Invalid: `UNAUTHENTICATED` for a wrong passphrase; `MALFORMED` for a damaged file or one
        that others than its owner may read or write.
      NotFound: there is no such file.
      Unavailable: the disk refused.
    """
    path = Path(path)
    try:
        content = _read_private(path)
    except FileNotFoundError:
        message = f"there is no key file {path}"
        raise NotFound(message, path=str(path)) from None
    except OSError as error:
        message = f"cannot read the key file {path}: {error.strerror}"
        raise Unavailable(message, path=str(path)) from None
    sealed = _parse(path, content)
    secret = _derive(passphrase, sealed.cost, sealed.salt)
    try:
        private_key = AESGCM(secret).decrypt(sealed.nonce, sealed.ciphertext, sealed.header())
    except InvalidTag:
        message = f"wrong passphrase for the key file {path}"
        raise Invalid(InvalidCode.UNAUTHENTICATED, message, path=str(path)) from None
    try:
        key = KeyPair(sealed.suite, private_key, sealed.hash_name)
    except Invalid:
        _raise_damaged(path, "its private key is not one of its suite")
    if key.public_key != sealed.public_key:
        _raise_damaged(path, "its private and public key do not belong together")
    return key


def _first_private_key(suite: Suite, candidates: Iterator[bytes]) -> bytes:
    for candidate in islice(candidates, _ATTEMPTS_MAX):
        if is_private_key(suite, candidate):
            return candidate
    message = f"no private key of suite {int(suite)} found in {_ATTEMPTS_MAX} attempts"
    raise Invalid(InvalidCode.MALFORMED, message, suite=int(suite))


def _derive(passphrase: str, cost: ScryptCost, salt: bytes) -> bytes:
    """Derive the file's AES key; NFC, so that one passphrase is the same on every keyboard."""
    try:
        raw = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise Invalid(InvalidCode.MALFORMED, "the passphrase is not Unicode text") from None
    if not raw:
        raise Invalid(InvalidCode.MALFORMED, "the passphrase is empty")
    return Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(raw)


def _check_cost(cost: ScryptCost) -> None:
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


def _to_file(sealed: _Sealed, address_text: str) -> _KeyFile:
    return _KeyFile(
        format="hansa-key",
        version=1,
        suite=SUITE_NAMES[sealed.suite],
        hash=sealed.hash_name,
        public_key=sealed.public_key.hex(),
        address=address_text,
        kdf="scrypt",
        n=sealed.cost.n,
        r=sealed.cost.r,
        p=sealed.cost.p,
        salt=sealed.salt.hex(),
        cipher="aes-256-gcm",
        nonce=sealed.nonce.hex(),
        ciphertext=sealed.ciphertext.hex(),
        checksum=sealed.checksum().hex(),
    )


def _parse(path: Path, content: bytes) -> _Sealed:
    """Check everything that needs no passphrase."""
    try:
        file = msgspec.json.decode(content, type=_KeyFile)
        public_key = bytes.fromhex(file.public_key)
        sealed = _Sealed(
            SUITES[file.suite],
            file.hash,
            public_key,
            ScryptCost(file.n, file.r, file.p),
            bytes.fromhex(file.salt),
            bytes.fromhex(file.nonce),
            bytes.fromhex(file.ciphertext),
        )
        digest = crypto_profile(file.hash).digest
        _check_cost(sealed.cost)
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError, HansaError) as error:
        _raise_damaged(path, str(error))
    lengths = (len(sealed.salt), len(sealed.nonce), len(sealed.ciphertext))
    if lengths != (SALT_BYTES, NONCE_BYTES, PRIVATE_KEY_BYTES + TAG_BYTES):
        _raise_damaged(path, "salt, nonce or ciphertext has a wrong length")
    if file != _to_file(sealed, to_text(address_of(sealed.suite, public_key, digest))):
        _raise_damaged(path, "its checksum or its address does not fit the rest")
    return sealed


def _raise_damaged(path: Path, why: str) -> NoReturn:
    message = f"the key file {path} is damaged ({why}): restore it from a backup"
    raise Invalid(InvalidCode.MALFORMED, message, path=str(path))


def _read_private(path: Path) -> bytes:
    """Read a small regular file that only its owner may open."""
    descriptor = open_regular(path)
    try:
        mode = os.fstat(descriptor).st_mode
        if mode & 0o077:
            message = (
                f"others may open the key file {path} (mode {stat.S_IMODE(mode):04o}): "
                f"run chmod 600 {path}"
            )
            raise Invalid(InvalidCode.MALFORMED, message, path=str(path))
        content = os.read(descriptor, FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > FILE_BYTES_MAX:
        _raise_damaged(path, f"it has more than {FILE_BYTES_MAX} bytes")
    return content
