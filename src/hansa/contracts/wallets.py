"""Wallets: opened by an operator, of a category, frozen by order or by their owner, closed.

A wallet is a pseudonym: the address of a key. Its money is in `balances`, under the limits that
policy sets for its category. That is the one its operator gave it, or a better one to which `tiers`
has lifted it for a time; policy (`wallet.unproven_category`) says up to which an operator may give
one without a credential. A legal order names itself by hash only; several authorities may place
one each, and money moves again when the last is lifted.

Source: e-CNY wallet categories (PBoC white paper 2021, section 3.2); reference figures are
policy, never constants.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar

import msgspec

from hansa.contracts import members, policy
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, Hash, NonNegative, TimeMs

NAME = "wallets"
VERSION = 1

ORDERS_MAX = 8
"""Authorities whose orders may stand on one wallet at once."""
UNPROVEN_KEY = "wallet.unproven_category"
"""Policy: the best category that an operator may give without a credential, as a number."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_WALLET = "wallets.UNKNOWN_WALLET"
    WALLET_EXISTS = "wallets.WALLET_EXISTS"
    CLOSED = "wallets.CLOSED"
    UNPROVEN_CATEGORY = "wallets.UNPROVEN_CATEGORY"
    FROZEN = "wallets.FROZEN"
    NOT_FROZEN = "wallets.NOT_FROZEN"
    TOO_MANY_ORDERS = "wallets.TOO_MANY_ORDERS"
    NOT_EMPTY = "wallets.NOT_EMPTY"


class Category(IntEnum):
    """How well the owner is known: I in person … IV by phone number only."""

    I = 1  # noqa: E741 - the field's own numeral
    II = 2
    III = 3
    IV = 4


class Order(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A legal order on a wallet; an authority has one at a time."""

    authority: Address
    order_hash: Hash


class Wallet(Row, frozen=True, array_like=True):
    """A wallet and who keeps it."""

    TABLE: ClassVar[bytes] = b"wa"
    KEY: ClassVar[tuple[str, ...]] = ("wallet",)

    wallet: Address
    operator: Address
    category: Category
    """That its operator gave it; `get_category` tells which one counts."""
    opened_ms: TimeMs
    closed: bool = False
    self_frozen: bool = False
    authority: bytes = b""
    """The member whose legal order freezes this wallet, the first of several; empty if none."""
    order_hash: bytes = b""
    asset_count: NonNegative = 0
    """In how many assets it has money, held money included."""
    further_orders: tuple[Order, ...] = ()
    """Orders of other authorities, oldest first."""
    lifted_category: Category = Category.IV
    """To which `tiers` has lifted it."""
    lifted_until_ms: TimeMs = 0
    """The last moment at which that counts."""


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
    authority: Address


class SelfFreeze(Command, frozen=True, array_like=True):
    """Freeze one's own wallet, as after losing a phone."""

    wallet: Address


class SelfUnfreeze(Command, frozen=True, array_like=True):
    """End one's own freeze; asks for the purpose MANAGE, which a lost payment key may lack."""

    wallet: Address


class Close(Command, frozen=True, array_like=True):
    """Close an empty wallet."""

    wallet: Address


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
    """A legal order was lifted; others may still freeze the wallet."""

    wallet: Address
    authority: Address


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
    _require_unproven(view, context, command.category, Category.IV)
    # CHANGE
    view.put(Wallet(command.wallet, command.operator, command.category, context.time_ms))
    # TELL
    return [Opened(NO_MONEY, command.wallet, command.operator, command.category)]


def set_category(view: View, context: Context, command: SetCategory) -> list[Event]:
    """Change the category that an operator gave a wallet; what it holds above a limit stays.

    Where a credential has lifted the wallet to a better one, that counts until it ends.
    """
    # CHECK
    wallet = get_open(view, command.wallet)
    context.require(wallet.operator, Purpose.OPERATE)
    members.require_role(view, wallet.operator, members.Role.OPERATOR)
    _require_unproven(view, context, command.category, wallet.category)
    # CHANGE
    view.put(msgspec.structs.replace(wallet, category=command.category))
    # TELL
    return [CategoryChanged(NO_MONEY, command.wallet, command.category)]


def freeze(view: View, context: Context, command: Freeze) -> list[Event]:
    """Freeze a wallet by order of a regulator: no money leaves or enters it."""
    # CHECK
    context.require(command.authority, Purpose.ORDER)
    members.require_role(view, command.authority, members.Role.REGULATOR)
    wallet = get_open(view, command.wallet)
    orders = _list_orders(wallet)
    if any(order.authority == command.authority for order in orders):
        raise Refused(Code.FROZEN, wallet=command.wallet, authority=command.authority)
    if len(orders) >= ORDERS_MAX:
        raise Refused(Code.TOO_MANY_ORDERS, wallet=command.wallet, orders_max=ORDERS_MAX)
    # CHANGE
    view.put(_with_orders(wallet, (*orders, Order(command.authority, command.order_hash))))
    # TELL
    return [Frozen(NO_MONEY, command.wallet, command.authority, command.order_hash)]


def unfreeze(view: View, context: Context, command: Unfreeze) -> list[Event]:
    """Lift a legal order; by its authority, or the central bank if that may no longer act."""
    # CHECK
    is_standing = members.is_active(view, command.authority, members.Role.REGULATOR)
    lifter = command.authority if is_standing else members.get_central_bank(view)
    context.require(lifter, Purpose.ORDER)
    wallet = get_open(view, command.wallet)
    orders = _list_orders(wallet)
    kept = tuple(order for order in orders if order.authority != command.authority)
    if kept == orders:
        raise Refused(Code.NOT_FROZEN, wallet=command.wallet, authority=command.authority)
    # CHANGE
    view.put(_with_orders(wallet, kept))
    # TELL
    return [Unfrozen(NO_MONEY, command.wallet, command.authority)]


def self_freeze(view: View, context: Context, command: SelfFreeze) -> list[Event]:
    """Freeze one's own wallet."""
    # CHECK
    context.require(command.wallet, Purpose.PAY)
    wallet = get_open(view, command.wallet)
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
    wallet = get_open(view, command.wallet)
    if not wallet.self_frozen:
        raise Refused(Code.NOT_FROZEN, wallet=command.wallet)
    # CHANGE
    view.put(msgspec.structs.replace(wallet, self_frozen=False))
    # TELL
    return [SelfUnfrozen(NO_MONEY, command.wallet)]


def close(view: View, context: Context, command: Close) -> list[Event]:
    """Close an empty wallet for good."""
    # CHECK
    context.require(command.wallet, Purpose.PAY)
    wallet = get_usable(view, command.wallet)
    if wallet.asset_count:
        raise Refused(Code.NOT_EMPTY, wallet=command.wallet, asset_count=wallet.asset_count)
    # CHANGE
    view.put(msgspec.structs.replace(wallet, closed=True))
    # TELL
    return [Closed(NO_MONEY, command.wallet)]


def get_open(view: View, wallet: bytes) -> Wallet:
    """Get a wallet that is not closed, frozen or not; refuses unknown ones."""
    row = view.get(Wallet, wallet)
    if row is None:
        raise Refused(Code.UNKNOWN_WALLET, wallet=wallet)
    if row.closed:
        raise Refused(Code.CLOSED, wallet=wallet)
    return row


def get_usable(view: View, wallet: bytes) -> Wallet:
    """Get a wallet through which money may move; refuses unknown, closed and frozen ones."""
    row = get_open(view, wallet)
    if row.self_frozen or row.authority:
        raise Refused(Code.FROZEN, wallet=wallet)
    return row


def count_asset(view: View, wallet: bytes, change: int) -> None:
    """Keep count of the assets in which a wallet has money; called by `balances` alone."""
    row = get_open(view, wallet)
    view.put(msgspec.structs.replace(row, asset_count=row.asset_count + change))


def get_category(wallet: Wallet, time_ms: int) -> Category:
    """Get the category that counts at a time, in milliseconds of ledger time: the better one."""
    if time_ms > wallet.lifted_until_ms:
        return wallet.category
    return min(wallet.category, wallet.lifted_category)


def set_lift(view: View, wallet: Wallet, category: Category, until_ms: int) -> None:
    """Lift a wallet to a category, or with `until_ms` 0 no more; called by `tiers` alone."""
    lifted = category if until_ms else Category.IV
    view.put(msgspec.structs.replace(wallet, lifted_category=lifted, lifted_until_ms=until_ms))


def _require_unproven(view: View, context: Context, category: Category, present: Category) -> None:
    """Refuse a category better than `present` that takes a credential."""
    best = (policy.get_in_force(view, context, UNPROVEN_KEY) or (Category.I,))[0]
    if category < min(best, present):
        raise Refused(Code.UNPROVEN_CATEGORY, category=category.name, best=Category(best).name)


def _list_orders(wallet: Wallet) -> tuple[Order, ...]:
    first = (Order(wallet.authority, wallet.order_hash),) if wallet.authority else ()
    return (*first, *wallet.further_orders)


def _with_orders(wallet: Wallet, orders: tuple[Order, ...]) -> Wallet:
    """Return a wallet under these orders, of which the first stands in its own two fields."""
    first = orders[0] if orders else None
    return msgspec.structs.replace(
        wallet,
        authority=first.authority if first else b"",
        order_hash=first.order_hash if first else b"",
        further_orders=orders[1:],
    )


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "open": (Open, open_wallet),
    "set_category": (SetCategory, set_category),
    "freeze": (Freeze, freeze),
    "unfreeze": (Unfreeze, unfreeze),
    "self_freeze": (SelfFreeze, self_freeze),
    "self_unfreeze": (SelfUnfreeze, self_unfreeze),
    "close": (Close, close),
}
