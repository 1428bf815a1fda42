"""Accounts and authority: who may act for an address, asked in one place.

Signatures are checked statelessly, before execution, and say which keys signed. Whether those
keys may act for an account is a matter of state, asked by `context.require` and by nothing else.
"""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from hansa.kernel.errors import Refused
from hansa.kernel.state import Row, View
from hansa.kernel.values import Address, NonNegative, Positive

E = TypeVar("E", bound=msgspec.Struct)


class Purpose(IntFlag):
    """What a key may be used for."""

    PAY = 1
    """Spend from a wallet, freeze and close it."""
    MANAGE = 2
    """Change the account's keys, threshold and guardians."""
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


ALL_PURPOSES = Purpose(255)


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
    guardians: tuple[Address, ...] = ()
    guardian_threshold: NonNegative = 0
    recovery_delay_ms: NonNegative = 0


class Context:
    """What a contract may know about the transaction it executes, apart from state."""

    __slots__ = (
        "_view",
        "attestation",
        "earlier_events",
        "height",
        "memo",
        "position",
        "signers",
        "sponsor",
        "time_ms",
        "tx_id",
    )

    def __init__(  # noqa: PLR0913 - the whole environment, stated once
        self,
        view: View,
        *,
        height: int,
        time_ms: int,
        position: int,
        tx_id: bytes,
        signers: tuple[bytes, ...],
        sponsor: bytes,
        attestation: bytes | None,
        memo: dict[str, Any] | None = None,
    ) -> None:
        self._view = view
        self.height = height
        self.time_ms = time_ms
        self.position = position
        """height × 2**20 + index in the block: names this transaction for ever."""
        self.tx_id = tx_id
        self.signers = signers
        """Addresses of the keys that signed, each checked."""
        self.sponsor = sponsor
        self.attestation = attestation
        """The sponsor's commitment to its risk decision, 32 bytes, or None."""
        self.memo: dict[str, Any] = {} if memo is None else memo
        """What holds for the whole block, by name: only what none of its transactions changes."""
        self.earlier_events: list[msgspec.Struct] = []
        """Events of this transaction's earlier calls, in order; read only: see `list_earlier`."""

    def list_earlier(self, event_type: type[E]) -> list[E]:
        """List what earlier calls of this transaction told of this kind, in order.

        So one contract demands what another did: the class of an event says who told it, since
        a contract tells its own events only.
        """
        return [event for event in self.earlier_events if isinstance(event, event_type)]

    def require(self, address: bytes, purpose: Purpose, amount_minor: int = 0) -> None:
        """Refuse unless the signing keys may act for `address` to this purpose and amount.

        Raises:
          Refused: `kernel.NOT_AUTHORIZED`, or `kernel.OVER_KEY_LIMIT` if only the keys' limits
            stand in the way.
        """
        account = self._view.get(Account, address)
        if account is None:
            if address in self.signers:
                return
            raise Refused(AuthorityCode.NOT_AUTHORIZED, account=address, purpose=purpose.name)
        weight = limited = 0
        for key in account.keys:
            if key.purposes & purpose and key.address in self.signers:
                if key.is_over_limit(amount_minor):
                    limited += key.weight
                else:
                    weight += key.weight
        if weight >= account.threshold:
            return
        if weight + limited >= account.threshold:
            raise Refused(AuthorityCode.OVER_KEY_LIMIT, account=address, amount_minor=amount_minor)
        raise Refused(
            AuthorityCode.NOT_AUTHORIZED,
            account=address,
            purpose=purpose.name,
            weight=weight,
            threshold=account.threshold,
        )
