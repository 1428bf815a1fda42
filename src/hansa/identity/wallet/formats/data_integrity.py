"""Holding W3C credentials with Data Integrity proofs: shown as a whole, but for `bbs-2023`.

Of `bbs-2023` the wallet derives, for each request anew, what was asked for and what its issuer
made mandatory; no two of these can be linked by what signs them.

Source: W3C Verifiable Credential Data Integrity 1.0; Data Integrity BBS Cryptosuites 1.0, section
3.4; OpenID4VP 1.0, appendix B.1.3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from hansa.identity.bbs_2023.presenting import (
    compute_presentation_header,
    read_pointer,
    write_pointer,
)
from hansa.identity.bbs_2023.proof_values import decode_base_proof
from hansa.identity.bbs_2023.selection import check_targets, select
from hansa.identity.bbs_2023.suite import CRYPTOSUITE as BBS
from hansa.identity.bbs_2023.suite import derive
from hansa.identity.data_integrity.contexts import Contexts, load_pinned
from hansa.identity.data_integrity.credentials import read_credential
from hansa.identity.data_integrity.presentations import make_presentation
from hansa.identity.data_integrity.proofs import Proof, add_proof, read_proofs
from hansa.identity.data_integrity.suites import (
    ECDSA_JCS,
    ECDSA_RDFC,
    EDDSA_JCS,
    EDDSA_RDFC,
)
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import Signer
from hansa.identity.methods.documents import Relationship
from hansa.identity.sd_jwt.paths import Path, find_places
from hansa.identity.wallet.formats.holding import Read, Showing
from hansa.identity.wallet.formats.vcdm import describe, list_all, name_method, read_holder

DOCUMENT_BYTES_MAX = 1 << 20
_WHAT = "the credential"
_EDDSA, _ECDSA = (EDDSA_RDFC, EDDSA_JCS), (ECDSA_RDFC, ECDSA_JCS)


class DataIntegrityHolding:
    """A `HoldingFormat`; knows the contexts of the W3C unless it is given more."""

    def __init__(self, load_contexts: Callable[[], Contexts] = load_pinned) -> None:
        self._load_contexts = load_contexts

    def decode(self, credential: object) -> str:
        """Read what an issuer sent."""
        if not isinstance(credential, dict):
            raise Unsound(Fault.MALFORMED, "a credential with a proof is a JSON object")
        if not read_proofs(credential):
            raise Unsound(Fault.MALFORMED, "the credential has no proof")
        if _is_derivable(credential):  # or it would spoil every request that it might answer
            check_targets(credential, _list_mandatory(credential))
        text = msgspec.json.encode(credential).decode()
        self.read(text)
        return text

    def read(self, credential: str) -> Read:
        """Read what a credential says."""
        found = read_credential(_decode(credential))
        names: frozenset[str] = frozenset()
        try:
            active = self._load_contexts().activate(found.document.get("@context"))
            names = frozenset(active.expand_type(each) for each in found.types)
        except Unsound as error:  # of other contexts: it answers queries by its types as written
            if error.fault is not Fault.CONTEXT:
                raise
        return describe(found, names)

    def widen(self, credential: str, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """Show everything; of `bbs-2023` what is mandatory beside these."""
        document = _decode(credential)
        if not _is_derivable(document):
            return list_all(document)
        mandatory = _list_mandatory(document)
        check_targets(document, mandatory)
        places = [read_pointer(each, document) for each in mandatory]
        if () in places:
            return list_all(document)
        return tuple(dict.fromkeys([*places, *paths]))

    def show(self, credential: str, paths: Sequence[Path]) -> dict[str, Any]:
        """Compute what is seen."""
        document = _decode(credential)
        if not _is_derivable(document):
            return self.read(credential).claims
        whole = {name: value for name, value in document.items() if name != "proof"}
        return select(whole, {*_list_mandatory(document), *_list_pointers(whole, paths)})

    def present(self, credential: str, showing: Showing) -> dict[str, Any]:
        """Derive, or present as a whole; without a key, the credential goes alone."""
        if showing.transactions:
            raise Unsound(Fault.UNSUPPORTED, "such a credential authorises no transactions here")
        document, request = _decode(credential), showing.request
        if _is_derivable(document):
            whole = {name: value for name, value in document.items() if name != "proof"}
            header = compute_presentation_header(request.client_id, request.nonce)
            pointers = _list_pointers(whole, showing.paths)
            return derive(document, pointers, header, self._load_contexts(), showing.draw)
        if showing.signer is None:
            return document
        holder = read_holder(read_credential(document))
        presentation = make_presentation([document], holder)
        return self._sign(presentation, name_method(holder), showing.signer, showing)

    def _sign(
        self, presentation: dict[str, Any], method: str, signer: Signer, showing: Showing
    ) -> dict[str, Any]:
        """Sign statements; where the credential has contexts that are not known here, the JSON."""
        statements, text = _EDDSA if signer.public_key.kind is KeyKind.ED25519 else _ECDSA
        proof = Proof(
            statements,
            method,
            Relationship.AUTHENTICATION,
            showing.time_ms,
            domain=(showing.request.client_id,),
            challenge=showing.request.nonce,
        )
        contexts = self._load_contexts()
        try:
            return add_proof(presentation, signer, proof, contexts)
        except Unsound as error:
            if error.fault is not Fault.CONTEXT:
                raise
        return add_proof(presentation, signer, proof._replace(cryptosuite=text), contexts)


def _decode(credential: str) -> dict[str, Any]:
    return decode_object(credential, _WHAT, DOCUMENT_BYTES_MAX)


def _is_derivable(document: dict[str, Any]) -> bool:
    return [each.cryptosuite for each in read_proofs(document)] == [BBS]


def _list_mandatory(document: dict[str, Any]) -> list[str]:
    proof = document["proof"]
    value = (proof[0] if isinstance(proof, list) else proof).get("proofValue")
    return list(decode_base_proof(value).mandatory_pointers)


def _list_pointers(document: dict[str, Any], paths: Iterable[Path]) -> list[str]:
    return [write_pointer(place) for path in paths for place in find_places(document, path)]
