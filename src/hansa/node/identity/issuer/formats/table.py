"""Which formats an issuer writes."""

from __future__ import annotations

from hansa.identity.data_integrity.contexts import load_pinned
from hansa.node.identity.issuer.formats.data_integrity import DataIntegrityFormat
from hansa.node.identity.issuer.formats.enveloped import EnvelopedFormat
from hansa.node.identity.issuer.formats.mdoc import MdocFormat
from hansa.node.identity.issuer.formats.sd_jwt import SdJwtFormat
from hansa.node.identity.issuer.formats.writing import Draw, Format, Identity
from hansa.node.identity.issuer.keys import derive_bbs, derive_ed25519
from hansa.node.identity.issuer.settings import CredentialFormat, Settings


def build_formats(
    settings: Settings, identity: Identity, draw: Draw
) -> dict[CredentialFormat, Format]:
    """Build what writes credentials of each format."""
    key = identity.signer
    contexts = identity.contexts or load_pinned()
    signers = [key, derive_ed25519(key)]
    return {
        CredentialFormat.SD_JWT: SdJwtFormat(settings, identity, draw),
        CredentialFormat.MDOC: MdocFormat(identity, draw),
        CredentialFormat.LDP: DataIntegrityFormat(
            settings, signers, derive_bbs(key), contexts, draw
        ),
        CredentialFormat.JWT_VC: EnvelopedFormat(settings, identity),
    }
