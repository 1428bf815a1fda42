"""One decision at a time, and how much memory what is remembered takes.

A decision is the whole of what is computed for a payment: its row of features, its graph included;
what lists say of it; a hundred rules, the model's 200 trees, and the reasons. It is taken in within
that, as a payment or as an attempt.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hansa.node.bench.load import derive_key
from hansa.node.bench.risk.bank import write_folder
from hansa.node.bench.risk.live import REPLAY_BLOCK, use_one_core
from hansa.node.bench.risk.simulated import list_events, simulate_payments
from hansa.node.risk.loading import Loaded, RiskFolder
from hansa.risk.events import NOBODY
from hansa.risk.features.layout import EVENT_COLUMNS, KIND, NUMBER, PAYMENT
from hansa.risk.features.memory import Features
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.intake.describing import Describer
from hansa.risk.intake.intake import Intake, Taken, begin_intake
from hansa.risk.intake.numbering import Numbering
from hansa.risk.simulator.calibration import DAY_MS

PER_S = 5_000
HISTORY = 50_000
"""Payments that are remembered before the first is measured."""
WALLETS = 125_000
"""An eighth of a million: arrays grow by doubling, so that a million of them fill theirs alike."""
PAYMENTS_PER_WALLET = 10
DAYS = 30
BLOCK = 50_000
SEED = 7


def measure_single(folder: Path, count: int, per_s: int = PER_S) -> dict[str, Any]:
    """Measure decisions that come at an even pace, each from the moment at which it was due.

    Who is behind has the next ones wait, and their waiting counts.
    """
    write_folder(folder)
    loaded = RiskFolder(folder).loaded
    found = simulate_payments(HISTORY + count)
    events = list_events(found.payments)
    payers, payees = (
        [derive_key(f"wallet{each}").address for each in column[HISTORY:].tolist()]
        for column in (found.payments.payer, found.payments.payee)
    )
    devices = [f"device {each}" for each in found.payments.device[HISTORY:].tolist()]
    intake = begin_intake()
    for begin in range(0, HISTORY, REPLAY_BLOCK):
        intake.take(events[begin : min(begin + REPLAY_BLOCK, HISTORY)])
    loaded.scoring.prepare()  # compiles
    begin_intake().try_out()
    use_one_core()
    asked = list(zip(events[HISTORY:], payers, payees, devices, strict=True))
    waits = _pace(intake, loaded, asked, per_s)
    waits.sort()
    return {
        "decision_p50_us": round(waits[len(waits) // 2] / 1e3, 1),
        "decision_p99_us": round(waits[len(waits) * 99 // 100] / 1e3, 1),
        "decision_max_us": round(waits[-1] / 1e3, 1),
    }


def _pace(
    intake: Intake,
    loaded: Loaded,
    asked: Sequence[tuple[Taken, bytes, bytes, str]],
    per_s: int,
) -> list[int]:
    """Decide at an even pace; returns nanoseconds, each from the moment at which it was due."""
    clock, decider = time.perf_counter_ns, loaded.scoring
    gap_ns, due_ns = 10**9 // per_s, clock()
    waits = []
    for event, payer, payee, device in asked:
        due_ns += gap_ns
        while clock() < due_ns:  # a timer of the system would be late by more than a decision
            pass
        listed = loaded.find_listed(payer, payee, device, event.time_ms)
        intake.decide([event], decider, {} if listed is None else {0: listed})
        waits.append(clock() - due_ns)
    return waits


def measure_memory(wallets: int = WALLETS) -> dict[str, Any]:
    """Measure what is remembered of wallets that make ten payments each in a month.

    Returns:
      `mb_per_million_wallets`, all of it, and of what it consists.
    """
    chance = np.random.default_rng(SEED)
    count = wallets * PAYMENTS_PER_WALLET
    describer = Describer(Features(), PaymentGraph())
    times_ms = np.sort(chance.integers(0, DAYS * DAY_MS, count))
    payer = np.concatenate([np.arange(wallets), chance.integers(0, wallets, count - wallets)])
    payee = chance.integers(0, wallets, count)
    payee = np.where(payee == payer, (payee + 1) % wallets, payee)
    amount = np.exp(chance.normal(9, 1.5, count)).astype(np.int64) + 1
    events = np.full((count, EVENT_COLUMNS), NOBODY, np.int64)
    events[:, KIND] = PAYMENT
    columns = [np.arange(count), times_ms, payer, payee, amount, payer]
    events[:, NUMBER : NUMBER + len(columns)] = np.stack(columns, axis=1)
    for begin in range(0, count, BLOCK):
        describer.take(events[begin : begin + BLOCK])
    keys = Numbering()
    keys.number([number.to_bytes(32, "big") for number in range(wallets)])
    scale = 1e6 / wallets / 1e6
    parts = {
        "parties": describer.features.size_bytes * scale,
        "graph": describer.graph.nbytes * scale,
        "numbers": 2 * keys.size_bytes * scale,  # of wallets and of their devices
    }
    return {
        "mb_per_million_wallets": round(sum(parts.values())),
        "mb_parts": {name: round(size) for name, size in parts.items()},
    }
