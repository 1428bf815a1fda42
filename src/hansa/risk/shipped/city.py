"""A simulated city as an operator would have seen it: a row of features for each payment.

It begins on a day on which nobody has paid yet, so that wallets of which nothing is known are
ordinary; and not all operators know all devices and merchants, so neither does this one.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.events import NOBODY
from hansa.risk.features.layout import (
    AMOUNT,
    DEVICE,
    EVENT_COLUMNS,
    IS_FRAUD,
    KIND,
    LABEL,
    MERCHANT,
    NUMBER,
    PAYEE,
    PAYER,
    PAYMENT,
    TIME,
)
from hansa.risk.features.memory import Features
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.intake.describing import FEATURES, Describer
from hansa.risk.models.file import Source
from hansa.risk.simulator.columns import Pattern
from hansa.risk.simulator.stream import Settings, Simulation, simulate

UNKNOWN_EVERY = 4
"""Every fourth payer pays from devices that are not known, and every fourth merchant is not."""
_BLOCK = 8_192

Whole = npt.NDArray[np.int64]


class City(NamedTuple):
    """Payments of a city in the order of their times."""

    rows: Whole
    """Shape (n, n_features), in the order of `FEATURES`."""
    is_fraud: npt.NDArray[np.bool_]
    """What is true of each, which labels tell late or never; shape (n,)."""
    source: Source
    """What it is called, and the hash of its columns."""


def describe_city(settings: Settings, use: str) -> City:
    """Simulate a city and describe each of its payments at its moment.

    Args:
      settings: of the simulation.
      use: `training`, `calibration` or `test`.

    Raises:
      Invalid: there is no such city.
    """
    simulation = simulate(settings)
    events = lay_out(simulation)
    describer = Describer(Features(), PaymentGraph())
    blocks = [describer.take(events[at : at + _BLOCK]) for at in range(0, len(events), _BLOCK)]
    rows = np.concatenate(blocks) if blocks else np.zeros((0, len(FEATURES)), np.int64)
    is_fraud = simulation.truth.pattern != Pattern.LICIT
    times = simulation.payments.time_ms
    source = Source(
        f"simulated city, seed {settings.seed}: {settings.persons} persons, {settings.days} days, "
        f"{settings.illicit_per_million} of a million payments illicit",
        _hash(simulation),
        len(rows),
        int(is_fraud.sum()),
        int(times[0]),
        int(times[-1]),
        use,
    )
    return City(rows, is_fraud, source)


def lay_out(simulation: Simulation) -> Whole:
    """Lay payments and what becomes known of them out as events; of one moment, payments first.

    Returns:
      Shape (n, `EVENT_COLUMNS`); what becomes known after the last payment is left out.
    """
    payments, labels = simulation.payments, simulation.labels
    count = len(payments.time_ms)
    told = labels.time_ms <= payments.time_ms[-1]
    events = np.full((count + int(told.sum()), EVENT_COLUMNS), NOBODY, np.int64)
    paid, known = events[:count], events[count:]
    paid[:, KIND], known[:, KIND] = PAYMENT, LABEL
    paid[:, NUMBER], known[:, NUMBER] = np.arange(count), labels.number[told]
    paid[:, TIME], known[:, TIME] = payments.time_ms, labels.time_ms[told]
    paid[:, PAYER], paid[:, PAYEE] = payments.payer, payments.payee
    paid[:, AMOUNT] = payments.amount_minor
    hides = payments.payer % UNKNOWN_EVERY == 0
    paid[:, DEVICE] = np.where(hides, NOBODY, payments.device)
    hides = payments.merchant % UNKNOWN_EVERY == 0
    paid[:, MERCHANT] = np.where(hides, NOBODY, payments.merchant)
    known[:, IS_FRAUD] = labels.is_fraud[told]
    return events[np.lexsort((events[:, KIND] == LABEL, events[:, TIME]))]


def _hash(simulation: Simulation) -> bytes:
    """Hash all columns, each as little-endian numbers."""
    digest = hashlib.sha256()
    for group in (simulation.payments, simulation.truth, simulation.labels):
        for column in group:
            digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    return digest.digest()
