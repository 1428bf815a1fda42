"""What a node's API answers: encoded from these, described in OpenAPI by these, read into these.

Addresses stand in their text form, hashes in hexadecimal, amounts as decimal strings of minor
units: browsers lose integers above 2**53. Fields that a newer node adds are not read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hansa.kernel.errors import Refused, Unavailable
from hansa.sdk.problems import find_code

AddressText = Annotated[str, Meta(pattern="^hansa1[02-9ac-hj-np-z]{58}$")]
HashText = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="32 bytes, hexadecimal")]
HexText = Annotated[str, Meta(pattern="^([0-9a-f]{2})*$", description="bytes, hexadecimal")]
AmountText = Annotated[str, Meta(pattern="^-?[0-9]+$", description="minor units, decimal")]
Count = Annotated[int, Meta(ge=0)]
TimeMs = Annotated[int, Meta(ge=0, description="milliseconds since 1970-01-01T00:00:00Z")]
CategoryText = Literal["I", "II", "III", "IV"]
StatusName = Literal["OK", "REFUSED", "FAILED", "PENDING"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object of the API."""


class TransactionResult(Answer, frozen=True, kw_only=True):
    """What became of a transaction; height and index are absent while it is pending."""

    tx_id: HashText
    status: StatusName
    code: str = ""
    """Empty if ok; else the refusing contract's code."""
    height: Count | UnsetType = UNSET
    index: Count | UnsetType = UNSET

    @property
    def is_ok(self) -> bool:
        """Whether it did what it says."""
        return self.status == "OK"

    def require_ok(self) -> TransactionResult:
        """Return this if the transaction was carried out.

        Raises:
          Refused: a rule said no, or a contract failed.
        """
        if not self.is_ok:
            code = find_code(self.code or self.status)
            raise Refused(code, tx_id=self.tx_id, status=self.status)
        return self


class Problem(Answer, frozen=True, kw_only=True):
    """RFC 9457; `title` is the code, `type` its place in the docs."""

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    receipt: TransactionResult | UnsetType = UNSET
    """Of the transaction that a rule refused: it is in a block, and its receipt says so."""


class ItemError(Answer, frozen=True, kw_only=True):
    """Why an item of many is in no block."""

    title: str
    detail: str


class ItemResult(Answer, frozen=True, kw_only=True):
    """One of many: a result, or an error."""

    tx_id: HashText | UnsetType = UNSET
    status: StatusName | UnsetType = UNSET
    code: str | UnsetType = UNSET
    height: Count | UnsetType = UNSET
    index: Count | UnsetType = UNSET
    error: ItemError | UnsetType = UNSET


class ManyResults(Answer, frozen=True, kw_only=True):
    """One result per item, in the order of the items."""

    results: list[ItemResult]


class Change(Answer, frozen=True, kw_only=True):
    """One change of one balance."""

    ledger: Literal["issued", "vault", "wallet", "held"]
    owner: AddressText
    asset: str
    amount_minor: AmountText
    balance_minor: AmountText | None
    """After the change; null for a balance that the caller may not read."""


class Transaction(Answer, frozen=True, kw_only=True):
    """A transaction and its receipt."""

    tx_id: HashText
    height: Count
    index: Count
    time_ms: TimeMs
    status: StatusName
    code: str
    facts: dict[str, str]
    signers: list[AddressText]
    sponsor: AddressText
    attestation: HashText | None
    calls: list[str]
    """`contract.command`, in order."""
    events: list[str]
    """`contract.Event`, in order."""
    changes: list[Change]

    @property
    def result(self) -> TransactionResult:
        """What became of it, as whoever sends a transaction is told."""
        return TransactionResult(
            tx_id=self.tx_id,
            status=self.status,
            code=self.code,
            height=self.height,
            index=self.index,
        )


class BlockSummary(Answer, frozen=True, kw_only=True):
    """A block's header."""

    height: Count
    hash: HashText
    time_ms: TimeMs
    tx_count: Count
    previous_hash: HashText
    tx_root: HashText
    receipt_root: HashText
    write_set_hash: HashText
    checkpoint_height: Count
    state_root: HashText
    batch_root: HashText


class Seal(Answer, frozen=True, kw_only=True):
    """A sealer's signature over the encoded header."""

    suite: Count
    public_key: HexText
    signature: HexText


class Block(BlockSummary, frozen=True, kw_only=True):
    """A block."""

    header: HexText
    """As it was sealed and hashed."""
    seals: list[Seal]
    dropped: Count
    """Items of batches that got no receipt."""
    transactions: list[HashText] | None
    """In order; null for callers who may not read the whole ledger: an id opens a transaction."""


class Blocks(Answer, frozen=True, kw_only=True):
    """A page of headers, newest first."""

    blocks: list[BlockSummary]


class Status(BlockSummary, frozen=True, kw_only=True):
    """The newest confirmed block, and the node."""

    network: str
    genesis_hash: HashText
    clock_ms: TimeMs
    """The node's clock; ledger time is `time_ms`."""
    waiting: Count
    """Transactions that wait to be verified or executed."""
    version: str


class WalletBalance(Answer, frozen=True, kw_only=True):
    """A wallet's money in one asset."""

    asset: str
    available_minor: AmountText
    held_minor: AmountText


class Lift(Answer, frozen=True, kw_only=True):
    """What lifts a wallet to a better category: a credential that its operator was shown."""

    category: CategoryText
    nullifier: HashText
    presentation_hash: HashText
    presented_until_ms: TimeMs
    """To which the presentation's nonce commits."""
    since_ms: TimeMs
    until_ms: TimeMs


class Wallet(Answer, frozen=True, kw_only=True):
    """A wallet."""

    wallet: AddressText
    operator: AddressText
    category: CategoryText
    """The one that counts as of the newest block."""
    given_category: CategoryText
    """That its operator gave it; the better one of this and of its lift counts."""
    lift: Lift | None
    """Null where no credential lifts it now."""
    opened_ms: TimeMs
    is_closed: bool
    is_frozen: bool
    orders_of: list[AddressText]
    """Members whose legal orders freeze it."""
    balances: list[WalletBalance]

    def get_available(self, asset: str) -> int:
        """Get the money that is free to be spent, in minor units; 0 if there is none."""
        return sum(int(item.available_minor) for item in self.balances if item.asset == asset)


class HistoryEntry(Answer, frozen=True, kw_only=True):
    """A transaction that changed a wallet's balance, with this wallet's changes alone."""

    tx_id: HashText
    height: Count
    index: Count
    time_ms: TimeMs
    calls: list[str]
    changes: list[Change]


class History(Answer, frozen=True, kw_only=True):
    """A page of a wallet's history in one asset, newest first."""

    wallet: AddressText
    asset: str | None
    """Null if the wallet never had money."""
    transactions: list[HistoryEntry]
    next: str | None
    """What to give as `before` for the next page."""
    cut_below: Count | None
    """If it goes on in blocks that this node does not keep: the oldest that it keeps."""


class Member(Answer, frozen=True, kw_only=True):
    """An institution."""

    address: AddressText
    name: str
    roles: list[str]
    weight: Count
    is_suspended: bool
    since_height: Count


class Members(Answer, frozen=True, kw_only=True):
    """All institutions."""

    members: list[Member]


class Asset(Answer, frozen=True, kw_only=True):
    """Money of one currency, issuer and regime, and its supply."""

    asset: str
    currency: str
    issuer: AddressText
    regime: Literal["m0", "deposit"]
    exponent: Count
    issued_minor: AmountText
    """Issued less redeemed and destroyed: what all vaults, wallets and holds sum up to."""


class Assets(Answer, frozen=True, kw_only=True):
    """All assets."""

    assets: list[Asset]


class Vault(Answer, frozen=True, kw_only=True):
    """An institution's stock of an asset."""

    asset: str
    balance_minor: AmountText
    quota_minor: AmountText
    issued_minor: AmountText


class Vaults(Answer, frozen=True, kw_only=True):
    """An institution's vaults."""

    operator: AddressText
    vaults: list[Vault]


class PolicyEntry(Answer, frozen=True, kw_only=True):
    """Values in force from a moment of ledger time on."""

    effective_ms: TimeMs
    values: list[AmountText]


class PolicyValue(Answer, frozen=True, kw_only=True):
    """A policy with its entries, past and scheduled."""

    name: str
    entries: list[PolicyEntry]


class Policies(Answer, frozen=True, kw_only=True):
    """All policy."""

    policy: list[PolicyValue]


class Elector(Answer, frozen=True, kw_only=True):
    """One vote."""

    address: AddressText
    weight: Count
    approves: bool | None
    """Null until it is cast."""
    objects: bool


class Proposal(Answer, frozen=True, kw_only=True):
    """A proposal as it stands."""

    number: Count
    proposer: AddressText
    group: str
    kind: str
    arguments: HexText
    """MessagePack array of the action's fields."""
    state: Literal["open", "passed", "executed", "rejected", "vetoed", "expired"]
    approved: Count
    rejected: Count
    objected: Count
    needed: Count
    total: Count
    opened_ms: TimeMs
    closes_ms: TimeMs
    ready_ms: TimeMs
    expires_ms: TimeMs
    electors: list[Elector]


class Proposals(Answer, frozen=True, kw_only=True):
    """Proposals that are still kept, newest first."""

    proposals: list[Proposal]
    next: str | None
    """What to give as `before` for the next page."""


class SnapshotOffered(Answer, frozen=True, kw_only=True):
    """A snapshot from which another node may begin."""

    height: Count
    """Of its last block, a checkpoint."""
    consensus_height: Count
    """Of the consensus block that brought that one; 0 where blocks are sealed."""
    header_hash: HashText
    """Of that block."""
    chunks: Count
    """Of 2 MiB each, but for the last."""
    hash: HashText
    """Of its manifest, which names it."""


class Snapshots(Answer, frozen=True, kw_only=True):
    """What the node keeps for others to begin from, oldest first."""

    snapshots: list[SnapshotOffered]


class LightBlock(Answer, frozen=True, kw_only=True):
    """What CometBFT's light client asks for of a height, as CometBFT itself answers it."""

    commit: dict[str, Any]
    """Of `/commit`: the header with its signatures."""
    validators: dict[str, Any]
    """Of `/validators`: all of them, with whose turn to propose it is."""


class RowProof(Answer, frozen=True, kw_only=True):
    """A row of the state, or its absence, with the path to a sealed state root."""

    table: str
    height: Count
    """Of the checkpoint: the row is as of this block."""
    key: HexText
    value: HexText | None
    """The row's encoding; null if there is none."""
    path: list[HexText]
    """Nodes of the state tree from the root down."""
    header: HexText
    seals: list[Seal]
    """None where validators vote."""
    votes: HexText | None = None
    """Where validators vote: theirs on the header, with the hand-overs to them; else null."""


class TransactionEvent(Answer, frozen=True, kw_only=True):
    """A transaction of a block, as much of it as the caller may read."""

    tx_id: HashText
    height: Count
    index: Count
    status: StatusName
    code: str
    changes: list[Change]


class BlockEvent(BlockSummary, frozen=True, kw_only=True):
    """A block with those of its transactions that the stream told of before it."""

    transactions: list[TransactionEvent] = []


class Health(Answer, frozen=True, kw_only=True):
    """The node is up."""

    status: Literal["ok"]


T = TypeVar("T", bound=msgspec.Struct)


def read(kind: type[T], found: object, url: str) -> T:
    """Read an answer; raises `Unavailable` if the node does not speak this version."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise Unavailable(
            f"{url} answers what this program does not understand ({error}): is it a node of "
            "Hansa, and of the same version?"
        ) from None
