"""Holding mobile documents.

Source: ISO/IEC 18013-5, sections 8.3.2.1.2.2 and 9.1.3; OpenID4VP 1.0, appendix B.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.cbor_json import convert_to_json
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import compute_thumbprint
from hansa.identity.mdoc.documents import Issued, decode_issued, decode_security_object
from hansa.identity.mdoc.presenting import Selection, create_device_response
from hansa.identity.mdoc.security_object import SecurityObject
from hansa.identity.mdoc.transcripts import create_redirect_transcript
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.wallet.formats.holding import Read, Showing

_DOCUMENT = "the document"


class MdocHolding:
    """A `HoldingFormat`."""

    def decode(self, credential: object) -> str:
        """Read what an issuer sent."""
        if not isinstance(credential, str):
            raise Unsound(Fault.MALFORMED, "a mobile document is text in base64url")
        _open(credential)
        return credential

    def read(self, credential: str) -> Read:
        """Read what a document says."""
        issued, signed = _open(credential)
        return Read(
            signed.doc_type,
            frozenset([signed.doc_type]),
            convert_to_json(issued.elements),
            signed.device_key,
            signed.validity.valid_until_ms,
        )

    def widen(self, credential: str, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """Show these alone."""
        del credential
        return paths

    def show(self, credential: str, paths: Sequence[Path]) -> dict[str, Any]:
        """Compute what is seen."""
        claims = self.read(credential).claims
        shown: dict[str, Any] = {}
        for namespace, name in (path for path in paths if len(path) == 2):  # noqa: PLR2004
            shown.setdefault(str(namespace), {})[str(name)] = claims[str(namespace)][str(name)]
        return shown

    def present(self, credential: str, showing: Showing) -> str:
        """Show elements, signed with the device's key for this verifier."""
        request, key = showing.request, showing.request.encryption_key
        if showing.signer is None or showing.transactions:
            raise Unsound(Fault.UNSUPPORTED, "a mobile document authorises no transactions here")
        transcript = create_redirect_transcript(
            request.client_id,
            request.nonce,
            request.response_uri,
            None if key is None else decode_base64url(compute_thumbprint(key), "the thumbprint"),
        )
        issued = decode_base64url(credential, _DOCUMENT)
        selection = Selection(issued, _list_names(showing.paths), showing.signer)
        return encode_base64url(create_device_response([selection], transcript))


def _open(credential: str) -> tuple[Issued, SecurityObject]:
    issued = decode_issued(decode_base64url(credential, _DOCUMENT), _DOCUMENT)
    return issued, decode_security_object(issued.issuer_auth.payload or b"", _DOCUMENT)


def _list_names(paths: Sequence[Path]) -> dict[str, set[str]]:
    """List elements by namespace; OpenID4VP 1.0, section 7.2, has no other paths for them."""
    names: dict[str, set[str]] = {}
    for path in paths:
        match path:
            case (str() as namespace, str() as name):
                names.setdefault(namespace, set()).add(name)
            case _:
                raise Unsound(
                    Fault.MALFORMED, "elements of a document are asked for by namespace and name"
                )
    return names
