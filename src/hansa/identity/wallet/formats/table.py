"""Which formats a wallet holds, by the names that issuers and verifiers give them."""

from __future__ import annotations

from hansa.identity.faults import Fault, Unsound
from hansa.identity.wallet.formats.data_integrity import DataIntegrityHolding
from hansa.identity.wallet.formats.enveloped import EnvelopedHolding
from hansa.identity.wallet.formats.holding import HoldingFormat
from hansa.identity.wallet.formats.mdoc import MdocHolding
from hansa.identity.wallet.formats.sd_jwt import SdJwtHolding

FORMATS: dict[str, HoldingFormat] = {
    "dc+sd-jwt": SdJwtHolding(),
    "vc+sd-jwt": SdJwtHolding(),
    "mso_mdoc": MdocHolding(),
    "ldp_vc": DataIntegrityHolding(),
    "jwt_vc_json": EnvelopedHolding(),
}


def find_format(name: str) -> HoldingFormat:
    """Find a format.

    Raises:
      Unsound: `UNSUPPORTED`.
    """
    found = FORMATS.get(name)
    if found is None:
        raise Unsound(
            Fault.UNSUPPORTED, f"this wallet keeps {', '.join(FORMATS)}, not {name[:40]!r}"
        )
    return found
