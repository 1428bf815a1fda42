"""Holding W3C credentials that are tokens (`vc+jwt`): shown as a whole.

Source: W3C Securing Verifiable Credentials using JOSE and COSE, section 3; OpenID4VP 1.0, appendix
B.1.3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hansa.identity.data_integrity.credentials import Credential, read_credential
from hansa.identity.data_integrity.enveloped import CREDENTIAL_TOKEN, open_token
from hansa.identity.data_integrity.presentations import make_presentation, sign_presentation
from hansa.identity.faults import Fault, Unsound
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.wallet.formats.holding import Read, Showing
from hansa.identity.wallet.formats.vcdm import describe, list_all, name_method, read_holder


class EnvelopedHolding:
    """A `HoldingFormat`."""

    def decode(self, credential: object) -> str:
        """Read what an issuer sent."""
        if not isinstance(credential, str):
            raise Unsound(Fault.MALFORMED, "a credential that is a token is text")
        _open(credential)
        return credential

    def read(self, credential: str) -> Read:
        """Read what a credential says."""
        return describe(_open(credential))

    def widen(self, credential: str, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """Show everything: it is signed as a whole."""
        del paths
        return list_all(_open(credential).document)

    def show(self, credential: str, paths: Sequence[Path]) -> dict[str, Any]:
        """Compute what is seen: everything."""
        del paths
        return self.read(credential).claims

    def present(self, credential: str, showing: Showing) -> str:
        """Sign a presentation; without a key, the credential goes alone."""
        if showing.transactions:
            raise Unsound(Fault.UNSUPPORTED, "such a credential authorises no transactions here")
        if showing.signer is None:
            return credential
        holder = read_holder(_open(credential))
        document = make_presentation([credential], holder)
        request = showing.request
        return sign_presentation(
            document, showing.signer, name_method(holder), request.client_id, request.nonce
        )


def _open(credential: str) -> Credential:
    return read_credential(open_token(credential, CREDENTIAL_TOKEN)[1])
