"""Money as the pages show it: an asset, how much of it there is and where; a wallet, its history.

Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hansa.contracts.balances import Balance
from hansa.contracts.currency import CURRENCY_LETTERS, Asset, Vault
from hansa.contracts.identity.tiers import Lift, find_lift
from hansa.contracts.members import Member
from hansa.contracts.wallets import Category, Wallet, get_category
from hansa.kernel.block import split_position
from hansa.kernel.calendar import day_number, year_of
from hansa.kernel.errors import NotFound
from hansa.kernel.machine.state import Reader as RowReader
from hansa.node.console.charts import Bar, Chart, build_split, build_supply_chart
from hansa.node.console.history import Supply, SupplySlot
from hansa.node.console.reading import HistoryLine, Pace, Reader
from hansa.node.console.sessions import Viewer
from hansa.node.console.supply import AssetProof, SupplyProof, SupplyWatch
from hansa.node.console.text.explain import Change

ISSUES_SHOWN = 8
HISTORY_PER_PAGE = 20


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
    is_cut: bool
    """Whether older ones are in blocks that this node does not keep."""


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of a limit is used, in minor units; `limit_minor` 0 for no limit."""

    label: str
    used_minor: int
    limit_minor: int
    asset: str

    @property
    def percent(self) -> int:
        """Used share, at most 100."""
        return min(100, 100 * self.used_minor // self.limit_minor) if self.limit_minor else 0


@dataclass(frozen=True, slots=True)
class WalletPage:
    """One wallet, one of its assets, a page of its history."""

    wallet: Wallet
    category: Category
    """The one that counts as of the newest block."""
    lift: Lift | None
    balances: tuple[Balance, ...]
    shown: Balance | None
    single_minor: int
    meters: tuple[Meter, ...]
    history: tuple[HistoryLine, ...]
    next_position: int
    """Where the next page begins; 0 if there is none."""
    is_cut: bool
    """Whether older changes are in blocks that this node does not keep."""
    state_words: str


async def read_assets(
    reader: Reader, watch: SupplyWatch, proof: SupplyProof | None, viewer: Viewer
) -> tuple[AssetPage, ...]:
    """Read all assets, those with most issued first; of vaults what the viewer may see."""
    rows = sorted(reader.load_all(Asset), key=lambda row: (-row.issued_minor, row.asset))
    members = [row for row in reader.load_all(Member) if viewer.sees_vault(row.address)]
    pages = [await _read_asset(reader, watch, proof, row, members) for row in rows]
    if viewer.sees_all:
        return tuple(pages)
    return tuple(replace(page, issues=(), is_cut=False) for page in pages)


async def _read_asset(
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
    issues, is_cut = await _list_issues(reader, asset)
    return AssetPage(
        asset,
        supply,
        () if supply is None else build_split(supply),
        found[0] if found else None,
        slots,
        build_supply_chart(slots, asset.exponent),
        tuple(vault for vault in vaults if vault is not None),
        tuple(issues[:ISSUES_SHOWN]),
        is_cut,
    )


async def _list_issues(reader: Reader, asset: Asset) -> tuple[list[HistoryLine], bool]:
    """Follow what is owed backwards: each change names the one before.

    Returns the changes, and whether older ones are in blocks that are not kept.
    """

    def is_shown(change: Change) -> bool:
        return change.ledger == "issued" and change.asset == asset.asset

    pace = Pace()
    lines: list[HistoryLine] = []
    position = asset.previous
    while position and len(lines) < ISSUES_SHOWN and reader.is_kept(position):
        height, index = split_position(position)
        found = reader.list_changes_of(reader.get_logged(height), index, is_shown)
        if height <= reader.chain.confirmed_height:
            lines += found
        earlier = [line.change.previous for line in found if line.change.previous < position]
        position = min(earlier, default=0)
        await pace.rest()
    return lines, not reader.is_kept(position)


async def read_wallet(reader: Reader, address: bytes, asset: str, before: int) -> WalletPage:
    """Read a wallet.

    Args:
      reader: of the chain.
      address: of the wallet.
      asset: whose history to show; empty for the one that changed last.
      before: position at which the page of history begins; 0 for the newest.

    Raises:
      NotFound: there is no such wallet.
    """
    wallet = reader.load(Wallet, address)
    if wallet is None:
        raise NotFound("there is no wallet with this address")
    found = [reader.load(Balance, address, row.asset) for row in reader.load_all(Asset)]
    balances = sorted(
        (balance for balance in found if balance is not None),
        key=lambda balance: -balance.previous,
    )
    named = [balance for balance in balances if balance.asset == asset]
    shown = next(iter((*named, *balances)), None)
    time_ms = reader.head.time_ms
    category = get_category(wallet, time_ms)
    limits = reader.get_policy(f"wallet.limits.{category.value}") or (0, 0, 0, 0)
    history: list[HistoryLine] = []
    next_position, is_cut = 0, False
    if shown is not None:
        history, next_position, is_cut = await _list_history(
            reader, address, shown, before or shown.previous
        )
    return WalletPage(
        wallet,
        category,
        find_lift(RowReader(reader.chain.machine.state), address, time_ms),
        tuple(balances),
        shown,
        limits[1],
        () if shown is None else _build_meters(reader, shown, limits),
        tuple(history),
        next_position,
        is_cut,
        _describe_state(wallet),
    )


def _build_meters(reader: Reader, shown: Balance, limits: tuple[int, ...]) -> tuple[Meter, ...]:
    """Build the meters of a wallet, as of the ledger's day and year, for a whole currency."""
    currency = shown.asset[:CURRENCY_LETTERS]
    balance = reader.load(Balance, shown.wallet, currency) or Balance(shown.wallet, currency)
    offset = (reader.get_policy("zone.offset_minutes") or (0,))[0]
    now = reader.head.time_ms
    today = balance.day_spent_minor if balance.day == day_number(now, offset) else 0
    year = balance.year_spent_minor if balance.year == year_of(now, offset) else 0
    total = balance.available_minor + balance.held_minor + balance.deposits_minor
    return (
        Meter("Spent today", today, limits[2], balance.asset),
        Meter("Spent this year", year, limits[3], balance.asset),
        Meter("Balance", total, limits[0], balance.asset),
    )


async def _list_history(
    reader: Reader, address: bytes, balance: Balance, position: int
) -> tuple[list[HistoryLine], int, bool]:
    """Follow a balance backwards from a position: each change names the one before.

    Returns the changes, where the next page begins, and whether older ones are in blocks that are
    not kept.
    """

    def is_shown(change: Change) -> bool:
        is_own = change.owner == address and change.asset == balance.asset
        return is_own and change.ledger in {"wallet", "held"}

    pace = Pace()
    lines: list[HistoryLine] = []
    while position and len(lines) < HISTORY_PER_PAGE and reader.is_kept(position):
        height, index = split_position(position)
        record = reader.get_logged(height)
        if index >= len(record.receipts):
            raise NotFound("there is no transaction at this place of the history")
        found = reader.list_changes_of(record, index, is_shown)
        if not found:
            raise NotFound("this wallet has no change at this place of its history")
        if height <= reader.chain.confirmed_height:
            lines += found
        earlier = [line.change.previous for line in found if line.change.previous < position]
        position = min(earlier, default=0)
        await pace.rest()
    is_kept = reader.is_kept(position)
    return lines, position if is_kept else 0, not is_kept


def _describe_state(wallet: Wallet) -> str:
    """Say whether money may move through a wallet, and why not."""
    if wallet.closed:
        return "Closed"
    if wallet.authority:
        return "Frozen by order"
    return "Frozen by its owner" if wallet.self_frozen else "Open"
