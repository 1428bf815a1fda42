"""Simulated payments in the forms in which risk control takes them: events, and signed envelopes.

They come from the simulator's city, a few thousand wallets, from the day after this one on, so that
no clock has to go back. What a wallet is called is what the ledger's benchmarks call it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.contracts.payments import Transfer
from hansa.engine.workers import start_workers
from hansa.kernel.genesis import Network, decode_genesis
from hansa.node.bench.load import ASSET, derive_key
from hansa.node.risk.clerk.memory import hash_wallet
from hansa.risk.events import NOBODY
from hansa.risk.intake.intake import Taken
from hansa.risk.simulator.calibration import DAY_MS
from hansa.risk.simulator.columns import Payments
from hansa.risk.simulator.stream import Settings, simulate
from hansa.sdk.build import sign_transaction

SEED = 5
PERSONS = 4_000
PER_DAY = 9_000
"""Payments that so many persons make a day, at least."""
PART = 1_000
VALIDITY_MS = 600_000


class Paid(NamedTuple):
    """A transaction of one payment, as a node is given it."""

    time_ms: int
    envelope: bytes
    tx_id: bytes
    device: str


class Simulated(NamedTuple):
    """Payments in order of time, and which of them are part of a crime."""

    payments: Payments
    is_illicit: npt.NDArray[np.bool_]

    @property
    def wallet_count(self) -> int:
        """How many wallets there have to be."""
        return int(max(self.payments.payer.max(), self.payments.payee.max())) + 1


def simulate_payments(count: int, persons: int = PERSONS) -> Simulated:
    """Simulate so many payments."""
    first_day = int(time.time() * 1_000) // DAY_MS + 1
    days = count * PERSONS // (persons * PER_DAY) + 2
    found = simulate(Settings(SEED, days, persons, first_day=first_day))
    columns = (column[:count] for column in found.payments)
    return Simulated(Payments(*columns), found.truth.pattern[:count] > 0)


def list_events(payments: Payments) -> list[Taken]:
    """List payments as intake takes them, with the keys that a node would make of them."""
    wallets: dict[int, bytes] = {}

    def find(wallet: int) -> bytes:
        if wallet not in wallets:
            wallets[wallet] = hash_wallet(derive_key(f"wallet{wallet}").address, ASSET)
        return wallets[wallet]

    rows = zip(*(column.tolist() for column in payments), strict=True)
    return [
        Taken(
            time_ms,
            find(payer),
            find(payee),
            amount_minor,
            None if device == NOBODY else device.to_bytes(32, "big"),
            None if merchant == NOBODY else merchant.to_bytes(32, "big"),
        )
        for time_ms, payer, payee, amount_minor, device, merchant in rows
    ]


def sign_payments(network: Network, payments: Payments) -> list[Paid]:
    """Sign payments, each by its payer, on all cores."""
    columns = [payments.time_ms, payments.payer, payments.payee, payments.amount_minor]
    rows = list(zip(*(each.tolist() for each in (*columns, payments.device)), strict=True))
    parts = [rows[at : at + PART] for at in range(0, len(rows), PART)]
    with start_workers(os.cpu_count() or 1) as pool:
        sign = partial(_sign, network.genesis.encoded())
        return [paid for part in pool.map(sign, parts) for paid in part]


def _sign(genesis: bytes, rows: Sequence[tuple[int, int, int, int, int]]) -> list[Paid]:
    network = Network.of(decode_genesis(genesis))
    return list(_iterate_signed(network, rows))


def _iterate_signed(
    network: Network, rows: Sequence[tuple[int, int, int, int, int]]
) -> Iterator[Paid]:
    for number, (time_ms, payer, payee, amount_minor, device) in enumerate(rows):
        key = derive_key(f"wallet{payer}")
        payee_address = derive_key(f"wallet{payee}").address
        command = Transfer(key.address, payee_address, ASSET, amount_minor, f"p{number}")
        signed = sign_transaction(network, [key], [command], time_ms + VALIDITY_MS)
        device_name = "" if device == NOBODY else f"device {device}"
        yield Paid(time_ms, signed.envelope, signed.tx_id, device_name)
