"""Points of curves as JOSE and COSE write them: x and y apart.

Source: RFC 7518, section 6.2.1; RFC 9053, section 7.1.1; SEC 1, section 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind, PublicKey, load_public_key

CURVES: Mapping[KeyKind, ec.EllipticCurve] = MappingProxyType(
    {
        KeyKind.P256: ec.SECP256R1(),
        KeyKind.P384: ec.SECP384R1(),
        KeyKind.SECP256K1: ec.SECP256K1(),
    }
)
"""The kinds whose keys are points with two coordinates."""


def join_point(kind: KeyKind, x: bytes, y: bytes, what: str) -> PublicKey:
    """Make a key of the coordinates of its point; `what` names it in messages.

    Raises:
      Unsound: `KEY`.
    """
    size = TRAITS[kind].private_bytes
    if len(x) != size or len(y) != size:
        raise Unsound(Fault.KEY, f"x and y of {what} must have {size} bytes each")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(CURVES[kind], b"\x04" + x + y)
    except ValueError:
        raise Unsound(Fault.KEY, f"{what} is no point of {TRAITS[kind].curve}") from None
    return load_public_key(kind, bytes([2 + (y[-1] & 1)]) + x)


def split_point(key: PublicKey) -> tuple[bytes, bytes]:
    """Compute x and y of a key on one of `CURVES`."""
    point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[key.kind], key.data)
    data = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    half = len(data) // 2
    return data[:half], data[half:]
