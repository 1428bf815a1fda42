"""What scoring costs the ledger: a node's sponsor desk with risk control and one without, in turns.

Both are given envelopes that were signed beforehand, check their signatures, sign one batch for
many of them, order it, execute and answer once it is durable. One of them also decides on each
payment, keeps the decision on the disk and attests to it, as its ledger demands. They take turns of
a few seconds in one process, so that a slow minute of the machine falls on both.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from hansa.engine.ordering import Answer
from hansa.engine.verification import PoolVerifier
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.machine.execution import BlockResult
from hansa.node.bench.ledger import PER_BATCH, count_good
from hansa.node.bench.load import OPERATOR, SERVER, Signer, create_bench_home, derive_key
from hansa.node.bench.risk.bank import open_desk_apart, write_folder
from hansa.node.bench.risk.live import open_wallets
from hansa.node.home import open_chain
from hansa.node.risk.desk import RiskDesk
from hansa.node.service import Node, wall_clock_ms
from hansa.node.sponsor.desk import Asked, Ruling

WALLETS = 10_000
TURNS = 4
"""Of each side."""
TURN_S = 4.0
SENDERS = 16
"""Each has one part of `PER_BATCH` transfers under way."""
RATE_MAX = 12_000
"""Transfers signed beforehand for each second of a turn."""


class ToldAtOnce:
    """Risk control that tells whoever sent what is held, instead of letting them wait for hours."""

    def __init__(self, desk: RiskDesk) -> None:
        self._desk = desk
        self.held = 0

    async def start(self, bring: Callable[[bytes], Awaitable[Answer]]) -> None:
        """As the desk."""
        await self._desk.start(bring)

    async def decide(self, asked: Sequence[Asked]) -> list[Ruling]:
        """As the desk; what is held is answered."""
        rulings = await self._desk.decide(asked)
        for each, ruling in zip(asked, rulings, strict=True):
            if ruling.is_held:
                self.held += 1
                each.done.set_result(Answer(b"", 0, 0, Invalid(InvalidCode.EXPIRED, "held")))
        return rulings

    def note(self, result: BlockResult) -> None:
        """As the desk."""
        self._desk.note(result)

    async def stop(self) -> None:
        """As the desk."""
        await self._desk.stop()


class Side:
    """A node, what is sent to it, and what came of that."""

    def __init__(self, node: Node, envelopes: Sequence[bytes], risk: ToldAtOnce | None) -> None:
        self.risk = risk
        self.confirmed = 0
        self.seconds = 0.0
        self._node = node
        self._envelopes: Iterator[bytes] = iter(envelopes)

    @property
    def confirmed_per_s(self) -> float:
        """Transfers that executed, a second of its turns."""
        return self.confirmed / self.seconds

    async def take_turn(self, seconds: float) -> None:
        """Send for a while, and wait for all answers."""
        began = time.monotonic()
        counts = await asyncio.gather(*(self._send(began + seconds) for _ in range(SENDERS)))
        self.confirmed += sum(counts)
        self.seconds += time.monotonic() - began

    async def _send(self, end: float) -> int:
        confirmed = 0
        while time.monotonic() < end:
            part = list(islice(self._envelopes, PER_BATCH))
            if not part:
                break
            answers = await asyncio.gather(*map(self._node.desk.enqueue, part))
            confirmed += count_good(answers)
        return confirmed


def measure_scoring(folder: Path, turns: int = TURNS, turn_s: float = TURN_S) -> dict[str, Any]:
    """Measure both sides in turns; `ledger_loss` is the share of confirmed transfers lost."""
    return asyncio.run(_measure(folder, turns, turn_s))


async def _measure(folder: Path, turns: int, turn_s: float) -> dict[str, Any]:
    count = int(turns * turn_s * RATE_MAX)
    async with (
        _opened(folder / "unscored", count, is_scored=False) as unscored,
        _opened(folder / "scored", count, is_scored=True) as scored,
    ):
        for turn in range(2 * turns):
            await (scored if turn % 4 in {1, 2} else unscored).take_turn(turn_s)
        held = 0 if scored.risk is None else scored.risk.held
    return {
        "ledger_loss": round(1 - scored.confirmed_per_s / unscored.confirmed_per_s, 3),
        "ledger_unscored_per_s": round(unscored.confirmed_per_s),
        "ledger_scored_per_s": round(scored.confirmed_per_s),
        "ledger_held": held,
    }


@asynccontextmanager
async def _opened(folder: Path, count: int, *, is_scored: bool) -> AsyncIterator[Side]:
    """Open a node with its wallets, and sign what is sent to it."""
    home = create_bench_home(folder / "home", attested_from_minor=int(is_scored))
    operator, risk = derive_key(OPERATOR).address, None
    chain = open_chain(home, derive_key("node"))
    if is_scored:
        models = write_folder(folder / "risk")
        await open_wallets(chain, WALLETS, folder / "risk", models)
        risk = ToldAtOnce(open_desk_apart(chain, folder / "risk", wall_clock_ms))
    else:
        await open_wallets(chain, WALLETS)
    chain.flush()
    with Signer(chain.network.genesis, WALLETS) as signer:
        envelopes = await asyncio.to_thread(signer.sign_envelopes, count, PER_BATCH)
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)
    node = Node(chain, verifier, operator, derive_key(SERVER), risk=risk)
    if risk is not None:
        await risk.start(node.desk.submit)
    node.start()
    try:
        yield Side(node, envelopes, risk)
    finally:
        if risk is not None:
            await risk.stop()
        await node.stop()
