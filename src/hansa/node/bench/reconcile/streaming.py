"""Reconciling as entries arrive: how many entries a second, and how soon breaks are seen.

Two banks' services share one node, whose engine orders blocks alone and makes each durable. Each
has a file of journals of its own, every step of which is durable, too; what the banks show each
other passes in memory.

    rush:  all entries of some windows as fast as both banks take them, until all are agreed
    paced: entries at a fixed rate, a window each second; when its time is over, both banks say that
           it is complete: the time from then until both list its breaks is measured

Time counts from when a window should have ended, though both banks may be late to say so.

Source: docs/performance.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from hansa.contracts.reconciliation.agreements import Accept
from hansa.engine.verification import InlineVerifier, PoolVerifier
from hansa.kernel.block import Status, read_status
from hansa.kernel.contract import Command
from hansa.kernel.errors import Unavailable
from hansa.node.bench.load import PASSPHRASE, derive_key
from hansa.node.bench.reconcile.arriving import CURRENCY, RULES, Arrivals, plant_arrivals
from hansa.node.channel.direct import DirectExchange
from hansa.node.founding import MemberSpec, build_genesis
from hansa.node.home import create_home, open_chain
from hansa.node.reconcile.ledger import Signer
from hansa.node.reconcile.service import PairService
from hansa.node.reconcile.store import JournalFile
from hansa.node.service import Node, wall_clock_ms
from hansa.passphrases import ScryptCost
from hansa.reconcile.stream.entries import read_entry
from hansa.reconcile.stream.terms import Terms, write_terms
from hansa.sdk.build import sign_transaction
from hansa.sdk.keys import KeyPair

BANKS = ("left bank", "right bank")
NODE, CENTRAL = "node", "officer"
COST = ScryptCost(n=2, r=1, p=1)
"""Of what no measure is taken: opening the journals."""
KEEP_DAYS = 30
VALIDITY_MS = 60_000
ADDED_AT_ONCE = 500
"""Entries that a bank adds in one call of the rush."""
TICK_S = 0.1
"""How often a bank adds what has come, when paced."""
BLOCK_WAIT_S = 1.0
GIVE_UP_S = 120.0
"""After the last entry."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What is measured."""

    windows: int = 10
    """Of the rush."""
    payments: int = 2_500
    """Of each of them."""
    paced_windows: int = 60
    window_s: float = 1.0
    rate_per_s: int = 1_000
    """Entries of both banks together, when paced."""
    seed: int = 1
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)
    """That verify; 0 to do so in this one."""

    @property
    def paced_payments(self) -> int:
        """Payments of a paced window: two entries each."""
        return max(1, round(self.rate_per_s * self.window_s / 2))


class Clock(NamedTuple):
    """Windows of equal length, one after the other."""

    begun_s: float
    """Of the event loop's clock."""
    window_s: float

    def find_moment(self, window: int, part: int, parts: int) -> float:
        """Find when so many of a window's equal parts are over."""
        return self.begun_s + (window + part / parts) * self.window_s

    def find_end(self, window: int) -> float:
        """Find when a window ends."""
        return self.find_moment(window, 1, 1)

    async def wait_until(self, moment: float) -> None:
        """Wait until a moment, if it is not over."""
        await asyncio.sleep(moment - asyncio.get_running_loop().time())


class Rush(NamedTuple):
    """What came of entries added as fast as they are taken."""

    entries: int
    seconds: float
    wrong: int
    """Breaks that a bank does not list at the end, or lists and are none."""


@dataclass(slots=True)
class Seen:
    """When breaks were listed."""

    moments: list[float]
    """By window."""
    wrong: int


class Paced(NamedTuple):
    """How soon breaks were seen, sorted."""

    entries: int
    since_end_s: list[float]
    """By break: from the end of its window until both banks listed it."""
    since_came_s: list[float]
    """By entry of a break: from when it came until then."""
    wrong: int
    """Breaks that were not listed, or listed and are none."""


def measure_stream(folder: Path, settings: StreamSettings) -> dict[str, Any]:
    """Measure both, one after the other, on a chain in an empty folder."""
    return uvloop.run(_measure(folder, settings))


async def _measure(folder: Path, settings: StreamSettings) -> dict[str, Any]:
    banks = Banks(folder, settings)
    await banks.start()
    try:
        rushed = plant_arrivals(settings.payments, settings.seed)
        rush = await banks.rush(list(islice(rushed, settings.windows)))
        coming = plant_arrivals(settings.paced_payments, settings.seed + 1)
        paced = await banks.pace(list(islice(coming, settings.paced_windows)), settings.window_s)
    finally:
        await banks.stop()
    return {
        "stream_per_s": round(rush.entries / rush.seconds),
        "stream_entries": rush.entries,
        "stream_seconds": round(rush.seconds, 2),
        "break_p50_ms": _find_quantile_ms(paced.since_end_s, 0.5),
        "break_p99_ms": _find_quantile_ms(paced.since_end_s, 0.99),
        "break_since_came_p99_ms": _find_quantile_ms(paced.since_came_s, 0.99),
        "stream_paced_entries": paced.entries,
        "stream_breaks": len(paced.since_end_s),
        "stream_wrong": rush.wrong + paced.wrong,
    }


class Banks:
    """Two banks' services over one node in a folder."""

    def __init__(self, folder: Path, settings: StreamSettings) -> None:
        keys = [derive_key(name) for name in BANKS]
        servers = [derive_key(f"{name} server") for name in BANKS]
        central, node = derive_key(CENTRAL), derive_key(NODE)
        members = [MemberSpec("Central Bank", ("central_bank",), (central.address,), weight=1)]
        members += [
            MemberSpec(name.title(), ("operator",), (key.address,), server.address)
            for name, key, server in zip(BANKS, keys, servers, strict=True)
        ]
        genesis = build_genesis("bench", wall_clock_ms(), members, sealer=node)
        chain = open_chain(create_home(folder / "home", genesis, {}, ""), node)
        verifier = (
            PoolVerifier(chain.network, settings.processes)
            if settings.processes
            else InlineVerifier(chain.network)
        )
        self._keys = keys
        self._node = Node(chain, verifier, keys[0].address, servers[0])
        self._exchange = DirectExchange()
        self._channels = [self._exchange.open(key.address) for key in keys]
        self._stores = [
            JournalFile.open(folder / f"{place}.journals", PASSPHRASE, cost=COST)
            for place in range(2)
        ]
        self._services = [
            PairService(
                self._node,
                key.address,
                Signer(key, wall_clock_ms),
                store,
                channel,
            )
            for key, store, channel in zip(keys, self._stores, self._channels, strict=True)
        ]

    async def start(self) -> None:
        """Begin to make blocks and to take steps."""
        self._node.start()
        for each in self._services:
            each.start()

    async def stop(self) -> None:
        """Stop, and close the chain."""
        for each in self._services:
            await each.stop()
        for channel in self._channels:
            await channel.stop()
        await self._node.stop()
        for store in self._stores:
            store.close()

    async def rush(self, arrivals: Sequence[Arrivals]) -> Rush:
        """Add all that arrives as fast as it is taken; ends once both have agreed on all of it."""
        agreement = await self._agree(1)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(*(self._add_all(place, agreement, arrivals) for place in range(2)))
        async with asyncio.timeout(GIVE_UP_S):
            while not self._are_agreed(agreement, len(arrivals)):
                await self._wait()
        seconds = loop.time() - begun
        return Rush(_count(arrivals), seconds, self._count_wrong(agreement, arrivals[-1].still))

    async def pace(self, arrivals: Sequence[Arrivals], window_s: float) -> Paced:
        """Add what arrives when it arrives, and see how soon breaks are listed."""
        agreement = await self._agree(2)
        clock = Clock(asyncio.get_running_loop().time(), window_s)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(agreement, arrivals, clock))
            for place in range(2):
                group.create_task(self._add_paced(place, agreement, arrivals, clock))
        seen = watching.result()
        since_end, since_came = [], []
        for each, moment in zip(arrivals, seen.moments, strict=True):
            since_end += [moment - clock.find_end(each.window)] * len(each.breaks)
            for side in each.sides:
                for number, entry in enumerate(side):
                    if entry.reference in each.breaks:
                        came = clock.find_moment(each.window, number + 1, len(side))
                        since_came.append(moment - came)
        return Paced(_count(arrivals), sorted(since_end), sorted(since_came), seen.wrong)

    async def _agree(self, number: int) -> bytes:
        """Bring an agreement in force; returns its name."""
        left, right = self._keys
        terms = Terms(
            1,
            left.address,
            right.address,
            KEEP_DAYS,
            RULES.encode(),
            b"",
            (CURRENCY,),
            hashlib.sha256(b"terms %d" % number).digest(),
        )
        raw = write_terms(terms, self._node.chain.network.digest)
        pair = await self._services[0].share_terms(raw)
        await self._submit(left, pair.propose(left.address))
        await self._submit(right, Accept(pair.agreement, right.address))
        while pair.agreement not in {each.agreement for each in self._services[1].list_pairs()}:
            await self._wait()
        return pair.agreement

    async def _submit(self, key: KeyPair, command: Command) -> None:
        """Have an officer's command confirmed."""
        network = self._node.chain.network
        until_ms = wall_clock_ms() + VALIDITY_MS
        signed = sign_transaction(network, [key], [command], until_ms)
        answer = await self._node.desk.submit(signed.envelope)
        if answer.error is not None or read_status(answer.receipt) is not Status.OK:
            raise Unavailable("the benchmark's agreement could not be made")

    async def _add_all(self, place: int, agreement: bytes, arrivals: Sequence[Arrivals]) -> None:
        service = self._services[place]
        for each in arrivals:
            entries = each.sides[place]
            for start in range(0, len(entries), ADDED_AT_ONCE):
                await service.add(agreement, entries[start : start + ADDED_AT_ONCE])
                await asyncio.sleep(0)  # it waits for nothing by itself, and others have work
            await service.complete(agreement, each.window + 1)

    async def _add_paced(
        self, place: int, agreement: bytes, arrivals: Sequence[Arrivals], clock: Clock
    ) -> None:
        """Add entries a part of a window after the other, each once its time is over."""
        service = self._services[place]
        parts = max(1, round(clock.window_s / TICK_S))
        for each in arrivals:
            entries = each.sides[place]
            for part in range(parts):
                await clock.wait_until(clock.find_moment(each.window, part + 1, parts))
                ends = (len(entries) * part // parts, len(entries) * (part + 1) // parts)
                await service.add(agreement, entries[slice(*ends)])
            await service.complete(agreement, each.window + 1)

    async def _watch(self, agreement: bytes, arrivals: Sequence[Arrivals], clock: Clock) -> Seen:
        """Wait for each window until both banks list its breaks, as of the end of a block."""
        seen = Seen([], 0)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(clock.find_end(len(arrivals)) + GIVE_UP_S):
            for each in arrivals:
                while not self._have_listed(agreement, each.window):
                    await self._wait()
                seen.moments.append(loop.time())
                seen.wrong += self._count_unlisted(agreement, each)
            while not self._are_agreed(agreement, len(arrivals)):
                await self._wait()
        seen.wrong += self._count_wrong(agreement, arrivals[-1].still)
        return seen

    def _have_listed(self, agreement: bytes, window: int) -> bool:
        """Whether both banks list the breaks of a window, or of a later one."""
        return all(
            any(each.window >= window for each in service.list_breaks(agreement))
            for service in self._services
        )

    def _count_unlisted(self, agreement: bytes, arrivals: Arrivals) -> int:
        """Count the breaks of a window that a bank does not list."""
        return sum(
            len(arrivals.breaks - self._list_references(place, agreement)) for place in range(2)
        )

    def _count_wrong(self, agreement: bytes, still: frozenset[str]) -> int:
        """Count, at the end, what a bank lists and is no break, or is one and not listed."""
        return sum(len(still ^ self._list_references(place, agreement)) for place in range(2))

    def _list_references(self, place: int, agreement: bytes) -> set[str]:
        """List the references of all that a bank lists as open."""
        groups = [each.group for each in self._services[place].list_breaks(agreement)]
        return {
            read_entry(entry).reference for each in groups for entry in (*each.left, *each.right)
        }

    def _are_agreed(self, agreement: bytes, windows: int) -> bool:
        return self._services[0].get_pair(agreement).progress.agreed >= windows

    async def _wait(self) -> None:
        """Wait for the next block."""
        await self._node.wait_for_block(self._node.chain.head.height + 1, BLOCK_WAIT_S)


def _count(arrivals: Sequence[Arrivals]) -> int:
    return sum(len(side) for each in arrivals for side in each.sides)


def _find_quantile_ms(ordered: Sequence[float], share: float) -> float:
    return round(1_000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)
