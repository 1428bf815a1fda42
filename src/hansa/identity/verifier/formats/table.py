"""Which formats a verifier examines, and what it says of them to wallets.

Source: OpenID4VP 1.0, section 11.1 and appendix B.
"""

from __future__ import annotations

from typing import Any

from hansa.identity.bbs_2023.suite import CRYPTOSUITE as BBS
from hansa.identity.data_integrity.proofs import PROOF_TYPE
from hansa.identity.data_integrity.suites import SUITES
from hansa.identity.dcql.matching import SD_JWT_FORMATS
from hansa.identity.verifier.examination import Examine
from hansa.identity.verifier.formats import data_integrity, enveloped, mdoc, sd_jwt
from hansa.identity.verifier.requests import COSE_SIGNATURES, SIGNATURES

EXAMINE: dict[str, Examine] = {
    **dict.fromkeys(SD_JWT_FORMATS, sd_jwt.examine),
    mdoc.FORMAT: mdoc.examine,
    data_integrity.FORMAT: data_integrity.examine,
    enveloped.FORMAT: enveloped.examine,
}
"""By the format's identifier in a query."""

SUPPORTED: dict[str, Any] = {
    "dc+sd-jwt": {
        "sd-jwt_alg_values": list(SIGNATURES),
        "kb-jwt_alg_values": list(SIGNATURES),
    },
    "mso_mdoc": {
        "issuerauth_alg_values": list(COSE_SIGNATURES),
        "deviceauth_alg_values": list(COSE_SIGNATURES),
    },
    data_integrity.FORMAT: {
        "proof_type_values": [PROOF_TYPE],
        "cryptosuite_values": [*SUITES, BBS],
    },
    enveloped.FORMAT: {"alg_values": list(SIGNATURES)},
}
"""`vp_formats_supported`."""
