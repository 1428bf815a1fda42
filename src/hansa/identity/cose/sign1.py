"""COSE_Sign1: content with one signature.

As with tokens in JSON, the reader fixes the algorithm by the key; it must stand in the protected
header, and an extension that must be understood is refused.

Source: RFC 9052, sections 3, 4.2 and 4.4; RFC 9360 (x5chain).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from hansa.identity.cose.keys import ALGORITHMS
from hansa.identity.encoding.cbor import TAG_SIGN1, CBORTag, decode_map, encode_cbor
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer, verify_signature

ALG, CRIT, KID, X5CHAIN = 1, 2, 4, 33
"""Labels of headers."""

HEADER_BYTES_MAX = 32_768
CACHED_BYTES_MAX = 256
"""Of a header that is remembered: read, a long one takes seventy times its size."""
HEADERS_MAX = 32
CHAIN_MAX = 6
"""Certificates in one chain."""


class Sign1(NamedTuple):
    """A COSE_Sign1 taken apart; nothing in it is verified yet."""

    raw_header: bytes
    """The protected header, as it was signed."""
    protected: Mapping[int | str, Any]
    unprotected: Mapping[int | str, Any]
    payload: bytes | None
    """None where it is detached."""
    signature: bytes

    def read_chain(self, what: str) -> tuple[bytes, ...]:
        """Read the certificates that came along (DER, the signer's first); none if there are none.

        They are believed only as far as they lead to a root that the verifier trusts, so that
        they may stand in either header.

        Raises:
          Unsound: `MALFORMED` or `TOO_LARGE`.
        """
        value = self.unprotected.get(X5CHAIN, self.protected.get(X5CHAIN, []))
        chain = [value] if isinstance(value, bytes) else value
        if not isinstance(chain, list) or not all(isinstance(each, bytes) for each in chain):
            raise Unsound(Fault.MALFORMED, f"the x5chain of {what} is no list of certificates")
        if len(chain) > CHAIN_MAX:
            raise Unsound(
                Fault.TOO_LARGE, f"{what} has {len(chain)} certificates, over {CHAIN_MAX}"
            )
        return tuple(chain)


def sign_sign1(
    signer: Signer,
    payload: bytes,
    *,
    protected: Mapping[int | str, Any] = MappingProxyType({}),
    unprotected: Mapping[int | str, Any] = MappingProxyType({}),
    is_detached: bool = False,
) -> list[Any]:
    """Sign a payload and return the COSE_Sign1, untagged, to be encoded within something else.

    `alg` is added to the protected header from the key.

    Raises:
      Unsound: `KEY`: keys of this kind sign nothing in COSE.
    """
    algorithms = ALGORITHMS.get(signer.public_key.kind)
    if algorithms is None:
        kind = signer.public_key.kind.value
        raise Unsound(Fault.KEY, f"keys of kind {kind} sign nothing in COSE")
    header = encode_cbor({ALG: algorithms[0], **protected})
    signature = signer.sign(_compute_signed(header, payload))
    return [header, dict(unprotected), None if is_detached else payload, signature]


def read_sign1(value: Any, what: str) -> Sign1:  # noqa: ANN401 - a decode edge
    """Take a COSE_Sign1 apart, tagged or not; `what` names it in messages.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `ALGORITHM` or `CRITICAL`.
    """
    if isinstance(value, CBORTag) and value.tag == TAG_SIGN1:
        value = value.value
    if not isinstance(value, list) or len(value) != 4:  # noqa: PLR2004
        raise Unsound(Fault.MALFORMED, f"{what} is no COSE_Sign1: a list of four")
    raw_header, unprotected, payload, signature = value
    if not (
        isinstance(raw_header, bytes)
        and isinstance(unprotected, dict)
        and (payload is None or isinstance(payload, bytes))
        and isinstance(signature, bytes)
    ):
        raise Unsound(Fault.MALFORMED, f"a part of the COSE_Sign1 {what} is of the wrong type")
    is_short = len(raw_header) <= CACHED_BYTES_MAX
    protected = (_recall_header if is_short else _decode_header)(raw_header, what)
    for label in unprotected:
        if label in (ALG, CRIT) or label in protected:
            raise Unsound(
                Fault.MALFORMED, f"the header {label!r} of {what} must be protected, and only that"
            )
    return Sign1(raw_header, protected, unprotected, payload, signature)


def verify_sign1(sign1: Sign1, key: PublicKey, what: str, detached: bytes | None = None) -> bytes:
    """Verify with a key that the caller has found to be the signer's; return what was signed.

    Raises:
      Unsound: `ALGORITHM`: it was made with another kind of key; `SIGNATURE`; `MALFORMED`: the
        content is neither in it nor given, or is both.
    """
    payload = sign1.payload if detached is None else detached
    if payload is None or (detached is not None and sign1.payload is not None):
        raise Unsound(Fault.MALFORMED, f"the content of {what} is missing, or stands there twice")
    algorithm = sign1.protected[ALG]
    if algorithm not in ALGORITHMS.get(key.kind, ()):
        raise Unsound(
            Fault.ALGORITHM, f"{what} is signed by {algorithm}, but the key is {key.kind.value}"
        )
    if not verify_signature(key, _compute_signed(sign1.raw_header, payload), sign1.signature):
        raise Unsound(
            Fault.SIGNATURE,
            f"the signature of {what} does not verify: it was changed, or signed with another key",
        )
    return payload


def _compute_signed(raw_header: bytes, payload: bytes) -> bytes:
    return encode_cbor(["Signature1", raw_header, b"", payload])


def _decode_header(raw: bytes, what: str) -> Mapping[int | str, Any]:
    header = decode_map(raw or b"\xa0", f"the header of {what}", HEADER_BYTES_MAX)
    if len(header) > HEADERS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{what} has {len(header)} headers, over {HEADERS_MAX}")
    algorithm = header.get(ALG)
    if type(algorithm) is not int or not any(algorithm in each for each in ALGORITHMS.values()):
        raise Unsound(
            Fault.ALGORITHM,
            f"{what} has the algorithm {str(algorithm)[:32]}: only EdDSA, ES256, ES384 and ES256K "
            "are accepted",
        )
    if CRIT in header:
        raise Unsound(
            Fault.CRITICAL, f"{what} asks to understand {str(header[CRIT])[:64]}, not known"
        )
    return MappingProxyType(header)


_recall_header = lru_cache(maxsize=1_024)(_decode_header)
"""Issuers repeat their header, so recent ones are remembered."""
