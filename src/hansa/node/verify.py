"""Verification: the chain executed again from genesis, every signature and root compared."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hansa.contracts.registry import Registry
from hansa.engine.chain import NODE_SPACE, ROW_SPACE, group_dropped, is_sealed
from hansa.engine.store import Store
from hansa.engine.verification import PoolVerifier
from hansa.kernel.block import BlockRecord, decode_header
from hansa.kernel.errors import HansaError
from hansa.kernel.execution import Block, BlockResult, Machine
from hansa.kernel.genesis import Network
from hansa.kernel.state import State
from hansa.kernel.transaction import build_checked
from hansa.kernel.trees.state_tree import StateTree

BLOCKS_AHEAD = 4
FLUSH_BLOCKS = 50

Progress = Callable[[int], None]


@dataclass(slots=True)
class VerifyReport:
    """What a verification found; it stops at the first block that differs."""

    blocks: int = 0
    transactions: int = 0
    height: int = -1
    state_root: str = ""
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
            "state_root": self.state_root,
            "findings": self.findings,
        }


class _Scratch:
    """Rows and tree nodes of the second execution, kept in a store of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.gathered: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._store.get(ROW_SPACE + key)

    def get_node(self, path: bytes) -> bytes | None:
        key = NODE_SPACE + path
        return self.gathered[key] if key in self.gathered else self._store.get(key)

    def put_node(self, path: bytes, blob: bytes) -> None:
        self.gathered[NODE_SPACE + path] = blob

    def delete_node(self, path: bytes) -> None:
        self.gathered[NODE_SPACE + path] = None

    def settle(self, result: BlockResult) -> None:
        """Take a checkpoint into the store."""
        if result.committed is None:
            return
        puts = {ROW_SPACE + key: value for key, value in result.committed.items()}
        self._store.write({**puts, **self.gathered}, result.header.height)
        self.gathered.clear()
        if result.header.height % FLUSH_BLOCKS == 0:
            self._store.flush(wait=False)


def verify(
    records: Iterator[BlockRecord], network: Network, scratch: Store, progress: Progress
) -> VerifyReport:
    """Execute a chain again from genesis and compare every header, receipt and seal.

    Args:
      records: all blocks in order.
      network: the network, by a genesis that the caller trusts.
      scratch: an empty store for the second execution.
      progress: called with each height.

    Raises:
      Corrupt: a block cannot be read from the log; names its height.
    """
    return asyncio.run(_verify(records, network, scratch, progress))


async def _verify(
    records: Iterator[BlockRecord], network: Network, scratch: Store, progress: Progress
) -> VerifyReport:
    report = VerifyReport()
    rows = _Scratch(scratch)
    machine = Machine(
        network, Registry(network.genesis), State(rows), StateTree(rows, network.digest)
    )
    verifier = PoolVerifier(network, os.cpu_count() or 1)
    try:
        async for record, verdicts in _check_ahead(records, verifier):
            header = decode_header(record.header)
            try:
                if header.height == 0:
                    result = machine.apply_genesis()
                else:
                    batches = [
                        build_checked(raw, verdict, network)
                        for raw, verdict in zip(record.batches, verdicts, strict=True)
                    ]
                    result = machine.apply_block(Block(header.height, header.time_ms, batches))
            except HansaError as error:
                report.findings.append(f"block {header.height}: {error.message}")
                break
            report.findings += _compare(record, result, network)
            if report.findings:
                break
            rows.settle(result)
            report.blocks += 1
            report.transactions += len(result.receipts)
            report.height = header.height
            report.state_root = header.state_root.hex()
            progress(header.height)
    finally:
        verifier.close()
    return report


async def _check_ahead(records: Iterator[BlockRecord], verifier: PoolVerifier) -> Any:  # noqa: ANN401
    """Yield blocks with their verdicts, a few being verified ahead of the one executed."""

    async def check(record: BlockRecord) -> Any:  # noqa: ANN401
        return await asyncio.gather(*(verifier.check_batch(raw) for raw in record.batches))

    waiting: list[tuple[BlockRecord, asyncio.Task[Any]]] = []
    for record in records:
        waiting.append((record, asyncio.create_task(check(record))))
        if len(waiting) > BLOCKS_AHEAD:
            first, task = waiting.pop(0)
            yield first, await task
    for first, task in waiting:
        yield first, await task


def _compare(record: BlockRecord, result: BlockResult, network: Network) -> list[str]:
    height = result.header.height
    findings = []
    if result.header.encoded() != record.header:
        logged = decode_header(record.header)
        differing = [
            name
            for name in type(logged).__struct_fields__
            if getattr(logged, name) != getattr(result.header, name)
        ]
        findings.append(f"block {height} executes to another {', '.join(differing)}")
    if tuple(result.receipts) != record.receipts:
        findings.append(f"block {height} executes to other receipts than the log holds")
    if not is_sealed(network, record.header, record.signatures):
        findings.append(f"block {height} is not sealed by a key that genesis names")
    if sum(map(len, group_dropped(record))) + len(record.receipts) != sum(
        map(len, result.outcomes)
    ):
        findings.append(f"block {height}: the log names other dropped items")
    return findings
