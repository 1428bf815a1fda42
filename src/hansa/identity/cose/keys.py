"""COSE keys, and the numbers by which COSE knows curves and algorithms.

| kind        | key type, curve | algorithms                    |
|-------------|-----------------|-------------------------------|
| `ED25519`   | 1, 6            | -8 (`EdDSA`), -19 (`Ed25519`) |
| `P256`      | 2, 1            | -7 (`ES256`), -9 (`ESP256`)   |
| `P384`      | 2, 2            | -35 (`ES384`), -51 (`ESP384`) |
| `SECP256K1` | 2, 8            | -47 (`ES256K`)                |

Source: RFC 9052, section 7; RFC 9053, section 7; RFC 8812; RFC 9864; IANA COSE registries.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey, load_public_key
from hansa.identity.keys.points import join_point, split_point

ALGORITHMS: Mapping[KeyKind, tuple[int, ...]] = MappingProxyType(
    {
        KeyKind.ED25519: (-8, -19),
        KeyKind.P256: (-7, -9),
        KeyKind.P384: (-35, -51),
        KeyKind.SECP256K1: (-47,),
    }
)
"""The signature algorithms that a kind of key may be used with, the usual one first."""

KEY_MEMBERS_MAX = 16

_KTY, _ALG, _CRV, _X, _Y, _D = 1, 3, -1, -2, -3, -4
_OKP, _EC2 = 1, 2
_CURVES = {
    KeyKind.ED25519: (_OKP, 6),
    KeyKind.P256: (_EC2, 1),
    KeyKind.P384: (_EC2, 2),
    KeyKind.SECP256K1: (_EC2, 8),
}
_KIND_OF_CURVE = {pair: kind for kind, pair in _CURVES.items()}


def read_cose_key(value: Any, what: str = "the key") -> PublicKey:  # noqa: ANN401 - a decode edge
    """Read a public key that signs, of a COSE_Key that holds no private one.

    Raises:
      Unsound: `KEY`, or `ALGORITHM`: it names one that does not belong to it.
    """
    if not isinstance(value, dict) or len(value) > KEY_MEMBERS_MAX:
        raise Unsound(Fault.KEY, f"{what} is no COSE_Key: a map with 1 (kty), -1 (crv) and -2 (x)")
    pair = (value.get(_KTY), value.get(_CRV))
    if not all(type(each) is int for each in pair) or pair not in _KIND_OF_CURVE:
        raise Unsound(
            Fault.KEY, f"{what} is of no kind that is known here: use Ed25519, P-256 or P-384"
        )
    if _D in value:
        raise Unsound(Fault.KEY, f"{what} holds a private key: send the public one alone")
    kind = _KIND_OF_CURVE[pair]
    if _ALG in value and value[_ALG] not in ALGORITHMS[kind]:
        raise Unsound(Fault.ALGORITHM, f"{what} names an algorithm that is not of its curve")
    return _read_point(kind, value.get(_X), value.get(_Y), what)


def write_cose_key(key: PublicKey) -> dict[int, int | bytes]:
    """Write a public key as a COSE_Key of the required members alone.

    Raises:
      Unsound: `KEY`: keys of this kind sign nothing in COSE.
    """
    if key.kind not in _CURVES:
        raise Unsound(Fault.KEY, f"keys of kind {key.kind.value} sign nothing in COSE")
    key_type, curve = _CURVES[key.kind]
    if key_type == _OKP:
        return {_KTY: key_type, _CRV: curve, _X: key.data}
    x, y = split_point(key)
    return {_KTY: key_type, _CRV: curve, _X: x, _Y: y}


def _read_point(kind: KeyKind, x: object, y: object, what: str) -> PublicKey:
    """Read the coordinates; of a compressed point y is its lowest bit, as a boolean."""
    is_point = _CURVES[kind][0] == _EC2
    if not isinstance(x, bytes) or not (isinstance(y, bytes | bool) if is_point else y is None):
        raise Unsound(Fault.KEY, f"x or y of {what} is missing, or is not bytes")
    if isinstance(y, bytes):
        return join_point(kind, x, y, what)
    return load_public_key(kind, bytes([2 + y]) + x if isinstance(y, bool) else x)
