"""Verification: the chain executed again from genesis, every signature, root and seal compared.

It trusts the genesis it is given and this program's code, and nothing that was written down: not
the log's verdicts on signatures, not the store.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals, StoredNodes, StoredRows
from hansa.engine.record_items import group_dropped, list_dropped
from hansa.engine.snapshots.beginning import Base, open_base
from hansa.engine.store import StateStore, Store
from hansa.engine.verification import InlineVerifier, PoolVerifier, Verifier
from hansa.kernel.block import BlockRecord, Drop, Header, decode_header
from hansa.kernel.errors import HansaError, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.coverage import Coverage
from hansa.kernel.machine.execution import Block, BlockResult, Machine
from hansa.kernel.machine.state import State
from hansa.kernel.transaction import Verdict, build_checked, trust_batch
from hansa.kernel.trees.state_tree import StateTree
from hansa.node.records import find_seal_fault, iterate_records, open_log

BYTES_AHEAD = 4 << 20
"""Of batches whose signatures are checked while an earlier block is executed."""

FLUSH_ROWS = 200_000
BLOCKS_FOR_ONE = 100
"""Chains of fewer blocks are verified by one process."""

RECEIPTS_TOLD = 5
_RECORD_ERRORS = (HansaError, msgspec.DecodeError, ValueError, IndexError)

Progress = Callable[[int], None]
CheckBatches = Callable[[BlockRecord], Awaitable[list[Verdict]]]


@dataclass(slots=True)
class VerifyReport:
    """What a verification found; it stops at the first block that differs."""

    blocks: int = 0
    transactions: int = 0
    height: int = -1
    """Of the last block that was right."""
    base_height: int | None = None
    """Of the snapshot from which it was executed; None for genesis."""
    base_hash: str | None = None
    """Of that snapshot's last header."""
    state_root: str = ""
    signatures_checked: bool = True
    voted_height: int | None = None
    """Of the newest block that validators are known to have signed; None where none is."""
    differs_at: int | None = None
    """Height of the first block that differs."""
    findings: list[str] = field(default_factory=list)

    @property
    def verify_ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        return {
            "verify_ok": self.verify_ok,
            "blocks": self.blocks,
            "transactions": self.transactions,
            "height": self.height,
            "base_height": self.base_height,
            "base_hash": self.base_hash,
            "state_root": self.state_root,
            "signatures_checked": self.signatures_checked,
            "voted_height": self.voted_height,
            "differs_at": self.differs_at,
            "findings": self.findings,
        }


def verify(  # noqa: PLR0913 - what is verified, by keyword
    records: Iterable[BlockRecord],
    network: Network,
    scratch: Store,
    progress: Progress | None = None,
    *,
    signatures: bool = True,
    processes: int | None = None,
    base: Base | None = None,
) -> VerifyReport:
    """Execute a chain again, from genesis or a base, and compare every header, receipt and seal.

    Args:
      records: all blocks in order, or all behind the base; a few are held in memory.
      network: the network, by a genesis that the caller trusts.
      scratch: an empty store for the second execution; the base's own if there is one.
      progress: called with each height.
      signatures: whether to check every signature of batches and transactions, too.
      processes: that check them, one a core if not given; 1 checks in this one.
      base: a snapshot, built, that is executed on.

    Raises:
      Corrupt: a block cannot be read; names its height.
    """
    execution = _Execution(network, scratch, base)
    return asyncio.run(_verify(records, network, execution, progress, signatures, processes))


def verify_folder(
    log_folder: Path,
    network: Network,
    progress: Progress | None = None,
    *,
    signatures: bool = True,
    coverage: Coverage | None = None,
) -> VerifyReport:
    """Verify the log of a node that runs or is stopped, up to its last confirmed block.

    Where its first blocks are not kept, it is executed from the oldest snapshot that is. Needs as
    much free space for temporary files as the node's store has. For `coverage` see
    `verify_blocks`.

    Raises:
      NotFound: there is no log.
      Corrupt: a block is damaged or missing; names its height.
    """
    reader = open_log(log_folder)
    try:
        with _open_oldest(log_folder.parent, reader.height_min, network) as base:
            first = 0 if base is None else base.head.height + 1
            return verify_blocks(
                iterate_records(reader, first),
                network,
                progress,
                base=base,
                signatures=signatures,
                coverage=coverage,
            )
    finally:
        reader.close()


def _open_oldest(
    folder: Path, begins: int, network: Network
) -> AbstractContextManager[Base | None]:
    """Open the snapshot behind which the blocks of a node's folder begin; None at genesis."""
    return open_base(folder / "snapshots", begins, network) if begins > 0 else nullcontext()


def verify_blocks(  # noqa: PLR0913 - as `verify`
    records: Iterable[BlockRecord],
    network: Network,
    progress: Progress | None = None,
    *,
    base: Base | None = None,
    signatures: bool = True,
    processes: int | None = None,
    coverage: Coverage | None = None,
) -> VerifyReport:
    """Verify blocks from wherever they come, in a temporary store unless a base brings one.

    Args:
      records: as in `verify`.
      network: as in `verify`.
      progress: as in `verify`.
      base: as in `verify`.
      signatures: as in `verify`.
      processes: as in `verify`.
      coverage: of the votes that are shown, where validators vote; what it finds is told, too.

    Raises:
      Corrupt: a block cannot be read; names its height.
    """
    if coverage is not None:
        if base is not None:
            coverage.look(base.head.encoded())
        records = coverage.watch(records)
    with nullcontext(base.store) if base is not None else _open_scratch() as scratch:
        report = verify(
            records,
            network,
            scratch,
            progress,
            signatures=signatures,
            processes=processes,
            base=base,
        )
    if coverage is not None and report.verify_ok:
        report.voted_height = coverage.voted_height
        report.findings += coverage.list_findings()
    return report


@contextmanager
def _open_scratch() -> Iterator[StateStore]:
    with tempfile.TemporaryDirectory(prefix="hansa-verify-") as folder:
        store = StateStore.open(Path(folder) / "store")
        try:
            yield store
        finally:
            store.close()


def choose_processes(height: int) -> int | None:
    """Choose how many processes check the signatures of so many blocks: `processes` of `verify`.

    Starting others takes longer than checking a few blocks.
    """
    return 1 if height < BLOCKS_FOR_ONE else None


class _Execution:
    """The second execution, block by block."""

    def __init__(self, network: Network, scratch: Store, base: Base | None) -> None:
        self.report = VerifyReport()
        self._network = network
        self._scratch = scratch
        self._unflushed = 0
        if base is not None:
            rules = Registry(network.genesis)
            opened = Chain.open(base.log, base.store, network, rules, NobodySeals())
            self._nodes, self._machine = opened.nodes, opened.machine
            self.report.height = self.report.base_height = base.head.height
            self.report.base_hash = network.digest(
                network.header_prefix + base.head.encoded()
            ).hex()
            self.report.state_root = base.head.state_root.hex()
            return
        self._nodes = StoredNodes(scratch)
        self._machine = Machine(
            network,
            Registry(network.genesis),
            State(StoredRows(scratch)),
            StateTree(self._nodes, network.digest),
        )

    def take(self, record: BlockRecord, verdicts: list[Verdict] | str) -> bool:
        """Execute and compare one block; False if it differs.

        Args:
          record: the block.
          verdicts: on its batches, or why there are none.
        """
        report = self.report
        expected = report.height + 1
        try:
            if isinstance(verdicts, str):
                return self._tell(expected, [verdicts])
            header = decode_header(record.header)
            if header.height != expected:
                return self._tell(expected, [f"is missing: block {header.height} is in its place"])
            result = self._execute(header, record, verdicts)
        except _RECORD_ERRORS as error:
            return self._tell(expected, [f"cannot be executed: {error}"])
        findings = _compare(record, header, result, self._network)
        if findings:
            return self._tell(expected, findings)
        self._settle(result)
        report.blocks += 1
        report.transactions += len(result.receipts)
        report.height = header.height
        report.state_root = header.state_root.hex()
        return True

    def _execute(self, header: Header, record: BlockRecord, verdicts: list[Verdict]) -> BlockResult:
        if header.height == 0:
            return self._machine.apply_genesis()
        batches = [
            build_checked(raw, verdict, self._network)
            for raw, verdict in zip(record.batches, verdicts, strict=True)
        ]
        return self._machine.apply_block(Block(header.height, header.time_ms, batches))

    def _settle(self, result: BlockResult) -> None:
        """Take a checkpoint into the store."""
        if result.committed is None:
            return
        puts = self._nodes.list_changes(result.committed)
        self._scratch.write(puts, result.header.height)
        self._nodes.gathered.clear()
        self._unflushed += len(puts)
        if self._unflushed >= FLUSH_ROWS:
            self._scratch.flush(wait=False)
            self._unflushed = 0

    def _tell(self, height: int, findings: list[str]) -> bool:
        self.report.differs_at = height
        self.report.findings += [f"block {height} {finding}" for finding in findings]
        return False


async def _verify(
    records: Iterable[BlockRecord],
    network: Network,
    execution: _Execution,
    progress: Progress | None,
    signatures: bool,  # noqa: FBT001 - private
    processes: int | None,
) -> VerifyReport:
    report = execution.report
    report.signatures_checked = signatures
    count = processes or os.cpu_count() or 1
    is_inline = count == 1 or not signatures
    verifier = InlineVerifier(network) if is_inline else PoolVerifier(network, count)
    check = _check_with(verifier) if signatures else _trust(network)
    try:
        async with aclosing(_check_ahead(records, check)) as checked:
            async for record, verdicts in checked:
                if not execution.take(record, verdicts):
                    break
                if progress is not None:
                    progress(report.height)
    finally:
        verifier.close()
    if not report.blocks and not report.findings and report.base_height is None:
        report.findings.append("there is no block")
    return report


def _check_with(verifier: Verifier) -> CheckBatches:
    async def check(record: BlockRecord) -> list[Verdict]:
        return list(await asyncio.gather(*map(verifier.check_batch, record.batches)))

    return check


def _trust(network: Network) -> CheckBatches:
    """Take the log's word for what the stateless checks found."""

    async def check(record: BlockRecord) -> list[Verdict]:
        groups = group_dropped(record, is_stateless=True)
        return [
            trust_batch(raw, network, dropped)
            for raw, dropped in zip(record.batches, groups, strict=True)
        ]

    return check


async def _check_ahead(
    records: Iterable[BlockRecord], check: CheckBatches
) -> AsyncGenerator[tuple[BlockRecord, list[Verdict] | str], None]:
    """Yield blocks with their verdicts, some being checked ahead of the one executed."""
    waiting: deque[tuple[BlockRecord, asyncio.Task[list[Verdict]], int]] = deque()
    size = 0
    try:
        for record in records:
            weight = sum(map(len, record.batches)) + 1
            waiting.append((record, asyncio.ensure_future(check(record)), weight))
            size += weight
            while size > BYTES_AHEAD:
                first, task, weight = waiting.popleft()
                size -= weight
                yield first, await _finish(task)
        while waiting:
            first, task, _ = waiting.popleft()
            yield first, await _finish(task)
    finally:
        tasks = [task for _, task, _ in waiting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _finish(task: asyncio.Task[list[Verdict]]) -> list[Verdict] | str:
    try:
        return await task
    except Unavailable:
        raise
    except _RECORD_ERRORS as error:
        return f"holds batches that cannot be read: {error}"


def _compare(
    record: BlockRecord, logged: Header, result: BlockResult, network: Network
) -> list[str]:
    """Compare what is written down with what execution gave; all differences of one block."""
    findings = []
    if result.header.encoded() != record.header:
        differing = [
            name
            for name in type(logged).__struct_fields__
            if getattr(logged, name) != getattr(result.header, name)
        ]
        findings.append(f"executes to another {', '.join(differing)}")
    if tuple(result.receipts) != record.receipts:
        differing = [
            str(index)
            for index, pair in enumerate(zip_longest(result.receipts, record.receipts))
            if pair[0] != pair[1]
        ]
        findings.append(
            f"executes to {len(differing)} other receipts than were logged, the first at "
            f"{', '.join(differing[:RECEIPTS_TOLD])}"
        )
    fault = find_seal_fault(network, record)
    if fault:
        findings.append(fault)
    if _name_drops(list_dropped(result)) != _name_drops(record.dropped):
        findings.append("drops other items of its batches than were logged")
    return findings


def _name_drops(drops: Iterable[Drop]) -> list[tuple[int, int, str]]:
    """Name what got no receipt; the words that say why may change with the program."""
    return [(drop.batch, drop.item, drop.code) for drop in drops]
