"""What a node decides a second as payments come in, and again from its journal's events.

*Live* is the node's own path on one core: its risk desk is given blocks of sound envelopes, reads
what they would pay, takes them in, decides, and has all of it in the journal on the disk before it
attests. *Replay* takes the journal's events in anew, from memory, and decides on their rows; rows,
verdicts and reasons have to be those of the live run.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.engine.chain import Chain
from hansa.engine.collector import tune_collector
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.verification import PoolVerifier
from hansa.kernel.errors import Corrupt
from hansa.node.bench.ledger import set_up
from hansa.node.bench.load import Signer, create_bench_home, derive_key
from hansa.node.bench.risk.bank import open_desk, sign_basis, write_folder
from hansa.node.bench.risk.simulated import Paid, sign_payments, simulate_payments
from hansa.node.home import open_chain
from hansa.node.risk.clerk.format import KeptDecision
from hansa.node.risk.clerk.journal import Event, Journal
from hansa.node.risk.desk import RiskDesk
from hansa.node.risk.loading import Loaded
from hansa.node.risk.registry import MODELS, Registry
from hansa.node.service import wall_clock_ms
from hansa.node.sponsor.desk import GATHER_ENVELOPES, Asked, Ruling
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.decisions.deciding import Listed
from hansa.risk.intake.describing import FEATURES
from hansa.risk.intake.intake import begin_intake
from hansa.risk.packing import pack_row
from hansa.risk.verdicts import Verdict

REPLAY_BLOCK = 4_096
"""As many as the journal reads at a time."""
SWAPS = 6
AROUND = 200
"""Decisions one by one around each swap of a model."""


class PutClock:
    """A clock that stands where the simulation is."""

    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        """Tell the time."""
        return self.now_ms


def measure_live(folder: Path, count: int) -> dict[str, Any]:
    """Measure both, on one core, and what a swap of models costs meanwhile."""
    return asyncio.run(_measure(folder, count))


async def _measure(folder: Path, count: int) -> dict[str, Any]:
    home = create_bench_home(folder / "home", attested_from_minor=1)
    models = write_folder(folder / "risk")
    found = simulate_payments(count + SWAPS * AROUND)
    chain = open_chain(home, derive_key("node"))
    try:
        await open_wallets(chain, found.wallet_count, folder / "risk", models)
        paid = sign_payments(chain.network, found.payments)
        clock = PutClock()
        clock.now_ms = paid[0].time_ms
        desk, journal = open_desk(chain, folder / "risk", clock)
        try:
            use_one_core()
            await desk.start(_bring)
            live = await _run(desk, clock, paid[:count])
            swapped = await _swap(desk, clock, paid[count:], folder / "risk" / MODELS, models)
            replayed = _replay(desk, journal, paid[:count])
        finally:
            await desk.stop()
    finally:
        chain.close()
    size = sum(path.stat().st_size for path in (folder / "risk").rglob("decisions.*"))
    return {**live, **replayed, **swapped, "journal_bytes_per_decision": round(size / len(paid))}


async def open_wallets(
    chain: Chain, wallets: int, folder: Path | None = None, models: Sequence[bytes] = ()
) -> None:
    """Open and fund the wallets of a ledger, and put a bank's models in force if it has any."""
    verifier = PoolVerifier(chain.network, os.cpu_count() or 1)
    engine = EmbeddedEngine(chain, verifier, wall_clock_ms)
    engine.start()
    try:
        with Signer(chain.network.genesis, wallets) as signer:
            await set_up(engine, signer.sign_setup())
        if folder is not None:
            await set_up(engine, sign_basis(chain.network, folder, (*models, NO_MODEL)))
    finally:
        await engine.stop()


def use_one_core() -> None:
    """Have this process run on one core alone from here on, and collect garbage as a node does."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    tune_collector()


async def _run(desk: RiskDesk, clock: PutClock, paid: Sequence[Paid]) -> dict[str, Any]:
    await _decide(desk, clock, paid[:GATHER_ENVELOPES])  # compiles
    rest = paid[GATHER_ENVELOPES:]
    held = 0
    began, began_cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(rest), GATHER_ENVELOPES):
        rulings = await _decide(desk, clock, rest[at : at + GATHER_ENVELOPES])
        held += sum(each.is_held for each in rulings)
    took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "live_per_s": round(len(rest) / took),
        "live_per_cpu_s": round(len(rest) / took_cpu),
        "live_held_share": round(held / len(rest), 4),
    }


async def _decide(desk: RiskDesk, clock: PutClock, paid: Sequence[Paid]) -> list[Ruling]:
    clock.now_ms = paid[-1].time_ms
    loop = asyncio.get_running_loop()
    rulings = await desk.decide(
        [Asked(each.envelope, each.tx_id, each.device, loop.create_future()) for each in paid]
    )
    for each in rulings:
        if each.error is not None:
            raise each.error
    return rulings


async def _bring(_: bytes) -> Any:  # noqa: ANN401 - never asked
    raise Corrupt("nothing is answered for in this benchmark")


async def _swap(
    desk: RiskDesk, clock: PutClock, paid: Sequence[Paid], folder: Path, models: Sequence[bytes]
) -> dict[str, Any]:
    """Swap models while payments are decided on one by one.

    `swap_ms` is the longest time from when a payment was handed over until it was decided on, with
    the swap within; beside it the longest of those without one.
    """
    registry = Registry(folder, FEATURES)
    with_swap: list[float] = []
    without: list[float] = []
    for number in range(SWAPS):
        part = paid[number * AROUND : (number + 1) * AROUND]
        for place, each in enumerate(part):
            is_swap = place == AROUND // 2
            if is_swap:
                registry.promote(models[(number + 1) % 2].hex())
            began = time.perf_counter()
            await _decide(desk, clock, [each])
            (with_swap if is_swap else without).append(time.perf_counter() - began)
    without.sort()
    return {
        "swap_ms": round(max(with_swap) * 1e3, 2),
        "swap_median_ms": round(sorted(with_swap)[SWAPS // 2] * 1e3, 2),
        "unswapped_median_ms": round(without[len(without) // 2] * 1e3, 2),
        "unswapped_max_ms": round(without[-1] * 1e3, 2),
    }


def _replay(desk: RiskDesk, journal: Journal, paid: Sequence[Paid]) -> dict[str, Any]:
    kept = [each.kept for each in islice(journal.iterate_decisions(), len(paid))]
    events = [event for block in journal.iterate_events() for event in block][: len(paid)]
    loaded = desk.tell_standing().loaded
    listed = [
        None
        if each.payments[0].listed is None
        else Listed(Verdict(each.payments[0].listed[0]), each.payments[0].listed[1])
        for each in kept
    ]
    seconds, is_identical = _take_anew(events, kept, listed, loaded)
    return {"replay_per_s": round(len(events) / seconds), "replay_identical": is_identical}


def _take_anew(
    events: Sequence[Event],
    kept: Sequence[KeptDecision],
    listed: Sequence[Listed | None],
    loaded: Loaded,
) -> tuple[float, bool]:
    """Take events in and decide anew; returns the seconds, and whether all came out the same."""
    intake, decider = begin_intake(), loaded.scoring
    seconds, is_identical = 0.0, len(events) == len(kept)
    for begin in range(0, len(events), REPLAY_BLOCK):
        block = events[begin : begin + REPLAY_BLOCK]
        on_lists = {
            place: each
            for place, each in enumerate(listed[begin : begin + len(block)])
            if each is not None
        }
        began = time.perf_counter()
        rows = intake.take(block)
        decisions = decider.decide_all(rows, on_lists)
        seconds += time.perf_counter() - began
        for row, decision, before in zip(
            rows, decisions, kept[begin : begin + len(block)], strict=True
        ):
            record = decode_record(before.record)
            is_identical = is_identical and (
                pack_row(row) == before.payments[0].row
                and decision.verdict is record.verdict
                and decision.reasons == record.reasons
                and decision.ppm == before.ppm
            )
    return seconds, is_identical
