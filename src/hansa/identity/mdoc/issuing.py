"""Issuing mobile documents.

Source: ISO/IEC 18013-5, sections 9.1.2.4 and 9.1.2.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hansa.identity.cose.sign1 import X5CHAIN, sign_sign1
from hansa.identity.encoding.cbor import CBORTag, encode_cbor, encode_wrapped, wrap_encoded
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer
from hansa.identity.mdoc.security_object import (
    Elements,
    SecurityObject,
    Validity,
    compute_digest,
    write_item,
    write_security_object,
)
from hansa.identity.status.reference import StatusReference

SALT_BYTES = 32


class Draft(NamedTuple):
    """A document before it is signed."""

    doc_type: str
    elements: Elements
    device_key: PublicKey
    validity: Validity
    status: StatusReference | None = None
    digest_algorithm: str = "SHA-256"
    device_namespaces: frozenset[str] = frozenset()
    """The namespaces of which the device may add any element itself."""
    device_elements: frozenset[tuple[str, str]] = frozenset()
    """The other elements, by namespace and name, that the device may add."""


def issue_mdoc(
    draft: Draft, signer: Signer, chain: Sequence[bytes], draw: Callable[[int], bytes]
) -> bytes:
    """Sign a document; what the holder gets is an IssuerSigned.

    Digest ids follow the salts, so that they do not tell which elements are withheld.

    Args:
      draft: what to sign.
      signer: of the issuer.
      chain: certificates (DER), the signer's first, without the root; none where verifiers know
        the key otherwise.
      draw: gives that many random bytes.

    Raises:
      Unsound: `MALFORMED` or `TOO_LARGE`: a value that CBOR here does not know; `KEY`: a key that
        signs nothing in COSE.
    """
    namespaces: dict[str, list[CBORTag]] = {}
    digests: dict[str, dict[int, bytes]] = {}
    for namespace, elements in draft.elements.items():
        salted = sorted((draw(SALT_BYTES), name) for name in elements)
        items = [
            write_item(digest_id, salt, name, elements[name])
            for digest_id, (salt, name) in enumerate(salted)
        ]
        namespaces[namespace] = [wrap_encoded(item) for item in items]
        digests[namespace] = {
            digest_id: compute_digest(draft.digest_algorithm, item)
            for digest_id, item in enumerate(items)
        }
    signed = SecurityObject(
        draft.doc_type,
        draft.digest_algorithm,
        digests,
        draft.device_key,
        draft.validity,
        draft.device_namespaces,
        draft.device_elements,
        draft.status,
    )
    payload = encode_wrapped(write_security_object(signed))
    headers: dict[int | str, Any] = {}
    if chain:
        headers[X5CHAIN] = chain[0] if len(chain) == 1 else list(chain)
    auth = sign_sign1(signer, payload, unprotected=headers)
    return encode_cbor({"nameSpaces": namespaces, "issuerAuth": auth})
