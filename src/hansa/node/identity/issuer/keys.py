"""Keys of other kinds than P-256: some ways of signing know no other.

They are derived from the issuer's signing key, so that its folder holds one key to be kept safe,
and an issuer that begins with one format can go on with the next.

Source: RFC 5869 (HKDF); W3C Data Integrity EdDSA Cryptosuites 1.0; BBS Cryptosuites 1.0.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.secret_keys import SecretKey, derive_secret_key
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, load_private_key

_BYTES = 32


def derive_ed25519(key: PrivateKey) -> PrivateKey:
    """Derive the key that signs by EdDSA."""
    return load_private_key(KeyKind.ED25519, _derive(key, b"hansa issuer, ed25519"))


def derive_bbs(key: PrivateKey) -> SecretKey:
    """Derive the key that signs by BBS."""
    return derive_secret_key(BBS_SHA_256, _derive(key, b"hansa issuer, bbs"))


def _derive(key: PrivateKey, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _BYTES, None, purpose).derive(key.secret)
