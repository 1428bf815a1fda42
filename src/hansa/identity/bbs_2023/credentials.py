"""Credentials with `bbs-2023`, verified as those of the other suites are.

Whether a holder hides an end of validity or a status that the issuer did not make mandatory
nobody can see: that is for the issuer (`suite.choose_mandatory_pointers`).
"""

from __future__ import annotations

from typing import Any

from hansa.identity.bbs_2023.suite import verify_base, verify_derived
from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.credentials import Credential, check_validity, read_credential
from hansa.identity.data_integrity.proofs import Expected, FindKey, check_proof, read_proofs
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey


def verify_issued_credential(
    document: Any,  # noqa: ANN401 - a decode edge
    contexts: Contexts,
    now_ms: int,
    find_key: FindKey,
) -> Credential:
    """Verify a credential as its issuer hands it to the holder.

    Raises:
      Unsound: as `verify_shown_credential`, but for `NONCE`.
    """
    credential, key = _check(document, now_ms, find_key)
    verify_base(document, key, contexts)
    return credential


def verify_shown_credential(
    document: Any,  # noqa: ANN401 - a decode edge
    contexts: Contexts,
    now_ms: int,
    find_key: FindKey,
    presentation_header: bytes,
) -> Credential:
    """Verify a credential as a holder shows it: by its issuer, valid now, and for this request.

    Raises:
      Unsound: `MALFORMED`, `UNSUPPORTED`, `TYPE`, `CONTEXT`, `DUPLICATE`, `TOO_LARGE`, `KEY`,
        `UNRESOLVED`, `ISSUER`, `NONCE`, `SIGNATURE`, `NOT_YET_VALID` or `EXPIRED`.
    """
    credential, key = _check(document, now_ms, find_key)
    verify_derived(document, key, presentation_header, contexts)
    return credential


def _check(document: Any, now_ms: int, find_key: FindKey) -> tuple[Credential, PublicKey]:  # noqa: ANN401
    """Check all but the signature; find the key."""
    credential = read_credential(document)
    check_validity(credential, now_ms)
    proof, *others = read_proofs(document)
    if others:
        raise Unsound(Fault.UNSUPPORTED, "a credential with bbs-2023 must have one proof alone")
    check_proof(proof, Expected(now_ms))
    if proof.controller != credential.issuer:
        raise Unsound(Fault.ISSUER, f"the proof of the credential is not by {credential.issuer}")
    return credential, find_key(proof.verification_method, proof.purpose)
