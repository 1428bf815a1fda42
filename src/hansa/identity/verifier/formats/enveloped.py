"""Examination of W3C credentials that are tokens (`vc+jwt`), in presentations that are (`vp+jwt`).

Source: W3C Securing Verifiable Credentials using JOSE and COSE, section 3; OpenID4VP 1.0, appendix
B.1.3.1; Token Status List, section 6 (`status`); RFC 7800, section 3 (`cnf`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from hansa.identity.data_integrity.credentials import (
    Credential,
    check_validity,
    read_credential,
    read_identity,
    read_types,
)
from hansa.identity.data_integrity.enveloped import (
    CREDENTIAL_TOKEN,
    PRESENTATION_TOKEN,
    check_times,
    open_token,
    verify_token,
)
from hansa.identity.data_integrity.presentations import (
    PRESENTATION_TYPE,
    list_shown,
    unwrap_token,
)
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import Jws
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.documents import Relationship
from hansa.identity.sd_jwt.verification import read_holder_key
from hansa.identity.status.reference import read_status
from hansa.identity.verifier.examination import Asked, Examined, Steps
from hansa.identity.verifier.findings import Check
from hansa.identity.verifier.formats.vcdm import (
    LEEWAY_MS,
    build_judged,
    check_holder,
    find_holder_key,
    finish,
)
from hansa.identity.verifier.judgement import Judged
from hansa.identity.verifier.registry import IssuerKey, Registry

FORMAT = "jwt_vc_json"


async def examine(presented: object, asked: Asked, registry: Registry, now_ms: int) -> Examined:
    """Examine a presentation as a token, or a credential alone where it need not be bound.

    Raises:
      Unavailable: the registry does not answer now.
    """
    steps = Steps(asked.subject)
    read = steps.take(
        Check.FORMAT, "it is a well-formed credential as a token", lambda: _read(presented)
    )
    if read is None:
        return Examined(steps.findings, None)
    credential = read.credential
    moment_ms = min(credential.valid_from_ms or now_ms, now_ms)
    found = await steps.find_issuer(registry, credential.issuer, read.jws.header, moment_ms)
    if found is not None:
        text = f"{found.issuer} signed it, and nothing was changed"
        steps.take(Check.SIGNATURE, text, partial(_verify_issuer, read, found))
    steps.take(Check.VALIDITY, "it is valid now", partial(_check_times, read, now_ms))
    verify_holder = partial(_verify_holder, read, asked, now_ms)
    return finish(steps, asked, found, verify_holder, partial(_build, read, asked))


def _build(read: _Read, asked: Asked, issuer: IssuerKey) -> Judged:
    judged = build_judged(asked, FORMAT, read.credential, issuer, read.token, None)
    listed = read_status(read.credential.document)  # as of any token
    return judged if listed is None else judged._replace(statuses=(*judged.statuses, listed))


class _Shown(NamedTuple):
    jws: Jws
    document: dict[str, Any]


class _Read(NamedTuple):
    token: str
    jws: Jws
    credential: Credential
    presentation: _Shown | None
    """None where the credential came alone."""


def _read(presented: object) -> _Read:
    if not isinstance(presented, str):
        raise Unsound(Fault.MALFORMED, "a presentation of a credential that is a token is text")
    shown, token = None, presented
    try:
        shown = _Shown(*open_token(presented, PRESENTATION_TOKEN))
    except Unsound as error:
        if error.fault is not Fault.TYPE:
            raise
    if shown is not None:
        read_types(shown.document, "the presentation", PRESENTATION_TYPE)
        listed = list_shown(shown.document)
        if len(listed) != 1:
            raise Unsound(Fault.MALFORMED, "a presentation holds one credential")
        token = listed[0] if isinstance(listed[0], str) else unwrap_token(listed[0])
    jws, document = open_token(token, CREDENTIAL_TOKEN)
    return _Read(token, jws, read_credential(document), shown)


def _verify_issuer(read: _Read, found: IssuerKey) -> None:
    credential = read.credential
    verify_token(
        read.jws,
        credential.document,
        credential.issuer,
        Relationship.ASSERTION,
        lambda _method, _use: found.key,
    )


def _check_times(read: _Read, now_ms: int) -> None:
    check_validity(read.credential, now_ms, LEEWAY_MS)
    check_times(read.credential.document, now_ms)


def _verify_holder(read: _Read, asked: Asked, now_ms: int) -> None:
    if read.presentation is None:
        raise Unsound(Fault.BINDING, "the credential came without a presentation by its holder")
    jws, document = read.presentation
    holder = read_identity(document, "holder", "the presentation")
    found: list[PublicKey] = []

    def find_key(method: str, use: Relationship) -> PublicKey:
        found.append(find_holder_key(method, use))
        return found[0]

    verify_token(jws, document, holder, Relationship.AUTHENTICATION, find_key)
    if "cnf" in read.credential.document and read_holder_key(read.credential.document) not in found:
        raise Unsound(Fault.BINDING, "the credential is bound to another key (cnf)")
    check_times(document, now_ms)
    if document.get("nonce") != asked.challenge.nonce:
        raise Unsound(Fault.NONCE, "the presentation does not answer this nonce")
    audience = asked.challenge.audience
    if document.get("aud") not in (audience, [audience]):
        raise Unsound(Fault.AUDIENCE, f"the presentation is not for {audience}")
    check_holder(read.credential, holder)
