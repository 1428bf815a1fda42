"""Credentials of the W3C's data model in an SD-JWT (`vc+sd-jwt`): documents shown in part.

A holder's key, if the credential is bound to one, stands in `cnf` beside the document's members.

Source: W3C Securing Verifiable Credentials using JOSE and COSE, section 3.2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from hansa.identity.data_integrity.credentials import (
    Credential,
    check_validity,
    read_credential,
    read_identity,
)
from hansa.identity.data_integrity.enveloped import verify_token
from hansa.identity.data_integrity.proofs import FindKey
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import verify_type
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.signing import Signer
from hansa.identity.methods.documents import Relationship
from hansa.identity.sd_jwt.credential import check_open
from hansa.identity.sd_jwt.issuance import issue_sd_jwt
from hansa.identity.sd_jwt.paths import Path, Place
from hansa.identity.sd_jwt.serialization import SdJwt
from hansa.identity.sd_jwt.verification import Challenge, verify_contents

DOCUMENT_TYPE = "vc+sd-jwt"
NEVER_SELECTIVE = frozenset(
    {
        *("@context", "type", "issuer", "validFrom", "validUntil", "issuanceDate"),
        *("expirationDate", "credentialStatus", "credentialSchema", "relatedResource"),
        *("iss", "nbf", "exp", "cnf"),
    }
)
"""Members by which a verifier decides, so that no holder may keep them back."""

_WHAT = "the credential"


class VerifiedDocument(NamedTuple):
    """A verified credential, as far as its holder shows it."""

    credential: Credential
    disclosed: Mapping[Place, str]
    """Which members the holder chose to show."""
    binding: Mapping[str, Any] | None
    """The claims of the key binding; none if it was not asked for."""


def issue_document(
    signer: Signer,
    method: str,
    document: dict[str, Any],
    selective: Iterable[Path],
    draw: Callable[[int], bytes],
    pad_to: int = 1,
) -> SdJwt:
    """Sign a document so that the members on some paths can each be shown or kept.

    `method` names the key, as a DID URL of the issuer; for the rest see `issue_sd_jwt`.

    Raises:
      Unsound: as `read_credential` and `issue_sd_jwt`; `DISCLOSURE`.
    """
    read_credential(document)
    paths = list(selective)
    check_open(paths, NEVER_SELECTIVE)
    header = {"typ": DOCUMENT_TYPE, "cty": "vc", "kid": method}
    return issue_sd_jwt(signer, document, paths, draw, header=header, pad_to=pad_to)


def verify_document(
    sd_jwt: SdJwt, now_ms: int, find_key: FindKey, challenge: Challenge | None = None
) -> VerifiedDocument:
    """Verify a document; with a `challenge`, key binding is required.

    Raises:
      Unsound: as `decode_jws`, `verify_token`, `verify_contents`, `read_credential` and
        `check_validity`; `TYPE`; `DISCLOSURE`; `UNSUPPORTED`: it is wrapped in a claim `vc`.
    """
    jws = decode_jws(sd_jwt.jwts[0], _WHAT)
    verify_type(jws.header, (DOCUMENT_TYPE,), _WHAT)
    payload = jws.decode_claims(_WHAT)
    if "vc" in payload or "vp" in payload:
        raise Unsound(Fault.UNSUPPORTED, f"{_WHAT} is wrapped in a claim: it must be the payload")
    issuer = read_identity(payload, "issuer", _WHAT)
    verify_token(jws, payload, issuer, Relationship.ASSERTION, find_key)
    verified = verify_contents(jws, sd_jwt, now_ms // 1_000, challenge)
    check_open(verified.disclosed, NEVER_SELECTIVE)
    credential = read_credential(verified.claims)
    check_validity(credential, now_ms)
    return VerifiedDocument(credential, verified.disclosed, verified.binding)
