"""One node's chain: the machine, the block log that is the truth, and the store behind it.

The store always stands at a checkpoint; whatever the log holds beyond it is executed again when
the chain is opened. A block counts as confirmed once `sync` has returned.

    batches -> Machine.apply_block -> log.append -> log.sync -> confirmed
                        |
                        +-- at a checkpoint: rows, tree nodes and index -> store
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol, Self

from hansa.engine.log import BlockLog
from hansa.engine.log.window import find_indexed, find_window
from hansa.engine.record_items import group_dropped, list_dropped
from hansa.engine.store import MemoryStore, Store
from hansa.kernel.block import (
    BlockRecord,
    Header,
    compute_position,
    decode_header,
    decode_record,
    is_sealed,
    read_tx_id,
    split_position,
)
from hansa.kernel.errors import Corrupt, NotFound
from hansa.kernel.genesis import Network
from hansa.kernel.machine.execution import Block, BlockResult, Machine
from hansa.kernel.machine.nonces import compute_counts_until_ms
from hansa.kernel.machine.rules import Rules
from hansa.kernel.machine.state import State
from hansa.kernel.transaction import (
    CheckedBatch,
    build_checked,
    list_nonces,
    trust_batch,
)
from hansa.kernel.trees.commitment import compute_place
from hansa.kernel.trees.state_tree import StateTree

ROW_SPACE = b"r"
NODE_SPACE = b"n"
INDEX_SPACE = b"t"
FLUSH_TRANSACTIONS = 20_000
"""The store is flushed after so many transactions; it bounds what an opening after a crash executes
again."""

FLUSH_SPEED = 2
"""While the store is flushed, twice as many keys are written with each transaction as one added on
average before: the flush ends before the next is due, and no block takes much longer for it."""

Seal = tuple[int, bytes, bytes]
"""Suite, public key and signature."""


class Sealer(Protocol):
    """Signs block headers."""

    def seal(self, message: bytes) -> tuple[Seal, ...]:
        """Sign with what keys this node has for it: none where validators vote."""


class NobodySeals:
    """Stands where validators vote on blocks, of whom none seals a header alone."""

    def seal(self, message: bytes) -> tuple[Seal, ...]:  # noqa: ARG002 - whatever it is
        """Sign nothing."""
        return ()


class RowProof(NamedTuple):
    """A row, or its absence, as of the last checkpoint, with its path to the state root."""

    key: bytes
    value: bytes | None
    path: list[bytes]
    header: bytes
    signatures: tuple[tuple[int, bytes, bytes], ...]


class StoredRows:
    """Committed rows, read from a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: bytes) -> bytes | None:
        """Get the encoded row under a packed key."""
        return self._store.get(ROW_SPACE + key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Get one encoded row or None per key."""
        return self._store.get_many([ROW_SPACE + key for key in keys])


class StoredNodes:
    """Tree nodes: read from a store, writes gathered for the checkpoint's batch."""

    def __init__(self, store: Store) -> None:
        self._get = store.get
        self.gathered: dict[bytes, bytes | None] = {}

    def get_node(self, path: bytes) -> bytes | None:
        """Get the node last put at `path`, or None."""
        key = NODE_SPACE + path
        if key in self.gathered:
            return self.gathered[key]
        return self._get(key)

    def put_node(self, path: bytes, blob: bytes) -> None:
        """Gather a node."""
        self.gathered[NODE_SPACE + path] = blob

    def delete_node(self, path: bytes) -> None:
        """Gather that there is no node."""
        self.gathered[NODE_SPACE + path] = None

    def list_changes(self, committed: Mapping[bytes, bytes | None]) -> dict[bytes, bytes | None]:
        """List what a checkpoint changes in the store: its rows, and the nodes gathered for it."""
        return {**{ROW_SPACE + key: row for key, row in committed.items()}, **self.gathered}


class Chain:
    """Executes blocks, keeps them, and answers from them. One writer; not thread-safe."""

    flush_transactions = FLUSH_TRANSACTIONS

    def __init__(
        self, log: BlockLog, store: Store, network: Network, rules: Rules, sealer: Sealer
    ) -> None:
        self.log = log
        self.store = store
        self.network = network
        self._rules = rules
        self._sealer = sealer
        self.nodes = StoredNodes(store)
        """Of the tree, with those gathered since the last checkpoint."""
        self._index: dict[bytes, bytes | None] = {}
        self._since_flush = self._keys_since_flush = 0
        self._keys_flushed_with_each = 1
        self._is_flush_wanted = False
        self._forgotten_end = 0
        self.confirmed_height = log.height_max  # what a log holds when it is opened is durable
        self.machine = self._build_machine(None)

    @classmethod
    def open(
        cls, log: BlockLog, store: Store, network: Network, rules: Rules, sealer: Sealer
    ) -> Self:
        """Open a chain, or begin one; executes again what the store lacks.

        Raises:
          Corrupt: the log does not follow from genesis, names another genesis, or a block does
            not execute to its own header; the error names the height.
        """
        chain = cls(log, store, network, rules, sealer)
        if log.height_max < 0:
            chain._begin()
        else:
            chain._recover()
        return chain

    @property
    def head(self) -> Header:
        """The newest header, confirmed or about to be."""
        head = self.machine.head
        if head is None:
            raise Corrupt("the chain has no genesis block", height=0)
        return head

    def execute_stepwise(
        self, time_ms: int, batches: Sequence[CheckedBatch]
    ) -> Iterator[BlockResult | None]:
        """Execute the next block, pausing after each batch, with None; ends with the result.

        The block is not in the log before `append`.
        """
        block = Block(self.head.height + 1, max(time_ms, self.head.time_ms), batches)
        return self.machine.apply_stepwise(block)

    def append(
        self,
        result: BlockResult,
        batches: Sequence[CheckedBatch],
        consensus_height: int = 0,
        validator_updates: tuple[tuple[bytes, int], ...] = (),
    ) -> None:
        """Write an executed block to the log, and at a checkpoint its rows to the store."""
        self._flush_if_due()
        header = result.header.encoded()
        record = BlockRecord(
            header,
            self._sealer.seal(self.network.header_prefix + header),
            tuple(batch.raw for batch in batches),
            tuple(result.receipts),
            list_dropped(result),
            tuple(result.facts),
            consensus_height,
            validator_updates,
        )
        self.log.append(result.header.height, record.encoded())
        self._settle(result)

    def sync(self) -> None:
        """Make everything appended so far durable: one fdatasync."""
        height = self.log.height_max
        self.log.sync()
        self.confirmed_height = height

    def flush(self) -> None:
        """Bring the store on disk up to the last checkpoint, whose block is durable first."""
        self.sync()
        self.store.flush()
        self._since_flush = self._keys_since_flush = 0

    def flush_soon(self) -> None:
        """Have a flush begin with a next block, as if much had been executed."""
        self._is_flush_wanted = True

    def close(self, *, is_failed: bool = False) -> None:
        """Flush and close; what is left is opened again without work.

        After a failure nothing is flushed: the store is brought up from the log again.

        Raises:
          Unavailable: the disk refuses; the folder is given back all the same.
        """
        try:
            if not is_failed and isinstance(self.log, BlockLog):
                self.flush()
        finally:
            try:
                self.store.close()
            finally:
                self.log.close()

    def get_record(self, height: int) -> BlockRecord:
        """Get a block from the log; raises `NotFound`."""
        return decode_record(self.log.read(height))

    def get_header(self, height: int) -> Header:
        """Get a block's header."""
        return decode_header(self.get_record(height).header)

    def iterate_records(self, from_height: int) -> Iterator[BlockRecord]:
        """Iterate blocks in order."""
        for _, raw in self.log.iterate(from_height):
            yield decode_record(raw)

    def descend(self, height: int, count: int) -> Iterator[int]:
        """Iterate so many heights downwards, as far as their blocks are kept when it gets there."""
        for at in range(height, max(-1, height - count), -1):
            if at < self.log.height_min:
                return
            yield at

    def forget(self, height: int) -> None:
        """Take a block's transactions out of the index, with the next checkpoint: its end is near.

        Raises:
          NotFound: the block is not kept any more.
        """
        for receipt in self.get_record(height).receipts:
            self._index[INDEX_SPACE + read_tx_id(receipt)] = None

    @property
    def indexed_from(self) -> int:
        """The block from which on transactions are found by their ids; older ones are pruned."""
        return max(self._first_indexed, self._forgotten_end, self.log.height_min)

    @cached_property
    def _first_indexed(self) -> int:
        """The same as the index has it: it may have lacked some when the chain was opened."""
        return find_indexed(self.log, lambda tx_id: self._get_position(tx_id) is not None)

    def begin_forgetting(self, end: int) -> None:
        """Take notice that blocks below `end` are going to be forgotten, one by one."""
        self._forgotten_end = max(self._forgotten_end, end)

    def find_position(self, tx_id: bytes) -> tuple[int, int]:
        """Find a transaction's height and index.

        Raises:
          NotFound: no block holds it.
        """
        if (raw := self._get_position(tx_id)) is None:
            raise self._describe_unknown(tx_id)
        return split_position(int.from_bytes(raw, "big"))

    def _get_position(self, tx_id: bytes) -> bytes | None:
        key = INDEX_SPACE + tx_id
        return self._index.get(key) or self.store.get(key)

    def find_positions(self, tx_ids: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
        """Find heights and indexes of those of the transactions that a block holds."""
        keys = [INDEX_SPACE + tx_id for tx_id in tx_ids]
        found = zip(tx_ids, keys, self.store.get_many(keys), strict=True)
        return {
            tx_id: split_position(int.from_bytes(raw, "big"))
            for tx_id, key, stored in found
            if (raw := self._index.get(key) or stored) is not None
        }

    def _describe_unknown(self, tx_id: bytes) -> NotFound:
        text, lowest = "no transaction with this id is in any block", self.indexed_from
        # Where validators vote, others may be ahead of this node.
        newest = self.head.height if self.network.genesis.is_voted else None
        if lowest == 0:
            upto = "" if newest is None else f" up to {newest}, the newest here"
            return NotFound(text + upto, tx_id=tx_id)
        upto = "" if newest is None else f" and the newest {newest}"
        return NotFound(
            f"{text} that is kept here, the oldest of which is {lowest}{upto}; ask a node that "
            "keeps all",
            tx_id=tx_id,
            height_min=lowest,
        )

    def get_row(self, key: bytes) -> bytes | None:
        """Get an encoded row as of the last checkpoint."""
        return self.store.get(ROW_SPACE + key)

    def iterate_rows(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Iterate rows under a key prefix, in key order, as of the checkpoint before the call."""
        rows = self.store.iterate_prefix(ROW_SPACE + prefix)
        return ((key[len(ROW_SPACE) :], value) for key, value in rows)

    def prove_row(self, key: bytes) -> RowProof:
        """Prove a row, or that there is none, as of the last checkpoint."""
        record = self.get_record(self.store.pending_height)
        # Not the machine's own tree, which may be ahead of the checkpoint.
        tree = StateTree(StoredNodes(self.store), self.network.digest)
        _check_root(tree.root(), decode_header(record.header))
        path = tree.prove(compute_place(key, self.network.digest))
        return RowProof(key, self.get_row(key), path, record.header, record.signatures)

    def _build_machine(self, head: Header | None) -> Machine:
        return Machine(
            self.network,
            self._rules,
            State(StoredRows(self.store)),
            StateTree(self.nodes, self.network.digest),
            head,
            0 if head is None else head.time_ms,
        )

    def _begin(self) -> None:
        """Make block 0 and keep it durably before anything else."""
        if self.store.height >= 0:
            raise Corrupt(
                "the store has blocks but the log has none: restore the log from a backup",
                height=self.store.height,
            )
        self.append(self.machine.apply_genesis(), ())
        self.sync()
        self.flush()

    def _recover(self) -> None:
        self._check_genesis()
        if self.store.height > self.log.height_max:
            raise Corrupt(
                f"the store stands at block {self.store.height} but the log ends at "
                f"{self.log.height_max}: blocks are missing; restore a backup",
                height=self.log.height_max,
            )
        if self.store.height < 0:
            self._compare(self.machine.apply_genesis(), self.get_record(0))
            start = 1
        else:
            head = self.get_header(self.store.height)
            self.machine = self._build_machine(head)
            _check_root(self.machine.commitment.root, head)
            self._refill_window(head)
            start = self.store.height + 1
        for record in self.iterate_records(start):
            self._flush_if_due()
            self._repeat(record)

    def _check_genesis(self) -> None:
        """Check that the oldest block kept is of this network, and that the store covers the rest.

        Of a pruned log, the state below its first block is in the store alone.
        """
        lowest = self.log.height_min
        if lowest > 0 and self.store.height <= lowest:
            raise Corrupt(
                f"the log begins with block {lowest}, and the store, at {self.store.height}, has "
                "not the state before it: restore a backup, or a snapshot",
                height=lowest,
            )
        record = self.get_record(lowest)
        if not self._is_of_network(record, lowest):
            raise Corrupt(
                f"block {lowest} is not of this genesis: the folder belongs to another network",
                height=lowest,
            )

    def _is_of_network(self, record: BlockRecord, height: int) -> bool:
        """Whether a block is of this genesis: where nobody seals, by its hash, which covers it."""
        network = self.network
        if not network.genesis.is_voted:
            return is_sealed(network, record.header, record.signatures)
        if height == 0:
            empty = StoredNodes(MemoryStore())
            state, tree = State(StoredRows(MemoryStore())), StateTree(empty, network.digest)
            made = Machine(network, self._rules, state, tree).apply_genesis()
            return made.header.encoded() == record.header
        header_hash = network.digest(network.header_prefix + record.header)
        return self.get_header(height + 1).previous_hash == header_hash

    def _repeat(self, record: BlockRecord) -> None:
        """Execute a logged block again and compare."""
        header = decode_header(record.header)
        batches = [
            build_checked(raw, trust_batch(raw, self.network, dropped), self.network)
            for raw, dropped in zip(
                record.batches, group_dropped(record, is_stateless=True), strict=True
            )
        ]
        block = Block(header.height, header.time_ms, batches)
        self._compare(self.machine.apply_block(block), record)

    def _compare(self, result: BlockResult, record: BlockRecord) -> None:
        if result.header.encoded() != record.header:
            height = result.header.height
            hint = (
                ": the chain was begun by a release with other rules; use that one"
                if height == 0
                else ""
            )
            raise Corrupt(f"block {height} does not execute to its own header{hint}", height=height)
        self._settle(result)

    def _settle(self, result: BlockResult) -> None:
        """Take a block into the index, and at a checkpoint into the store."""
        height = result.header.height
        for position, tx_id in enumerate(result.tx_ids, compute_position(height, 0)):
            self._index[INDEX_SPACE + tx_id] = position.to_bytes(8, "big")
        self._since_flush += len(result.tx_ids)
        self.store.advance(self._keys_flushed_with_each * len(result.tx_ids))
        if result.committed is None:
            return
        puts = self.nodes.list_changes(result.committed)
        puts.update(self._index)
        self._keys_since_flush += len(puts)
        self.store.write(puts, height)
        self.nodes.gathered.clear()
        self._index = {}

    def _flush_if_due(self) -> None:
        """Begin to flush the store if much was executed since, or it is wanted; before each block.

        Not while the log could still lose the checkpoint that the store holds: after a power cut
        the store would stand ahead of the log, and the chain could not be opened. Then a later
        block asks again. While a log is executed again it never waits: that is durable already.
        """
        is_due = self._since_flush >= self.flush_transactions or self._is_flush_wanted
        if is_due and self.store.pending_height <= self.confirmed_height:
            self.store.flush(wait=False)
            self._keys_flushed_with_each = 1 + FLUSH_SPEED * self._keys_since_flush // max(
                1, self._since_flush
            )
            self._since_flush = self._keys_since_flush = 0
            self._is_flush_wanted = False

    def _refill_window(self, head: Header) -> None:
        """Put back the nonces that still count, from the blocks up to `head`.

        Raises:
          Corrupt: the log begins too late.
        """
        first = find_window(self.log, head)
        if first == self.log.height_min and first > 0:
            raise Corrupt(
                f"the log begins with block {first}, later than the nonces that still count at "
                f"block {head.height}: restore a backup, or a snapshot",
                height=first,
            )
        window = self.machine.window
        for height in range(max(1, first), head.height + 1):
            record = self.get_record(height)
            time_ms = decode_header(record.header).time_ms
            for raw, dropped in zip(record.batches, group_dropped(record), strict=True):
                for signer, nonce, until_ms in list_nonces(raw, dropped):
                    if compute_counts_until_ms(until_ms) >= head.time_ms:
                        window.add(signer, nonce, until_ms, time_ms)


def _check_root(root: bytes, header: Header) -> None:
    """Check that the stored tree is that of a checkpoint; raises `Corrupt`, naming its height."""
    if root != header.state_root:
        raise Corrupt(
            f"the store's tree has not the state root of block {header.height}",
            height=header.height,
        )
