"""Issuing, deriving and verifying with `bbs-2023`.

The issuer signs every statement of a credential that is not mandatory as a message of its own;
the mandatory ones and the options of the proof stand, hashed, in the header that every proof
covers. The holder derives proofs that show the mandatory statements and those it chooses.

Source: W3C Data Integrity BBS Cryptosuites 1.0, section 3.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.proofs import Shown, create_proof, verify_proof
from hansa.identity.bbs.secret_keys import SecretKey
from hansa.identity.bbs.signatures import Signed, sign, verify_signed
from hansa.identity.bbs_2023.proof_values import (
    BaseProof,
    DerivedProof,
    decode_base_proof,
    decode_derived_proof,
    encode_base_proof,
    encode_derived_proof,
)
from hansa.identity.bbs_2023.selection import select
from hansa.identity.bbs_2023.statements import (
    Statements,
    compute_labels,
    draw_hmac_key,
    find_part,
    read_statements,
    relabel,
)
from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.proofs import PROOF_TYPE, Proof
from hansa.identity.data_integrity.quads import convert_document
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey

CRYPTOSUITE = "bbs-2023"
_NEVER_HIDDEN = ("issuer", "validFrom", "validUntil", "credentialStatus", "credentialSchema")


def choose_mandatory_pointers(document: Mapping[str, Any]) -> list[str]:
    """Choose what a holder must not hide: issuer, validity, status and schema, as far as there.

    Types come along with whatever is shown. A status entry, an `id` and a validity to the second
    link all showings of one credential: leave them out, or give many people the same.
    """
    return [f"/{name}" for name in _NEVER_HIDDEN if name in document]


def add_base_proof(
    document: Mapping[str, Any],
    key: SecretKey,
    proof: Proof,
    mandatory_pointers: Sequence[str],
    contexts: Contexts,
    draw: Callable[[int], bytes],
) -> dict[str, Any]:
    """Add the proof from which the holder derives others; the result is for the holder alone.

    Args:
      document: the credential, without a proof.
      key: the issuer's.
      proof: what the proof says of itself.
      mandatory_pointers: JSON pointers to what every showing shows.
      contexts: those that the document may name.
      draw: gives random bytes.

    Raises:
      Unsound: the document cannot be signed so; a pointer leads to nothing.
    """
    options = proof.write()
    hmac_key = draw_hmac_key(document, contexts, draw)
    statements = read_statements(document, contexts, hmac_key)
    mandatory = find_part(statements, contexts, mandatory_pointers)
    header = _compute_header(document, options, contexts, _take(statements, mandatory))
    signature = sign(BBS_SHA_256, key, header, statements.list_rest(mandatory))
    base = BaseProof(signature, header, key.public_key.data, hmac_key, mandatory_pointers)
    return {**document, "proof": {**options, "proofValue": encode_base_proof(base)}}


def verify_base(secured: Mapping[str, Any], key: PublicKey, contexts: Contexts) -> None:
    """Verify a credential as its issuer hands it to the holder.

    Raises:
      Unsound: what is wrong with it.
    """
    document, options, value = _split(secured)
    base = decode_base_proof(value)
    statements = read_statements(document, contexts, base.hmac_key)
    mandatory = find_part(statements, contexts, base.mandatory_pointers)
    header = _compute_header(document, options, contexts, _take(statements, mandatory))
    if header != base.header or base.public_key != key.data:
        raise Unsound(
            Fault.SIGNATURE,
            "the base proof is of other options, other mandatory statements or another key",
        )
    messages = statements.list_rest(mandatory)
    verify_signed(BBS_SHA_256, Signed(key, header, messages, base.signature))


def derive(
    secured: Mapping[str, Any],
    selective_pointers: Sequence[str],
    presentation_header: bytes,
    contexts: Contexts,
    draw: Callable[[int], bytes],
) -> dict[str, Any]:
    """Derive from an issued credential one that shows only what is mandatory or selected.

    Args:
      secured: the credential as issued, which the holder has verified once.
      selective_pointers: JSON pointers to what is shown beside the mandatory statements.
      presentation_header: binds the proof to its verifier and request, such as a hash of both.
      contexts: those that the credential may name.
      draw: gives random bytes.

    Raises:
      Unsound: `DISCLOSURE`: a pointer leads to nothing, or nothing is shown at all; whatever else
        is wrong with the credential.
    """
    document, options, value = _split(secured)
    base = decode_base_proof(value)
    statements = read_statements(document, contexts, base.hmac_key)
    mandatory = find_part(statements, contexts, base.mandatory_pointers)
    pointers = [*base.mandatory_pointers, *selective_pointers]
    shown = find_part(statements, contexts, pointers)
    if not shown:
        raise Unsound(Fault.DISCLOSURE, "nothing would be shown: select something")
    rest = [place for place in range(len(statements.lines)) if place not in mandatory]
    selective = [index for index, place in enumerate(rest) if place in shown]
    public_key = PublicKey(KeyKind.BLS12_381_G2, base.public_key)
    messages = statements.list_rest(mandatory)
    signed = Signed(public_key, base.header, messages, base.signature)
    derived = DerivedProof(
        create_proof(BBS_SHA_256, signed, selective, presentation_header, draw),
        compute_labels(shown.values()),
        [index for index, place in enumerate(shown) if place in mandatory],
        selective,
        presentation_header,
    )
    proof = {**options, "proofValue": encode_derived_proof(derived)}
    return {**select(document, pointers), "proof": proof}


def verify_derived(
    secured: Mapping[str, Any], key: PublicKey, presentation_header: bytes, contexts: Contexts
) -> None:
    """Verify a credential as a holder shows it: all that it says was signed by the key.

    Raises:
      Unsound: `NONCE`: it was derived for another verifier or request; `SIGNATURE` and whatever
        else is wrong with it.
    """
    document, options, value = _split(secured)
    derived = decode_derived_proof(value)
    if derived.presentation_header != presentation_header:
        raise Unsound(Fault.NONCE, "the credential was shown to another verifier or request")
    lines = relabel(document, contexts, derived.labels)
    is_mandatory = set(derived.mandatory_indexes)
    mandatory = [line for index, line in enumerate(lines) if index in is_mandatory]
    messages = [line for index, line in enumerate(lines) if index not in is_mandatory]
    if (len(mandatory), len(messages)) != (len(is_mandatory), len(derived.selective_indexes)):
        raise Unsound(Fault.MALFORMED, "the derived proof has indexes for another document")
    header = _compute_header(document, options, contexts, mandatory)
    disclosed = dict(zip(derived.selective_indexes, messages, strict=True))
    verify_proof(BBS_SHA_256, Shown(key, header, presentation_header, disclosed), derived.proof)


def _split(secured: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:  # noqa: ANN401 - a decode edge
    """Take apart document, options of its proof and proof value."""
    document = dict(secured) if isinstance(secured, Mapping) else {}
    proof = document.pop("proof", None)
    if not isinstance(proof, dict):
        raise Unsound(Fault.MALFORMED, "the credential must have one proof")
    options = dict(proof)
    return document, options, options.pop("proofValue", None)


def _take(statements: Statements, places: Iterable[int]) -> list[bytes]:
    return [statements.lines[place] for place in places]


def _compute_header(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    contexts: Contexts,
    mandatory: Iterable[bytes],
) -> bytes:
    """Hash the options of a proof, and the mandatory statements."""
    if (options.get("type"), options.get("cryptosuite")) != (PROOF_TYPE, CRYPTOSUITE):
        raise Unsound(Fault.UNSUPPORTED, f"the proof must be a {PROOF_TYPE} of {CRYPTOSUITE}")
    if options.get("@context", document.get("@context")) != document.get("@context"):
        raise Unsound(Fault.CONTEXT, "the proof names other contexts than its document")
    named = {**options, "@context": document.get("@context")}
    text = canonicalize_quads(convert_document(named, contexts)).text
    return hashlib.sha256(text).digest() + hashlib.sha256(b"".join(mandatory)).digest()
