"""Signature suites: verification of many at once, key checks, and deterministic signing.

| suite       | public key           | signature           | accepted                           |
|-------------|----------------------|---------------------|------------------------------------|
| `ED25519`   | 32 bytes             | R, S: 64 bytes      | ZIP-215, after a table of bad keys |
| `P256`      | compressed, 33 bytes | r, s big-endian: 64 | ECDSA with SHA-256, low s only     |
| `SECP256K1` | compressed, 33 bytes | r, s big-endian: 64 | ECDSA with SHA-256, low s only     |

ZIP-215 makes every verifier, single or batch, agree on every signature; validators that
disagree on one would part. Small-order keys, for which one signature fits many messages, and
second encodings of a key are refused by table, so an accepted key has one form.

Source: RFC 8032; ZIP-215 (https://zips.z.cash/zip-0215); FIPS 186-5; SEC 1 section 2.3;
RFC 6979; low s as in BIP-146; docs/reference/keys.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from coincurve import PrivateKey as Secp256k1PrivateKey
from coincurve import PublicKey as Secp256k1PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ed25519_zebra import ed_public_from_secret, ed_sign, ed_verify

from hansa.kernel.errors import Invalid, InvalidCode

PRIVATE_KEY_BYTES = 32
SIGNATURE_BYTES = 64
ED25519_KEY_BYTES = 32
COMPRESSED_KEY_BYTES = 33

_LOADED_KEYS_MAX = 16_384
_ED25519_FIELD = 2**255 - 19
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_P256_VERIFYING = ec.ECDSA(SHA256())
_P256_SIGNING = ec.ECDSA(SHA256(), deterministic_signing=True)


class Suite(IntEnum):
    """A signature scheme with its encodings; the number is what stands on the wire."""

    ED25519 = 1
    P256 = 2
    SECP256K1 = 3


class SignatureCheck(NamedTuple):
    """One signature to be verified; `message` is the whole signed message, not its hash."""

    suite: int
    public_key: bytes
    signature: bytes
    message: bytes


_ED25519 = int(Suite.ED25519)
_ORDERS = {int(Suite.P256): _P256_ORDER, int(Suite.SECP256K1): _SECP256K1_ORDER}

# The canonical y of the eight points whose order divides 8: order 1 (y = 1), 2 (y = -1),
# 4 (y = 0) and 8 (the two others, each with both signs of x).
# Source: Cremers and Jackson, "Prime, Order Please!", 2019, table 2; derived again in the tests.
_SMALL_ORDER_Y = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)


def _refused_ed25519_keys() -> frozenset[bytes]:
    """Every 32-byte string of small order or with y at or above the field's prime.

    The sign bit stands free over both, so "negative zero" (x = 0 with the sign set) is in it.
    """
    small_order = [int.from_bytes(bytes.fromhex(y), "little") for y in _SMALL_ORDER_Y]
    ys = [*small_order, *range(_ED25519_FIELD, 2**255)]
    return frozenset(
        (y | sign << 255).to_bytes(ED25519_KEY_BYTES, "little") for y in ys for sign in (0, 1)
    )


REFUSED_ED25519_KEYS = _refused_ed25519_keys()


VerifyMany = Callable[[Sequence[SignatureCheck]], list[bool]]


def verify_many(checks: Sequence[SignatureCheck]) -> list[bool]:
    """Verify signatures; the verdicts stand in the order of `checks`.

    Anything malformed (lengths, unknown suite, a key that `check_public_key` refuses) is
    `False`. Ask `check_public_key` only to explain a `False`: an accepted signature's key has
    passed the same rules here.
    """
    verdicts: list[bool] = []
    append = verdicts.append
    refused = REFUSED_ED25519_KEYS
    for suite, public_key, signature, message in checks:
        if suite == _ED25519:
            append(public_key not in refused and ed_verify(signature, message, public_key))
        else:
            append(_VERIFIERS.get(suite, _verify_none)(public_key, signature, message))
    return verdicts


def bad_signature(what: str) -> Invalid:
    """Build the error for a signature that does not verify."""
    return Invalid(
        InvalidCode.SIGNATURE,
        f"{what} does not verify: sign the exact bytes, for this network, with the named key",
    )


def check_public_key(suite: int, public_key: bytes) -> None:
    """Check that a key can stand on the ledger: known suite, exact length, one encoding.

    An Ed25519 key whose y belongs to no point passes; no signature ever verifies under it.
    Keys of the other suites must be points of their curve; these are remembered, so that a
    repeated key costs a look-up.

    Raises:
      Invalid: `PUBLIC_KEY`.
    """
    if suite == _ED25519:
        if len(public_key) != ED25519_KEY_BYTES:
            raise _bad_key(f"an ed25519 public key has {ED25519_KEY_BYTES} bytes", public_key)
        if public_key in REFUSED_ED25519_KEYS:
            raise _bad_key("the ed25519 public key has small order or y >= 2^255 - 19", public_key)
        return
    load = _LOADERS.get(suite)
    if load is None:
        raise Invalid(
            InvalidCode.PUBLIC_KEY,
            f"unknown signature suite {suite}: use one of {[int(known) for known in Suite]}",
            suite=suite,
        )
    try:
        load(public_key)
    except ValueError:
        raise _bad_key(
            f"the {Suite(suite).name} public key must be a point of its curve in the "
            f"compressed form of {COMPRESSED_KEY_BYTES} bytes",
            public_key,
        ) from None


def is_private_key(suite: int, private_key: bytes) -> bool:
    """Tell whether `sign` takes this key: 32 bytes, and for ECDSA a number in 1 to order - 1."""
    if len(private_key) != PRIVATE_KEY_BYTES:
        return False
    if suite == _ED25519:
        return True
    order = _ORDERS.get(suite)
    return order is not None and 0 < int.from_bytes(private_key, "big") < order


def public_key_of(suite: int, private_key: bytes) -> bytes:
    """Compute the public key in the encoding of its suite.

    Raises:
      Invalid: `SUITE` or `MALFORMED`; the message never holds the key.
    """
    _check_private_key(suite, private_key)
    if suite == Suite.ED25519:
        return bytes(ed_public_from_secret(private_key))
    if suite == Suite.P256:
        point = _p256_private_key(private_key).public_key()
        return point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return Secp256k1PrivateKey(private_key).public_key.format(compressed=True)


def sign(suite: int, private_key: bytes, message: bytes) -> bytes:
    """Sign deterministically (RFC 8032, RFC 6979); ECDSA signatures have a low s.

    Raises:
      Invalid: `SUITE` or `MALFORMED`; the message never holds the key.
    """
    _check_private_key(suite, private_key)
    if suite == Suite.ED25519:
        return bytes(ed_sign(private_key, message))
    if suite == Suite.P256:
        der = _p256_private_key(private_key).sign(message, _P256_SIGNING)
    else:
        der = Secp256k1PrivateKey(private_key).sign(message)
    r, s = decode_dss_signature(der)
    return compute_low_s(suite, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def compute_low_s(suite: int, signature: bytes) -> bytes:
    """Bring a raw ECDSA signature, as phones and browsers make it, to its low-s form.

    Raises:
      Invalid: `SUITE` for a suite without s to lower, `SIGNATURE` for a wrong length.
    """
    order = _ORDERS.get(suite)
    if order is None:
        raise Invalid(InvalidCode.SUITE, f"suite {suite} is not an ECDSA suite", suite=suite)
    if len(signature) != SIGNATURE_BYTES:
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"a raw signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}",
            length=len(signature),
        )
    s = int.from_bytes(signature[32:], "big")
    if order // 2 < s < order:
        return signature[:32] + (order - s).to_bytes(32, "big")
    return signature


def _verify_none(_public_key: bytes, _signature: bytes, _message: bytes) -> bool:
    return False


def _verify_p256(public_key: bytes, signature: bytes, message: bytes) -> bool:
    der = _der_of_low_s(signature, _P256_ORDER)
    if der is None:
        return False
    try:
        _load_p256(public_key).verify(der, message, _P256_VERIFYING)
    except (ValueError, InvalidSignature):
        return False
    return True


def _verify_secp256k1(public_key: bytes, signature: bytes, message: bytes) -> bool:
    der = _der_of_low_s(signature, _SECP256K1_ORDER)
    if der is None:
        return False
    try:
        return _load_secp256k1(public_key).verify(der, message)
    except ValueError:
        return False


def _der_of_low_s(signature: bytes, order: int) -> bytes | None:
    """Turn raw r, s into DER, or nothing if r is out of range or s is not in 1 to order / 2."""
    if len(signature) != SIGNATURE_BYTES:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < order and 0 < s <= order // 2):
        return None
    return encode_dss_signature(r, s)


@lru_cache(maxsize=_LOADED_KEYS_MAX)
def _load_p256(public_key: bytes) -> ec.EllipticCurvePublicKey:
    if len(public_key) != COMPRESSED_KEY_BYTES:
        raise ValueError(len(public_key))
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)


@lru_cache(maxsize=_LOADED_KEYS_MAX)
def _load_secp256k1(public_key: bytes) -> Secp256k1PublicKey:
    if len(public_key) != COMPRESSED_KEY_BYTES:
        raise ValueError(len(public_key))
    return Secp256k1PublicKey(public_key)


_LOADERS: dict[int, Callable[[bytes], object]] = {
    Suite.P256: _load_p256,
    Suite.SECP256K1: _load_secp256k1,
}
_VERIFIERS: dict[int, Callable[[bytes, bytes, bytes], bool]] = {
    Suite.P256: _verify_p256,
    Suite.SECP256K1: _verify_secp256k1,
}


def _p256_private_key(private_key: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(private_key, "big"), ec.SECP256R1())


def _check_private_key(suite: int, private_key: bytes) -> None:
    if suite != _ED25519 and suite not in _ORDERS:
        raise Invalid(InvalidCode.SUITE, f"unknown signature suite {suite}", suite=suite)
    if not is_private_key(suite, private_key):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"not a private key of suite {Suite(suite).name}: it has {PRIVATE_KEY_BYTES} bytes, "
            "for ECDSA a big-endian number from 1 to below the order of the curve",
            suite=suite,
        )


def _bad_key(message: str, public_key: bytes) -> Invalid:
    return Invalid(InvalidCode.PUBLIC_KEY, message, length=len(public_key), public_key=public_key)
