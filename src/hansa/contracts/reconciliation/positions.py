"""Positions: what one party owes the other for an agreed window, signed by both, and settled.

Both sign the same commitment to who pays how much; the amount shows when it is settled, not before.
Settling opens it in the same transaction in which the money changes vaults, so that neither happens
without the other. Amounts are minor units of one asset; the payer is whose books say that it owes.

Source: docs/concepts/reconciliation.md; net settlement as of CPMI-IOSCO PFMI, principles 8 and 12.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from hansa.contracts import currency
from hansa.contracts.currency import VaultMoved
from hansa.contracts.reconciliation import agreements, windows
from hansa.contracts.reconciliation.windows import WindowNumber
from hansa.kernel.authority import Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows
from hansa.kernel.trees.merkle import Digest
from hansa.kernel.values import Address, AssetCode, Hash, NonNegative, TimeMs

NAME = "positions"
VERSION = 1


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_POSITION = "positions.UNKNOWN_POSITION"
    STILL_ON_RECORD = "positions.STILL_ON_RECORD"
    WINDOW_NOT_AGREED = "positions.WINDOW_NOT_AGREED"
    NOT_SIGNED_BY_BOTH = "positions.NOT_SIGNED_BY_BOTH"
    ALREADY_SIGNED_BY_BOTH = "positions.ALREADY_SIGNED_BY_BOTH"
    ALREADY_SETTLED = "positions.ALREADY_SETTLED"
    WRONG_OPENING = "positions.WRONG_OPENING"
    NOT_PAID = "positions.NOT_PAID"


class Position(Row, frozen=True, array_like=True):
    """The net position of two parties in one asset, for one window."""

    TABLE: ClassVar[bytes] = b"rn"
    KEY: ClassVar[tuple[str, ...]] = ("agreement", "window", "asset")
    CHARGED_TO: ClassVar[str] = "sponsor"

    agreement: Hash
    window: WindowNumber
    asset: AssetCode
    sponsor: Address
    """Who brought it in, and is charged for this row until it is swept."""
    left: bytes = b""
    """Commitment that the left party signed; empty until then."""
    right: bytes = b""
    since_ms: TimeMs = 0
    """When it came to stand as it does."""
    settled_minor: NonNegative = 0
    is_settled: bool = False

    @property
    def is_agreed(self) -> bool:
        """Whether both signed the same."""
        return bool(self.left) and self.left == self.right


class Sign(Command, frozen=True, array_like=True):
    """Sign a commitment to the net position of an agreed window; again, until both are equal."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    asset: AssetCode
    commitment: Hash


class Settle(Command, frozen=True, array_like=True):
    """Settle a position by what earlier calls of this transaction moved between the vaults."""

    agreement: Hash
    window: WindowNumber
    asset: AssetCode
    payer: Address
    """Of nothing, the left party."""
    amount_minor: NonNegative
    salt: Hash


class Sweep(Command, frozen=True, array_like=True):
    """Remove a position after its time on record; anyone may."""

    agreement: Hash
    window: WindowNumber
    asset: AssetCode


class Signed(Event, frozen=True, array_like=True):
    """A party signed a position."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    asset: AssetCode
    commitment: Hash
    is_agreed: bool
    """Whether the other one signed the same."""


class Settled(Event, frozen=True, array_like=True):
    """A position was paid."""

    agreement: Hash
    window: WindowNumber
    asset: AssetCode
    payer: Address
    payee: Address
    amount_minor: NonNegative


class Swept(Event, frozen=True, array_like=True):
    """The record of a position was removed."""

    agreement: Hash
    window: WindowNumber
    asset: AssetCode


def sign(view: View, context: Context, command: Sign) -> list[Event]:
    """Sign a position; what both have signed alike can no more be changed.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement = agreements.require_party(
        view, context, command.agreement, command.bank, Purpose.ASSERT
    )
    currency.get_asset(view, command.asset)
    window = windows.find_window(view, command.agreement, command.window)
    if window is None or not window.agreed_ms:
        raise Refused(Code.WINDOW_NOT_AGREED, window=command.window)
    key = (command.agreement, command.window, command.asset)
    position = view.get(Position, *key) or Position(*key, context.sponsor)
    if position.is_agreed:
        raise Refused(Code.ALREADY_SIGNED_BY_BOTH, window=command.window)
    side = "left" if command.bank == agreement.left else "right"
    signed = msgspec.structs.replace(
        position, **{side: command.commitment, "since_ms": context.time_ms}
    )
    # CHANGE
    if not position.since_ms:
        windows.count_row(view, command.agreement, 1)
    view.put(signed)
    # TELL
    fields = (command.agreement, command.bank, *key[1:], command.commitment)
    return [Signed(NO_MONEY, *fields, signed.is_agreed)]


def settle(view: View, context: Context, command: Settle) -> list[Event]:
    """Settle a position: the same transaction has moved just that much, for nothing else.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    key = (command.agreement, command.window, command.asset)
    agreement = agreements.require_party(
        view, context, command.agreement, command.payer, Purpose.OPERATE
    )
    position = _get_known(view, key)
    if not position.is_agreed:
        raise Refused(Code.NOT_SIGNED_BY_BOTH, window=command.window)
    if position.is_settled:
        raise Refused(Code.ALREADY_SETTLED, amount_minor=position.settled_minor)
    if compute_commitment(command, context.digest) != position.left:
        raise Refused(Code.WRONG_OPENING, commitment=position.left)
    payee = agreement.right if command.payer == agreement.left else agreement.left
    _require_paid(context, command, payee)
    # CHANGE
    view.put(
        msgspec.structs.replace(
            position,
            since_ms=context.time_ms,
            settled_minor=command.amount_minor,
            is_settled=True,
        )
    )
    # TELL
    return [Settled(NO_MONEY, *key, command.payer, payee, command.amount_minor)]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove the row of a position that is settled, or whose agreement is over, after its time.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    key = (command.agreement, command.window, command.asset)
    position = _get_known(view, key)
    agreement = agreements.get_known(view, command.agreement)
    if not agreements.is_over(agreement, context.time_ms):
        keep_ms = agreement.keep_days * DAY_MS
        if not position.is_settled or context.time_ms <= position.since_ms + keep_ms:
            raise Refused(Code.STILL_ON_RECORD, window=command.window)
    # CHANGE
    view.delete(Position, *key)
    windows.count_row(view, command.agreement, -1)
    # TELL
    return [Swept(NO_MONEY, *key)]


def compute_commitment(opening: Settle, digest: Digest) -> bytes:
    """Compute the commitment that this opens; hiding, since its salt is of 32 unknown bytes."""
    return digest(b"hansa\x00position\x00" + encode(opening))


def find_position(rows: Rows, agreement: bytes, window: int, asset: str) -> Position | None:
    """Find a position, in whatever state."""
    return rows.get(Position, agreement, window, asset)


def _get_known(view: View, key: tuple[bytes, int, str]) -> Position:
    position = view.get(Position, *key)
    if position is None:
        raise Refused(Code.UNKNOWN_POSITION, window=key[1], asset=key[2])
    return position


def _require_paid(context: Context, command: Settle, payee: bytes) -> None:
    """Refuse unless what moved is enough for this position and those settled by earlier calls."""
    parties = (command.payer, payee, command.asset)
    moved = sum(
        each.amount_minor
        for each in context.list_earlier(VaultMoved)
        if (each.payer, each.payee, each.asset) == parties
    )
    settled = sum(
        each.amount_minor
        for each in context.list_earlier(Settled)
        if (each.payer, each.payee, each.asset) == parties
    )
    if moved - settled < command.amount_minor:
        raise Refused(Code.NOT_PAID, amount_minor=command.amount_minor, moved_minor=moved - settled)


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "sign": (Sign, sign),
    "settle": (Settle, settle),
    "sweep": (Sweep, sweep),
}
