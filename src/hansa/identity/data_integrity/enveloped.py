"""Credentials in an envelope: the whole document is the payload of a token (`vc+jwt`).

The token is signed as a whole, so that contexts need not be known. Claims of JWT that say the same
as a member of the credential must agree with it.

Source: W3C Securing Verifiable Credentials using JOSE and COSE, sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hansa.identity.data_integrity.credentials import Credential, check_validity, read_credential
from hansa.identity.data_integrity.proofs import AHEAD_MS_MAX, FindKey
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import Jws, decode_jws, sign_jws, verify_jws
from hansa.identity.keys.signing import Signer
from hansa.identity.methods.documents import Relationship

CREDENTIAL_TOKEN, PRESENTATION_TOKEN = "vc+jwt", "vp+jwt"
_WHAT = "the token"


def sign_credential(document: Mapping[str, Any], signer: Signer, method: str) -> str:
    """Sign a credential as a token; `method` names the key, as a DID URL of the issuer.

    Raises:
      Unsound: `KEY`, or as `read_credential`.
    """
    read_credential(document)
    header = {"typ": CREDENTIAL_TOKEN, "cty": "vc", "kid": method}
    return sign_jws(signer, header, canonicalize(document))


def verify_enveloped_credential(token: str, now_ms: int, find_key: FindKey) -> Credential:
    """Verify a credential that is a token.

    Raises:
      Unsound: as `decode_jws`, `verify_jws`, `read_credential` and `check_validity`; `TYPE`, `KEY`,
        `UNRESOLVED`, or `ISSUER`: it is signed by somebody else, or its claims contradict it.
    """
    jws, document = open_token(token, CREDENTIAL_TOKEN)
    credential = read_credential(document)
    verify_token(jws, document, credential.issuer, Relationship.ASSERTION, find_key)
    check_validity(credential, now_ms)
    check_times(document, now_ms)
    subjects = {str(each.get("id", "")) for each in credential.subjects}
    for claim, expected in {"jti": {credential.id}, "sub": subjects}.items():
        if claim in document and str(document[claim]) not in expected:
            raise Unsound(Fault.MALFORMED, f"{claim} of the token contradicts the credential")
    return credential


def open_token(token: str, kind: str) -> tuple[Jws, dict[str, Any]]:
    """Take a token apart and read its document; nothing is verified yet.

    Raises:
      Unsound: as `decode_jws`; `TYPE`.
    """
    jws = decode_jws(token, _WHAT)
    if str(jws.header.get("typ")).removeprefix("application/") != kind:
        raise Unsound(Fault.TYPE, f"the token is not of the type {kind}")
    document = jws.decode_claims(_WHAT)
    if "vc" in document or "vp" in document:
        raise Unsound(Fault.UNSUPPORTED, f"the token holds a claim where {kind} is a document")
    return jws, document


def verify_token(
    jws: Jws,
    document: Mapping[str, Any],
    signer: str,
    use: Relationship,
    find_key: FindKey,
) -> None:
    """Verify that a token is signed by whom its document says.

    Raises:
      Unsound: `MALFORMED`, `ISSUER`, `KEY`, `UNRESOLVED`, `ALGORITHM` or `SIGNATURE`.
    """
    kid = jws.header.get("kid")
    if not isinstance(kid, str):
        raise Unsound(Fault.MALFORMED, "the token has no kid: the URL of its signer's key")
    method = signer + kid if kid.startswith("#") else kid
    claimed = {method.partition("#")[0]}
    claimed |= {str(each["iss"]) for each in (jws.header, document) if "iss" in each}
    if claimed != {signer}:
        raise Unsound(Fault.ISSUER, f"the token is not signed by {signer}, whom it names")
    verify_jws(jws, find_key(method, use), _WHAT)


def check_times(claims: Mapping[str, Any], now_ms: int) -> None:
    """Check `exp`, `nbf` and `iat` of a token, if it has them.

    Raises:
      Unsound: `MALFORMED`, `EXPIRED` or `NOT_YET_VALID`.
    """
    for name, fault in {
        "exp": Fault.EXPIRED,
        "nbf": Fault.NOT_YET_VALID,
        "iat": Fault.NOT_YET_VALID,
    }.items():
        if name not in claims:
            continue
        value = claims[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unsound(Fault.MALFORMED, f"{name} of the token is no number of seconds")
        is_over = now_ms >= value * 1_000
        if is_over if name == "exp" else value * 1_000 > now_ms + AHEAD_MS_MAX:
            raise Unsound(fault, f"the token is not valid now, by its {name}")
