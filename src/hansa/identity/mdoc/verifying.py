"""Verifying mobile documents: issuer, elements, validity, and the device that shows them.

Status, accreditation of the issuer and the claims' schema are asked by whoever composes a full
verification; what they need is in the result.

Source: ISO/IEC 18013-5, sections 9.1.2.4, 9.1.3.4, 9.3.1 and 9.3.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hansa.identity.cose.sign1 import Sign1, read_sign1, verify_sign1
from hansa.identity.encoding.cbor import decode_map, unwrap_encoded
from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.mdoc.chains import DocumentSigner, TrustedRoots
from hansa.identity.mdoc.documents import (
    NAMESPACES_MAX,
    Issued,
    decode_issued,
    decode_security_object,
    read_issued,
)
from hansa.identity.mdoc.security_object import Elements, SecurityObject, compute_digest
from hansa.identity.mdoc.transcripts import compute_device_authentication

DOCUMENTS_MAX = 16
LICENCE_NAMESPACE = "org.iso.18013.5.1"
"""The namespace of mobile driving licences, which must agree with their certificate."""

Trust = TrustedRoots | DocumentSigner | PublicKey
"""The roots to which an issuer's certificates must lead, or who signs, or its key itself."""


class Verified(NamedTuple):
    """A document that its issuer signed, and whose elements are the issuer's."""

    elements: Elements
    signed: SecurityObject
    issuer: DocumentSigner


class Presented(NamedTuple):
    """A document that the device to which it is bound shows for the request that was made."""

    elements: Elements
    """What the issuer says."""
    device_elements: Elements
    """What the device adds, as the issuer allowed."""
    signed: SecurityObject
    issuer: DocumentSigner


def verify_issued(raw: bytes, trust: Trust, *, doc_type: str, time_ms: int) -> Verified:
    """Verify a document as an issuer hands it out; what a holder does on receiving it.

    Raises:
      Unsound: `ISSUER`: the certificates lead to no trusted root; `SIGNATURE`; `DISCLOSURE`: an
        element that the issuer did not sign there; `TYPE`; `NOT_YET_VALID` or `EXPIRED`: document
        or certificate; or what `decode_issued` raises.
    """
    return _verify(decode_issued(raw, "the document"), trust, doc_type, time_ms)


def verify_device_response(
    raw: bytes, trust: Trust, *, doc_type: str, transcript: bytes, time_ms: int
) -> list[Presented]:
    """Verify what a device shows: documents of one type, at least one.

    Args:
      raw: the DeviceResponse.
      trust: whose documents are accepted.
      doc_type: that was asked for.
      transcript: of the request that was made, encoded.
      time_ms: at which it must hold.

    Raises:
      Unsound: as `verify_issued`, or `BINDING`: the device did not sign this, or not for this
        request; `DISCLOSURE`: the device adds what it may not.
    """
    response = decode_map(raw, "the device response", skips_undefined=True)
    documents = response.get("documents")
    if not str(response.get("version")).startswith("1."):
        raise Unsound(Fault.UNSUPPORTED, "the device response is of a version that is not 1.x")
    if response.get("status") != 0 or not isinstance(documents, list) or not documents:
        raise Unsound(
            Fault.MALFORMED,
            f"the device shows nothing, with the status {str(response.get('status'))[:16]}",
        )
    if len(documents) > DOCUMENTS_MAX:
        raise Unsound(
            Fault.TOO_LARGE, f"the device shows {len(documents)} documents, over {DOCUMENTS_MAX}"
        )
    return [_verify_document(each, trust, doc_type, transcript, time_ms) for each in documents]


def _verify_document(
    document: Any,  # noqa: ANN401 - a decode edge
    trust: Trust,
    doc_type: str,
    transcript: bytes,
    time_ms: int,
) -> Presented:
    device = document.get("deviceSigned") if isinstance(document, dict) else None
    if not isinstance(device, dict):
        raise Unsound(Fault.MALFORMED, "the document is no map with issuerSigned and deviceSigned")
    if document.get("docType") != doc_type:
        raise _wrong_type(document.get("docType"), doc_type)
    issued = read_issued(document.get("issuerSigned"), "the document")
    verified = _verify(issued, trust, doc_type, time_ms)
    raw = unwrap_encoded(device.get("nameSpaces"), "what the device adds")
    content = compute_device_authentication(transcript, doc_type, raw)
    _verify_device(device.get("deviceAuth"), verified.signed.device_key, content)
    added = _read_added(raw)
    verified.signed.check_device_elements(added, "the document")
    return Presented(verified.elements, added, verified.signed, verified.issuer)


def _verify(issued: Issued, trust: Trust, doc_type: str, time_ms: int) -> Verified:
    issuer = _find_issuer(issued.issuer_auth, trust, time_ms)
    signed = decode_security_object(
        verify_sign1(issued.issuer_auth, issuer.key, "the document"), "the document"
    )
    if signed.doc_type != doc_type:
        raise _wrong_type(signed.doc_type, doc_type)
    for namespace, items in issued.items.items():
        digests = signed.digests.get(namespace, {})
        for item in items:
            digest = compute_digest(signed.digest_algorithm, item.raw)
            if digests.get(item.digest_id) != digest:
                raise Unsound(
                    Fault.DISCLOSURE,
                    f"the issuer did not sign this {item.name[:64]!r} in {namespace[:64]!r}",
                )
    issuer.check_signing_time(signed.validity.signed_ms)
    _check_validity(signed, time_ms)
    elements = issued.elements
    _check_places(elements, issuer)
    return Verified(elements, signed, issuer)


def _find_issuer(auth: Sign1, trust: Trust, time_ms: int) -> DocumentSigner:
    if isinstance(trust, PublicKey):
        return DocumentSigner(trust)
    if isinstance(trust, DocumentSigner):
        return trust
    return trust.find_signer(auth.read_chain("the document"), time_ms)


def _check_validity(signed: SecurityObject, time_ms: int) -> None:
    validity = signed.validity
    if time_ms < validity.valid_from_ms:
        since = write_timestamp(validity.valid_from_ms)
        raise Unsound(Fault.NOT_YET_VALID, f"the document is valid only from {since} on")
    if time_ms > validity.valid_until_ms:
        until = write_timestamp(validity.valid_until_ms)
        raise Unsound(Fault.EXPIRED, f"the document was valid until {until}: get a new one")


def _check_places(elements: Elements, issuer: DocumentSigner) -> None:
    """Hold a driving licence to the country and region of its certificate."""
    licence = elements.get(LICENCE_NAMESPACE, {})
    pairs = (("issuing_country", issuer.country), ("issuing_jurisdiction", issuer.state))
    for name, expected in pairs:
        if name in licence and expected is not None and licence[name] != expected:
            raise Unsound(
                Fault.ISSUER,
                f"{name} is {str(licence[name])[:32]!r}, but the certificate is of {expected!r}",
            )


def _verify_device(auth: Any, key: PublicKey, content: bytes) -> None:  # noqa: ANN401
    if not isinstance(auth, dict) or "deviceSignature" not in auth:
        raise Unsound(
            Fault.UNSUPPORTED, "the device did not sign: a MAC is only for readers nearby"
        )
    sign1 = read_sign1(auth["deviceSignature"], "the device's signature")
    try:
        verify_sign1(sign1, key, "the device's signature", content)
    except Unsound as error:
        if error.fault is not Fault.SIGNATURE:
            raise
        message = (
            "the device to which the document is bound did not sign this for this request: the "
            "answer was changed, is for another request, or is another device's"
        )
        raise Unsound(Fault.BINDING, message) from None


def _read_added(raw: bytes) -> Elements:
    added = decode_map(raw, "what the device adds")
    if len(added) > NAMESPACES_MAX or not all(
        isinstance(namespace, str) and isinstance(elements, dict)
        for namespace, elements in added.items()
    ):
        raise Unsound(Fault.MALFORMED, "what the device adds is no map of maps")
    if not all(isinstance(name, str) for elements in added.values() for name in elements):
        raise Unsound(Fault.MALFORMED, "what the device adds has a name that is no text")
    return added


def _wrong_type(found: object, expected: str) -> Unsound:
    return Unsound(
        Fault.TYPE, f"the document is a {str(found)[:64]!r}, but {expected!r} was asked for"
    )
