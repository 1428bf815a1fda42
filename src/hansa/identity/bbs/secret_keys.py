"""Keys that sign by BBS: a scalar, and its multiple of the second group's base point.

Source: draft-irtf-cfrg-bbs-signatures-08, section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from py_arkworks_bls12381 import G2Point, Scalar

from hansa.identity.bbs.ciphersuites import Ciphersuite
from hansa.identity.bbs.encoding import SCALAR_BYTES, decode_scalar
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey

KEY_MATERIAL_BYTES_MIN = 32
KEY_INFO_BYTES_MAX = 65_535


class SecretKey(msgspec.Struct, frozen=True, gc=False):
    """An issuer's key; shows only its public half."""

    secret: bytes
    public_key: PublicKey

    def __repr__(self) -> str:
        return f"SecretKey({self.public_key!r})"


def load_secret_key(secret: bytes) -> SecretKey:
    """Make an issuer's key of its 32 bytes.

    Raises:
      Unsound: `KEY`; the message never holds the secret.
    """
    try:
        scalar = decode_scalar(secret, "the secret key")
    except Unsound as error:
        raise Unsound(Fault.KEY, error.message) from None
    point = G2Point() * scalar
    return SecretKey(secret, PublicKey(KeyKind.BLS12_381_G2, point.to_compressed_bytes()))


def derive_secret_key(suite: Ciphersuite, material: bytes, info: bytes = b"") -> SecretKey:
    """Derive an issuer's key from secret material of 32 bytes or more; `info` tells keys apart.

    Raises:
      Unsound: `KEY`: too little material, or too much info.
    """
    if len(material) < KEY_MATERIAL_BYTES_MIN or len(info) > KEY_INFO_BYTES_MAX:
        raise Unsound(
            Fault.KEY,
            f"a BBS key is derived from at least {KEY_MATERIAL_BYTES_MIN} secret bytes"
            f" and at most {KEY_INFO_BYTES_MAX} of info",
        )
    data = material + len(info).to_bytes(2, "big") + info
    return load_secret_key(suite.hash_to_scalar(data, b"KEYGEN_DST_").to_be_bytes())


def generate_secret_key(suite: Ciphersuite, draw: Callable[[int], bytes]) -> SecretKey:
    """Make a new issuer's key from random bytes that `draw` gives."""
    return derive_secret_key(suite, draw(2 * SCALAR_BYTES))


def decode_secret(key: SecretKey) -> Scalar:
    """Return the scalar that signs."""
    return Scalar.from_be_bytes(key.secret)
