"""Tiers: a wallet rises to a better category by a credential that its holder showed its operator.

The credential stays with the operator. The ledger has the hash of its presentation, the moment to
which the presentation's nonce is bound, and a nullifier: a hash of the name that the credential
gives the person towards this operator alone, and of the category. One nullifier lifts one wallet
at a time, so no credential lifts a thousand; and as the name is another one towards each operator,
outsiders cannot tell whether two operators have the same customer. A lift ends by itself, and
sooner when its operator says so: the credential was revoked, or its holder asks. Its row is swept
afterwards by anyone. What a lift is worth is policy: the limits of the category (`balances`).
Units: milliseconds of ledger time.

Source: e-CNY wallet categories (PBoC white paper 2021, section 3.2); docs/concepts/identity.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from hansa.contracts import members, policy, wallets
from hansa.contracts.wallets import Category, Wallet
from hansa.kernel.authority import Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows
from hansa.kernel.values import Address, Hash, TimeMs

NAME = "tiers"
VERSION = 1

PRESENTED_AHEAD_MAX_MS = DAY_MS
"""How long a presentation may be good for, so that none is kept to be used much later."""
DAYS_KEY = "tiers.days_max"
DAYS_MAX = 366
"""The longest lift where policy is silent."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    NOT_ITS_OPERATOR = "tiers.NOT_ITS_OPERATOR"
    NOT_LIFTED = "tiers.NOT_LIFTED"
    STILL_IN_TIME = "tiers.STILL_IN_TIME"
    STALE = "tiers.STALE"
    WRONG_TIME = "tiers.WRONG_TIME"
    NOT_BETTER = "tiers.NOT_BETTER"
    NULLIFIER_USED = "tiers.NULLIFIER_USED"


class Reason(StrEnum):
    """Why a lift was ended before its time."""

    REVOKED = "revoked"
    """The credential was revoked by its issuer."""
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    """The credential ended earlier than the lift would have."""
    REQUESTED = "requested"
    """By the holder, as to lift another wallet."""
    MISTAKEN = "mistaken"
    """It should never have been lifted."""


class Lift(Row, frozen=True, array_like=True):
    """What lifted a wallet last; whether it still does is in the times and in the wallet's row."""

    TABLE: ClassVar[bytes] = b"tl"
    KEY: ClassVar[tuple[str, ...]] = ("wallet",)
    CHARGED_TO: ClassVar[str] = "sponsor"

    wallet: Address
    operator: Address
    category: Category
    nullifier: Hash
    presentation_hash: Hash
    presented_until_ms: TimeMs
    """To which the presentation's nonce commits."""
    since_ms: TimeMs
    until_ms: TimeMs
    """The last moment at which it counts."""
    sponsor: Address
    """Who brought it in, and is charged for this row until it is swept."""


class Nullifier(Row, frozen=True, array_like=True):
    """Which wallet a nullifier lifted last; each operator's are its own, so none blocks another."""

    TABLE: ClassVar[bytes] = b"tn"
    KEY: ClassVar[tuple[str, ...]] = ("operator", "nullifier")
    CHARGED_TO: ClassVar[str] = "sponsor"

    operator: Address
    nullifier: Hash
    wallet: Address
    sponsor: Address


class Raise(Command, frozen=True, array_like=True):
    """Lift a wallet to a better category, or renew that; as its operator."""

    wallet: Address
    operator: Address
    category: Category
    nullifier: Hash
    presentation_hash: Hash
    presented_until_ms: TimeMs
    until_ms: TimeMs


class Lower(Command, frozen=True, array_like=True):
    """End a lift before its time; as the wallet's operator, or the central bank in its stead."""

    wallet: Address
    operator: Address
    reason: Reason


class Sweep(Command, frozen=True, array_like=True):
    """Remove the rows of a lift that is over, or whose wallet is closed; anyone may."""

    wallet: Address


class Raised(Event, frozen=True, array_like=True):
    """A wallet is lifted to a category, on the strength of a presentation."""

    wallet: Address
    operator: Address
    category: Category
    nullifier: Hash
    presentation_hash: Hash
    until_ms: TimeMs


class Lowered(Event, frozen=True, array_like=True):
    """A wallet is no longer lifted; its category is the one before."""

    wallet: Address
    operator: Address
    reason: Reason


class Swept(Event, frozen=True, array_like=True):
    """The rows of a lift were removed."""

    wallet: Address


def raise_wallet(view: View, context: Context, command: Raise) -> list[Event]:
    """Lift a wallet; what the operator was shown, it answers for.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.operator, Purpose.OPERATE)
    members.require_role(view, command.operator, members.Role.OPERATOR)
    wallet = _get_kept(view, command.wallet, command.operator)
    _check_times(view, context, command)
    present = wallets.get_category(wallet, context.time_ms)
    if command.category >= wallet.category or command.category > present:
        raise Refused(Code.NOT_BETTER, category=command.category.name, present=present.name)
    other = find_holder(view, command.operator, command.nullifier, context.time_ms)
    if other is not None and other.wallet != command.wallet:
        raise Refused(Code.NULLIFIER_USED, wallet=other.wallet, until_ms=other.until_ms)
    # CHANGE
    _forget(view, command.wallet)
    view.put(_build(context, command))
    used = (command.operator, command.nullifier)
    view.put(Nullifier(*used, command.wallet, context.sponsor))
    wallets.set_lift(view, wallet, command.category, command.until_ms)
    # TELL
    parties = (command.wallet, command.operator, command.category)
    shown = (command.nullifier, command.presentation_hash, command.until_ms)
    return [Raised(NO_MONEY, *parties, *shown)]


def lower_wallet(view: View, context: Context, command: Lower) -> list[Event]:
    """End a lift; what the wallet holds above the limits of its category stays.

    The central bank does it for an operator that is not in standing: a revoked credential would
    else lift a wallet for as long as nobody may lower it.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    if members.is_active(view, command.operator, members.Role.OPERATOR):
        context.require(command.operator, Purpose.OPERATE)
    else:
        context.require(members.get_central_bank(view), Purpose.ORDER)
    wallet = _get_kept(view, command.wallet, command.operator)
    if context.time_ms > wallet.lifted_until_ms:
        raise Refused(Code.NOT_LIFTED, wallet=command.wallet)
    # CHANGE
    _forget(view, command.wallet)
    wallets.set_lift(view, wallet, Category.IV, 0)
    # TELL
    return [Lowered(NO_MONEY, command.wallet, command.operator, command.reason)]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove the rows of a lift that counts no more.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    lift = view.get(Lift, command.wallet)
    if lift is None:
        raise Refused(Code.NOT_LIFTED, wallet=command.wallet)
    if _is_in_force(view, lift, context.time_ms):
        raise Refused(Code.STILL_IN_TIME, until_ms=lift.until_ms)
    # CHANGE
    _forget(view, command.wallet)
    # TELL
    return [Swept(NO_MONEY, command.wallet)]


def find_lift(rows: Rows, wallet: bytes, time_ms: int) -> Lift | None:
    """Find what lifts a wallet at a time; a lift that is over counts as gone, swept or not."""
    lift = rows.get(Lift, wallet)
    return lift if lift is not None and _is_in_force(rows, lift, time_ms) else None


def find_holder(rows: Rows, operator: bytes, nullifier: bytes, time_ms: int) -> Lift | None:
    """Find the lift for which a nullifier is used at a time; None if it is free."""
    used = rows.get(Nullifier, operator, nullifier)
    lift = None if used is None else find_lift(rows, used.wallet, time_ms)
    return lift if lift is not None and lift.nullifier == nullifier else None


def _get_kept(view: View, address: bytes, operator: bytes) -> Wallet:
    """Get an open wallet that an operator keeps."""
    wallet = wallets.get_open(view, address)
    if wallet.operator != operator:
        raise Refused(Code.NOT_ITS_OPERATOR, wallet=address)
    return wallet


def _check_times(view: View, context: Context, command: Raise) -> None:
    now_ms = context.time_ms
    if not now_ms <= command.presented_until_ms <= now_ms + PRESENTED_AHEAD_MAX_MS:
        raise Refused(Code.STALE, presented_until_ms=command.presented_until_ms, time_ms=now_ms)
    days_max = (policy.get_in_force(view, context, DAYS_KEY) or (DAYS_MAX,))[0]
    if not now_ms < command.until_ms <= now_ms + days_max * DAY_MS:
        raise Refused(Code.WRONG_TIME, time_ms=now_ms, days_max=days_max)


def _is_in_force(rows: Rows, lift: Lift, time_ms: int) -> bool:
    if time_ms > lift.until_ms:
        return False
    wallet = rows.get(Wallet, lift.wallet)
    return wallet is not None and not wallet.closed


def _forget(view: View, wallet: bytes) -> None:
    """Remove what is on record of a wallet's lift; its nullifier may lift another one by now."""
    lift = view.get(Lift, wallet)
    if lift is None:
        return
    view.delete(Lift, wallet)
    used = view.get(Nullifier, lift.operator, lift.nullifier)
    if used is not None and used.wallet == wallet:
        view.delete(Nullifier, lift.operator, lift.nullifier)


def _build(context: Context, command: Raise) -> Lift:
    return Lift(
        command.wallet,
        command.operator,
        command.category,
        command.nullifier,
        command.presentation_hash,
        command.presented_until_ms,
        context.time_ms,
        command.until_ms,
        context.sponsor,
    )


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "raise": (Raise, raise_wallet),
    "lower": (Lower, lower_wallet),
    "sweep": (Sweep, sweep),
}
