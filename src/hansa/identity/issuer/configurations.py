"""What an issuer offers: its addresses, its rules, and the credentials it can issue.

Source: OpenID4VCI 1.0, section 12.2.4 and appendices A and B; HAIP 1.0, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from hansa.identity.keys.kinds import PublicKey

SD_JWT = "dc+sd-jwt"
MDOC = "mso_mdoc"
LDP = "ldp_vc"
JWT_VC = "jwt_vc_json"

BINDING_ALGORITHMS = ("ES256", "EdDSA", "ES384", "ES256K")
BINDING_METHODS = ("jwk", "did:key", "did:jwk")
BATCH_MAX = 32

ClaimPath = tuple[str | int | None, ...]


class ClaimDescription(msgspec.Struct, frozen=True):
    """A claim, as wallets show it."""

    path: ClaimPath
    display: tuple[dict[str, str], ...] = ()
    mandatory: bool = False


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that can be issued, in one format."""

    id: str
    format: str
    type: str
    """`vct` of an SD-JWT VC, `doctype` of an mdoc, the last `type` of a VCDM credential."""
    scope: str
    display: tuple[dict[str, Any], ...] = ()
    claims: tuple[ClaimDescription, ...] = ()
    contexts: tuple[str, ...] = ("https://www.w3.org/ns/credentials/v2",)
    """Of a VCDM credential."""
    signing: tuple[str | int, ...] = ("ES256",)
    """Algorithms that the issuer signs with, as the format names them."""
    needs_binding: bool = True
    """Whether it is bound to a key that the holder proves to have."""
    needs_attestation: bool = False
    """Whether that key must be attested by the maker of the wallet."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer asks of wallets."""

    batch_size: int = 10
    issues_max: int = 4
    """How often one credential may be fetched, each time for a whole batch of keys."""
    needs_dpop: bool = False
    needs_attested_wallet: bool = False
    needs_encryption: bool = False
    code_ms: int = 600_000
    """How long a pre-authorised code is good for."""
    token_ms: int = 600_000
    deferred_ms: int = 14 * 24 * 3_600_000
    """How long a wallet may wait for a credential that is not ready."""
    interval_s: int = 5
    """How long a wallet waits before it asks again for one."""
    notifies_deferred: bool = False
    """Whether wallets are asked what became of such a one: some refuse an answer that does."""

    @classmethod
    def high_assurance(cls) -> Rules:
        """The profile HAIP 1.0: sender-bound tokens to attested wallets."""
        return cls(needs_dpop=True, needs_attested_wallet=True)


class IssuerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who an issuer is."""

    url: str
    """Its identifier: https, without query, fragment and a slash at the end."""
    configurations: tuple[Configuration, ...]
    display: tuple[dict[str, Any], ...] = ()
    clients: dict[str, tuple[str, ...]] = {}
    """Redirect addresses by `client_id`: who may use the flow with an authorisation page."""
    rules: Rules = Rules()

    def find(self, configuration_id: str) -> Configuration | None:
        """Find a credential by its id."""
        found = [each for each in self.configurations if each.id == configuration_id]
        return found[0] if found else None


class Written(NamedTuple):
    """A credential that was just made."""

    credential: str | dict[str, Any]
    reference: str
    """By which the issuer finds it again, to revoke it."""


WriteCredential = Callable[[Configuration, str, Mapping[str, Any], PublicKey | None, int], Written]
"""Makes a credential of a dataset (identifier, claims) for a holder's key, at a moment in ms."""
