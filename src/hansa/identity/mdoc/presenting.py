"""Showing documents: the holder selects elements, and the device signs for one request.

Source: ISO/IEC 18013-5, sections 8.3.2.1.2.2 and 9.1.3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from hansa.identity.cose.sign1 import Sign1, sign_sign1
from hansa.identity.encoding.cbor import CBORTag, encode_cbor, wrap_encoded
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.signing import Signer
from hansa.identity.mdoc.documents import Issued, decode_issued, decode_security_object
from hansa.identity.mdoc.security_object import VERSION, Elements
from hansa.identity.mdoc.transcripts import compute_device_authentication


class Selection(NamedTuple):
    """One document to be shown in part."""

    issued: bytes
    """As the issuer handed it out."""
    names: Mapping[str, Collection[str]]
    """The elements to show, by namespace."""
    signer: Signer
    """With the device's key."""
    device_elements: Elements = MappingProxyType({})
    """What the device adds itself; the issuer must have allowed it."""


def create_device_response(selections: Sequence[Selection], transcript: bytes) -> bytes:
    """Show documents to whoever made the request that the transcript names.

    Raises:
      Unsound: `DISCLOSURE`: an element that the document does not have, or that the device may not
        add; `BINDING`: the document is bound to another key; or what `decode_issued` raises.
    """
    documents = [_show(selection, transcript) for selection in selections]
    return encode_cbor({"version": VERSION, "documents": documents, "status": 0})


def _show(selection: Selection, transcript: bytes) -> dict[str, Any]:
    issued = decode_issued(selection.issued, "the document")
    signed = decode_security_object(issued.issuer_auth.payload or b"", "the document")
    if selection.signer.public_key != signed.device_key:
        raise Unsound(Fault.BINDING, "the document is bound to another key than the given one")
    signed.check_device_elements(selection.device_elements, "the document")
    namespaces = encode_cbor({name: dict(each) for name, each in selection.device_elements.items()})
    content = compute_device_authentication(transcript, signed.doc_type, namespaces)
    return {
        "docType": signed.doc_type,
        "issuerSigned": {
            "nameSpaces": {
                namespace: _select(issued, namespace, names)
                for namespace, names in selection.names.items()
                if names
            },
            "issuerAuth": _write_sign1(issued.issuer_auth),
        },
        "deviceSigned": {
            "nameSpaces": wrap_encoded(namespaces),
            "deviceAuth": {
                "deviceSignature": sign_sign1(selection.signer, content, is_detached=True)
            },
        },
    }


def _select(issued: Issued, namespace: str, names: Collection[str]) -> list[CBORTag]:
    found = {item.name: item.raw for item in issued.items.get(namespace, ())}
    missing = sorted(set(names) - found.keys())
    if missing:
        raise Unsound(
            Fault.DISCLOSURE, f"the document has no element {missing[0]!r} in {namespace!r}"
        )
    return [wrap_encoded(raw) for name, raw in found.items() if name in names]


def _write_sign1(sign1: Sign1) -> list[Any]:
    return [sign1.raw_header, dict(sign1.unprotected), sign1.payload, sign1.signature]
