"""Writing W3C credentials with Data Integrity proofs.

With `bbs-2023` nothing may link two showings of a credential: it is bound to no key, stands in no
status list, and has the times of many people's (`times`).

Source: W3C Verifiable Credential Data Integrity 1.0, section 4.2; Data Integrity BBS Cryptosuites
1.0, sections 3.4 and 5; OpenID4VCI 1.0, appendix A.1.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hansa.identity.bbs.secret_keys import SecretKey
from hansa.identity.bbs_2023.suite import CRYPTOSUITE as BBS
from hansa.identity.bbs_2023.suite import add_base_proof, choose_mandatory_pointers
from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.proofs import Proof, add_proof
from hansa.identity.data_integrity.suites import SUITES
from hansa.identity.keys.signing import Signer
from hansa.node.identity.issuer.formats.vcdm import find_controller, write_document
from hansa.node.identity.issuer.formats.writing import Draft, Draw, SignedBy
from hansa.node.identity.issuer.settings import CredentialKind, Settings


class DataIntegrityFormat:
    """Writes W3C credentials with a proof of the suite that each names."""

    def __init__(
        self,
        settings: Settings,
        signers: Sequence[Signer],
        bbs_key: SecretKey,
        contexts: Contexts,
        draw: Draw,
    ) -> None:
        """Sign with the first of these whose key the suite knows."""
        self._settings = settings
        self._signers = signers
        self._bbs_key = bbs_key
        self._contexts = contexts
        self._draw = draw

    def list_algorithms(self, kind: CredentialKind) -> tuple[str | int, ...]:
        """List the suite."""
        return (kind.cryptosuite,)

    def find_signer(self, kind: CredentialKind) -> SignedBy:
        """Find who issues."""
        is_bbs = kind.cryptosuite == BBS
        key = self._bbs_key.public_key if is_bbs else self._choose(kind).public_key
        return SignedBy(*find_controller(self._settings, kind, key), key)

    def write(self, draft: Draft) -> dict[str, Any]:
        """Write a credential."""
        if draft.kind.cryptosuite == BBS:
            return self._write_derivable(draft)
        signer = self._choose(draft.kind)
        who = find_controller(self._settings, draft.kind, signer.public_key)
        document = write_document(draft, who.did, signer.public_key.kind.value)
        proof = Proof(draft.kind.cryptosuite, who.method, created_ms=draft.issued_s * 1_000)
        return add_proof(document, signer, proof, self._contexts)

    def _choose(self, kind: CredentialKind) -> Signer:
        kinds = SUITES[kind.cryptosuite].kinds
        return next(each for each in self._signers if each.public_key.kind in kinds)

    def _write_derivable(self, draft: Draft) -> dict[str, Any]:
        """Write a credential of which its holder derives others."""
        who = find_controller(self._settings, draft.kind, self._bbs_key.public_key)
        document = write_document(draft, who.did, "")
        pointers = choose_mandatory_pointers(document)
        proof = Proof(BBS, who.method)
        return add_base_proof(document, self._bbs_key, proof, pointers, self._contexts, self._draw)
