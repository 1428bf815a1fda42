"""Signing and verifying with identity's keys: EdDSA, ES256, ES384 and ES256K, raw r and s.

Wherever the ledger knows the algorithm its library is used, so that there is one opinion on each
signature. Unlike the ledger, JOSE and COSE also allow an ECDSA signature with a high s.

Source: RFC 7518, section 3.4; RFC 8032; RFC 8812; RFC 6979 (deterministic signatures).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind, PublicKey
from hansa.kernel.crypto.signatures import (
    SIGNATURE_BYTES,
    SignatureCheck,
    Suite,
    compute_low_s,
    is_private_key,
    public_key_of,
    sign,
    verify_many,
)

P384_SIGNATURE_BYTES = 96
_P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_CURVE_384 = ec.SECP384R1()
_SIGN_384 = ec.ECDSA(SHA384(), deterministic_signing=True)
_VERIFY_384 = ec.ECDSA(SHA384())


class Signer(Protocol):
    """Whatever holds a private key: memory, an encrypted file, a hardware module."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this signs."""

    def sign(self, message: bytes) -> bytes:
        """Sign the whole message; ECDSA signatures are raw r and s."""


class PrivateKey(msgspec.Struct, frozen=True, gc=False):
    """A private key in memory; a `Signer`. Shows only its public half."""

    kind: KeyKind
    secret: bytes
    public_key: PublicKey

    def sign(self, message: bytes) -> bytes:
        """Sign deterministically; ECDSA signatures are raw r and s."""
        suite = TRAITS[self.kind].suite
        if suite is not None:
            return sign(suite, self.secret, message)
        r, s = decode_dss_signature(_load_private_384(self.secret).sign(message, _SIGN_384))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")

    def __repr__(self) -> str:
        return f"PrivateKey({self.public_key!r})"


def load_private_key(kind: KeyKind, secret: bytes) -> PrivateKey:
    """Make a signing key of its bytes: an Ed25519 seed, or a number of the curve's order.

    Raises:
      Unsound: `KEY`; the message never holds the secret.
    """
    if not _is_secret(kind, secret):
        raise Unsound(Fault.KEY, f"this is no private key that signs as {kind.value}")
    suite = TRAITS[kind].suite
    if suite is not None:
        return PrivateKey(kind, secret, PublicKey(kind, public_key_of(suite, secret)))
    point = _load_private_384(secret).public_key()
    data = point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return PrivateKey(kind, secret, PublicKey(kind, data))


def generate_private_key(kind: KeyKind, draw: Callable[[int], bytes]) -> PrivateKey:
    """Make a new signing key from random bytes that `draw` gives.

    Raises:
      Unsound: `KEY`: keys of this kind do not sign.
    """
    if not TRAITS[kind].algorithms:
        raise Unsound(Fault.KEY, f"keys of kind {kind.value} do not sign by themselves")
    while True:
        secret = draw(TRAITS[kind].private_bytes)
        if _is_secret(kind, secret):
            return load_private_key(kind, secret)


def verify_signature(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Tell whether this key signed this message; nothing raises, whatever the bytes."""
    suite = TRAITS[key.kind].suite
    if suite is None:
        return key.kind is KeyKind.P384 and _verify_384(key.data, message, signature)
    if suite is not Suite.ED25519 and len(signature) == SIGNATURE_BYTES:
        signature = compute_low_s(suite, signature)
    return verify_many([SignatureCheck(suite, key.data, signature, message)])[0]


def _is_secret(kind: KeyKind, secret: bytes) -> bool:
    suite = TRAITS[kind].suite
    if suite is not None:
        return is_private_key(suite, secret)
    is_384 = kind is KeyKind.P384 and len(secret) == TRAITS[kind].private_bytes
    return is_384 and 0 < _number(secret) < _P384_ORDER


def _verify_384(data: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != P384_SIGNATURE_BYTES:
        return False
    der = encode_dss_signature(_number(signature[:48]), _number(signature[48:]))
    try:
        _load_public_384(data).verify(der, message, _VERIFY_384)
    except (ValueError, InvalidSignature):
        return False
    return True


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


@lru_cache(maxsize=1_024)
def _load_public_384(data: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE_384, data)


def _load_private_384(secret: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(_number(secret), _CURVE_384)
