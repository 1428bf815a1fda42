"""What examinations of W3C credentials have in common, however they are secured.

Source: W3C Verifiable Credentials Data Model 2.0; Bitstring Status List 1.0; OpenID4VP 1.0,
appendix B.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.credentials import CREDENTIAL_TYPE, Credential
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import LEEWAY_S
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.did import read_did_url
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import resolve_did_jwk, resolve_did_key
from hansa.identity.status.bitstring import ENTRY_TYPE, MESSAGE, REFRESH, read_entries
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.examination import Asked, Examined, Steps
from hansa.identity.verifier.findings import Check
from hansa.identity.verifier.judgement import Judged, compute_anchor
from hansa.identity.verifier.registry import IssuerKey

LEEWAY_MS = LEEWAY_S * 1_000
"""How far the clocks of issuer and verifier may differ."""
_RESOLVE = {"key": resolve_did_key, "jwk": resolve_did_jwk}


def find_holder_key(method: str, use: Relationship) -> PublicKey:
    """Find the key of a holder, who is known by a DID that is the key itself.

    Raises:
      Unsound: `UNSUPPORTED`: by another DID; `UNRESOLVED`, `KEY` or `MALFORMED`.
    """
    url = read_did_url(method)
    resolve = _RESOLVE.get(url.did.method)
    if resolve is None:
        raise Unsound(
            Fault.UNSUPPORTED, f"holders are known here by did:key or did:jwk, not {method[:80]!r}"
        )
    return resolve(url.did).find_key(method, use)


def check_holder(credential: Credential, holder: str) -> None:
    """Check that a credential speaks of who presents it, and of nobody else.

    Raises:
      Unsound: `BINDING`.
    """
    subjects = {str(each.get("id", "")) for each in credential.subjects}
    if subjects != {holder}:
        raise Unsound(
            Fault.BINDING, f"the credential does not speak of {holder[:120]}, who presents it"
        )


def list_types(credential: Credential) -> tuple[str, ...]:
    """List the types for which an issuer must be accredited.

    Raises:
      Unsound: `TYPE`: it has none of its own.
    """
    types = tuple(each for each in credential.types if each != CREDENTIAL_TYPE)
    if not types:
        raise Unsound(Fault.TYPE, "the credential does not say of what type it is")
    return types


def list_names(credential: Credential, contexts: Contexts | None) -> frozenset[str]:
    """List all names of a credential's types: as written, and expanded where contexts are given.

    Whoever has no contexts still knows what every credential is.
    """
    found = {*credential.types, f"https://www.w3.org/2018/credentials#{CREDENTIAL_TYPE}"}
    if contexts is not None:
        active = contexts.activate(credential.document.get("@context"))
        found |= {active.expand_type(each) for each in credential.types}
    return frozenset(found)


def read_statuses(document: Mapping[str, Any]) -> tuple[StatusReference, ...]:
    """Read where the status of a credential stands.

    Raises:
      Unsound: `UNSUPPORTED`: also in a way that is not known here; as `read_entries`.
    """
    value = document.get("credentialStatus", [])
    listed = value if isinstance(value, list) else [value]
    for each in listed:
        kinds = each.get("type") if isinstance(each, dict) else None
        if kinds != ENTRY_TYPE and not (isinstance(kinds, list) and ENTRY_TYPE in kinds):
            raise Unsound(
                Fault.UNSUPPORTED, "the credential has a status that is kept in no status list"
            )
    return tuple(
        StatusReference(each.uri, each.index, each.purpose)
        for each in read_entries(document)
        if each.purpose not in (REFRESH, MESSAGE)
    )


def finish(
    steps: Steps,
    asked: Asked,
    found: IssuerKey | None,
    verify_holder: Callable[[], object],
    build: Callable[[IssuerKey], Judged],
) -> Examined:
    """Examine what all W3C credentials have in common once their signature and dates were seen.

    Args:
      steps: taken so far.
      asked: what must be answered; no specification says how such a presentation would authorise
        transactions.
      found: the issuer; None if nobody knows it.
      verify_holder: raises `Unsound` where it is not the holder who presents.
      build: builds what is left for judgement; raises `Unsound`.
    """
    if asked.needs_binding:
        steps.take(Check.BINDING, "its holder presents it, here and now", verify_holder)
    if asked.transactions:
        error = Unsound(Fault.UNSUPPORTED, "such a credential authorises no transactions here")
        steps.refuse(Check.TRANSACTION, error)
    judged = None
    if found is not None:
        try:
            judged = build(found)
        except Unsound as error:
            steps.refuse(Check.FORMAT, error)
    return Examined(steps.findings, judged)


def build_judged(
    asked: Asked,
    form: str,
    credential: Credential,
    found: IssuerKey,
    signature: str,
    contexts: Contexts | None,
) -> Judged:
    """Build what is left for judgement; `signature` is what nobody can guess of it.

    Raises:
      Unsound: as `list_types` and `read_statuses`; `CONTEXT`.
    """
    document = {name: each for name, each in credential.document.items() if name != "proof"}
    return Judged(
        subject=asked.subject,
        format=form,
        issuer=found.issuer,
        types=list_types(credential),
        claims=document,
        is_bound=asked.needs_binding,
        issued_ms=credential.valid_from_ms,
        statuses=read_statuses(document),
        replaced_since_ms=found.replaced_since_ms,
        digest=compute_anchor(signature.encode()),
        names=list_names(credential, contexts),
    )
