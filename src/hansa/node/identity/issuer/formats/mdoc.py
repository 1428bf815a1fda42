"""Writing mobile documents.

An officer gives claims as JSON. Where the schema says that a text is a date, a moment or bytes, the
document has it as CBOR does.

Source: ISO/IEC 18013-5, sections 7.2.1 and 9.1.2; OpenID4VCI 1.0, appendix A.2; JSON Schema
2020-12, Validation, sections 7.3 and 8.3.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from hansa.identity.cose.keys import ALGORITHMS
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.encoding.cbor import TAG_DATE, TAG_TIME, CBORTag
from hansa.identity.encoding.timestamp import read_timestamp, write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.mdoc.issuing import Draft as Document
from hansa.identity.mdoc.issuing import issue_mdoc
from hansa.identity.mdoc.security_object import Validity
from hansa.node.identity.issuer.formats.writing import Draft, Draw, Identity, SignedBy
from hansa.node.identity.issuer.settings import CredentialKind


class MdocFormat:
    """Writes mobile documents, each claim an element of one namespace."""

    def __init__(self, identity: Identity, draw: Draw) -> None:
        self._identity = identity
        self._draw = draw

    def list_algorithms(self, kind: CredentialKind) -> tuple[str | int, ...]:
        """List the numbers of the COSE algorithm, by its old name and by that of RFC 9864."""
        del kind
        return ALGORITHMS[self._identity.signer.public_key.kind]

    def find_signer(self, kind: CredentialKind) -> SignedBy:
        """Find who issues."""
        del kind
        return SignedBy("", "", self._identity.signer.public_key)

    def write(self, draft: Draft) -> str:
        """Write a document, in base64url."""
        schema = {} if draft.schema is None else draft.schema.content
        names = schema.get("properties", {})
        elements = {
            name: _convert(value, names.get(name, {}), name) for name, value in draft.claims.items()
        }
        if not elements:
            raise Unsound(Fault.MALFORMED, "a mobile document says at least one thing")
        issued_ms = draft.issued_s * 1_000
        document = Document(
            draft.kind.type,
            {draft.kind.namespace or draft.kind.type: elements},
            draft.key or self._identity.signer.public_key,
            Validity(issued_ms, issued_ms, draft.expires_s * 1_000),
            None if draft.place is None else draft.place.refer(),
        )
        identity = self._identity
        return encode_base64url(issue_mdoc(document, identity.signer, identity.chain, self._draw))


def _convert(value: Any, schema: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    """Convert JSON into CBOR, as its schema says."""
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        return {each: _convert(inner, parts.get(each), each) for each, inner in value.items()}
    if isinstance(value, list):
        return [_convert(each, schema.get("items"), name) for each in value]
    if not isinstance(value, str):
        return value
    if schema.get("format") == "date":
        return CBORTag(TAG_DATE, value)
    if schema.get("format") == "date-time":
        moment_ms = read_timestamp(value, name)
        return CBORTag(TAG_TIME, write_timestamp(moment_ms - moment_ms % 1_000))
    if schema.get("contentEncoding") == "base64":
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            raise Unsound(Fault.SCHEMA, f"{name} is no base64") from None
    return value
