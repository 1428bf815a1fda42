"""JSON Web Signatures in compact form.

The reader fixes the algorithm by the key, never by the token alone: `none`, symmetric algorithms
and those of other curves are refused, and so is every extension that must be understood.

Source: RFC 7515; RFC 8725 (best current practices), sections 3.1, 3.2, 3.10 and 3.11.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KIND_OF_ALGORITHM, PublicKey
from hansa.identity.keys.signing import Signer, verify_signature

TOKEN_BYTES_MAX = 1 << 20
HEADER_BYTES_MAX = 32_768
"""A chain of certificates fits."""
CACHED_LETTERS_MAX = 1_024
"""Of a header that is remembered: read, a long one takes thirty times its size."""


class Jws(NamedTuple):
    """A token taken apart; nothing in it is verified yet."""

    header: Mapping[str, Any]
    payload: bytes
    signature: bytes
    signed: bytes
    """What the signature covers."""

    def decode_claims(self, what: str) -> dict[str, Any]:
        """Read the payload as a JSON object.

        Raises:
          Unsound: `TOO_LARGE`, `MALFORMED` or `DUPLICATE`.
        """
        return decode_object(self.payload, f"the payload of {what}")


def sign_jws(signer: Signer, header: Mapping[str, Any], payload: bytes) -> str:
    """Sign a payload; `alg` is added to the header from the key.

    Raises:
      Unsound: `KEY`: the key makes no signature that JOSE knows.
    """
    algorithm = signer.public_key.algorithm
    if not algorithm:
        raise Unsound(Fault.KEY, f"keys of kind {signer.public_key.kind.value} sign no JWS")
    protected = encode_base64url(canonicalize({"alg": algorithm, **header}))
    signed = f"{protected}.{encode_base64url(payload)}"
    return f"{signed}.{encode_base64url(signer.sign(signed.encode()))}"


def decode_jws(token: str, what: str, bytes_max: int = TOKEN_BYTES_MAX) -> Jws:
    """Take a compact token apart; `what` names it in messages.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `ALGORITHM` or `CRITICAL`.
    """
    if len(token) > bytes_max:
        raise Unsound(Fault.TOO_LARGE, f"{what} has {len(token)} bytes, over {bytes_max}")
    signed, _, signature = token.rpartition(".")
    protected, point, payload = signed.partition(".")
    if not point or "." in payload:
        raise Unsound(Fault.MALFORMED, f"{what} is no JWS: three parts with points between")
    return Jws(
        (_recall_header if len(protected) <= CACHED_LETTERS_MAX else _decode_header)(
            protected, what
        ),
        decode_base64url(payload, f"the payload of {what}"),
        decode_base64url(signature, f"the signature of {what}"),
        signed.encode(),
    )


def verify_jws(jws: Jws, key: PublicKey, what: str) -> None:
    """Verify a token's signature with a key that the caller has found to be the signer's.

    Raises:
      Unsound: `ALGORITHM`: it was made with another kind of key; `SIGNATURE`.
    """
    algorithm = jws.header["alg"]
    if KIND_OF_ALGORITHM[algorithm] is not key.kind:
        raise Unsound(
            Fault.ALGORITHM, f"{what} is signed by {algorithm}, but the key is {key.kind.value}"
        )
    if not verify_signature(key, jws.signed, jws.signature):
        raise Unsound(
            Fault.SIGNATURE,
            f"the signature of {what} does not verify: it was changed, or signed with another key",
        )


def _decode_header(text: str, what: str) -> Mapping[str, Any]:
    raw = decode_base64url(text, f"the header of {what}")
    header = decode_object(raw, f"the header of {what}", HEADER_BYTES_MAX)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in KIND_OF_ALGORITHM:
        known = ", ".join(KIND_OF_ALGORITHM)
        raise Unsound(
            Fault.ALGORITHM, f"{what} has the algorithm {algorithm!r}: only {known} are accepted"
        )
    if "crit" in header or "b64" in header:
        raise Unsound(
            Fault.CRITICAL, f"{what} asks to understand {header.get('crit', 'b64')!r}, not known"
        )
    return MappingProxyType(header)


_recall_header = lru_cache(maxsize=1_024)(_decode_header)
"""Issuers repeat their header, so recent ones are remembered."""
