"""WeIdentity's signatures: ECDSA with secp256k1 over Keccak-256, in 65 bytes of base64.

`v`, from which others recover the key, is not needed here, because the key is known.

Source: `simpleSignatureSerialization` and `secp256k1Sign` of WeIdentity's Java SDK; SEC 1,
section 4.1.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.keys.points import CURVES
from hansa.identity.weid.hashing import compute_keccak
from hansa.identity.weid.thumbprints import Thumbprint

SIGNATURE_BYTES = 65
_NUMBER_BYTES = 32
_V_OLD = (27, 28)
_V_NEW = (0, 1, 27, 28)
_VERIFY = ec.ECDSA(Prehashed(SHA256()))
"""SHA-256 for its length alone: what is verified is a hash by Keccak-256."""


def read_signature(text: object) -> bytes:
    """Read a signature's base64.

    Raises:
      Unsound: `MALFORMED`.
    """
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != SIGNATURE_BYTES:
        raise Unsound(
            Fault.MALFORMED,
            f"the signature of a WeIdentity credential is {SIGNATURE_BYTES} bytes in base64",
        )
    return data


def is_signed(key: PublicKey, thumbprint: Thumbprint, signature: bytes) -> bool:
    """Tell whether this secp256k1 key signed this text by its version's rules."""
    digest = compute_keccak(thumbprint.text.encode())
    if thumbprint.is_old_signature:
        v, numbers = signature[0], signature[1:]
        return v in _V_OLD and _verify(key, compute_keccak(digest), numbers)
    v, numbers = signature[-1], signature[:-1]
    return v in _V_NEW and _verify(key, digest, numbers)


def _verify(key: PublicKey, digest: bytes, numbers: bytes) -> bool:
    r, s = numbers[:_NUMBER_BYTES], numbers[_NUMBER_BYTES:]
    der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[KeyKind.SECP256K1], key.data)
    try:
        point.verify(der, digest, _VERIFY)
    except InvalidSignature:
        return False
    return True
