"""Which formats an issuer writes."""

from __future__ import annotations

from hansa.node.identity.issuer.formats.mdoc import MdocFormat
from hansa.node.identity.issuer.formats.sd_jwt import SdJwtFormat
from hansa.node.identity.issuer.formats.writing import Draw, Format, Identity
from hansa.node.identity.issuer.settings import CredentialFormat


def build_formats(identity: Identity, draw: Draw) -> dict[CredentialFormat, Format]:
    """Build what writes credentials of each format."""
    return {
        CredentialFormat.SD_JWT: SdJwtFormat(identity, draw),
        CredentialFormat.MDOC: MdocFormat(identity, draw),
    }
