"""The simulation itself: days of payments in order of time, with their truth and their labels.

A day needs nothing but the city, the day's own chance and what earlier days left for later; so a
longer run begins as a shorter one does, and memory is that of the city (some 350 bytes a person),
of one day (some 400 a payment while it is put in order) and of what waits for later days.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.events import NOBODY
from hansa.risk.simulator.calibration import DAY_MS
from hansa.risk.simulator.cases import Case
from hansa.risk.simulator.chance import Chance
from hansa.risk.simulator.columns import (
    NEVER,
    Labels,
    Pattern,
    Payments,
    Rows,
    Truth,
    join,
)
from hansa.risk.simulator.crimes import CRIMES
from hansa.risk.simulator.laundering import SHAPES
from hansa.risk.simulator.ordinary import begin_day, live
from hansa.risk.simulator.population import World, build_world
from hansa.risk.simulator.reporting import draw_reports

PERSONS_MIN = 500
PERSONS_MAX = 4_000_000
_MILLION = 1_000_000
_DRAWS = {**SHAPES, **CRIMES}
_WEIGHTS = [5] * len(SHAPES) + [6, 6, 6, 4, 6, 12, 12]
"""How often each pattern is drawn, in the order of `_DRAWS`."""
_PATTERNS = [
    pattern for pattern, weight in zip(_DRAWS, _WEIGHTS, strict=True) for _ in range(weight)
]


class Settings(NamedTuple):
    """What is simulated."""

    seed: int
    days: int
    persons: int = 20_000
    """Each makes about three payments a day, those of businesses included."""
    illicit_per_million: int = 2_000
    """Payments of a million that are part of a case; about so many, from the second week on."""
    first_day: int = 20_454
    """In days since 1970: 1 January 2026."""


class Day(NamedTuple):
    """A day of the stream; the first payment's number is that of all payments before."""

    payments: Payments
    truth: Truth
    labels: Labels
    """What will ever be known of this day's payments, by payment."""
    case_sizes: list[int]
    """How many payments each case has that begins on this day, in the order of their numbers."""


class Simulation(NamedTuple):
    """All days in one."""

    payments: Payments
    truth: Truth
    labels: Labels
    """By time; some later than the last payment."""
    case_sizes: list[int]
    """How many payments each case has; of those of the last days some would come later."""


def simulate_days(settings: Settings) -> Iterator[Day]:
    """Simulate one day after the other.

    Raises:
      Invalid: there are no days, too few people, too many, or too much crime.
    """
    _check(settings)
    world = build_world(settings.seed, settings.persons)
    waiting: list[Rows] = []
    case_count = payment_count = owed = 0
    for day in range(settings.days):
        ordinary = live(begin_day(world, Chance(settings.seed, 1, day), day, settings.first_day))
        owed += len(ordinary.time_ms) * _compute_due(settings.illicit_per_million)
        cases: list[Rows] = []
        chance = Chance(settings.seed, 2, day)
        while owed > 0:
            case = Case(world, chance, day, (settings.first_day + day) * DAY_MS)
            cases.append(_draw_case(case, case_count + len(cases)))
            owed -= len(cases[-1].time_ms) * _MILLION
        case_count += len(cases)
        rows = join([*waiting, ordinary, *cases])
        is_due = rows.time_ms < (settings.first_day + day + 1) * DAY_MS
        waiting = [rows.take(~is_due)]
        due = rows.take(is_due)
        due = due.take(np.argsort(due.time_ms, kind="stable"))
        yield _show(world, due, payment_count, [len(case.time_ms) for case in cases])
        payment_count += len(due.time_ms)


def _compute_due(illicit_per_million: int) -> int:
    """Compute how many millionths of an illicit payment are due for a licit one."""
    return _MILLION * illicit_per_million // (_MILLION - illicit_per_million)


def _draw_case(case: Case, number: int) -> Rows:
    pattern = case.chance.choose(_PATTERNS)
    _DRAWS[pattern](case)
    return case.end(pattern, number, draw_reports(case, pattern))


def _check(settings: Settings) -> None:
    if settings.days < 1:
        raise Invalid(InvalidCode.MALFORMED, f"{settings.days} days cannot be simulated")
    if not PERSONS_MIN <= settings.persons <= PERSONS_MAX:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"a city has {PERSONS_MIN} to {PERSONS_MAX} people, not {settings.persons}",
        )
    if not 0 <= settings.illicit_per_million <= _MILLION // 10:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"of a million payments 0 to {_MILLION // 10} may be illicit, "
            f"not {settings.illicit_per_million}",
        )


def _show(world: World, rows: Rows, first: int, case_sizes: list[int]) -> Day:
    """Rename all that has a number, and part what is seen from what is true."""
    business = world.business_of[rows.payee]
    merchant = np.where(business == NOBODY, NOBODY, world.business_names[business])
    payments = Payments(
        time_ms=rows.time_ms,
        payer=world.wallet_names[rows.payer],
        payee=world.wallet_names[rows.payee],
        amount_minor=rows.amount_minor,
        device=world.device_names[rows.device],
        merchant=merchant,
    )
    known = np.flatnonzero(rows.known_ms != NEVER)
    labels = Labels(
        number=first + known,
        time_ms=rows.known_ms[known],
        is_fraud=rows.pattern[known] != Pattern.LICIT,
    )
    return Day(payments, Truth(rows.pattern, rows.stage, rows.case), labels, case_sizes)


def simulate(settings: Settings) -> Simulation:
    """Simulate all days; 60 bytes a payment, and twice that for a moment.

    Raises:
      Invalid: as `simulate_days`.
    """
    days = list(simulate_days(settings))
    payments = Payments(*map(np.concatenate, zip(*(day.payments for day in days), strict=True)))
    truth = Truth(*map(np.concatenate, zip(*(day.truth for day in days), strict=True)))
    labels = Labels(*map(np.concatenate, zip(*(day.labels for day in days), strict=True)))
    order = np.argsort(labels.time_ms, kind="stable")
    labels = Labels(labels.number[order], labels.time_ms[order], labels.is_fraud[order])
    return Simulation(payments, truth, labels, [size for day in days for size in day.case_sizes])
