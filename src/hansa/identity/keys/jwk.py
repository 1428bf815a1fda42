"""JSON Web Keys: reading and writing public and private keys, and their thumbprints.

Source: RFC 7517, RFC 7518 section 6, RFC 8037, RFC 8812; RFC 7638 (thumbprint).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind, PublicKey, load_public_key
from hansa.identity.keys.points import CURVES, join_point, split_point
from hansa.identity.keys.signing import PrivateKey, load_private_key

JWK_MEMBERS_MAX = 32
_KIND_OF_CURVE = {
    (each.key_type, each.curve): kind for kind, each in TRAITS.items() if each.key_type
}


def read_jwk(value: Any, what: str = "the key") -> PublicKey:  # noqa: ANN401 - a decode edge
    """Read a public key of a JWK that holds no private one.

    Raises:
      Unsound: `KEY`.
    """
    kind, jwk = _read_kind(value, what)
    if "d" in jwk:
        raise Unsound(Fault.KEY, f"{what} holds a private key: send the public one alone")
    return _read_public(kind, jwk, what)


def read_private_jwk(value: Any, what: str = "the key") -> PrivateKey:  # noqa: ANN401 - a decode edge
    """Read a signing key of a JWK; its public half must belong to it.

    Raises:
      Unsound: `KEY`; the message never holds the secret.
    """
    kind, jwk = _read_kind(value, what)
    key = load_private_key(kind, _read_member(jwk, "d", what))
    if _read_public(kind, jwk, what) != key.public_key:
        raise Unsound(Fault.KEY, f"the public part of {what} does not belong to the private one")
    return key


def write_jwk(key: PublicKey) -> dict[str, str]:
    """Write a public key as a JWK of the required members alone.

    Raises:
      Unsound: `KEY`: no JWK is registered for this kind.
    """
    traits = TRAITS[key.kind]
    if not traits.key_type:
        raise Unsound(Fault.KEY, f"no JWK is registered for keys of kind {key.kind.value}")
    jwk = {"kty": traits.key_type, "crv": traits.curve}
    if key.kind not in CURVES:
        return jwk | {"x": encode_base64url(key.data)}
    x, y = split_point(key)
    return jwk | {"x": encode_base64url(x), "y": encode_base64url(y)}


def write_private_jwk(key: PrivateKey) -> dict[str, str]:
    """Write a signing key as a JWK, its secret included."""
    return write_jwk(key.public_key) | {"d": encode_base64url(key.secret)}


def compute_thumbprint(key: PublicKey) -> str:
    """Compute the SHA-256 thumbprint of a key, base64url."""
    return encode_base64url(hashlib.sha256(canonicalize(write_jwk(key))).digest())


def _read_kind(value: Any, what: str) -> tuple[KeyKind, Mapping[str, Any]]:  # noqa: ANN401
    if not isinstance(value, dict) or len(value) > JWK_MEMBERS_MAX:
        raise Unsound(Fault.KEY, f"{what} is no JWK: an object with kty, crv and x")
    pair = (value.get("kty"), value.get("crv"))
    if not all(isinstance(each, str) for each in pair) or pair not in _KIND_OF_CURVE:
        known = ", ".join(sorted(curve for _, curve in _KIND_OF_CURVE))
        raise Unsound(Fault.KEY, f"{what} is on no curve that is known here: use one of {known}")
    return _KIND_OF_CURVE[pair], value


def _read_public(kind: KeyKind, jwk: Mapping[str, Any], what: str) -> PublicKey:
    x = _read_member(jwk, "x", what)
    if kind not in CURVES:
        return load_public_key(kind, x)
    return join_point(kind, x, _read_member(jwk, "y", what), what)


def _read_member(jwk: Mapping[str, Any], name: str, what: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise Unsound(Fault.KEY, f"{what} has no {name}")
    try:
        return decode_base64url(text, f"{name} of {what}")
    except Unsound as error:
        raise Unsound(Fault.KEY, error.message) from None
