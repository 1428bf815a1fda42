"""One asset as its page shows it: how much there is and where, over time, and who brought it about.

Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hansa.contracts.currency import Asset, Vault
from hansa.contracts.members import Member
from hansa.kernel.block import split_position
from hansa.node.console.charts import Bar, Chart, build_split, build_supply_chart
from hansa.node.console.explain import Change
from hansa.node.console.history import Supply, SupplySlot
from hansa.node.console.reading import HistoryLine, Reader
from hansa.node.console.supply import AssetProof, SupplyProof, SupplyWatch

ISSUES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class AssetPage:
    """One asset now, over time, and proved."""

    asset: Asset
    supply: Supply | None
    """As of the newest block; None until it is known."""
    split: tuple[Bar, ...]
    proof: AssetProof | None
    slots: tuple[SupplySlot, ...]
    chart: Chart
    vaults: tuple[Vault, ...]
    issues: tuple[HistoryLine, ...]
    """What was issued and redeemed, newest first."""
    has_more_issues: bool


def read_assets(
    reader: Reader, watch: SupplyWatch, proof: SupplyProof | None
) -> tuple[AssetPage, ...]:
    """Read all assets, those with most issued first."""
    rows = sorted(reader.load_all(Asset), key=lambda row: (-row.issued_minor, row.asset))
    members = reader.load_all(Member)
    return tuple(_read_asset(reader, watch, proof, row, members) for row in rows)


def _read_asset(
    reader: Reader,
    watch: SupplyWatch,
    proof: SupplyProof | None,
    asset: Asset,
    members: Sequence[Member],
) -> AssetPage:
    found = [each for each in (proof.assets if proof else ()) if each.asset == asset.asset]
    totals = watch.history.totals
    supply = None if totals is None else totals.get(asset.asset, Supply())
    slots = tuple(watch.history.list_slots(asset.asset, reader.head.time_ms))
    vaults = [reader.load(Vault, member.address, asset.asset) for member in members]
    issues = _list_issues(reader, asset)
    return AssetPage(
        asset,
        supply,
        () if supply is None else build_split(supply),
        found[0] if found else None,
        slots,
        build_supply_chart(slots, asset.exponent),
        tuple(vault for vault in vaults if vault is not None),
        tuple(issues[:ISSUES_SHOWN]),
        len(issues) > ISSUES_SHOWN,
    )


def _list_issues(reader: Reader, asset: Asset) -> list[HistoryLine]:
    """Follow what is owed backwards: each change names the one before."""

    def is_shown(change: Change) -> bool:
        return change.ledger == "issued" and change.asset == asset.asset

    lines: list[HistoryLine] = []
    position = asset.previous
    while position and len(lines) <= ISSUES_SHOWN:
        height, index = split_position(position)
        found = reader.list_changes_of(reader.get_logged(height), index, is_shown)
        if height <= reader.chain.confirmed_height:
            lines += found
        earlier = [line.change.previous for line in found if line.change.previous < position]
        position = min(earlier, default=0)
    return lines
