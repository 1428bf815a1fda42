"""What a transaction would pay: the payments in it for which the node's member must answer.

Only form is asked here; whether a payment can be made, the contract decides. What this cannot read
no attestation is given for, so the contract refuses it where policy demands one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from hansa.contracts import payments
from hansa.contracts.payments import CashOut, Hold, Refund, Transfer
from hansa.contracts.records import Payment
from hansa.contracts.wallets import Wallet
from hansa.kernel.block import Receipt, Status
from hansa.kernel.contract import Delta, Ledger
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.rows import Rows
from hansa.kernel.transaction import Body, Call


class Intended(NamedTuple):
    """A payment that a transaction would make."""

    payer: bytes
    payee: bytes
    asset: str
    amount_minor: int


class Named(NamedTuple):
    """What a payment says of itself; None for what only the ledger of its time can tell."""

    payer: bytes | None
    payee: bytes | None
    asset: str | None
    amount_minor: int

    def may_be(self, intended: Intended) -> bool:
        """Whether it can be this payment."""
        return all(ours in (None, theirs) for ours, theirs in zip(self, intended, strict=True))


_WALLET: Final = Ledger.WALLET.value
_DECODERS: Final[Mapping[str, Callable[[bytes], Transfer | Hold | Refund | CashOut]]] = {
    "transfer": msgspec.msgpack.Decoder(Transfer).decode,
    "hold": msgspec.msgpack.Decoder(Hold).decode,
    "refund": msgspec.msgpack.Decoder(Refund).decode,
    "cash_out": msgspec.msgpack.Decoder(CashOut).decode,
}
"""Commands that take money out of a wallet, as `payments` checks them by `require_attested`."""


def find_payments(body: Body, rows: Rows, operator: bytes) -> list[Intended]:
    """Find the payments that come out of an operator's wallets, in the order of the calls.

    A second refund within one transaction of what its first call pays is not found: no payment is
    on record yet whose payer it could be read from.
    """
    found = [_read(call, rows) for call in body.calls if call.contract == payments.NAME]
    return [each for each in found if each is not None and _is_kept(rows, each, operator)]


def find_named(body: Body) -> list[Named]:
    """Find what all payments of a transaction say of themselves, in the order of the calls."""
    named: list[Named] = []
    for call in body.calls:
        match _decode(call) if call.contract == payments.NAME else None:
            case Transfer() | Hold() as paid:
                named.append(Named(paid.payer, paid.payee, paid.asset, paid.amount_minor))
            case CashOut() as paid:
                named.append(Named(paid.wallet, None, paid.asset, paid.amount_minor))
            case Refund() as paid:
                named.append(Named(None, paid.payer, None, paid.amount_minor))
            case None:
                pass
    return named


def find_paid(receipt: Receipt) -> list[Intended]:
    """Find the payments that came out of wallets in a transaction, as its receipt tells."""
    if receipt.status is not Status.OK:
        return []
    found = [
        _read_paid(name, fields)
        for contract, name, fields in receipt.events
        if contract == payments.NAME
    ]
    return [each for each in found if each is not None]


def _read_paid(name: str, fields: Sequence[Any]) -> Intended | None:
    """Read one event: out of whose wallet money went, and to whom."""
    deltas = [Delta(*each) for each in fields[0]]
    out = next((each for each in deltas if each.ledger == _WALLET and each.amount_minor < 0), None)
    if out is None:
        return None
    payee = fields[1] if name == payments.Held.__name__ else None
    for each in deltas:
        if each.owner != out.owner and each.amount_minor > 0:
            payee = each.owner
    if payee is None:  # of what was held before, and counted then
        return None
    return Intended(out.owner, payee, out.asset, -out.amount_minor)


def _decode(call: Call) -> Transfer | Hold | Refund | CashOut | None:
    decode = _DECODERS.get(call.command)
    if decode is None:
        return None
    try:
        return decode(call.arguments)
    except DECODE_ERRORS:
        return None


def _read(call: Call, rows: Rows) -> Intended | None:
    command = _decode(call)
    match command:
        case None:
            return None
        case Transfer() | Hold():
            return Intended(command.payer, command.payee, command.asset, command.amount_minor)
        case CashOut():
            wallet = rows.get(Wallet, command.wallet)
            operator = b"" if wallet is None else wallet.operator
            return Intended(command.wallet, operator, command.asset, command.amount_minor)
        case Refund():
            paid = rows.get(Payment, command.payer, command.end_to_end_id)
            if paid is None:
                return None
            return Intended(paid.payee, paid.payer, paid.asset, command.amount_minor)


def _is_kept(rows: Rows, intended: Intended, operator: bytes) -> bool:
    wallet = rows.get(Wallet, intended.payer)
    return wallet is not None and wallet.operator == operator
