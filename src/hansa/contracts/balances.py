"""Balances: a wallet's money per asset, under the limits of its category.

Checks compute an `Entry` and write nothing; `post` writes entries. Limits are policy of the
wallet's category, effective-dated, in minor units of each asset and in days and years of the
zone's civil calendar. Balances change by `payments` alone; there are no commands.

Source: e-CNY wallet categories (PBoC white paper 2021, section 3.2).
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, NamedTuple

import msgspec

from hansa.contracts import policy, wallets
from hansa.kernel.authority import Context
from hansa.kernel.calendar import day_number, year_of
from hansa.kernel.contract import Command, Delta, Function, Ledger
from hansa.kernel.errors import Refused
from hansa.kernel.state import Row, View
from hansa.kernel.values import INT64_MAX, Address, AssetCode, NonNegative

NAME = "balances"
VERSION = 1


class Code(StrEnum):
    """Refusals, in order of precedence."""

    INSUFFICIENT_FUNDS = "balances.INSUFFICIENT_FUNDS"
    SINGLE_LIMIT = "balances.SINGLE_LIMIT"
    DAY_LIMIT = "balances.DAY_LIMIT"
    YEAR_LIMIT = "balances.YEAR_LIMIT"
    BALANCE_LIMIT = "balances.BALANCE_LIMIT"


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
    count_change: int = 0
    """1 if the wallet had no money in this asset before, -1 if it has none left."""


def get_balance(view: View, wallet: bytes, asset: str) -> Balance:
    """Get a balance; zero if the wallet never had this asset."""
    return view.get(Balance, wallet, asset) or Balance(wallet, asset)


def check_spend(
    view: View, context: Context, wallet: wallets.Wallet, before: Balance, amount_minor: int
) -> Balance:
    """Compute a balance after spending from it under its limits; writes nothing.

    The money is out of `available_minor`; the caller says whether it is gone or held.
    """
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
        before.asset,
        before.available_minor - amount_minor,
        before.held_minor,
        day,
        min(day_spent, INT64_MAX),
        year,
        min(year_spent, INT64_MAX),
        context.position,
    )


def check_debit(
    view: View, context: Context, wallet: wallets.Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute the debit of a payment, under the wallet's limits; writes nothing."""
    before = get_balance(view, wallet.wallet, asset)
    after = check_spend(view, context, wallet, before, amount_minor)
    return _enter(before, after, (_tell(Ledger.WALLET, before, after, -amount_minor),))


def check_return(
    view: View, context: Context, wallet: wallets.Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute the debit of a refund: a return of another's money, outside spending limits."""
    before = get_balance(view, wallet.wallet, asset)
    if before.available_minor < amount_minor:
        raise Refused(Code.INSUFFICIENT_FUNDS, available_minor=before.available_minor)
    after = _change(before, context, -amount_minor, 0)
    return _enter(before, after, (_tell(Ledger.WALLET, before, after, -amount_minor),))


def check_credit(
    view: View,
    context: Context,
    wallet: wallets.Wallet,
    asset: str,
    amount_minor: int,
    *,
    is_refund: bool = False,
) -> Entry:
    """Compute a credit; the category's balance limit holds except for one's own money back."""
    before = get_balance(view, wallet.wallet, asset)
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
    return _enter(before, after, (_tell(Ledger.WALLET, before, after, amount_minor),))


def check_hold(
    view: View, context: Context, wallet: wallets.Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute a reservation: out of what is free, into what is held; spends the limits now."""
    before = get_balance(view, wallet.wallet, asset)
    spent = check_spend(view, context, wallet, before, amount_minor)
    after = msgspec.structs.replace(spent, held_minor=before.held_minor + amount_minor)
    return _enter(before, after, _tell_both(before, after, -amount_minor, amount_minor))


def compute_release(
    view: View, context: Context, wallet: bytes, asset: str, held_minor: int, free_minor: int
) -> Entry:
    """Compute the end of a hold of `held_minor`, of which `free_minor` returns to its wallet."""
    before = get_balance(view, wallet, asset)
    after = _change(before, context, free_minor, -held_minor)
    return _enter(before, after, _tell_both(before, after, free_minor, -held_minor))


def post(view: View, *entries: Entry) -> tuple[Delta, ...]:
    """Write entries made by the checks above, of different balances; returns their changes."""
    deltas: tuple[Delta, ...] = ()
    for entry in entries:
        view.put(entry.balance)
        if entry.count_change:
            wallets.count_asset(view, entry.balance.wallet, entry.count_change)
        deltas += entry.deltas
    return deltas


_NO_LIMITS = (0, 0, 0, 0)
_LIMIT_KEYS = {category: f"wallet.limits.{category.value}" for category in wallets.Category}


def _get_limits(view: View, context: Context, category: wallets.Category) -> tuple[int, ...]:
    """Get balance, single, day and year limits in minor units; 0 for none."""
    return policy.get_policy(view, _LIMIT_KEYS[category], context.time_ms) or _NO_LIMITS


def _get_civil(view: View, context: Context) -> tuple[int, int]:
    """Get the zone's day number and year at this block's time."""
    offset = policy.get_policy(view, "zone.offset_minutes", context.time_ms) or (0,)
    return day_number(context.time_ms, offset[0]), year_of(context.time_ms, offset[0])


def _change(before: Balance, context: Context, available: int, held: int) -> Balance:
    return msgspec.structs.replace(
        before,
        available_minor=before.available_minor + available,
        held_minor=before.held_minor + held,
        previous=context.position,
    )


def _enter(before: Balance, after: Balance, deltas: tuple[Delta, ...]) -> Entry:
    had = before.available_minor + before.held_minor > 0
    has = after.available_minor + after.held_minor > 0
    return Entry(after, deltas, has - had)


def _tell(ledger: Ledger, before: Balance, after: Balance, amount_minor: int) -> Delta:
    balance = after.available_minor if ledger is Ledger.WALLET else after.held_minor
    return Delta(ledger, after.wallet, after.asset, amount_minor, balance, before.previous)


def _tell_both(before: Balance, after: Balance, available: int, held: int) -> tuple[Delta, ...]:
    """Tell what moved between free and held, leaving out a leg of zero."""
    legs = []
    if available:
        legs.append(_tell(Ledger.WALLET, before, after, available))
    if held:
        legs.append(_tell(Ledger.HELD, before, after, held))
    return tuple(legs)


COMMANDS: dict[str, tuple[type[Command], Function]] = {}
