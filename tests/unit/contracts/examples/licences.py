"""Licences: an example contract that gives something for money paid in the same transaction.

A department grants a licence to a wallet that paid the fee, in an earlier call of the same
transaction and under the licence's number. Neither happens without the other: the calls of a
transaction succeed or fail together. Amounts are minor units.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from hansa.contracts import members, payments
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, AssetCode, EndToEndId

NAME = "licences"
VERSION = 1

FEE_MINOR = 500


class Code(StrEnum):
    """Refusals, in order of precedence."""

    ALREADY_GRANTED = "licences.ALREADY_GRANTED"
    FEE_NOT_PAID = "licences.FEE_NOT_PAID"


class Licence(Row, frozen=True, array_like=True):
    """A licence that was granted."""

    TABLE: ClassVar[bytes] = b"li"
    KEY: ClassVar[tuple[str, ...]] = ("department", "number")

    department: Address
    number: EndToEndId
    holder: Address


class Grant(Command, frozen=True, array_like=True):
    """Grant a licence to the wallet that paid for it."""

    department: Address
    number: EndToEndId
    holder: Address
    asset: AssetCode


class Granted(Event, frozen=True, array_like=True):
    """A licence was granted."""

    department: Address
    number: EndToEndId
    holder: Address


def grant(view: View, context: Context, command: Grant) -> list[Event]:
    """Grant a licence for the fee of this version."""
    return grant_for(view, context, command, FEE_MINOR)


def grant_for(view: View, context: Context, command: Grant, fee_minor: int) -> list[Event]:
    """Grant a licence for a fee; the department signs beside the payer."""
    # CHECK
    context.require(command.department, Purpose.MANAGE)
    members.require_role(view, command.department, members.Role.DEPARTMENT)
    if view.get(Licence, command.department, command.number) is not None:
        raise Refused(Code.ALREADY_GRANTED, number=command.number)
    paid_minor = payments.sum_paid(
        context, command.holder, command.department, command.asset, command.number
    )
    if paid_minor < fee_minor:
        raise Refused(Code.FEE_NOT_PAID, paid_minor=paid_minor, fee_minor=fee_minor)
    # CHANGE
    view.put(Licence(command.department, command.number, command.holder))
    # TELL
    return [Granted(NO_MONEY, command.department, command.number, command.holder)]


COMMANDS: dict[str, tuple[type[Command], Function]] = {"grant": (Grant, grant)}
