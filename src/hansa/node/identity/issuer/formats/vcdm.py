"""What writing W3C credentials has in common, however they are secured.

The subject is known by the did:key of the holder's key. Who issues is a DID, too: that of the
settings, or one that is the key itself.

Source: W3C Verifiable Credentials Data Model 2.0, section 4; Bitstring Status List 1.0, section 2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hansa.identity.data_integrity.contexts import CREDENTIALS_V2, UNDEFINED_TERMS
from hansa.identity.data_integrity.credentials import CREDENTIAL_TYPE
from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.methods.local import name_did_key_method, write_did_jwk, write_did_key
from hansa.identity.status.bitstring import (
    REVOCATION,
    SUSPENSION,
    BitstringEntry,
    write_entry,
)
from hansa.node.identity.issuer.formats.writing import Draft
from hansa.node.identity.issuer.settings import CredentialKind, Settings

PURPOSES = (REVOCATION, SUSPENSION)


class Controller(NamedTuple):
    """Who signs W3C credentials, and by which key of its DID."""

    did: str
    method: str


def find_controller(settings: Settings, kind: CredentialKind | None, key: PublicKey) -> Controller:
    """Find who signs with a key: the DID of the settings, or that which the key is."""
    if settings.did:
        named = "" if kind is None else kind.key_id
        return Controller(settings.did, named or settings.key_id)
    if key.kind is KeyKind.P256:
        did = write_did_jwk(key)
        return Controller(did, f"{did}#0")
    did = write_did_key(key)
    return Controller(did, name_did_key_method(did))


def write_document(draft: Draft, issuer: str, signer: str) -> dict[str, Any]:
    """Write a credential without what secures it; `signer` names the key that signs its lists.

    Raises:
      Unsound: `MALFORMED`: `id` among the claims.
    """
    if "id" in draft.claims:
        raise Unsound(Fault.MALFORMED, "id is not a claim: it names the holder's key")
    subject: dict[str, Any] = dict(draft.claims)
    if draft.key is not None:
        subject = {"id": write_did_key(draft.key), **subject}
    if not subject:
        raise Unsound(Fault.MALFORMED, "a credential says at least one thing")
    document: dict[str, Any] = {
        "@context": list_contexts(draft.kind),
        "type": [CREDENTIAL_TYPE, draft.kind.type],
        "issuer": issuer,
        "validFrom": write_timestamp(draft.issued_s * 1_000),
        "validUntil": write_timestamp(draft.expires_s * 1_000),
        "credentialSubject": subject,
    }
    if draft.place is not None:
        document["credentialStatus"] = [
            write_entry(
                BitstringEntry(
                    draft.place.lists.locate(draft.place.number, signer, each),
                    draft.place.offset,
                    each,
                )
            )
            for each in PURPOSES
        ]
    return document


def list_contexts(kind: CredentialKind) -> list[str]:
    """List the contexts of a credential."""
    return [CREDENTIALS_V2, kind.context or UNDEFINED_TERMS]
