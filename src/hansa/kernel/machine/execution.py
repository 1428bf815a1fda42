"""Execution: `apply_block`, the only way in which state changes.

Blocks come in as (height, time, checked batches). The same stream gives the same headers,
receipts and roots on every engine, byte for byte. Execution is serial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from hansa.kernel.block import (
    HEADER_VERSION,
    Header,
    Outcome,
    PlainFact,
    Repeated,
    Status,
    compute_position,
    tell_plain,
)
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import CommandEntry, Contract, Event, decode_arguments
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, Refused, Unavailable
from hansa.kernel.genesis import (
    BLOCK_ITEMS_MAX,
    CHECKPOINT_INTERVAL_MS,
    VALIDITY_MAX_MS,
    Network,
)
from hansa.kernel.machine.admission import Admission, find_quota, find_stale
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.nonces import LAST_MS, ReplayWindow
from hansa.kernel.machine.rules import Rules
from hansa.kernel.machine.state import State, View
from hansa.kernel.quota import Claim, Quota, SponsorUsage, find_exceeded
from hansa.kernel.rows import RowId
from hansa.kernel.transaction import CheckedBatch, CheckedEnvelope
from hansa.kernel.trees.commitment import Commitment
from hansa.kernel.trees.merkle import compute_root
from hansa.kernel.trees.state_tree import StateTree

TIME_MS_MAX = LAST_MS - VALIDITY_MAX_MS
"""Ledger time of the last block, in the year 2106: a nonce must count until its validity ends."""


class ExecutionCode(StrEnum):
    """Refusals of execution itself."""

    UNKNOWN_COMMAND = "kernel.UNKNOWN_COMMAND"
    TOO_MANY_EVENTS = "kernel.TOO_MANY_EVENTS"
    TOO_MANY_ROWS = "kernel.TOO_MANY_ROWS"


class Block(NamedTuple):
    """The input of execution."""

    height: int
    time_ms: int
    batches: Sequence[CheckedBatch]


class BlockResult(NamedTuple):
    """What a block did; the engine writes it down."""

    header: Header
    header_hash: bytes
    receipts: list[bytes]
    tx_ids: list[bytes]
    outcomes: list[list[Outcome]]
    """Per batch and item."""
    facts: list[tuple[int, tuple[tuple[str, PlainFact], ...]]]
    failures: list[tuple[int, Exception]]
    """Unexpected exceptions of contracts, by receipt: an alarm for the operator of the node."""
    committed: dict[bytes, bytes | None] | None
    """If this block is a checkpoint: all rows written since the last one; else None."""


class Machine:
    """The state machine: state, its tree, replay window and the head of the chain of headers."""

    def __init__(
        self,
        network: Network,
        rules: Rules,
        state: State,
        tree: StateTree,
        head: Header | None = None,
        checkpoint_time_ms: int = 0,
    ) -> None:
        limits = network.limits
        self.network = network
        self.rules = rules
        self.state = state
        self.commitment = Commitment(tree, network.digest, rules.written_once())
        self.window = ReplayWindow(network.digest)
        self.head = head
        self.head_hash = ZERO_HASH if head is None else self._hash_header(head.encoded())
        self.checkpoint_time_ms = checkpoint_time_ms
        self._view = View(state, limits.reads, limits.writes)
        self._own_view = View(state, 2**31, 2**31)
        """For what is no transaction's: genesis, and who votes on blocks."""

    def apply_genesis(self) -> BlockResult:
        """Make block 0: the rows of genesis, a checkpoint, no transactions."""
        self._own_view.begin()
        self.rules.install(self._own_view)
        self._own_view.commit()
        *_, result = self._close(0, self.network.genesis.time_ms, _Progress())
        assert result is not None  # noqa: S101 - it comes last
        return result

    def apply_block(self, block: Block) -> BlockResult:
        """Execute a block.

        Raises:
          Corrupt: height or time do not follow the head, or there are more items than may stand
            in a block (the engine's fault).
          Unavailable: this node lacks the code of an active contract, or it is later than
            `TIME_MS_MAX`.
        """
        *_, result = self.apply_stepwise(block)
        assert result is not None  # noqa: S101 - it comes last
        return result

    def apply_stepwise(self, block: Block) -> Iterator[BlockResult | None]:
        """Do as `apply_block`, but pause now and then, with None, and end with the result.

        In a pause, others may read rows with `State.load`, which shows the block before to them.
        """
        head = self.head
        if head is None or block.height != head.height + 1 or block.time_ms < head.time_ms:
            raise Corrupt(
                f"block {block.height} at {block.time_ms} ms does not follow the head",
                height=block.height,
            )
        items = sum(len(batch.items) for batch in block.batches)
        if items > BLOCK_ITEMS_MAX:
            raise Corrupt(
                f"block {block.height} has {items} items: at most {BLOCK_ITEMS_MAX} may be",
                height=block.height,
            )
        _check_time(block.time_ms)
        self._view.begin()
        contracts = self.rules.active_contracts(self._view, block.height)
        progress = _Progress()
        for batch in block.batches:
            progress.batch_hashes.append(self.network.digest(batch.raw))
            progress.outcomes.append(_BatchRun(self, block, contracts, progress).run(batch))
            yield None
        yield from self._close(block.height, block.time_ms, progress)

    def _close(
        self, height: int, time_ms: int, progress: _Progress
    ) -> Iterator[BlockResult | None]:
        """Bring the tree up to date and make the header; pauses, and ends with the result."""
        digest = self.network.digest
        writes = self.state.list_writes()
        is_checkpoint = height == 0 or time_ms - self.checkpoint_time_ms >= CHECKPOINT_INTERVAL_MS
        committed = None
        if is_checkpoint:
            yield from self.commitment.close(self.state.list_changes(writes))
            self.state.end_block(writes)
            committed = self.state.end_checkpoint()
            self.checkpoint_time_ms = time_ms
            checkpoint_height = height
        else:
            yield from self.commitment.add(writes)
            self.state.end_block(writes)
            checkpoint_height = self.head.checkpoint_height if self.head else 0
        header = Header(
            HEADER_VERSION,
            height,
            time_ms,
            self.head_hash,
            compute_root(progress.envelope_hashes, digest),
            compute_root(progress.receipts, digest),
            digest(encode(writes)),
            checkpoint_height,
            self.commitment.root,
            len(progress.receipts),
            compute_root(progress.batch_hashes, digest),
        )
        self.head = header
        self.head_hash = self._hash_header(header.encoded())
        yield BlockResult(
            header,
            self.head_hash,
            progress.receipts,
            progress.tx_ids,
            progress.outcomes,
            progress.facts,
            progress.failures,
            committed,
        )

    def is_checkpoint_due(self, time_ms: int) -> bool:
        """Whether an empty block of this time would cover what no checkpoint covers yet.

        An engine to which nothing comes makes one: so what a quiet ledger says last is proved, too.
        """
        head = self.head
        is_open = head is not None and head.height > head.checkpoint_height
        return is_open and time_ms - self.checkpoint_time_ms >= CHECKPOINT_INTERVAL_MS

    def check_sponsor(self, claim: Claim, time_ms: int) -> None:
        """Ask, between batches, whether a sponsor may still bring this one in; changes nothing.

        In a pause of a block it sees what the batches before have used. An engine that asks before
        it orders keeps what strangers send, and what would go over a quota, out of its log.
        Execution asks again: other batches may come between.

        Raises:
          Invalid: `UNKNOWN_SPONSOR` or `QUOTA`.
          Unavailable: it is later than `TIME_MS_MAX`.
        """
        self.begin_admission(time_ms).admit(claim)

    def check_rules(self) -> None:
        """Check, between blocks, that this program has what is in force for the next one.

        Raises:
          Unavailable: it lacks a version of the rules or of a contract.
        """
        self._view.begin()
        self.rules.active_contracts(self._view, 0 if self.head is None else self.head.height + 1)

    def list_validators(self) -> tuple[tuple[bytes, int], ...]:
        """List (consensus key, power) of who votes on blocks, as of the last one."""
        self._own_view.begin()
        return self.rules.validators(self._own_view)

    def begin_admission(self, time_ms: int) -> Admission:
        """Ask the same of several batches, one after the other, for a block of this time.

        Raises:
          Unavailable: it is later than `TIME_MS_MAX`.
        """
        _check_time(time_ms)
        self.state.trim()  # what strangers name is looked up, and must not stay
        return Admission(self.rules, self._view, time_ms)

    def _hash_header(self, encoded: bytes) -> bytes:
        return self.network.digest(self.network.header_prefix + encoded)

    @property
    def view(self) -> View:
        """The view that transactions use, one after the other."""
        return self._view


_Call = tuple[str, CommandEntry | None, object]
"""Contract, the command's entry, and its arguments; (contract, None, word) if unknown."""


def list_reads(items: Sequence[list[_Call] | Invalid]) -> list[RowId]:
    """List the rows that these calls say they are going to read."""
    return [
        row_id
        for calls in items
        if not isinstance(calls, Invalid)
        for _, entry, arguments in calls
        if entry is not None and entry.list_reads is not None
        for row_id in entry.list_reads(arguments)
    ]


class _Progress:
    """What has come of a block so far."""

    __slots__ = (
        "batch_hashes",
        "envelope_hashes",
        "facts",
        "failures",
        "memo",
        "outcomes",
        "receipts",
        "tx_ids",
    )

    def __init__(self) -> None:
        self.batch_hashes: list[bytes] = []
        self.envelope_hashes: list[bytes] = []
        self.receipts: list[bytes] = []
        self.tx_ids: list[bytes] = []
        self.outcomes: list[list[Outcome]] = []
        self.facts: list[tuple[int, tuple[tuple[str, PlainFact], ...]]] = []
        self.failures: list[tuple[int, Exception]] = []
        self.memo: dict[str, Any] = {}
        """What contracts found out that holds for the whole block."""


class _BatchRun:
    """Executes one batch under its sponsor's quota."""

    def __init__(
        self,
        machine: Machine,
        block: Block,
        contracts: Mapping[str, Contract],
        progress: _Progress,
    ) -> None:
        self._window = machine.window
        self._rules = machine.rules
        self._view = machine.view
        self._genesis_hash = machine.network.genesis_hash
        self._digest = machine.network.digest
        self._events_max = machine.network.limits.events
        self._block = block
        self._contracts = contracts
        self._progress = progress
        self._refusals = self._rows = self._envelopes = self._bytes = self._rows_max = 0
        self._given_back: Counter[bytes] = Counter()
        """Rows less that are stored for other sponsors."""

    def run(self, batch: CheckedBatch) -> list[Outcome]:
        """Execute all items; returns one outcome each."""
        view, time_ms = self._view, self._block.time_ms
        view.begin()
        try:
            quota = find_quota(self._rules, view, batch.sponsor, batch.key_address, time_ms)
        except Invalid as error:
            # What the stateless checks found stands: replay from the log relies on it.
            return [item if isinstance(item, Invalid) else error for item in batch.items]
        used = view.get(SponsorUsage, batch.sponsor) or SponsorUsage(batch.sponsor)
        day = time_ms // DAY_MS
        if used.day != day:
            used = SponsorUsage(batch.sponsor, day, stored_rows=used.stored_rows)
        self._rows_max = quota.stored_rows - used.stored_rows
        calls = [self._decode_calls(item) for item in batch.items]
        view.fetch_many(list_reads(calls))
        outcomes = [
            self._run_item(item, size, decoded, batch.sponsor, quota, used)
            for item, size, decoded in zip(batch.items, batch.sizes, calls, strict=True)
        ]
        view.begin()
        view.put(
            SponsorUsage(
                batch.sponsor,
                day,
                used.bytes_used + self._bytes,
                used.envelopes + self._envelopes,
                used.refusals + self._refusals,
                max(0, used.stored_rows + self._rows),
            )
        )
        view.commit()
        self._give_back()
        return outcomes

    def _give_back(self) -> None:
        """Take rows of others that were removed off the usage of whoever brought them in."""
        view = self._view
        for sponsor, rows in sorted(self._given_back.items()):
            view.begin()
            used = view.get(SponsorUsage, sponsor) or SponsorUsage(sponsor)
            view.put(msgspec.structs.replace(used, stored_rows=max(0, used.stored_rows - rows)))
            view.commit()

    def _run_item(
        self,
        item: CheckedEnvelope | Invalid,
        size: int,
        calls: list[_Call] | Invalid,
        sponsor: bytes,
        quota: Quota,
        used: SponsorUsage,
    ) -> Outcome:
        if isinstance(item, Invalid):
            return self._turn_away(item, size)
        total, count = used.bytes_used + self._bytes + size, used.envelopes + self._envelopes + 1
        exceeded = find_exceeded(quota, total, count, used.refusals + self._refusals)
        if exceeded is not None:
            return exceeded
        body, time_ms = item.body, self._block.time_ms
        until = body.valid_until_ms
        stale = find_stale(until, time_ms, time_ms)
        if stale is not None:
            return self._turn_away(stale, size)
        if isinstance(calls, Invalid):
            return self._turn_away(calls, size)
        self._bytes += size
        if not self._window.add(body.signers[0], body.nonce, until, time_ms):
            return Repeated(item.tx_id)  # counted as an envelope for who brought it in first
        self._envelopes += 1
        return self._execute(item, calls, sponsor)

    def _turn_away(self, reason: Invalid, size: int) -> Invalid:
        """Count an item that gets no receipt: it lies in the log like any other."""
        self._refusals += 1
        self._bytes += size
        return reason

    def _decode_calls(self, item: CheckedEnvelope | Invalid) -> list[_Call] | Invalid:
        """Decode all arguments before any call runs; unknown contracts come out as None."""
        if isinstance(item, Invalid):
            return item
        calls: list[_Call] = []
        for call in item.body.calls:
            contract = self._contracts.get(call.contract)
            entry = None if contract is None else contract.commands.get(call.command)
            if contract is None or entry is None:
                calls.append((call.contract, None, call.command))
                continue
            try:
                arguments = decode_arguments(contract, call.command, entry, bytes(call.arguments))
            except Invalid as error:
                return error
            calls.append((call.contract, entry, arguments))
        return calls

    def _execute(
        self,
        item: CheckedEnvelope,
        calls: list[_Call],
        sponsor: bytes,
    ) -> int:
        """Run the calls together; write a receipt, whatever happens."""
        progress, view = self._progress, self._view
        index = len(progress.receipts)
        view.begin()
        context = self._build_context(
            item.attestation, sponsor, item.body.signers, item.tx_id, index
        )
        told: list[tuple[str, str, Event]] = []
        number = 0
        try:
            for number, (name, entry, arguments) in enumerate(calls):  # noqa: B007 - the receipt's call
                if entry is None:
                    raise Refused(ExecutionCode.UNKNOWN_COMMAND, contract=name)
                events = entry.function(view, context, arguments)
                context.earlier_events += events
                told += [(name, type(event).__name__, event) for event in events]
                if len(told) > self._events_max:
                    raise Refused(ExecutionCode.TOO_MANY_EVENTS, events_max=self._events_max)
            receipt = encode((item.tx_id, Status.OK, "", 0, told))
            rows, others = view.count_new_rows(sponsor)
            if rows > 0 and self._rows_max < self._rows + rows:
                raise Refused(ExecutionCode.TOO_MANY_ROWS, sponsor=sponsor, new_rows=rows)
            self._rows += rows
            if others:
                self._given_back.update(others)
            view.commit()
        except Refused as refusal:
            self._refusals += 1
            receipt = encode((item.tx_id, Status.REFUSED, refusal.code.value, number, ()))
            progress.facts.append((index, tell_plain(refusal)))
        except (Corrupt, Unavailable, MemoryError, RecursionError):
            raise  # this machine's fault, not the contract's: another node would not see it
        except Exception as error:  # noqa: BLE001 - a contract's bug must not stop the chain
            self._refusals += 1
            receipt = encode((item.tx_id, Status.FAILED, "kernel.FAILED", number, ()))
            progress.failures.append((index, error))
        progress.receipts.append(receipt)
        progress.tx_ids.append(item.tx_id)
        progress.envelope_hashes.append(item.envelope_hash)
        return index

    def _build_context(
        self,
        attestation: bytes | None,
        sponsor: bytes,
        signers: tuple[bytes, ...],
        tx_id: bytes,
        index: int,
    ) -> Context:
        block = self._block
        return Context(
            self._view,
            genesis_hash=self._genesis_hash,
            digest=self._digest,
            height=block.height,
            time_ms=block.time_ms,
            position=compute_position(block.height, index),
            tx_id=tx_id,
            signers=signers,
            sponsor=sponsor,
            attestation=attestation,
            memo=self._progress.memo,
        )


def _check_time(time_ms: int) -> None:
    """Refuse a time that would end the chain, since ledger time never goes back."""
    if time_ms > TIME_MS_MAX:
        raise Unavailable(
            f"the clock says {time_ms} ms, which is after the year 2106, where this ledger ends: "
            "set the clock right",
            time_ms=time_ms,
        )
