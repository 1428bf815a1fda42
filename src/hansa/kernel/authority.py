"""Accounts: the keys that may act for an address, and what for.

Signatures are checked statelessly, before execution, and say which keys signed. Whether those
keys may act for an account is a matter of state: `hansa.kernel.machine.context`.
"""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import Annotated, ClassVar

import msgspec

from hansa.kernel.rows import Row
from hansa.kernel.values import Address, NonNegative, Positive, TimeMs


class Purpose(IntFlag):
    """What a key may be used for."""

    PAY = 1
    """Spend from a wallet, freeze and close it."""
    MANAGE = 2
    """Change the account's keys, threshold and guardians; publish a member's node."""
    SPONSOR = 4
    """Sign batches for an institution."""
    OPERATE = 8
    """Act for an operator: open wallets, convert, quotas of its own."""
    ISSUE = 16
    """Act as an officer of the central bank on money: issue, redeem, destroy, quota, regime."""
    VOTE = 32
    """Propose and vote for a member."""
    ORDER = 64
    """Place and lift legal orders on wallets."""
    REPORT = 128
    """Report for a validator which contract code it runs."""
    ASSERT = 256
    """Issue credentials, publish their types, keep status lists, sign evidence."""
    AUTHENTICATE = 512
    """Prove to be this account: log in, sign presentations, give consent."""


ALL_PURPOSES = Purpose(1023)


class AuthorityCode(StrEnum):
    """Refusals of `context.require`."""

    NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"
    OVER_KEY_LIMIT = "kernel.OVER_KEY_LIMIT"


KeyWeight = Annotated[int, msgspec.Meta(ge=1, le=2**32)]
"""So bounded that the weights of all keys of an account add up within 64 bits."""


class AccountKey(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One key of an account: named by its own address, with purposes, weight and a limit."""

    address: Address
    purposes: NonNegative
    weight: KeyWeight = 1
    limit_minor: NonNegative = 0
    """Largest amount that this key may sign to move, create or end in one call; 0 for no limit."""

    def is_over_limit(self, amount_minor: int) -> bool:
        """Whether this key's limit stands in the way of an amount."""
        return 0 < self.limit_minor < amount_minor


class Account(Row, frozen=True, array_like=True):
    """The keys that govern an address; without this row, the one key it is the hash of."""

    TABLE: ClassVar[bytes] = b"ac"
    KEY: ClassVar[tuple[str, ...]] = ("address",)

    address: Address
    keys: tuple[AccountKey, ...]
    threshold: Positive
    """Sum of weights of the signing keys that suffices for any purpose."""
    version: Positive = 1
    """One more with each change of this row."""
    since_ms: TimeMs = 0
    """When this version came in force."""
