"""Amounts of decided payments as people read them: major units, where the asset is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hansa.node.console.text.formatting import format_minor

if TYPE_CHECKING:
    from hansa.sdk.client import Client

Decimals = Mapping[str, int]
"""Of assets, by their codes."""


def fetch_decimals(client: Client) -> Decimals:
    """Ask a node how many decimals each asset has."""
    return {each.asset: each.exponent for each in client.list_assets()}


def tell_amount(amount_minor: int, asset: str, decimals: Decimals) -> str:
    """Write an amount in major units; an asset that the ledger has not has none.

    >>> tell_amount(2600, "MOP", {"MOP": 2})
    '26.00 MOP'
    >>> tell_amount(2600, "MOB", {"MOP": 2})
    '2600 minor units of MOB'
    """
    exponent = decimals.get(asset)
    if exponent is None:
        return f"{amount_minor} minor units of {asset}"
    return f"{format_minor(amount_minor, exponent)} {asset}"
