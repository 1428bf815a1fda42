"""Names of credentials in pages: as their issuers give them, or else as protocols do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hansa.identity.wallet.holdings import Holding, find_type
from hansa.identity.wallet.telling import find_name, name_holding


def find_batch(holding_id: str) -> str:
    """Find the batch of a copy."""
    return holding_id.partition(".")[0]


def title(holding: Holding) -> str:
    """Name a credential for people: as its issuer does, or by its type."""
    return name_holding(holding) or find_type(holding)


def name_offered(supported: Mapping[str, Mapping[str, Any]], configuration_id: str) -> str:
    """Name what an issuer offers, as it does itself, or by its identifier."""
    found = supported.get(configuration_id, {})
    metadata = found.get("credential_metadata")
    display = (metadata if isinstance(metadata, dict) else found).get("display")
    return find_name(display) or configuration_id
