"""A voted network under faults, and an auditor of what its clients were told.

Every payment is sent through some node. If its answer came, that receipt must be in every chain
later, at its place; if none came, the same envelope is sent again at the end, and must then have
exactly one receipt.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.voted import VotedNode, make_network, open_signer, wall_clock_ms
from tests.world import ASSET, World, key, pay

from hansa.contracts import currency, payments, wallets
from hansa.engine.chain import Chain
from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.ordering import Answer
from hansa.kernel.block import decode_receipt
from hansa.kernel.errors import HansaError, Unavailable
from hansa.node.audit import audit

WITHIN_S = 60
PEOPLE = 10
FUNDS_MINOR = 1_000_000


class FaultedNetwork:
    """Four nodes of which some fail, and what their clients know."""

    def __init__(self, folder: Path, nodes: Sequence[VotedNode] | None = None) -> None:
        self.nodes = nodes or make_network(folder)
        self.engines: dict[int, CometEngine] = {}
        """Of the nodes that run."""
        self.told: list[Answer] = []
        self.unsure: list[bytes] = []
        """Batches of which nobody was told whether they were confirmed."""
        self.happened: Counter[str] = Counter()
        self._world: World | None = None
        self._rounds = 0

    async def start(self, *numbers: int, kind: type[CometEngine] = CometEngine) -> None:
        """Start some nodes, and wait until their CometBFT answers."""
        for number in numbers:
            engine = self.engines[number] = self.nodes[number].build_engine(kind)
            engine.start()
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*(self.engines[number].ready() for number in numbers))

    async def stop(self, *numbers: int) -> None:
        """Stop some nodes in order."""
        for number in numbers:
            engine = self.engines.pop(number)
            with suppress(HansaError):
                await engine.stop()
            engine.chain.close(is_failed=engine.failure is not None)

    async def kill(self, *numbers: int) -> None:
        """Kill nodes' CometBFT at once; the nodes end with it, and flush nothing."""
        for number in numbers:
            os.kill(self.engines[number].child_pid, signal.SIGKILL)
        for number in numbers:
            with suppress(Unavailable):
                await self.engines[number].wait()
        await self.stop(*numbers)
        self.happened["nodes killed"] += len(numbers)

    async def fund(self) -> None:
        """Issue money and open wallets, through the first node that runs."""
        engine = next(iter(self.engines.values()))
        world = self._world = open_signer(engine.chain)
        north = key("north").address
        issue = world.sign(
            [key("officer0")],
            currency.SetQuota(north, ASSET, 10**12),
            currency.Issue(north, ASSET, PEOPLE * FUNDS_MINOR),
        )
        opened = []
        for number in range(PEOPLE):
            wallet = key(f"p{number}").address
            commands = (
                wallets.Open(wallet, north, wallets.Category(1)),
                payments.CashIn(north, wallet, ASSET, FUNDS_MINOR // 2, f"in-{number}"),
            )
            opened.append(world.sign([key("north")], *commands))
        await self._submit(engine, world.batch(issue, sponsor="officer0"))
        await self._submit(engine, world.batch(*opened))

    async def pay(self, number: int, count: int = PEOPLE) -> bool:
        """Have people pay one another through a node; returns whether they were told so."""
        raw = self.sign_payments(count)
        try:
            await self._submit(self.engines[number], raw)
        except Unavailable:
            self.unsure.append(raw)
            self.happened["batches without an answer"] += 1
            return False
        return True

    def sign_payments(self, count: int = PEOPLE) -> bytes:
        """Sign a batch in which the first `count` people pay their neighbours."""
        world = self._world
        assert world is not None, "fund first"
        world.time_ms = wall_clock_ms()
        self._rounds += 1
        paid = [
            world.sign(
                [key(f"p{n}")],
                pay(f"p{n}", f"p{(n + 1) % PEOPLE}", 1, f"r{self._rounds}-{n}"),
            )
            for n in range(count)
        ]
        return world.batch(*paid)

    async def _submit(self, engine: CometEngine, raw: bytes) -> None:
        async with asyncio.timeout(WITHIN_S):
            answers = await engine.submit(raw)
        for answer in answers:
            assert answer.error is None, answer
            assert decode_receipt(answer.receipt).code == "", answer
        self.told += answers
        self.happened["payments confirmed"] += len(answers)

    async def settle(self) -> int:
        """Send again whatever got no answer; wait until all have all blocks; returns the height."""
        numbers = sorted(self.engines)
        for raw in self.unsure:
            await self._submit(self.engines[numbers[0]], raw)
        self.unsure.clear()
        height = max(engine.chain.confirmed_height for engine in self.engines.values())
        for engine in self.engines.values():
            await reach(engine, height)
        return height

    async def finish(self, title: str) -> None:
        """Settle, look everything up in all nodes' chains, and say what happened."""
        height = await self.settle()
        chains = [engine.chain for engine in self.engines.values()]
        assert len(chains) == len(self.nodes)
        for chain in chains:
            check_told(chain, self.told)
            assert list_blocks(chain, height) == list_blocks(chains[0], height)
        self.happened["blocks"] = height
        parts = ", ".join(f"{count} {what}" for what, count in self.happened.items())
        print(f"\n{title}: {parts}; all headers equal")  # noqa: T201 - the issue asks for it

    async def close(self) -> None:
        """Stop what runs."""
        await self.stop(*list(self.engines))


async def reach(engine: CometEngine, height: int) -> None:
    """Wait until a node has confirmed a block."""
    reached = asyncio.Event()
    engine.listen(lambda result: reached.set() if result.header.height >= height else None)
    if engine.chain.confirmed_height >= height:
        return
    failing = asyncio.create_task(engine.wait())
    reaching = asyncio.create_task(reached.wait())
    async with asyncio.timeout(WITHIN_S):
        await asyncio.wait((failing, reaching), return_when=asyncio.FIRST_COMPLETED)
    for task in (failing, reaching):
        if task.done():
            task.result()
        task.cancel()


def check_told(chain: Chain, told: Sequence[Answer]) -> None:
    """Check that a chain holds what was told, nothing twice, and that its books are right."""
    records = list(chain.iterate_records(0))
    for answer in told:
        assert records[answer.height].receipts[answer.place] == answer.receipt
    ids = [decode_receipt(raw).tx_id for record in records for raw in record.receipts]
    assert len(ids) == len(set(ids))
    at = chain.store.pending_height
    report = audit(records, chain.network, chain.iterate_rows, rows_height=at)
    assert report.findings == []


def list_blocks(chain: Chain, height: int) -> list[tuple[bytes, Sequence[bytes]]]:
    """List headers and receipts up to a height."""
    records = [chain.get_record(at) for at in range(height + 1)]
    return [(record.header, record.receipts) for record in records]
