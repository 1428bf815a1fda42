"""Currency: assets, their issue and redemption, operators' vaults and quotas.

An asset is a currency, a liable issuer and a regime. Under `m0` the issuer is the central bank;
under `deposit` it is an operator in good standing, within a quota that the central bank sets.
Money comes into being and ends only here, under m of n officers of its issuer (purpose ISSUE).
Vaults are kept for operators and for an asset's issuer. At every position of the ledger: issued =
vaults + wallets + held; and no issue takes an asset above the sum of its quotas, though a quota
may be lowered below what is issued. Amounts are minor units.

Source: PBoC, Progress of Research & Development of E-CNY in China (2021), sections 2 and 3.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.contracts import members
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Delta, Event, Function, Ledger
from hansa.kernel.errors import Invalid, InvalidCode, Refused
from hansa.kernel.genesis import Genesis, GenesisAsset
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import INT64_MAX, Address, AssetCode, NonNegative, Positive, Signed

NAME = "currency"
VERSION = 1
EXPONENT_MAX = 8
CURRENCY_LETTERS = 3
CurrencyCode = Annotated[str, Meta(min_length=CURRENCY_LETTERS, max_length=CURRENCY_LETTERS)]
"""ISO 4217 alphabetic code."""
Exponent = Annotated[int, Meta(ge=0, le=EXPONENT_MAX)]
"""Digits after the decimal point of one major unit."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    SAME_VAULT = "currency.SAME_VAULT"
    UNKNOWN_ASSET = "currency.UNKNOWN_ASSET"
    ASSET_EXISTS = "currency.ASSET_EXISTS"
    WRONG_NAME = "currency.WRONG_NAME"
    WRONG_ISSUER = "currency.WRONG_ISSUER"
    OVER_QUOTA = "currency.OVER_QUOTA"
    INSUFFICIENT_VAULT = "currency.INSUFFICIENT_VAULT"
    OVERFLOW = "currency.OVERFLOW"


class Regime(StrEnum):
    """Whose liability the money is, and under which rules."""

    M0 = "m0"
    DEPOSIT = "deposit"


class Asset(Row, frozen=True, array_like=True):
    """Money of one currency, issuer and regime."""

    TABLE: ClassVar[bytes] = b"cy"
    KEY: ClassVar[tuple[str, ...]] = ("asset",)

    asset: AssetCode
    currency: CurrencyCode
    issuer: Address
    regime: Regime
    exponent: Exponent
    issued_minor: NonNegative = 0
    """Issued less redeemed and destroyed."""
    previous: NonNegative = 0


class Vault(Row, frozen=True, array_like=True):
    """An operator's stock of an asset, and how much may be issued to it."""

    TABLE: ClassVar[bytes] = b"cv"
    KEY: ClassVar[tuple[str, ...]] = ("operator", "asset")

    operator: Address
    asset: AssetCode
    balance_minor: NonNegative = 0
    quota_minor: NonNegative = 0
    issued_minor: Signed = 0
    """Issued to this operator less redeemed by it; below zero if it redeemed others' money."""
    previous: NonNegative = 0


class Define(Command, frozen=True, array_like=True):
    """Create an asset: M0 is named by its currency, a deposit `<currency>.<short name>`."""

    asset: AssetCode
    currency: CurrencyCode
    issuer: Address
    regime: Regime
    exponent: Exponent


class SetQuota(Command, frozen=True, array_like=True):
    """Say how much of an asset may be outstanding to an operator."""

    operator: Address
    asset: AssetCode
    quota_minor: NonNegative


class Issue(Command, frozen=True, array_like=True):
    """Create money in an operator's vault."""

    operator: Address
    asset: AssetCode
    amount_minor: Positive


class Redeem(Command, frozen=True, array_like=True):
    """Take money out of an operator's vault and out of existence."""

    operator: Address
    asset: AssetCode
    amount_minor: Positive


class Destroy(Command, frozen=True, array_like=True):
    """End money that lies in the issuer's own vault."""

    asset: AssetCode
    amount_minor: Positive


class MoveVault(Command, frozen=True, array_like=True):
    """Move money from one institution's vault to another's."""

    payer: Address
    payee: Address
    asset: AssetCode
    amount_minor: Positive


class Defined(Event, frozen=True, array_like=True):
    """An asset was created."""

    asset: AssetCode
    issuer: Address
    regime: Regime
    currency: CurrencyCode
    exponent: Exponent


class QuotaSet(Event, frozen=True, array_like=True):
    """An operator's quota changed."""

    operator: Address
    asset: AssetCode
    quota_minor: NonNegative


class Issued(Event, frozen=True, array_like=True):
    """Money came into being."""

    operator: Address
    asset: AssetCode
    amount_minor: Positive


class Redeemed(Event, frozen=True, array_like=True):
    """Money left a vault and ended."""

    operator: Address
    asset: AssetCode
    amount_minor: Positive


class Destroyed(Event, frozen=True, array_like=True):
    """Money in the issuer's own vault ended."""

    issuer: Address
    asset: AssetCode
    amount_minor: Positive


class VaultMoved(Event, frozen=True, array_like=True):
    """Money changed vaults."""

    payer: Address
    payee: Address
    asset: AssetCode
    amount_minor: Positive


def define(view: View, context: Context, command: Define) -> list[Event]:
    """Create an asset; needs the central bank's officers."""
    context.require(members.get_central_bank(view), Purpose.ISSUE)
    return define_approved(view, context, command)


def set_quota(view: View, context: Context, command: SetQuota) -> list[Event]:
    """Set a quota; needs the central bank's officers, whoever issues the asset."""
    context.require(members.get_central_bank(view), Purpose.ISSUE)
    return set_quota_approved(view, context, command)


def issue(view: View, context: Context, command: Issue) -> list[Event]:
    """Create money in a vault; needs the issuer's officers."""
    context.require(get_asset(view, command.asset).issuer, Purpose.ISSUE, command.amount_minor)
    return issue_approved(view, context, command)


def redeem(view: View, context: Context, command: Redeem) -> list[Event]:
    """End money in a vault; needs the issuer's officers and the operator."""
    context.require(get_asset(view, command.asset).issuer, Purpose.ISSUE, command.amount_minor)
    context.require(command.operator, Purpose.OPERATE, command.amount_minor)
    return redeem_approved(view, context, command)


def destroy(view: View, context: Context, command: Destroy) -> list[Event]:
    """End money in the issuer's own vault; needs the issuer's officers."""
    context.require(get_asset(view, command.asset).issuer, Purpose.ISSUE, command.amount_minor)
    return destroy_approved(view, context, command)


def move_vault(view: View, context: Context, command: MoveVault) -> list[Event]:
    """Move money between two institutions' vaults; the sum of vaults does not change."""
    # CHECK
    context.require(command.payer, Purpose.OPERATE, command.amount_minor)
    if command.payer == command.payee:
        raise Refused(Code.SAME_VAULT, vault=command.payer)
    asset = get_asset(view, command.asset)
    _require_vault(view, command.payer, asset)
    _require_vault(view, command.payee, asset)
    debit = check_vault(view, context, command.payer, command.asset, -command.amount_minor)
    credit = check_vault(view, context, command.payee, command.asset, command.amount_minor)
    # CHANGE
    deltas = (put_vault(view, debit), put_vault(view, credit))
    # TELL
    return [VaultMoved(deltas, command.payer, command.payee, command.asset, command.amount_minor)]


def define_approved(view: View, context: Context, command: Define) -> list[Event]:
    """Create an asset once authority is established, here or by a vote of officers."""
    # CHECK
    if view.get(Asset, command.asset) is not None:
        raise Refused(Code.ASSET_EXISTS, asset=command.asset)
    fault = _find_fault(view, command)
    if fault is not None:
        raise Refused(fault, asset=command.asset, issuer=command.issuer)
    if command.regime is Regime.DEPOSIT:
        members.require_role(view, command.issuer, members.Role.OPERATOR)
    # CHANGE
    view.put(
        Asset(command.asset, command.currency, command.issuer, command.regime, command.exponent)
    )
    # TELL
    fields = (command.asset, command.issuer, command.regime, command.currency, command.exponent)
    return [Defined(NO_MONEY, *fields)]


def set_quota_approved(view: View, context: Context, command: SetQuota) -> list[Event]:
    """Set a quota once authority is established; what is issued already stays issued.

    That of a suspended operator can be lowered, so that it finds it low when it is reinstated.
    """
    # CHECK
    asset, vault = get_asset(view, command.asset), get_vault(view, command.operator, command.asset)
    if command.quota_minor >= vault.quota_minor:
        _require_vault(view, command.operator, asset)
    # CHANGE
    view.put(msgspec.structs.replace(vault, quota_minor=command.quota_minor))
    # TELL
    return [QuotaSet(NO_MONEY, command.operator, command.asset, command.quota_minor)]


def issue_approved(view: View, context: Context, command: Issue) -> list[Event]:
    """Create money in a vault once authority is established."""
    # CHECK
    asset = get_asset(view, command.asset)
    _require_standing(view, asset)
    _require_vault(view, command.operator, asset)
    vault = get_vault(view, command.operator, command.asset)
    if vault.issued_minor + command.amount_minor > vault.quota_minor:
        raise Refused(
            Code.OVER_QUOTA, quota_minor=vault.quota_minor, issued_minor=vault.issued_minor
        )
    if asset.issued_minor + command.amount_minor > INT64_MAX:
        raise Refused(Code.OVERFLOW, issued_minor=asset.issued_minor)
    # CHANGE
    deltas = _change_supply(view, context, asset, vault, command.amount_minor)
    # TELL
    return [Issued(deltas, command.operator, command.asset, command.amount_minor)]


def redeem_approved(view: View, context: Context, command: Redeem) -> list[Event]:
    """End money in a vault once authority is established.

    A suspended operator's M0 may end: whoever winds it up signs for it, with the central bank.
    """
    # CHECK
    asset = get_asset(view, command.asset)
    _require_standing(view, asset)
    vault = _require_stock(view, command.operator, command.asset, command.amount_minor)
    # CHANGE
    deltas = _change_supply(view, context, asset, vault, -command.amount_minor)
    # TELL
    return [Redeemed(deltas, command.operator, command.asset, command.amount_minor)]


def destroy_approved(view: View, context: Context, command: Destroy) -> list[Event]:
    """End money in the issuer's own vault once authority is established."""
    # CHECK
    asset = get_asset(view, command.asset)
    _require_standing(view, asset)
    vault = _require_stock(view, asset.issuer, command.asset, command.amount_minor)
    # CHANGE
    deltas = _change_supply(view, context, asset, vault, -command.amount_minor)
    # TELL
    return [Destroyed(deltas, asset.issuer, command.asset, command.amount_minor)]


def issue_ordered(view: View, context: Context, command: Issue) -> list[Event]:
    """Create money by a vote of the central bank's officers: theirs alone."""
    _require_central_bank(view, command.asset)
    return issue_approved(view, context, command)


def redeem_ordered(view: View, context: Context, command: Redeem) -> list[Event]:
    """End money by such a vote; the operator signs the transaction that carries it out."""
    _require_central_bank(view, command.asset)
    context.require(command.operator, Purpose.OPERATE, command.amount_minor)
    return redeem_approved(view, context, command)


def destroy_ordered(view: View, context: Context, command: Destroy) -> list[Event]:
    """End money in the central bank's own vault by such a vote."""
    _require_central_bank(view, command.asset)
    return destroy_approved(view, context, command)


def get_asset(view: View, asset: str) -> Asset:
    """Get an asset; refuses an unknown one."""
    row = view.get(Asset, asset)
    if row is None:
        raise Refused(Code.UNKNOWN_ASSET, asset=asset)
    return row


def get_vault(view: View, operator: bytes, asset: str) -> Vault:
    """Get a vault; an empty one, without quota, if none was opened yet."""
    return view.get(Vault, operator, asset) or Vault(operator, asset)


def check_vault(view: View, context: Context, operator: bytes, asset: str, amount: int) -> Vault:
    """Compute a vault after `amount` minor units came in (or, negative, went out).

    Refuses with INSUFFICIENT_VAULT; writes nothing.
    """
    vault = get_vault(view, operator, asset)
    if vault.balance_minor + amount < 0:
        raise Refused(Code.INSUFFICIENT_VAULT, balance_minor=vault.balance_minor)
    return msgspec.structs.replace(
        vault, balance_minor=vault.balance_minor + amount, previous=context.position
    )


def put_vault(view: View, changed: Vault) -> Delta:
    """Write a vault computed by `check_vault`; returns the change for the event."""
    before = get_vault(view, changed.operator, changed.asset)
    view.put(changed)
    return Delta(
        Ledger.VAULT,
        changed.operator,
        changed.asset,
        changed.balance_minor - before.balance_minor,
        changed.balance_minor,
        before.previous,
    )


def install(view: View, genesis: Genesis) -> None:
    """Write the assets that genesis names.

    Raises:
      Invalid: an asset is unsound, or named twice.
    """
    for item in genesis.assets:
        asset = Asset(
            item.asset,
            item.currency,
            item.issuer,
            Regime.M0 if item.regime == Regime.M0 else Regime.DEPOSIT,
            item.exponent,
        )
        is_operator = members.is_active(view, item.issuer, members.Role.OPERATOR)
        is_sound = (
            item.regime in {regime.value for regime in Regime}
            and item.exponent <= EXPONENT_MAX
            and (is_operator or asset.regime is Regime.M0)
            and _find_fault(view, asset) is None
            and view.get(Asset, item.asset) is None
        )
        if not is_sound:
            raise _invalid(item)
        view.put(asset)


def _invalid(item: GenesisAsset) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"genesis asset {item.asset!r} is named twice or unsound: M0 is named by its currency "
        "and issued by the central bank, a deposit is named <currency>.<short name> and issued by "
        f"an operator, and at most {EXPONENT_MAX} digits follow the point",
        asset=item.asset,
    )


def _find_fault(view: View, asset: Asset | Define) -> Code | None:
    """Find what is wrong with an asset's name or issuer, if anything is."""
    if not _is_name(asset):
        return Code.WRONG_NAME
    is_central_bank = asset.issuer == members.get_central_bank(view)
    return None if is_central_bank is (asset.regime is Regime.M0) else Code.WRONG_ISSUER


def _is_name(asset: Asset | Define) -> bool:
    """Whether the name says currency and regime, in letters that cannot be mistaken."""
    head, dot, tail = asset.asset.partition(".")
    is_currency = len(head) == CURRENCY_LETTERS and all("A" <= each <= "Z" for each in head)
    if head != asset.currency or not is_currency:
        return False
    if asset.regime is Regime.M0:
        return not dot
    return bool(tail) and all("a" <= each <= "z" or "0" <= each <= "9" for each in tail)


def _require_standing(view: View, asset: Asset) -> None:
    """Refuse the acts of a deposit's issuer that is suspended or no operator any more."""
    if asset.regime is Regime.DEPOSIT:
        members.require_role(view, asset.issuer, members.Role.OPERATOR)


def _require_vault(view: View, owner: bytes, asset: Asset) -> None:
    """Refuse a vault to others than operators and the central bank for what it issues."""
    if asset.regime is Regime.M0 and owner == asset.issuer:
        return
    members.require_role(view, owner, members.Role.OPERATOR)


def _require_central_bank(view: View, asset: str) -> None:
    """Refuse to touch money for which another than the central bank is liable."""
    issuer = get_asset(view, asset).issuer
    if issuer != members.get_central_bank(view):
        raise Refused(Code.WRONG_ISSUER, asset=asset, issuer=issuer)


def _require_stock(view: View, operator: bytes, asset: str, amount_minor: int) -> Vault:
    """Get a vault in which so much may end, the count of what it ended staying in 64 bits."""
    vault = get_vault(view, operator, asset)
    if vault.balance_minor < amount_minor:
        raise Refused(Code.INSUFFICIENT_VAULT, balance_minor=vault.balance_minor)
    if vault.issued_minor - amount_minor < -INT64_MAX:
        raise Refused(Code.OVERFLOW, issued_minor=vault.issued_minor)
    return vault


def _change_supply(
    view: View, context: Context, asset: Asset, vault: Vault, amount_minor: int
) -> tuple[Delta, ...]:
    """Create (or, negative, end) money in a vault: the two legs that keep the supply equation."""
    issued_minor = asset.issued_minor + amount_minor
    stocked = msgspec.structs.replace(
        vault,
        balance_minor=vault.balance_minor + amount_minor,
        issued_minor=vault.issued_minor + amount_minor,
        previous=context.position,
    )
    supply = Delta(
        Ledger.ISSUED, asset.issuer, asset.asset, amount_minor, issued_minor, asset.previous
    )
    view.put(msgspec.structs.replace(asset, issued_minor=issued_minor, previous=context.position))
    return (supply, put_vault(view, stocked))


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "define": (Define, define),
    "set_quota": (SetQuota, set_quota),
    "issue": (Issue, issue),
    "redeem": (Redeem, redeem),
    "destroy": (Destroy, destroy),
    "move_vault": (MoveVault, move_vault),
}

APPROVED: dict[str, tuple[type[Command], Function]] = {
    "define": (Define, define_approved),
    "set_quota": (SetQuota, set_quota_approved),
    "issue": (Issue, issue_ordered),
    "redeem": (Redeem, redeem_ordered),
    "destroy": (Destroy, destroy_ordered),
}
"""Monetary acts that a vote of the central bank's officers may order (see `governance`)."""
