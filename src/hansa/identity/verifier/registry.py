"""What a verifier asks of the world: whose key it is, who may issue, and what was revoked.

A node answers from its ledger; tests answer from a table. All questions are of a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from hansa.identity.keys.kinds import PublicKey
from hansa.identity.status.reference import StatusReference

VALID, INVALID, SUSPENDED = 0, 1, 2
"""Token Status List, section 7.1; other values are the application's own."""


class Standing(NamedTuple):
    """Whether an issuer was accredited for a type at a time."""

    is_accredited: bool
    text: str
    """In words: by whom, or why not."""
    lost_since_ms: int = 0
    """Since when it is not accredited any more, whyever; 0 if it is."""


class CredentialStatus(NamedTuple):
    """Where a credential stands."""

    value: int
    as_of_ms: int
    """When its list said so: lists are kept for minutes, and served from copies."""


class IssuerKey(NamedTuple):
    """An issuer, and the key that was its own at a time."""

    issuer: str
    key: PublicKey
    replaced_since_ms: int = 0
    """Since when it is no longer the issuer's; 0 if it still is."""


class Registry(Protocol):
    """Answers a verifier's questions.

    Each method raises `Unsound` where the answer is no, and `Unavailable` where there is none now.
    """

    async def find_issuer_key(
        self, issuer: str | None, header: Mapping[str, Any], time_ms: int
    ) -> IssuerKey:
        """Find the issuer and its key by `iss` and the header (`kid`, `x5c`), as of a time."""

    async def find_standing(self, issuer: str, credential_type: str, time_ms: int) -> Standing:
        """Find whether an issuer was accredited for a type at a time."""

    async def get_status(self, issuer: str, reference: StatusReference) -> CredentialStatus:
        """Get the status of a credential from a list that is the issuer's own, as new as it is."""

    async def find_anchor_ms(self, issuer: str, digest: bytes) -> int | None:
        """Find when the issuer put the hash of a credential on record; None if it did not."""
