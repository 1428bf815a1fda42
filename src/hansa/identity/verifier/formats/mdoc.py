"""Examination of mobile documents: one document in a device response.

Source: ISO/IEC 18013-5, sections 9.1.2.4, 9.1.3.4 and 9.3; OpenID4VP 1.0, appendix B.2.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.cbor import decode_map
from hansa.identity.encoding.cbor_json import convert_to_json
from hansa.identity.faults import Fault, Unsound
from hansa.identity.mdoc.chains import read_document_signer
from hansa.identity.mdoc.documents import decode_security_object, read_issued
from hansa.identity.mdoc.security_object import Validity
from hansa.identity.mdoc.verifying import verify_device_response
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.examination import Asked, Examined, Steps
from hansa.identity.verifier.findings import Check
from hansa.identity.verifier.judgement import Judged, compute_anchor
from hansa.identity.verifier.registry import IssuerKey, Registry

FORMAT = "mso_mdoc"


async def examine(presented: object, asked: Asked, registry: Registry, now_ms: int) -> Examined:
    """Examine a presentation of a mobile document: one document in a device response.

    Raises:
      Unavailable: the registry does not answer now.
    """
    doc_type = str(asked.meta.get("doctype_value"))
    steps = Steps(asked.subject)
    read = steps.take(
        Check.FORMAT, "it is a well-formed mobile document", lambda: _read_mdoc(presented)
    )
    if read is None:
        return Examined(steps.findings, None)
    found = await steps.find_issuer(registry, None, read.header, read.validity.signed_ms)
    if found is None:
        return Examined(steps.findings, None)
    shown = steps.take(
        Check.SIGNATURE,
        f"{found.issuer} signed it, and its holder presents it now",
        lambda: _verify_mdoc(read, found, doc_type, asked, now_ms),
    )
    if asked.transactions:
        error = Unsound(Fault.UNSUPPORTED, "a mobile document authorises no transactions here")
        steps.refuse(Check.TRANSACTION, error)
    if shown is None:
        return Examined(steps.findings, None)
    judged = Judged(
        subject=asked.subject,
        format=FORMAT,
        issuer=found.issuer,
        types=(doc_type,),
        claims=shown.claims,
        is_bound=True,
        issued_ms=read.validity.signed_ms,
        statuses=() if shown.status is None else (shown.status,),
        replaced_since_ms=found.replaced_since_ms,
        digest=compute_anchor(read.signature),
    )
    return Examined(steps.findings, judged)


class _ReadMdoc(NamedTuple):
    raw: bytes
    chain: tuple[bytes, ...]
    """Certificates, the signer's first."""
    signature: bytes
    """Of the issuer, over the digests of all elements."""
    validity: Validity

    @property
    def header(self) -> dict[str, Any]:
        """What leads to the issuer's key, as tokens have it."""
        return {"x5c": [base64.b64encode(each).decode() for each in self.chain]}


def _read_mdoc(presented: object) -> _ReadMdoc:
    if not isinstance(presented, str):
        raise Unsound(Fault.MALFORMED, "a presentation of a mobile document is text in base64url")
    raw = decode_base64url(presented, "the device response")
    response = decode_map(raw, "the device response", skips_undefined=True)
    documents = response.get("documents")
    if not isinstance(documents, list) or len(documents) != 1 or not isinstance(documents[0], dict):
        raise Unsound(Fault.MALFORMED, "a presentation holds one document")
    what = "the document"
    auth = read_issued(documents[0].get("issuerSigned"), what).issuer_auth
    validity = decode_security_object(auth.payload or b"", what).validity
    chain = auth.read_chain(what)
    if not chain:
        raise Unsound(Fault.ISSUER, "the document came without a certificate of its issuer")
    return _ReadMdoc(raw, chain, auth.signature, validity)


class _ShownMdoc(NamedTuple):
    claims: dict[str, Any]
    """As JSON."""
    status: StatusReference | None


def _verify_mdoc(
    read: _ReadMdoc, found: IssuerKey, doc_type: str, asked: Asked, now_ms: int
) -> _ShownMdoc:
    signer = read_document_signer(read.chain[0])
    if signer.key != found.key:
        raise Unsound(Fault.KEY, "the certificate of the document is of another key")
    (shown,) = verify_device_response(
        read.raw, signer, doc_type=doc_type, transcript=asked.transcript, time_ms=now_ms
    )
    return _ShownMdoc(convert_to_json(shown.elements), shown.signed.status)
