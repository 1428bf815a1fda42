"""Writing SD-JWT VCs.

Source: draft-ietf-oauth-sd-jwt-vc, section 2; OpenID4VCI 1.0, appendix A.3.
"""

from __future__ import annotations

from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.tiers import list_selective
from hansa.node.identity.issuer.formats.writing import Draft, Draw, Identity, SignedBy
from hansa.node.identity.issuer.settings import CredentialKind, Settings
from hansa.node.identity.issuer.types import compute_integrity, is_served, write_type


class SdJwtFormat:
    """Writes SD-JWT VCs, each claim to be shown or kept by itself, names towards operators too."""

    def __init__(self, settings: Settings, identity: Identity, draw: Draw) -> None:
        self._settings = settings
        self._identity = identity
        self._draw = draw

    def list_algorithms(self, kind: CredentialKind) -> tuple[str | int, ...]:
        """List the JOSE algorithm."""
        del kind
        return (self._identity.signer.public_key.algorithm,)

    def find_signer(self, kind: CredentialKind) -> SignedBy:
        """Find who issues."""
        del kind
        identity = self._identity
        key_id = identity.header.get("kid", "")
        return SignedBy(identity.issuer or "", key_id, identity.signer.public_key)

    def write(self, draft: Draft) -> str:
        """Write a credential."""
        kind, integrity = draft.kind, None
        if is_served(self._settings, kind):
            integrity = compute_integrity(write_type(kind, draft.schema))
        credential = Credential(
            vct=kind.type,
            type_integrity=integrity,
            claims=dict(draft.claims),
            selective=list_selective(draft.claims),
            issuer=self._identity.issuer,
            holder_key=draft.key,
            issued_s=draft.issued_s,
            expires_s=draft.expires_s,
            status=None if draft.place is None else draft.place.refer(),
        )
        header = self._identity.header
        return issue_credential(self._identity.signer, credential, self._draw, header).encode()
