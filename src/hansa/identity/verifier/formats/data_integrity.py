"""Examination of W3C credentials with Data Integrity proofs, `bbs-2023` among them.

A credential that must be bound is shown in a presentation, whose proof answers the nonce
(`challenge`) and names the verifier (`domain`). One that need not be may come alone; of `bbs-2023`
it is then derived for this request.

Source: W3C Verifiable Credential Data Integrity 1.0, section 4; Data Integrity BBS Cryptosuites
1.0, section 3.4; OpenID4VP 1.0, appendix B.1.3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from hansa.identity.bbs_2023.presenting import compute_presentation_header
from hansa.identity.bbs_2023.proof_values import decode_derived_proof
from hansa.identity.bbs_2023.suite import CRYPTOSUITE as BBS
from hansa.identity.bbs_2023.suite import verify_derived
from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.credentials import (
    Credential,
    check_validity,
    read_credential,
    read_identity,
    read_types,
)
from hansa.identity.data_integrity.presentations import PRESENTATION_TYPE, list_shown
from hansa.identity.data_integrity.proofs import (
    Expected,
    Proof,
    check_proof,
    read_proofs,
    verify_proofs,
)
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.documents import Relationship
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

FORMAT = "ldp_vc"


async def examine(presented: object, asked: Asked, registry: Registry, now_ms: int) -> Examined:
    """Examine a presentation, or a credential alone where it need not be bound.

    Raises:
      Unavailable: the registry does not answer now.
    """
    steps = Steps(asked.subject)
    read = steps.take(
        Check.FORMAT, "it is a well-formed credential with a proof", lambda: _read(presented)
    )
    if read is None:
        return Examined(steps.findings, None)
    credential = read.credential
    header = {"kid": read.proof.verification_method}
    moment_ms = min(credential.valid_from_ms or now_ms, now_ms)
    found = await steps.find_issuer(registry, credential.issuer, header, moment_ms)
    if found is not None:
        text = f"{found.issuer} signed it, and nothing was changed"
        steps.take(Check.SIGNATURE, text, partial(_verify_issuer, read, found, asked, now_ms))
    steps.take(
        Check.VALIDITY, "it is valid now", partial(check_validity, credential, now_ms, LEEWAY_MS)
    )
    verify_holder = partial(_verify_holder, read, asked, now_ms)
    return finish(steps, asked, found, verify_holder, partial(_build, read, asked))


def _build(read: _Read, asked: Asked, issuer: IssuerKey) -> Judged:
    contexts = asked.load_contexts()
    return build_judged(asked, FORMAT, read.credential, issuer, read.proof_value, contexts)


class _Read(NamedTuple):
    credential: Credential
    proof: Proof
    """The issuer's."""
    proof_value: str
    presentation: Mapping[str, Any] | None
    """None where the credential came alone."""


def _read(presented: object) -> _Read:
    if not isinstance(presented, dict):
        raise Unsound(Fault.MALFORMED, "a presentation with a proof is a JSON object")
    document, shown = presented, None
    types = presented.get("type")
    if types == PRESENTATION_TYPE or (isinstance(types, list) and PRESENTATION_TYPE in types):
        shown = presented
        read_types(shown, "the presentation", PRESENTATION_TYPE)
        listed = list_shown(shown)
        if len(listed) != 1 or not isinstance(listed[0], dict):
            raise Unsound(Fault.MALFORMED, "a presentation holds one credential")
        document = listed[0]
    credential = read_credential(document)
    proofs = read_proofs(document)
    if len(proofs) != 1:
        raise Unsound(Fault.UNSUPPORTED, "a credential has one proof here, by its issuer")
    if proofs[0].controller != credential.issuer:
        raise Unsound(Fault.ISSUER, f"the proof of the credential is not by {credential.issuer}")
    raw = document["proof"]
    value = (raw[0] if isinstance(raw, list) else raw).get("proofValue")
    if not isinstance(value, str):
        raise Unsound(Fault.MALFORMED, "the proof of the credential has no proofValue")
    return _Read(credential, proofs[0], value, shown)


def _verify_issuer(read: _Read, found: IssuerKey, asked: Asked, now_ms: int) -> None:
    document, contexts = read.credential.document, asked.load_contexts()
    expected = Expected(now_ms)
    if read.proof.cryptosuite != BBS:
        verify_proofs(document, contexts, expected, lambda _method, _use: found.key)
        return
    check_proof(read.proof, expected)
    _verify_derived(read, found.key, asked, contexts)


def _verify_derived(read: _Read, key: PublicKey, asked: Asked, contexts: Contexts) -> None:
    """Verify what was derived: for this request, unless a presentation around it says so."""
    if read.presentation is None:
        header = compute_presentation_header(asked.challenge.audience, asked.challenge.nonce)
    else:
        header = decode_derived_proof(read.proof_value).presentation_header
    verify_derived(read.credential.document, key, header, contexts)


def _verify_holder(read: _Read, asked: Asked, now_ms: int) -> None:
    document = read.presentation
    if document is None:
        raise Unsound(Fault.BINDING, "the credential came without a presentation by its holder")
    challenge = asked.challenge
    expected = Expected(
        now_ms, Relationship.AUTHENTICATION, domain=challenge.audience, challenge=challenge.nonce
    )
    proofs = verify_proofs(document, asked.load_contexts(), expected, find_holder_key)
    holder = proofs[0].controller
    if "holder" in document:
        holder = read_identity(document, "holder", "the presentation")
    if {each.controller for each in proofs} != {holder}:
        raise Unsound(Fault.BINDING, f"the presentation is {holder}'s, but signed by another")
    check_holder(read.credential, holder)
