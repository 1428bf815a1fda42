"""Writing W3C credentials as tokens (`vc+jwt`).

Source: W3C Securing Verifiable Credentials using JOSE and COSE, section 3.1; OpenID4VCI 1.0,
appendix A.1.1.
"""

from __future__ import annotations

from hansa.identity.data_integrity.enveloped import sign_credential
from hansa.node.identity.issuer.formats.vcdm import find_controller, write_document
from hansa.node.identity.issuer.formats.writing import Draft, Identity, SignedBy
from hansa.node.identity.issuer.settings import CredentialKind, Settings


class EnvelopedFormat:
    """Writes W3C credentials as tokens."""

    def __init__(self, settings: Settings, identity: Identity) -> None:
        self._settings = settings
        self._signer = identity.signer

    def list_algorithms(self, kind: CredentialKind) -> tuple[str | int, ...]:
        """List the JOSE algorithm."""
        del kind
        return (self._signer.public_key.algorithm,)

    def find_signer(self, kind: CredentialKind) -> SignedBy:
        """Find who issues."""
        key = self._signer.public_key
        return SignedBy(*find_controller(self._settings, kind, key), key)

    def write(self, draft: Draft) -> str:
        """Write a credential."""
        key = self._signer.public_key
        who = find_controller(self._settings, draft.kind, key)
        return sign_credential(
            write_document(draft, who.did, key.kind.value), self._signer, who.method
        )
