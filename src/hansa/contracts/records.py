"""Records: what `payments` keeps of a payment, its life cycle, and when it counts as gone.

Part of the contract `payments`, kept apart for reading; it has no commands of its own. Amounts
are minor units of one asset; times are milliseconds of ledger time.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar

from hansa.contracts import policy
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, AssetCode, EndToEndId, NonNegative, Positive, TimeMs

REFUND_DAYS = 365
"""How long a payment stays on record where policy is silent."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    SAME_WALLET = "payments.SAME_WALLET"
    UNKNOWN_PAYMENT = "payments.UNKNOWN_PAYMENT"
    WRONG_STATE = "payments.WRONG_STATE"
    STILL_ON_RECORD = "payments.STILL_ON_RECORD"
    HOLD_EXPIRED = "payments.HOLD_EXPIRED"
    OVER_HOLD = "payments.OVER_HOLD"
    OVER_REFUND = "payments.OVER_REFUND"
    ID_USED = "payments.ID_USED"
    WRONG_EXPIRY = "payments.WRONG_EXPIRY"


class Status(IntEnum):
    """Where a payment stands."""

    PAID = 1
    HELD = 2
    VOIDED = 3
    REFUNDED = 4
    CONVERTED = 5
    REFUND = 6
    """Itself a refund of another payment."""


LIFE_CYCLE: dict[tuple[Status, str], Status] = {
    (Status.HELD, "post"): Status.PAID,
    (Status.HELD, "void"): Status.VOIDED,
    (Status.PAID, "refund"): Status.PAID,
    (Status.PAID, "refund_rest"): Status.REFUNDED,
}
"""What may follow what; a pair that is not here is WRONG_STATE. Nothing goes back."""


class Payment(Row, frozen=True, array_like=True):
    """A payment on record."""

    TABLE: ClassVar[bytes] = b"py"
    KEY: ClassVar[tuple[str, ...]] = ("payer", "end_to_end_id")
    CACHED: ClassVar[bool] = False
    CHARGED_TO: ClassVar[str] = "sponsor"

    payer: Address
    end_to_end_id: EndToEndId
    payee: Address
    asset: AssetCode
    amount_minor: Positive
    """What was paid or is held."""
    status: Status
    position: NonNegative
    """Position of the transaction that made it."""
    expires_ms: TimeMs
    """End of the hold while HELD; else when the row may be swept."""
    sponsor: Address
    """Who brought it in, and is charged for this row until it is swept."""
    refunded_minor: NonNegative = 0


def find_payment(view: View, context: Context, payer: bytes, end_to_end_id: str) -> Payment | None:
    """Find a payment on record; one whose time is over counts as gone, swept or not."""
    payment = view.get(Payment, payer, end_to_end_id)
    if payment is None or payment.status is Status.HELD:
        return payment
    return payment if context.time_ms <= payment.expires_ms else None


def get_payment(view: View, context: Context, payer: bytes, end_to_end_id: str) -> Payment:
    """Get a payment on record; refuses UNKNOWN_PAYMENT."""
    payment = find_payment(view, context, payer, end_to_end_id)
    if payment is None:
        raise Refused(Code.UNKNOWN_PAYMENT, end_to_end_id=end_to_end_id)
    return payment


def require_new_id(view: View, context: Context, payer: bytes, end_to_end_id: str) -> None:
    """Refuse ID_USED while a payment of this payer with this reference is on record."""
    earlier = find_payment(view, context, payer, end_to_end_id)
    if earlier is not None:
        raise Refused(Code.ID_USED, end_to_end_id=end_to_end_id, position=earlier.position)


def follow(payment: Payment, word: str) -> Status:
    """Return the status that a step leads to; refuses WRONG_STATE."""
    status = LIFE_CYCLE.get((payment.status, word))
    if status is None:
        raise Refused(Code.WRONG_STATE, status=payment.status.name, command=word)
    return status


def end_of_record(view: View, context: Context) -> int:
    """Compute until when a payment made or settled now stays on record, in ms."""
    days = policy.get_in_force(view, context, "payments.refund_days") or (REFUND_DAYS,)
    return context.time_ms + days[0] * DAY_MS
