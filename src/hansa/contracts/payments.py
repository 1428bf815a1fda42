"""Payments: transfers, holds, refunds, and conversion between vault and wallet.

A payment is named by its payer and the payer's `end_to_end_id`, accepted once while the payment
is on record: a hold until it ends, all else for the policy's `payments.refund_days`. After that it
counts as gone, and anyone may sweep its row. Amounts are minor units of one asset.

Source: ISO 20022 pain.001 and pacs.008 (EndToEndIdentification), pacs.004 (return).
"""

from __future__ import annotations

import msgspec

from hansa.contracts import balances, currency, members, policy, records, wallets
from hansa.contracts.records import LIFE_CYCLE as LIFE_CYCLE
from hansa.contracts.records import Code as Code
from hansa.contracts.records import Payment as Payment
from hansa.contracts.records import Status as Status
from hansa.contracts.risk.in_force import require_attested
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import NO_MONEY, Command, Event, Function, ListReads
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import RowId
from hansa.kernel.values import Address, AssetCode, EndToEndId, Positive, TimeMs

NAME = "payments"
VERSION = 1

HOLD_DAYS_MAX = 30


class Transfer(Command, frozen=True, array_like=True):
    """Pay from wallet to wallet."""

    payer: Address
    payee: Address
    asset: AssetCode
    amount_minor: Positive
    end_to_end_id: EndToEndId


class Hold(Command, frozen=True, array_like=True):
    """Reserve money in the payer's wallet for a payee."""

    payer: Address
    payee: Address
    asset: AssetCode
    amount_minor: Positive
    end_to_end_id: EndToEndId
    expires_ms: TimeMs


class Post(Command, frozen=True, array_like=True):
    """Take (all or part of) a hold; the rest returns to the payer."""

    payer: Address
    end_to_end_id: EndToEndId
    amount_minor: Positive


class Void(Command, frozen=True, array_like=True):
    """Give a hold back: by the payee at any time, by anyone once it has expired."""

    payer: Address
    end_to_end_id: EndToEndId


class Refund(Command, frozen=True, array_like=True):
    """Pay back all or part of a payment, as a new payment of its payee."""

    payer: Address
    """Payer of the original payment, who receives the refund."""
    end_to_end_id: EndToEndId
    amount_minor: Positive
    refund_id: EndToEndId
    """The refunder's own reference."""


class CashIn(Command, frozen=True, array_like=True):
    """Convert from the operator's vault into a wallet."""

    operator: Address
    wallet: Address
    asset: AssetCode
    amount_minor: Positive
    end_to_end_id: EndToEndId


class CashOut(Command, frozen=True, array_like=True):
    """Convert from a wallet into its operator's vault."""

    wallet: Address
    asset: AssetCode
    amount_minor: Positive
    end_to_end_id: EndToEndId


class Sweep(Command, frozen=True, array_like=True):
    """Remove a payment's row after its time; anyone may."""

    payer: Address
    end_to_end_id: EndToEndId


class Transferred(Event, frozen=True, array_like=True):
    """Money moved between wallets; the deltas say whose."""

    end_to_end_id: EndToEndId
    attestation: bytes
    """The sponsor's commitment to its risk decision, empty if none."""


class Held(Event, frozen=True, array_like=True):
    """Money was reserved."""

    payee: Address
    end_to_end_id: EndToEndId
    expires_ms: TimeMs
    attestation: bytes


class Posted(Event, frozen=True, array_like=True):
    """A hold was taken."""

    payer: Address
    end_to_end_id: EndToEndId
    amount_minor: Positive


class Voided(Event, frozen=True, array_like=True):
    """A hold was given back."""

    payer: Address
    end_to_end_id: EndToEndId


class Refunded(Event, frozen=True, array_like=True):
    """Money of an earlier payment went back."""

    payer: Address
    end_to_end_id: EndToEndId
    refund_id: EndToEndId
    refunded_minor: Positive
    """Sum of all refunds of this payment so far."""
    attestation: bytes


class Converted(Event, frozen=True, array_like=True):
    """Money moved between an operator's vault and a wallet."""

    operator: Address
    end_to_end_id: EndToEndId
    attestation: bytes


class Swept(Event, frozen=True, array_like=True):
    """A payment's row was removed."""

    payer: Address
    end_to_end_id: EndToEndId


def transfer(view: View, context: Context, command: Transfer) -> list[Event]:
    """Move money between two wallets; the sum of all balances does not change."""
    # CHECK
    context.require(command.payer, Purpose.PAY, command.amount_minor)
    payer, payee = _check_parties(view, context, command)
    asset, amount_minor = command.asset, command.amount_minor
    debit = balances.check_debit(view, context, payer, asset, amount_minor)
    credit = balances.check_credit(view, context, payee, asset, amount_minor)
    # CHANGE
    deltas = balances.post(view, debit, credit)
    _record(view, context, (command.payer, command.payee), command, Status.PAID)
    # TELL
    return [Transferred(deltas, command.end_to_end_id, context.attestation or b"")]


def hold(view: View, context: Context, command: Hold) -> list[Event]:
    """Reserve money; it counts against the payer's limits now, whatever becomes of it."""
    # CHECK
    context.require(command.payer, Purpose.PAY, command.amount_minor)
    payer, _ = _check_parties(view, context, command)
    days = policy.get_in_force(view, context, "payments.hold_days_max") or (HOLD_DAYS_MAX,)
    if not context.time_ms < command.expires_ms <= context.time_ms + days[0] * DAY_MS:
        raise Refused(Code.WRONG_EXPIRY, time_ms=context.time_ms, days_max=days[0])
    entry = balances.check_hold(view, context, payer, command.asset, command.amount_minor)
    # CHANGE
    deltas = balances.post(view, entry)
    _record(view, context, (command.payer, command.payee), command, Status.HELD)
    # TELL
    return [
        Held(
            deltas,
            command.payee,
            command.end_to_end_id,
            command.expires_ms,
            context.attestation or b"",
        )
    ]


def post(view: View, context: Context, command: Post) -> list[Event]:
    """Take a hold before it expires; by its payee, once, up to what is held."""
    # CHECK
    payment = records.get_payment(view, context, command.payer, command.end_to_end_id)
    context.require(payment.payee, Purpose.PAY)
    status = records.follow(payment, "post")
    if context.time_ms > payment.expires_ms:
        raise Refused(Code.HOLD_EXPIRED, expires_ms=payment.expires_ms)
    if command.amount_minor > payment.amount_minor:
        raise Refused(Code.OVER_HOLD, held_minor=payment.amount_minor)
    wallets.get_usable(view, payment.payer)
    payee = wallets.get_usable(view, payment.payee)
    rest_minor = payment.amount_minor - command.amount_minor
    release = balances.compute_release(
        view, context, payment.payer, payment.asset, payment.amount_minor, rest_minor
    )
    credit = balances.check_credit(view, context, payee, payment.asset, command.amount_minor)
    # CHANGE
    deltas = balances.post(view, release, credit)
    view.put(
        msgspec.structs.replace(
            payment,
            amount_minor=command.amount_minor,
            status=status,
            expires_ms=records.end_of_record(view, context),
        )
    )
    # TELL
    return [Posted(deltas, command.payer, command.end_to_end_id, command.amount_minor)]


def void(view: View, context: Context, command: Void) -> list[Event]:
    """Give a hold back to its payer; also to a frozen wallet, whose money then stays in it."""
    # CHECK
    payment = records.get_payment(view, context, command.payer, command.end_to_end_id)
    status = records.follow(payment, "void")
    if context.time_ms <= payment.expires_ms:
        context.require(payment.payee, Purpose.PAY)
    release = balances.compute_release(
        view,
        context,
        payment.payer,
        payment.asset,
        payment.amount_minor,
        payment.amount_minor,
    )
    # CHANGE
    deltas = balances.post(view, release)
    view.put(
        msgspec.structs.replace(
            payment, status=status, expires_ms=records.end_of_record(view, context)
        )
    )
    # TELL
    return [Voided(deltas, command.payer, command.end_to_end_id)]


def refund(view: View, context: Context, command: Refund) -> list[Event]:
    """Pay back a payment; the sum of its refunds never exceeds it."""
    # CHECK
    payment = records.get_payment(view, context, command.payer, command.end_to_end_id)
    context.require(payment.payee, Purpose.PAY, command.amount_minor)
    refunded_minor = payment.refunded_minor + command.amount_minor
    is_rest = refunded_minor == payment.amount_minor
    status = records.follow(payment, "refund_rest" if is_rest else "refund")
    if refunded_minor > payment.amount_minor:
        raise Refused(
            Code.OVER_REFUND, refundable_minor=payment.amount_minor - payment.refunded_minor
        )
    records.require_new_id(view, context, payment.payee, command.refund_id)
    payee = wallets.get_usable(view, payment.payee)
    payer = wallets.get_usable(view, payment.payer)
    asset, amount_minor = payment.asset, command.amount_minor
    require_attested(view, context, payee.operator, asset, amount_minor)
    debit = balances.check_return(view, context, payee, asset, amount_minor)
    credit = balances.check_credit(view, context, payer, asset, amount_minor, is_refund=True)
    # CHANGE
    deltas = balances.post(view, debit, credit)
    view.put(msgspec.structs.replace(payment, refunded_minor=refunded_minor, status=status))
    view.put(
        Payment(
            payment.payee,
            command.refund_id,
            payment.payer,
            payment.asset,
            amount_minor,
            Status.REFUND,
            context.position,
            records.end_of_record(view, context),
            context.sponsor,
        )
    )
    # TELL
    return [
        Refunded(
            deltas,
            command.payer,
            command.end_to_end_id,
            command.refund_id,
            refunded_minor,
            context.attestation or b"",
        )
    ]


def cash_in(view: View, context: Context, command: CashIn) -> list[Event]:
    """Convert an operator's money into a wallet's; the operator's own decision."""
    # CHECK
    context.require(command.operator, Purpose.OPERATE, command.amount_minor)
    members.require_role(view, command.operator, members.Role.OPERATOR)
    records.require_new_id(view, context, command.operator, command.end_to_end_id)
    asset, amount_minor = command.asset, command.amount_minor
    currency.get_asset(view, asset)
    wallet = wallets.get_usable(view, command.wallet)
    vault = currency.check_vault(view, context, command.operator, asset, -amount_minor)
    credit = balances.check_credit(view, context, wallet, asset, amount_minor)
    # CHANGE
    deltas = (currency.put_vault(view, vault), *balances.post(view, credit))
    _record(view, context, (command.operator, command.wallet), command, Status.CONVERTED)
    # TELL
    attestation = context.attestation or b""
    return [Converted(deltas, command.operator, command.end_to_end_id, attestation)]


def cash_out(view: View, context: Context, command: CashOut) -> list[Event]:
    """Convert a wallet's money into its operator's, who owes the deposit outside the ledger."""
    # CHECK
    context.require(command.wallet, Purpose.PAY, command.amount_minor)
    records.require_new_id(view, context, command.wallet, command.end_to_end_id)
    asset, amount_minor = command.asset, command.amount_minor
    wallet = wallets.get_usable(view, command.wallet)
    members.require_role(view, wallet.operator, members.Role.OPERATOR)
    require_attested(view, context, wallet.operator, asset, amount_minor)
    debit = balances.check_debit(view, context, wallet, asset, amount_minor)
    vault = currency.check_vault(view, context, wallet.operator, asset, amount_minor)
    # CHANGE
    deltas = (*balances.post(view, debit), currency.put_vault(view, vault))
    _record(view, context, (command.wallet, wallet.operator), command, Status.CONVERTED)
    # TELL
    attestation = context.attestation or b""
    return [Converted(deltas, wallet.operator, command.end_to_end_id, attestation)]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove a payment whose time on record is over."""
    # CHECK
    payment = view.get(Payment, command.payer, command.end_to_end_id)
    if payment is None:
        raise Refused(Code.UNKNOWN_PAYMENT, end_to_end_id=command.end_to_end_id)
    if payment.status is Status.HELD or context.time_ms <= payment.expires_ms:
        raise Refused(Code.STILL_ON_RECORD, expires_ms=payment.expires_ms)
    # CHANGE
    view.delete(Payment, command.payer, command.end_to_end_id)
    # TELL
    return [Swept(NO_MONEY, command.payer, command.end_to_end_id)]


def sum_paid(context: Context, payer: bytes, payee: bytes, asset: str, end_to_end_id: str) -> int:
    """Sum what earlier calls of this transaction transferred under this reference; 0 if nothing.

    For contracts that give something for money. The reference names what is paid for, and a
    payer's reference is accepted once, so no payment pays for two things.
    """
    return sum(
        credit.amount_minor
        for paid in context.list_earlier(Transferred)
        for debit, credit in [paid.deltas]
        if (debit.owner, credit.owner, credit.asset) == (payer, payee, asset)
        and paid.end_to_end_id == end_to_end_id
    )


def _check_parties(
    view: View, context: Context, command: Transfer | Hold
) -> tuple[wallets.Wallet, wallets.Wallet]:
    """Check whatever a payment asks of its parties, apart from money."""
    if command.payer == command.payee:
        raise Refused(Code.SAME_WALLET, wallet=command.payer)
    records.require_new_id(view, context, command.payer, command.end_to_end_id)
    payer = wallets.get_usable(view, command.payer)
    payee = wallets.get_usable(view, command.payee)
    require_attested(view, context, payer.operator, command.asset, command.amount_minor)
    return payer, payee


def _record(
    view: View,
    context: Context,
    parties: tuple[bytes, bytes],
    command: Transfer | Hold | CashIn | CashOut,
    status: Status,
) -> None:
    """Put a payment on record under its payer, the first of `parties`."""
    is_hold = isinstance(command, Hold)
    view.put(
        Payment(
            parties[0],
            command.end_to_end_id,
            parties[1],
            command.asset,
            command.amount_minor,
            status,
            context.position,
            command.expires_ms if is_hold else records.end_of_record(view, context),  # type: ignore[union-attr]
            context.sponsor,
        )
    )


def _list_reads(command: Transfer) -> tuple[RowId, ...]:
    payer, payee, asset = command.payer, command.payee, command.asset
    return (
        (Account, payer),
        (Payment, payer, command.end_to_end_id),
        (wallets.Wallet, payer),
        (wallets.Wallet, payee),
        (balances.Balance, payer, asset),
        (balances.Balance, payee, asset),
    )


READS: dict[type[Command], ListReads] = {Transfer: _list_reads}

COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "transfer": (Transfer, transfer),
    "hold": (Hold, hold),
    "post": (Post, post),
    "void": (Void, void),
    "refund": (Refund, refund),
    "cash_in": (CashIn, cash_in),
    "cash_out": (CashOut, cash_out),
    "sweep": (Sweep, sweep),
}
