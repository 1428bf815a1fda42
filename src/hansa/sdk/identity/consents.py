"""Consents off the ledger: where they stand, by themselves and by what they hang on.

What is consented to (purpose, fields, resource) is text between the parties. The ledger has its
hash behind a salt, which `hansa.sdk.evidence.hash_document` computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hansa.contracts.identity.consent import Consent

ConsentState = Literal["in_force", "not_yet", "over", "revoked", "used_up"]


def find_state(chain: Sequence[Consent], time_ms: int) -> ConsentState:
    """Find where a consent stands at a time, by itself and by all that it hangs on.

    An exchange under it is possible while it is `in_force`; a chain without links is over.
    """
    if not chain or any(time_ms > link.until_ms for link in chain):
        return "over"
    if any(link.revoked_ms for link in chain):
        return "revoked"
    if any(time_ms < link.from_ms for link in chain):
        return "not_yet"
    if any(link.uses_max and link.uses >= link.uses_max for link in chain):
        return "used_up"
    return "in_force"
