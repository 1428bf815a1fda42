"""What the pages show, read from a node's chain: values only, no markup.

Everything is as of the last confirmed block, and times are those of the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hansa.contracts.accounts import Guardians, Recovery, RecoveryState
from hansa.contracts.currency import Asset, Vault
from hansa.contracts.members import Member
from hansa.contracts.payments import Payment
from hansa.contracts.policy import Policy
from hansa.contracts.wallets import Wallet
from hansa.engine.chain import Chain
from hansa.engine.record_items import find_envelope, list_envelopes
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.block import (
    BlockRecord,
    Receipt,
    Status,
    decode_header,
    decode_receipt,
    split_position,
)
from hansa.kernel.errors import NotFound
from hansa.kernel.frame import decode_batch
from hansa.kernel.light.votes import Votes
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.machine.state import Reader as Rows
from hansa.kernel.quota import SponsorUsage
from hansa.kernel.receipt_file import build_receipt_file
from hansa.kernel.rows import KeyPart, Row, decode_row
from hansa.kernel.transaction import Body, Call, decode_envelope
from hansa.node.api.codes import describe_refusal
from hansa.node.console.blocks import Blocks, BlockSummary, is_refused
from hansa.node.console.text.explain import (
    Change,
    Fact,
    Sentence,
    decode_call,
    describe_call,
    describe_event,
    describe_facts,
    find_moved,
    list_changes,
)
from hansa.node.console.text.formatting import Format, Money
from hansa.node.records import RecentRecords

R = TypeVar("R", bound=Row)

LATEST_PAYMENTS = 8
SLICE_S = 0.002
READ_AT_ONCE = 30
LATEST_READ = 240
"""Newest transactions among which those that may be shown are looked for."""
BLOCK_COST = 4
"""What it takes to get a block counts as so many of them."""
RECEIPTS_PER_PAGE = 25
RECORDS_KEPT = 32
"""Blocks as read from the log; one has some hundred kilobytes."""

_SMALL_TABLES = (b"\xaagovernance", b"\xa8currency")
"""Contracts that can add a row to a small table, as receipts name them: all else that changes
members, policy and assets is carried out by governance."""


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """One transaction in a line."""

    tx_id: bytes
    height: int
    index: int
    time_ms: int
    status: Status
    code: str
    sentence: Sentence
    moved: Money | None
    owners: frozenset[bytes]
    """Whose balances changed."""


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """One transaction and its receipt."""

    line: TransactionLine
    receipt: Receipt
    calls: tuple[Sentence, ...]
    happened: tuple[Sentence, ...]
    changes: tuple[Change, ...]
    refusal: str
    """In words; empty where no rule refused it."""
    facts: tuple[Fact, ...]
    body: Body
    sponsor: bytes
    attestation: bytes | None
    envelope_bytes: int

    @property
    def sums(self) -> dict[str, int]:
        """What came into being (or, negative, ended), per asset."""
        sums: dict[str, int] = {}
        for change in self.changes:
            if change.ledger == "issued":
                sums[change.asset] = sums.get(change.asset, 0) + change.amount_minor
        return sums


@dataclass(frozen=True, slots=True)
class BatchLine:
    """What one sponsor brought into a block."""

    sponsor: bytes
    items: int
    dropped: int


@dataclass(frozen=True, slots=True)
class BlockPage:
    """One block, a page of its transactions."""

    summary: BlockSummary
    record: BlockRecord
    batches: tuple[BatchLine, ...]
    lines: tuple[TransactionLine, ...]
    first: int
    """Index of the first line."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change of a balance, what made it, and the transaction in which that happened."""

    transaction: TransactionLine
    change: Change
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class MemberPage:
    """One institution."""

    member: Member
    account: Account | None
    guardians: Guardians
    owed: tuple[Asset, ...]
    """What it has issued and owes."""
    vaults: tuple[Vault, ...]
    usage: SponsorUsage
    quota: tuple[int, ...]
    is_recovering: bool


class Pace:
    """Lets the node's other work go on while a page is put together."""

    def __init__(self) -> None:
        self._until_s = time.monotonic() + SLICE_S

    async def rest(self) -> None:
        """Give way if this has been at work for `SLICE_S`."""
        if time.monotonic() >= self._until_s:
            await asyncio.sleep(0)
            self._until_s = time.monotonic() + SLICE_S


class Reader:
    """Reads one chain for the pages."""

    def __init__(self, chain: Chain, blocks: Blocks) -> None:
        self.chain = chain
        self.rows = Rows(chain.machine.state)
        """As of the last executed block."""
        self.blocks = blocks
        self._keys: dict[type[Row], tuple[int, list[list[KeyPart]]]] = {}
        self._changed_height = chain.confirmed_height
        """Of the newest block that may have added a row to a small table."""
        self._records = RecentRecords(chain, RECORDS_KEPT)

    def note(self, result: BlockResult) -> None:
        """Take notice of a block that was just confirmed."""
        raw = b"".join(result.receipts)
        if any(name in raw for name in _SMALL_TABLES):
            self._changed_height = result.header.height

    @property
    def kept_from(self) -> int:
        """The oldest block that this node keeps."""
        return self.chain.log.height_min

    def is_kept(self, position: int) -> bool:
        """Whether this node keeps what is at a position; 0 stands for nothing, which it does."""
        return not position or split_position(position)[0] >= self.kept_from

    def get_record(self, height: int) -> BlockRecord:
        """Get a confirmed block; raises `NotFound`."""
        if height > self.chain.confirmed_height:
            raise NotFound(f"there is no block {height:,} yet", height=height)
        return self.get_logged(height)

    def get_logged(self, height: int) -> BlockRecord:
        """Get a block that may not be confirmed yet; raises `NotFound`."""
        return self._records.get(height)

    @property
    def head(self) -> BlockSummary:
        """The last confirmed block."""
        return self.blocks.get(self.chain.confirmed_height)

    def load(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row as of the last executed block."""
        return self.chain.machine.state.load(row_type, row_type.key(*key))

    def load_all(self, row_type: type[R]) -> list[R]:
        """Get all rows of a small table as they stand now; new ones appear with a checkpoint."""
        found = [self.load(row_type, *key) for key in self._list_keys(row_type)]
        return [row for row in found if row is not None]

    def _list_keys(self, row_type: type[Row]) -> list[list[KeyPart]]:
        """List a small table's keys; a scan costs what writes wait, so only when one was added."""
        height = self.chain.store.pending_height
        seen, keys = self._keys.get(row_type, (-1, []))
        if seen < 0 or seen < self._changed_height <= height:
            rows = [decode_row(row_type, raw) for _, raw in self.chain.iterate_rows(row_type.TABLE)]
            keys = [[getattr(row, name) for name in row.KEY] for row in rows]
            self._keys[row_type] = (height, keys)
        return keys

    def get_policy(self, key: str) -> tuple[int, ...] | None:
        """Get the policy values in force."""
        policy = self.load(Policy, key)
        entries = () if policy is None else policy.entries
        now = self.head.time_ms
        in_force = [entry.values for entry in entries if entry.effective_ms <= now]
        return in_force[-1] if in_force else None

    def get_format(self) -> Format:
        """Get how this network writes times and money."""
        offset = self.get_policy("zone.offset_minutes") or (0,)
        exponents = {asset.asset: asset.exponent for asset in self.load_all(Asset)}
        return Format(offset[0], exponents)

    def name_parties(self) -> Mapping[bytes, tuple[str, bytes]]:
        """Name the members and their keys: address to (name, member's address).

        What its keys are is a member's own statement. It names nobody's wallet, and no address that
        another member lists, too.
        """
        members = self.load_all(Member)
        accounts = [(member, self.load(Account, member.address)) for member in members]
        keys = [(member, key) for member, found in accounts if found for key in found.keys]
        listed = Counter(key.address for _, key in keys)
        names: dict[bytes, tuple[str, bytes]] = {}
        for member, key in keys:
            if listed[key.address] == 1 and self.load(Wallet, key.address) is None:
                what = "server" if key.purposes == Purpose.SPONSOR else "officer"
                names[key.address] = (f"{member.name}, {what}", member.address)
        for member in members:
            names[member.address] = (member.name, member.address)
        return names

    async def list_latest(
        self, is_shown: Callable[[TransactionLine], bool]
    ) -> list[TransactionLine]:
        """List the newest transactions that may be shown, newest first."""
        pace = Pace()
        lines: list[TransactionLine] = []
        rest = LATEST_READ
        newest = self.chain.confirmed_height
        for height in self.chain.descend(newest, newest):
            record = self.get_record(height)
            end = len(record.receipts)
            while end and rest > 0 and len(lines) < LATEST_PAYMENTS:
                first = max(0, end - READ_AT_ONCE)
                lines += filter(is_shown, reversed(self._list_lines(record, first, end)))
                rest -= end - first
                end = first
                await pace.rest()
            rest -= BLOCK_COST
            await pace.rest()
            if rest <= 0 or len(lines) >= LATEST_PAYMENTS:
                break
        return lines[:LATEST_PAYMENTS]

    def read_block(self, height: int, first: int) -> BlockPage:
        """Read a block; raises `NotFound`."""
        record = self.get_record(height)
        dropped = [0] * len(record.batches)
        for drop in record.dropped:
            dropped[drop.batch] += 1
        batches = []
        for raw, count in zip(record.batches, dropped, strict=True):
            body = decode_batch(raw)[1]
            batches.append(BatchLine(body.sponsor, len(body.items), count))
        lines = self._list_lines(record, first, first + RECEIPTS_PER_PAGE)
        return BlockPage(self.blocks.get(height), record, tuple(batches), tuple(lines), first)

    def read_transaction(self, tx_id: bytes) -> TransactionPage:
        """Read a transaction; raises `NotFound`."""
        height, index = self.chain.find_position(tx_id)
        if height > self.chain.confirmed_height:
            raise NotFound("the transaction is not confirmed yet")
        record = self.get_record(height)
        raw, sponsor, attestation = find_envelope(record, index)
        _, body = decode_envelope(raw)
        receipt = decode_receipt(record.receipts[index])
        asset = self._find_asset(body.calls[receipt.call])
        line = self._describe_line(record, index)
        facts = dict(record.facts).get(index, ())
        return TransactionPage(
            line,
            receipt,
            tuple(self._describe_call(call) for call in body.calls),
            tuple(describe_event(*event) for event in receipt.events),
            tuple(list_changes(receipt.events)),
            describe_refusal(receipt.code, dict(facts)) if receipt.code else "",
            tuple(describe_facts(facts, asset)),
            body,
            sponsor,
            attestation,
            len(raw),
        )

    async def build_receipt(
        self, tx_id: bytes, fetch_votes: Callable[[int], Awaitable[Votes | None]]
    ) -> bytes:
        """Build a transaction's receipt file, with the votes on its block.

        Raises:
          NotFound: there is no such transaction.
          Unavailable: validators have not signed its block yet.
        """
        height, index = self.chain.find_position(tx_id)
        if height > self.chain.confirmed_height:
            raise NotFound("the transaction is not confirmed yet")
        record = self.get_record(height)
        votes = await fetch_votes(height)
        envelopes = list_envelopes(record)
        return build_receipt_file(self.chain.network, record, envelopes, index, votes)

    def read_member(self, address: bytes) -> MemberPage:
        """Read an institution; raises `NotFound`."""
        member = self.load(Member, address)
        if member is None:
            raise NotFound("there is no member with this address")
        assets = self.load_all(Asset)
        vaults = [self.load(Vault, address, row.asset) for row in assets]
        usage = self.load(SponsorUsage, address) or SponsorUsage(address)
        quota = self.get_policy(f"sponsor.quota.{address.hex()}")
        recovery = self.load(Recovery, address)
        return MemberPage(
            member,
            self.load(Account, address),
            self.load(Guardians, address) or Guardians(address),
            tuple(row for row in assets if row.issuer == address),
            tuple(vault for vault in vaults if vault is not None),
            usage,
            quota or self.get_policy("sponsor.quota") or (),
            recovery is not None and recovery.state is RecoveryState.PENDING,
        )

    def list_changes_of(
        self, record: BlockRecord, index: int, is_shown: Callable[[Change], bool]
    ) -> list[HistoryLine]:
        """List some balance changes of a transaction and what made each, the last first."""
        line = self._describe_line(record, index)
        events = decode_receipt(record.receipts[index]).events
        found = [
            HistoryLine(line, change, describe_event(*event))
            for event in events
            for change in list_changes([event])
            if is_shown(change)
        ]
        return found[::-1]

    def _list_lines(self, record: BlockRecord, first: int, end: int) -> list[TransactionLine]:
        places = range(first, min(end, len(record.receipts)))
        is_any = any(is_refused(record.receipts[at]) for at in places)
        envelopes = list_envelopes(record) if is_any else ()
        return [self._describe_line(record, at, envelopes) for at in places]

    def _describe_line(
        self,
        record: BlockRecord,
        index: int,
        envelopes: Sequence[bytes] = (),
    ) -> TransactionLine:
        """Describe one transaction of a block: what happened, or what was asked and refused.

        Args:
          record: the block.
          index: of the transaction.
          envelopes: of the block, if at hand; only what was refused is told from its own.
        """
        header = decode_header(record.header)
        receipt = decode_receipt(record.receipts[index])
        sentences: list[Sentence]
        if receipt.status is Status.OK:
            sentences = [describe_event(*event) for event in receipt.events]
        else:
            envelope = envelopes[index] if envelopes else find_envelope(record, index)[0]
            calls = decode_envelope(envelope)[1].calls
            sentences = [self._describe_call(call) for call in calls[receipt.call :][:1]]
        sentence = sentences[0] if sentences else ("Nothing to tell.",)
        if len(sentences) > 1:
            sentence = (*sentence, f" And {len(sentences) - 1} more.")
        changes = list_changes(receipt.events)
        return TransactionLine(
            receipt.tx_id,
            header.height,
            index,
            header.time_ms,
            receipt.status,
            receipt.code,
            sentence,
            find_moved(changes),
            frozenset(change.owner for change in changes),
        )

    def _describe_call(self, call: Call) -> Sentence:
        raw = bytes(call.arguments)
        return describe_call(call.contract, call.command, raw, self._find_asset(call))

    def _find_asset(self, call: Call) -> str:
        """Find the asset of a call's amounts: named by it, or by the payment it is about."""
        command = decode_call(call.contract, call.command, bytes(call.arguments))
        named: str = getattr(command, "asset", "")
        payer = getattr(command, "payer", None)
        if named or payer is None:
            return named
        payment = self.load(Payment, payer, getattr(command, "end_to_end_id", ""))
        return "" if payment is None else payment.asset
