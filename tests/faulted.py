"""A voted network in this process, some of whose nodes are faulty, and what its clients know."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.alike import check_alike
from tests.voted import make_network, open_signer, wall_clock_ms
from tests.world import ASSET, World, key, pay

from hansa.contracts import currency, payments, wallets
from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.ordering import Answer
from hansa.kernel.block import decode_receipt
from hansa.kernel.errors import HansaError
from hansa.node.audit import audit

WITHIN_S = 90
PEOPLE = 10
FUNDS_MINOR = 1_000_000


class FaultedNetwork:
    """Four nodes, each beside a real CometBFT, and what their clients know."""

    def __init__(self, folder: Path, policy: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.nodes = make_network(folder, policy=policy)
        self.engines: dict[int, CometEngine] = {}
        """Of the nodes that run."""
        self.told: dict[bytes, tuple[int, int]] = {}
        """Height and index by transaction, as a client was told."""
        self.happened: Counter[str] = Counter()
        """Since the last check."""
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
            await asyncio.to_thread(engine.keeper.close)
            engine.chain.close(is_failed=engine.failure is not None)

    async def close(self) -> None:
        """Stop what runs."""
        await self.stop(*list(self.engines))

    async def fund(self) -> None:
        """Issue money and open wallets, through the first node."""
        world = self._world = open_signer(self.engines[0].chain)
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
        for raw in (world.batch(issue, sponsor="officer0"), world.batch(*opened)):
            await self._submit(0, raw)

    async def pay(self, number: int) -> None:
        """Have each of the people pay another one, through a node."""
        world = self._world
        assert world is not None, "fund first"
        world.time_ms = wall_clock_ms()
        self._rounds += 1
        paid = [
            world.sign(
                [key(f"p{n}")],
                pay(f"p{n}", f"p{(n + 1) % PEOPLE}", 1, f"r{self._rounds}-{n}"),
            )
            for n in range(PEOPLE)
        ]
        await self._submit(number, world.batch(*paid))

    async def _submit(self, number: int, raw: bytes) -> None:
        async with asyncio.timeout(WITHIN_S):
            answers = await self.engines[number].submit(raw)
        for answer in answers:
            assert answer.error is None, answer
            assert self.note(answer) == "", answer
        self.happened["payments confirmed"] += len(answers)

    def note(self, answer: Answer) -> str:
        """Note what a client was told; returns the code of the receipt."""
        receipt = decode_receipt(answer.receipt)
        self.told[receipt.tx_id] = (answer.height, answer.place)
        return receipt.code

    async def check(self) -> str:
        """Wait until all nodes have all blocks, and check them; returns what happened before."""
        chains = [engine.chain for _, engine in sorted(self.engines.items())]
        assert len(chains) == len(self.nodes)
        height = max(chain.confirmed_height for chain in chains)
        for engine in self.engines.values():
            await reach(engine, height)
        height = check_alike(chains, self.told)
        for chain in chains:
            at = chain.store.pending_height
            records = chain.iterate_records(0)
            assert audit(records, chain.network, chain.iterate_rows, rows_height=at).findings == []
        what = ", ".join(f"{count} {name}" for name, count in self.happened.items())
        self.happened.clear()
        nodes = len(chains)
        return f"{what}, 0 lost, 0 doubled; {height + 1} blocks equal on {nodes} nodes, all audited"


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


async def catch_up(engine: CometEngine) -> None:
    """Wait until a node fetches no blocks any more, and takes part in the votes."""
    async with asyncio.timeout(WITHIN_S):
        seen = await engine.fetch_consensus()
        while seen is None or seen.is_catching_up:
            await asyncio.sleep(0.1)
            seen = await engine.fetch_consensus()
