"""What a node answers, typed: one class an answer, amounts as integers of minor units.

Addresses are bech32m text and ids hexadecimal text, as people see them. Fields that a newer node
adds are not read.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from hansa.kernel.errors import Refused, Unavailable
from hansa.sdk.problems import find_code

T = TypeVar("T", bound=msgspec.Struct)


class BlockHead(msgspec.Struct, frozen=True, kw_only=True):
    """A block's header."""

    height: int
    time_ms: int
    tx_count: int
    previous_hash: str
    checkpoint_height: int
    state_root: str


class NodeStatus(BlockHead, frozen=True, kw_only=True):
    """A node's head, and what network it is of."""

    network: str
    genesis_hash: str
    clock_ms: int
    waiting: int = 0


class Block(BlockHead, frozen=True, kw_only=True):
    """A header with the ids of the block's transactions."""

    transactions: list[str] | None = None
    """None for a caller who may not read whole blocks."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a transaction: its receipt, in short."""

    tx_id: str
    status: str
    """`OK`, `REFUSED` or `FAILED`; `PENDING` while there is no receipt."""
    code: str = ""
    """Of a refusal: `<contract>.<CODE>`."""
    height: int = 0
    index: int = 0
    facts: dict[str, Any] = {}

    @property
    def is_ok(self) -> bool:
        """Whether it did what it says."""
        return self.status == "OK"

    def require_ok(self) -> Answer:
        """Return this answer if the transaction was carried out.

        Raises:
          Refused: a rule said no, or a contract failed.
        """
        if not self.is_ok:
            raise Refused(
                find_code(self.code or self.status),
                tx_id=self.tx_id,
                height=self.height,
                status=self.status,
            )
        return self


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one balance."""

    ledger: str
    owner: str
    asset: str
    amount_minor: int
    balance_minor: int | None
    """After the change; None if the caller may not read it."""


class TransactionEvent(Answer, frozen=True, kw_only=True):
    """A transaction as the stream tells of it, as much of it as the caller may read."""

    changes: list[Change] = []


class BlockEvent(BlockHead, frozen=True, kw_only=True):
    """A block as the stream tells of it, with the transactions that the caller may read."""

    transactions: list[TransactionEvent] = []


class Transaction(Answer, frozen=True, kw_only=True):
    """A transaction with its receipt."""

    signers: list[str]
    sponsor: str = ""
    time_ms: int = 0
    attestation: str | None = None
    calls: list[str]
    events: list[str] = []
    changes: list[Change] = []


class WalletBalance(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's money in one asset."""

    asset: str
    available_minor: int
    held_minor: int


class WalletFound(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet."""

    wallet: str
    operator: str
    category: str
    is_closed: bool
    is_frozen: bool
    balances: list[WalletBalance] = []

    def get_available(self, asset: str) -> int:
        """Get the money that is free to be spent, in minor units; 0 if there is none."""
        return sum(item.available_minor for item in self.balances if item.asset == asset)


class MemberFound(msgspec.Struct, frozen=True, kw_only=True):
    """An institution."""

    address: str
    name: str
    roles: list[str]
    is_suspended: bool
    weight: int = 0


class AssetFound(msgspec.Struct, frozen=True, kw_only=True):
    """Money of one currency, liable issuer and regime."""

    asset: str
    currency: str
    issuer: str
    regime: str
    exponent: int
    issued_minor: int
    """What all vaults, wallets and holds sum up to."""


class PolicyEntryFound(msgspec.Struct, frozen=True, kw_only=True):
    """Values in force from a moment of ledger time on."""

    effective_ms: int
    values: list[int]


class PolicyFound(msgspec.Struct, frozen=True, kw_only=True):
    """A policy with its entries, past and to come."""

    name: str
    entries: list[PolicyEntryFound]


class ElectorFound(msgspec.Struct, frozen=True, kw_only=True):
    """One vote."""

    address: str
    weight: int
    approves: bool | None
    """None until it is cast."""
    objects: bool = False


class ProposalFound(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal as it stands; times in milliseconds of ledger time, 0 for not yet."""

    number: int
    proposer: str
    group: str
    kind: str
    arguments: str
    """Hexadecimal: a MessagePack array of the action's fields."""
    state: str
    approved: int
    rejected: int
    needed: int
    total: int
    opened_ms: int
    closes_ms: int
    ready_ms: int
    expires_ms: int
    electors: list[ElectorFound] = []


def read(kind: type[T], found: object, url: str) -> T:
    """Read an answer; raises `Unavailable` if the node does not speak this version."""
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Unavailable(
            f"{url} answers what this program does not understand ({error}): is it a node of "
            "Hansa, and of the same version?"
        ) from None
