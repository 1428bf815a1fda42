"""Balances: a wallet's money per asset, under the limits of its category.

Checks compute an `Entry` and write nothing; `post` writes entries. Limits are policy of the
wallet's category, effective-dated, in minor units and in days and years of the zone's civil
calendar. They hold for all of a wallet's money of one currency together, M0 and whoever's
deposits: the row of the M0, which is named as its currency, counts for all of them. Balances
change by `payments` alone; there are no commands.

Source: e-CNY wallet categories (PBoC white paper 2021, section 3.2).
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, NamedTuple

import msgspec

from hansa.contracts import policy, wallets
from hansa.contracts.currency import CURRENCY_LETTERS
from hansa.kernel.calendar import day_number, year_of
from hansa.kernel.contract import Command, Delta, Function, Ledger
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import INT64_MAX, Address, AssetCode, NonNegative, Signed

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
    """A wallet's money in one asset; in the row of M0, what counts for its whole currency."""

    TABLE: ClassVar[bytes] = b"wb"
    KEY: ClassVar[tuple[str, ...]] = ("wallet", "asset")

    wallet: Address
    asset: AssetCode
    available_minor: NonNegative = 0
    held_minor: NonNegative = 0
    day: Signed = 0
    """M0 only, as all on spending: day number since 1970 to which `day_spent_minor` belongs."""
    day_spent_minor: NonNegative = 0
    year: Signed = 0
    year_spent_minor: NonNegative = 0
    previous: NonNegative = 0
    """Position of the last transaction that changed this balance."""
    deposits_minor: NonNegative = 0
    """M0 only: the wallet's deposits of this currency, free and held, in all assets."""


class Entry(NamedTuple):
    """A balance as it will be, and the changes that say so; made by a check, written by `post`."""

    balance: Balance
    deltas: tuple[Delta, ...]
    count_change: int = 0
    """1 if the wallet had no money in this asset before, -1 if it has none left."""
    counters: Balance | None = None
    """For a deposit, the row of its currency's M0 as it will be."""


def get_balance(view: View, wallet: bytes, asset: str) -> Balance:
    """Get a balance; zero if the wallet never had this asset."""
    return view.get(Balance, wallet, asset) or Balance(wallet, asset)


def check_debit(
    view: View, context: Context, wallet: wallets.Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute the debit of a payment, under the wallet's limits; writes nothing."""
    before = get_balance(view, wallet.wallet, asset)
    counters = _get_counters(view, before)
    after, counters = _spend(view, context, wallet, before, counters, amount_minor)
    deltas = (_tell(Ledger.WALLET, before, after, -amount_minor),)
    return _enter(before, after, counters, deltas)


def check_return(
    view: View, context: Context, wallet: wallets.Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute the debit of a refund: a return of another's money, outside spending limits."""
    before = get_balance(view, wallet.wallet, asset)
    if before.available_minor < amount_minor:
        raise Refused(Code.INSUFFICIENT_FUNDS, available_minor=before.available_minor)
    after = _change(before, context, -amount_minor, 0)
    deltas = (_tell(Ledger.WALLET, before, after, -amount_minor),)
    return _enter(before, after, _get_counters(view, before), deltas)


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
    counters = _get_counters(view, before)
    balance_max = _get_limits(view, context, wallet)[0] or INT64_MAX
    total = counters.available_minor + counters.held_minor + counters.deposits_minor + amount_minor
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
        before.deposits_minor,
    )
    deltas = (_tell(Ledger.WALLET, before, after, amount_minor),)
    return _enter(before, after, counters, deltas)


def check_hold(
    view: View, context: Context, wallet: wallets.Wallet, asset: str, amount_minor: int
) -> Entry:
    """Compute a reservation: out of what is free, into what is held; spends the limits now."""
    before = get_balance(view, wallet.wallet, asset)
    counters = _get_counters(view, before)
    spent, counters = _spend(view, context, wallet, before, counters, amount_minor)
    after = msgspec.structs.replace(spent, held_minor=before.held_minor + amount_minor)
    deltas = _tell_both(before, after, -amount_minor, amount_minor)
    return _enter(before, after, counters, deltas)


def compute_release(
    view: View, context: Context, wallet: bytes, asset: str, held_minor: int, free_minor: int
) -> Entry:
    """Compute the end of a hold of `held_minor`, of which `free_minor` returns to its wallet."""
    before = get_balance(view, wallet, asset)
    after = _change(before, context, free_minor, -held_minor)
    deltas = _tell_both(before, after, free_minor, -held_minor)
    return _enter(before, after, _get_counters(view, before), deltas)


def post(view: View, *entries: Entry) -> tuple[Delta, ...]:
    """Write entries made by the checks above, of different balances; returns their changes."""
    deltas: tuple[Delta, ...] = ()
    for entry in entries:
        view.put(entry.balance)
        if entry.count_change:
            wallets.count_asset(view, entry.balance.wallet, entry.count_change)
        if entry.counters is not None:
            view.put(entry.counters)
        deltas += entry.deltas
    return deltas


_NO_LIMITS = (0, 0, 0, 0)
_LIMIT_KEYS = {category: f"wallet.limits.{category.value}" for category in wallets.Category}


def _get_limits(view: View, context: Context, wallet: wallets.Wallet) -> tuple[int, ...]:
    """Get balance, single, day and year limits in minor units; 0 for none."""
    category = wallets.get_category(wallet, context.time_ms)
    return policy.get_in_force(view, context, _LIMIT_KEYS[category]) or _NO_LIMITS


def _get_civil(view: View, context: Context) -> tuple[int, int]:
    """Get the zone's day number and year at this block's time, computed once a block."""
    civil: tuple[int, int] | None = context.memo.get("civil")
    if civil is None:
        offset = policy.get_in_force(view, context, "zone.offset_minutes") or (0,)
        civil = day_number(context.time_ms, offset[0]), year_of(context.time_ms, offset[0])
        context.memo["civil"] = civil
    return civil


def _get_counters(view: View, before: Balance) -> Balance:
    """Get the row that counts for all money of a currency: M0's, which bears its name."""
    if len(before.asset) == CURRENCY_LETTERS:
        return before
    return get_balance(view, before.wallet, before.asset[:CURRENCY_LETTERS])


def _spend(
    view: View,
    context: Context,
    wallet: wallets.Wallet,
    before: Balance,
    counters: Balance,
    amount_minor: int,
) -> tuple[Balance, Balance]:
    """Compute a balance and its counters after spending under the limits; writes nothing.

    The money is out of `available_minor`; the caller says whether it is gone or held.
    """
    if before.available_minor < amount_minor:
        raise Refused(Code.INSUFFICIENT_FUNDS, available_minor=before.available_minor)
    _, single_max, day_max, year_max = _get_limits(view, context, wallet)
    day, year = _get_civil(view, context)
    day_spent = amount_minor + (counters.day_spent_minor if counters.day == day else 0)
    year_spent = amount_minor + (counters.year_spent_minor if counters.year == year else 0)
    if single_max and amount_minor > single_max:
        raise Refused(Code.SINGLE_LIMIT, single_max_minor=single_max)
    if day_max and day_spent > day_max:
        raise Refused(Code.DAY_LIMIT, day_max_minor=day_max, day_spent_minor=day_spent)
    if year_max and year_spent > year_max:
        raise Refused(Code.YEAR_LIMIT, year_max_minor=year_max, year_spent_minor=year_spent)
    is_m0 = counters is before
    counted = Balance(
        counters.wallet,
        counters.asset,
        counters.available_minor - (amount_minor if is_m0 else 0),
        counters.held_minor,
        day,
        min(day_spent, INT64_MAX),
        year,
        min(year_spent, INT64_MAX),
        context.position if is_m0 else counters.previous,
        counters.deposits_minor,
    )
    return (counted, counted) if is_m0 else (_change(before, context, -amount_minor, 0), counted)


def _change(before: Balance, context: Context, available: int, held: int) -> Balance:
    return msgspec.structs.replace(
        before,
        available_minor=before.available_minor + available,
        held_minor=before.held_minor + held,
        previous=context.position,
    )


def _enter(before: Balance, after: Balance, counters: Balance, deltas: tuple[Delta, ...]) -> Entry:
    """Build an entry; a deposit's change is counted in the row of its currency's M0, too."""
    old = before.available_minor + before.held_minor
    new = after.available_minor + after.held_minor
    if len(after.asset) == CURRENCY_LETTERS:
        return Entry(after, deltas, (new > 0) - (old > 0))
    deposits_minor = counters.deposits_minor + new - old
    counters = msgspec.structs.replace(counters, deposits_minor=deposits_minor)
    return Entry(after, deltas, (new > 0) - (old > 0), counters)


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
