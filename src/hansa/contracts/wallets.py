"""Wallets: opened by an operator, limited by category, frozen by order or by their owner.

A wallet is a pseudonym: the address of a key. Its balances are kept per asset; its limits are
policy of its category, effective-dated, in minor units of each asset and in days and years of
the zone's civil calendar. A legal order names itself by hash only.

Source: e-CNY wallet categories (PBoC white paper 2021, section 3.2); reference figures are
policy, never constants.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar, NamedTuple

import msgspec

from hansa.contracts import members, policy
from hansa.kernel.authority import Context, Purpose
from hansa.kernel.calendar import day_number, year_of
from hansa.kernel.contract import NO_MONEY, Command, Delta, Event, Function, Ledger
from hansa.kernel.errors import Refused
from hansa.kernel.state import Row, View
from hansa.kernel.values import INT64_MAX, Address, AssetCode, Hash, NonNegative, TimeMs

NAME = "wallets"
VERSION = 1


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_WALLET = "wallets.UNKNOWN_WALLET"
    WALLET_EXISTS = "wallets.WALLET_EXISTS"
    CLOSED = "wallets.CLOSED"
    FROZEN = "wallets.FROZEN"
    NOT_FROZEN = "wallets.NOT_FROZEN"
    WRONG_OPERATOR = "wallets.WRONG_OPERATOR"
    WRONG_AUTHORITY = "wallets.WRONG_AUTHORITY"
    NOT_EMPTY = "wallets.NOT_EMPTY"
    INSUFFICIENT_FUNDS = "wallets.INSUFFICIENT_FUNDS"
    SINGLE_LIMIT = "wallets.SINGLE_LIMIT"
    DAY_LIMIT = "wallets.DAY_LIMIT"
    YEAR_LIMIT = "wallets.YEAR_LIMIT"
    BALANCE_LIMIT = "wallets.BALANCE_LIMIT"


class Category(IntEnum):
    """How well the owner is known: I in person … IV by phone number only."""

    I = 1  # noqa: E741 - the field's own numeral
    II = 2
    III = 3
    IV = 4


class Wallet(Row, frozen=True, array_like=True):
    """A wallet and who keeps it."""

    TABLE: ClassVar[bytes] = b"wa"
    KEY: ClassVar[tuple[str, ...]] = ("wallet",)

    wallet: Address
    operator: Address
    category: Category
    opened_ms: TimeMs
    closed: bool = False
    self_frozen: bool = False
    authority: bytes = b""
    """The member whose legal order freezes this wallet; empty if none does."""
    order_hash: bytes = b""
    asset_count: NonNegative = 0
    """How many balances it has."""

    @classmethod
    def key(cls, *parts: bytes | str | int) -> bytes:
        """As `Row.key`, for the hot path."""
        return b"wa" + parts[0]  # type: ignore[operator]


class Balance(Row, frozen=True, array_like=True):
    """A wallet's money in one asset, and what it spent in the current day and year."""

    TABLE: ClassVar[bytes] = b"wb"
    KEY: ClassVar[tuple[str, ...]] = ("wallet", "asset")

    wallet: Address
    asset: AssetCode
    available_minor: NonNegative = 0
    held_minor: NonNegative = 0
    day: int = 0
    """Civil day number since 1970 to which `day_spent_minor` belongs."""
    day_spent_minor: NonNegative = 0
    year: int = 0
    year_spent_minor: NonNegative = 0
    previous: NonNegative = 0
    """Position of the last transaction that changed this balance."""

    @classmethod
    def key(cls, *parts: bytes | str | int) -> bytes:
        """As `Row.key`, for the hot path."""
        asset = parts[1].encode()  # type: ignore[union-attr]
        return b"wb" + parts[0] + bytes((len(asset),)) + asset  # type: ignore[operator]

    def row_key(self) -> bytes:
        """Compute this row's key."""
        return self.key(self.wallet, self.asset)


class Entry(NamedTuple):
    """A balance as it will be, and the changes that say so; made by a check, written by `post`."""

    balance: Balance
    deltas: tuple[Delta, ...]
    is_first: bool
    """Whether the wallet had no balance in this asset before."""


class Open(Command, frozen=True, array_like=True):
    """Open a wallet for the holder of a key."""

    wallet: Address
    operator: Address
    category: Category


class SetCategory(Command, frozen=True, array_like=True):
    """Raise or lower a wallet's category."""

    wallet: Address
    category: Category


class Freeze(Command, frozen=True, array_like=True):
    """Freeze a wallet by legal order."""

    wallet: Address
    authority: Address
    order_hash: Hash


class Unfreeze(Command, frozen=True, array_like=True):
    """Lift a legal order; by the authority that placed it."""

    wallet: Address


class SelfFreeze(Command, frozen=True, array_like=True):
    """Freeze one's own wallet, as after losing a phone."""

    wallet: Address


class SelfUnfreeze(Command, frozen=True, array_like=True):
    """End one's own freeze; asks for the purpose MANAGE, which a lost payment key may lack."""

    wallet: Address


class Close(Command, frozen=True, array_like=True):
    """Close an empty wallet; `assets` names every balance it has."""

    wallet: Address
    assets: tuple[AssetCode, ...]


class Opened(Event, frozen=True, array_like=True):
    """A wallet was opened."""

    wallet: Address
    operator: Address
    category: Category


class CategoryChanged(Event, frozen=True, array_like=True):
    """A wallet's category changed."""

    wallet: Address
    category: Category


class Frozen(Event, frozen=True, array_like=True):
    """A wallet was frozen by order."""

    wallet: Address
    authority: Address
    order_hash: Hash


class Unfrozen(Event, frozen=True, array_like=True):
    """A legal order was lifted."""

    wallet: Address


class SelfFrozen(Event, frozen=True, array_like=True):
    """An owner froze a wallet."""

    wallet: Address


class SelfUnfrozen(Event, frozen=True, array_like=True):
    """An owner's freeze ended."""

    wallet: Address


class Closed(Event, frozen=True, array_like=True):
    """A wallet was closed."""

    wallet: Address


def open_wallet(view: View, context: Context, command: Open) -> list[Event]:
    """Open a wallet; only the holder of its key will be able to spend from it."""
    # CHECK
    context.require(command.operator, Purpose.OPERATE)
    members.require_role(view, command.operator, members.Role.OPERATOR)
    if view.get(Wallet, command.wallet) is not None:
        raise Refused(Code.WALLET_EXISTS, wallet=command.wallet)
    # CHANGE
    view.put(Wallet(command.wallet, command.operator, command.category, context.time_ms))
    # TELL
    return [Opened(NO_MONEY, command.wallet, command.operator, command.category)]


def set_category(view: View, context: Context, command: SetCategory) -> list[Event]:
    """Change a wallet's category; by its operator. What it holds above a new limit stays."""
    # CHECK
    wallet = _get_open(view, command.wallet)
    context.require(wallet.operator, Purpose.OPERATE)
    members.require_role(view, wallet.operator, members.Role.OPERATOR)
    # CHANGE
    view.put(msgspec.structs.replace(wallet, category=command.category))
    # TELL
    return [CategoryChanged(NO_MONEY, command.wallet, command.category)]


def freeze(view: View, context: Context, command: Freeze) -> list[Event]:
    """Freeze a wallet by order of a regulator or department: no money leaves or enters it."""
    # CHECK
    context.require(command.authority, Purpose.ORDER)
    _require_authority(view, command.authority)
    wallet = _get_open(view, command.wallet)
    if wallet.authority:
        raise Refused(Code.FROZEN, wallet=command.wallet, authority=wallet.authority)
    # CHANGE
    view.put(
        msgspec.structs.replace(
            wallet, authority=command.authority, order_hash=command.order_hash
        )
    )
    # TELL
    return [Frozen(NO_MONEY, command.wallet, command.authority, command.order_hash)]


def unfreeze(view: View, context: Context, command: Unfreeze) -> list[Event]:
    """Lift a legal order; by the authority that placed it."""
    # CHECK
    wallet = _get_open(view, command.wallet)
    if not wallet.authority:
        raise Refused(Code.NOT_FROZEN, wallet=command.wallet)
    context.require(wallet.authority, Purpose.ORDER)
    # CHANGE
    view.put(msgspec.structs.replace(wallet, authority=b"", order_hash=b""))
    # TELL
    return [Unfrozen(NO_MONEY, command.wallet)]


def self_freeze(view: View, context: Context, command: SelfFreeze) -> list[Event]:
    """Freeze one's own wallet."""
    # CHECK
    context.require(command.wallet, Purpose.PAY)
    wallet = _get_open(view, command.wallet)
    if wallet.self_frozen:
        raise Refused(Code.FROZEN, wallet=command.wallet)
    # CHANGE
    view.put(msgspec.structs.replace(wallet, self_frozen=True))
    # TELL
    return [SelfFrozen(NO_MONEY, command.wallet)]


def self_unfreeze(view: View, context: Context, command: SelfUnfreeze) -> list[Event]:
    """End one's own freeze."""
    # CHECK
    context.require(command.wallet, Purpose.MANAGE)
    wallet = _get_open(view, command.wallet)
    if not wallet.self_frozen:
        raise Refused(Code.NOT_FROZEN, wallet=command.wallet)
    # CHANGE
    view.put(msgspec.structs.replace(wallet, self_frozen=False))
    # TELL
    return [SelfUnfrozen(NO_MONEY, command.wallet)]


def close(view: View, context: Context, command: Close) -> list[Event]:
    """Close an empty wallet for good; its balances' rows are given back."""
    # CHECK
    context.require(command.wallet, Purpose.PAY)
    wallet = get_usable(view, command.wallet)
    if len(set(command.assets)) != wallet.asset_count:
        raise Refused(Code.NOT_EMPTY, wallet=command.wallet, asset_count=wallet.asset_count)
    for asset in command.assets:
        balance = view.get(Balance, command.wallet, asset)
        if balance is None or balance.available_minor or balance.held_minor:
            raise Refused(Code.NOT_EMPTY, wallet=command.wallet, asset=asset)
    # CHANGE
    for asset in command.assets:
        view.delete(Balance, command.wallet, asset)
    view.put(msgspec.structs.replace(wallet, closed=True, asset_count=0))
    # TELL
    return [Closed(NO_MONEY, command.wallet)]


def get_usable(view: View, wallet: bytes) -> Wallet:
    """Get a wallet through which money may move; refuses unknown, closed and frozen ones."""
    row = _get_open(view, wallet)
    if row.self_frozen or row.authority:
        raise Refused(Code.FROZEN, wallet=wallet)
    return row


def get_balance(view: View, wallet: bytes, asset: str) -> Balance:
    """Get a balance; zero if the wallet never had this asset."""
    return view.get(Balance, wallet, asset) or Balance(wallet, asset)


def check_spend(
    view: View, context: Context, wallet: Wallet, asset: str, amount_minor: int
) -> Balance:
    """Compute a balance after spending from it under its limits; writes nothing.

    The money is out of `available_minor`; the caller says whether it is gone or held.
    """
    before = get_balance(view, wallet.wallet, asset)
    if before.available_minor < amount_minor:
        raise Refused(Code.INSUFFICIENT_FUNDS, available_minor=before.available_minor)
    _, single_max, day_max, year_max = _get_limits(view, context, wallet.category)
    day, year = _get_civil(view, context)
    day_spent = amount_minor + (before.day_spent_minor if before.day == day else 0)
    year_spent = amount_minor + (before.year_spent_minor if before.year == year else 0)
    if single_max and amount_minor > single_max:
        raise Refused(Code.SINGLE_LIMIT, single_max_minor=single_max)
    if day_max and day_spent > day_max:
        raise Refused(Code.DAY_LIMIT, day_max_minor=day_max, day_spent_minor=day_spent)
    if year_max and year_spent > year_max:
        raise Refused(Code.YEAR_LIMIT, year_max_minor=year_max, year_spent_minor=year_spent)
    return Balance(
        before.wallet,
        asset,
        before.available_minor - amount_minor,
        before.held_minor,
        day,
        day_spent,
        year,
        min(year_spent, INT64_MAX),
        context.position,
    )


def check_debit(
    view: View, context: Context, wallet: Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute the debit of a payment, under the wallet's limits; writes nothing."""
    before = get_balance(view, wallet.wallet, asset)
    after = check_spend(view, context, wallet, asset, amount_minor)
    return Entry(after, (_tell(Ledger.WALLET, before, after, -amount_minor),), is_first=False)


def check_return(
    view: View, context: Context, wallet: Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute the debit of a refund: a return of another's money, outside spending limits."""
    before = get_balance(view, wallet.wallet, asset)
    if before.available_minor < amount_minor:
        raise Refused(Code.INSUFFICIENT_FUNDS, available_minor=before.available_minor)
    after = _change(before, context, -amount_minor, 0)
    return Entry(after, (_tell(Ledger.WALLET, before, after, -amount_minor),), is_first=False)


def check_credit(
    view: View,
    context: Context,
    wallet: Wallet,
    asset: str,
    amount_minor: int,
    *,
    is_refund: bool = False,
) -> Entry:
    """Compute a credit; the category's balance limit holds except for one's own money back."""
    row = view.get(Balance, wallet.wallet, asset)
    before = row or Balance(wallet.wallet, asset)
    balance_max = _get_limits(view, context, wallet.category)[0] or INT64_MAX
    total = before.available_minor + before.held_minor + amount_minor
    if total > (INT64_MAX if is_refund else balance_max):
        raise Refused(Code.BALANCE_LIMIT, balance_max_minor=balance_max)
    after = Balance(
        before.wallet,
        asset,
        before.available_minor + amount_minor,
        before.held_minor,
        before.day,
        before.day_spent_minor,
        before.year,
        before.year_spent_minor,
        context.position,
    )
    deltas = (_tell(Ledger.WALLET, before, after, amount_minor),)
    return Entry(after, deltas, is_first=row is None)


def check_hold(
    view: View, context: Context, wallet: Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute a reservation: out of what is free, into what is held; spends the limits now."""
    before = get_balance(view, wallet.wallet, asset)
    spent = check_spend(view, context, wallet, asset, amount_minor)
    after = msgspec.structs.replace(spent, held_minor=before.held_minor + amount_minor)
    return Entry(after, _tell_both(before, after, -amount_minor, amount_minor), is_first=False)


def compute_release(
    view: View, context: Context, wallet: bytes, asset: str, held_minor: int, free_minor: int
) -> Entry:
    """Compute the end of a hold of `held_minor`, of which `free_minor` returns to its wallet."""
    before = get_balance(view, wallet, asset)
    after = _change(before, context, free_minor, -held_minor)
    return Entry(after, _tell_both(before, after, free_minor, -held_minor), is_first=False)


def post(view: View, *entries: Entry) -> tuple[Delta, ...]:
    """Write entries made by the checks above, of different balances; returns their changes."""
    deltas: tuple[Delta, ...] = ()
    for entry in entries:
        view.put(entry.balance)
        if entry.is_first:
            wallet = _get_open(view, entry.balance.wallet)
            view.put(msgspec.structs.replace(wallet, asset_count=wallet.asset_count + 1))
        deltas += entry.deltas
    return deltas


def _get_open(view: View, wallet: bytes) -> Wallet:
    row = view.get(Wallet, wallet)
    if row is None:
        raise Refused(Code.UNKNOWN_WALLET, wallet=wallet)
    if row.closed:
        raise Refused(Code.CLOSED, wallet=wallet)
    return row


_NO_LIMITS = (0, 0, 0, 0)
_LIMIT_KEYS = {category: f"wallet.limits.{category.value}" for category in Category}


def _get_limits(view: View, context: Context, category: Category) -> tuple[int, ...]:
    """Get balance, single, day and year limits in minor units; 0 for none."""
    return policy.get_policy(view, _LIMIT_KEYS[category], context.time_ms) or _NO_LIMITS


def _get_civil(view: View, context: Context) -> tuple[int, int]:
    """Get the zone's day number and year at this block's time."""
    offset = policy.get_policy(view, "zone.offset_minutes", context.time_ms) or (0,)
    return day_number(context.time_ms, offset[0]), year_of(context.time_ms, offset[0])


def _require_authority(view: View, member: bytes) -> None:
    if not (
        members.is_active(view, member, members.Role.REGULATOR)
        or members.is_active(view, member, members.Role.DEPARTMENT)
    ):
        raise Refused(Code.WRONG_AUTHORITY, authority=member)


def _change(before: Balance, context: Context, available: int, held: int) -> Balance:
    return msgspec.structs.replace(
        before,
        available_minor=before.available_minor + available,
        held_minor=before.held_minor + held,
        previous=context.position,
    )


def _tell(ledger: Ledger, before: Balance, after: Balance, amount_minor: int) -> Delta:
    balance = after.available_minor if ledger is Ledger.WALLET else after.held_minor
    return Delta(ledger, after.wallet, after.asset, amount_minor, balance, before.previous)


def _tell_both(
    before: Balance, after: Balance, available: int, held: int
) -> tuple[Delta, ...]:
    """Tell what moved between free and held, leaving out a leg of zero."""
    legs = []
    if available:
        legs.append(_tell(Ledger.WALLET, before, after, available))
    if held:
        legs.append(_tell(Ledger.HELD, before, after, held))
    return tuple(legs)


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "open": (Open, open_wallet),
    "set_category": (SetCategory, set_category),
    "freeze": (Freeze, freeze),
    "unfreeze": (Unfreeze, unfreeze),
    "self_freeze": (SelfFreeze, self_freeze),
    "self_unfreeze": (SelfUnfreeze, self_unfreeze),
    "close": (Close, close),
}
