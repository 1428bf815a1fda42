"""Quotas: what a sponsor may bring into blocks in a day of ledger time, and keep stored."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, NonNegative


class Quota(NamedTuple):
    """What a sponsor may bring into blocks in a day of ledger time, and keep stored."""

    day_bytes: int
    day_envelopes: int
    day_refusals: int
    stored_rows: int


class Claim(NamedTuple):
    """What a batch takes of its sponsor's quota, whatever becomes of it."""

    sponsor: bytes
    key_address: bytes
    """Address of the key that signed the batch."""
    size: int
    """Bytes of all its envelopes."""
    envelopes: int


class SponsorUsage(Row, frozen=True, array_like=True):
    """What a sponsor used of its quota."""

    TABLE: ClassVar[bytes] = b"su"
    KEY: ClassVar[tuple[str, ...]] = ("sponsor",)

    sponsor: Address
    day: NonNegative = 0
    bytes_used: NonNegative = 0
    envelopes: NonNegative = 0
    """Those that it brought in first: an envelope is counted once."""
    refusals: NonNegative = 0
    """Refused, failed and invalid items."""
    stored_rows: NonNegative = 0


def find_exceeded(quota: Quota, size: int, envelopes: int, refusals: int) -> Invalid | None:
    """Find what a sponsor's day with these sums would be over."""
    if size > quota.day_bytes:
        what, maximum = "bytes a day", quota.day_bytes
    elif envelopes > quota.day_envelopes:
        what, maximum = "envelopes a day", quota.day_envelopes
    elif refusals > quota.day_refusals:
        what, maximum = "refusals a day", quota.day_refusals
    else:
        return None
    return Invalid(
        InvalidCode.QUOTA,
        f"the sponsor is over its quota of {maximum} {what}: "
        "wait for the next day, or ask governance for more",
        quota=what,
        maximum=maximum,
    )
