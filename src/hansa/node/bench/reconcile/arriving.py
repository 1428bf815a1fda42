"""Entries of two banks as they arrive, window by window, and what of them is open at its end.

Of a million payments, as many as the benchmark of batches plants:

| kind | left | right | at its window's end |
|---|---|---|---|
| near | one entry | one, up to 5 minor units off | matched |
| missing | one, or one late | one late, or one | a break; the other comes eight windows late |
| duplicate | two alike | one | one of the two is a break, for good |
| split | one | two parts, named by its reference | matched |

All others are booked alike. Each payment has a reference of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from hansa.node.bench.reconcile.planting import PER_MILLION
from hansa.reconcile.entries import Entry

CURRENCY = "MOP"
LATE_WINDOWS = 8
"""Longer than a window takes to be agreed, even where the disk stands still for seconds."""
OFF_MAX_MINOR = 5
AMOUNT_MAX_MINOR = 5_000_000
RULES = """
name = "Arriving"
sides = [{name = "ours"}, {name = "theirs", sign = -1}]

[window]
days = 1
from = 2026-01-01

[[passes]]
name = "exact"
kind = "net"
on = ["account", "currency", "amount_minor", "reference"]

[[passes]]
name = "near"
kind = "tolerance"
on = ["account", "currency", "reference"]
amount_minor = 5
days = 2

[[passes]]
name = "split"
kind = "parts"
on = ["account", "currency"]
"""
FIRST_DAY = 20_454
"""2026-01-01, the first of window 0."""
_KINDS = {
    "near": PER_MILLION["near"],
    "missing": PER_MILLION["missing_left"] + PER_MILLION["missing_right"],
    "duplicate": PER_MILLION["duplicate"],
    "split": PER_MILLION["split"],
}

Sides = tuple[list[Entry], list[Entry]]
"""Entries of the left bank and the right one."""


class Arrivals(NamedTuple):
    """What arrives while a window is open."""

    window: int
    sides: Sides
    """In their order; also such as should have come earlier."""
    breaks: frozenset[str]
    """References of this window's payments that are open at its end."""
    still: frozenset[str]
    """References of all that is open then."""


def plant_arrivals(payments: int, seed: int) -> Iterator[Arrivals]:
    """Yield the arrivals of one window after the other, without end.

    Args:
      payments: of a window, two entries each as a rule.
      seed: the same seed, the same arrivals.
    """
    draw = Random(seed)  # noqa: S311 - repeatable, and no secret
    late: dict[int, list[tuple[int, Entry]]] = defaultdict(list)
    still: set[str] = set()
    window = 0
    while True:
        sides: Sides = ([], [])
        for place, each in late.pop(window, ()):
            sides[place].append(each)
            still.discard(each.reference)
        kinds = draw.choices(
            ["exact", *_KINDS], [1_000_000 - sum(_KINDS.values()), *_KINDS.values()], k=payments
        )
        # One break a window at least: it is breaks whose way is measured.
        kinds[0] = "missing"
        breaks: set[str] = set()
        for number, kind in enumerate(kinds):
            entry = _make_entry(draw, window, number)
            left, right = _book(draw, kind, entry)
            if kind == "missing":
                place = draw.randrange(2)
                late[window + LATE_WINDOWS].append((place, (left, right)[place].pop()))
            if kind in {"missing", "duplicate"}:
                breaks.add(entry.reference)
            sides[0].extend(left)
            sides[1].extend(right)
        still |= breaks
        for side in sides:
            draw.shuffle(side)
        yield Arrivals(window, sides, frozenset(breaks), frozenset(still))
        window += 1


def _make_entry(draw: Random, window: int, number: int) -> Entry:
    """Make the left bank's entry of a payment."""
    sign = draw.choice((1, -1))
    return Entry(
        account="DE" + str(draw.randrange(400) * 7919).zfill(20),
        currency=CURRENCY,
        amount_minor=sign * draw.randint(100, AMOUNT_MAX_MINOR),
        booking_date=FIRST_DAY + window,
        value_date=FIRST_DAY + window,
        reference=f"E2E{draw.getrandbits(64):016x}",
        bank_reference=f"L{window:04}{number:08}",
        counterparty=f"Payer {draw.randrange(100_000)}",
        code="PMNT.RCDT.ESCT",
    )


def _book(draw: Random, kind: str, entry: Entry) -> Sides:
    """Book a payment in both banks' books."""
    mirrored = entry._replace(
        amount_minor=-entry.amount_minor, bank_reference="R" + entry.bank_reference[1:]
    )
    if kind == "near":
        off_minor = draw.randint(1, OFF_MAX_MINOR)
        return [entry], [mirrored._replace(amount_minor=mirrored.amount_minor + off_minor)]
    if kind == "duplicate":
        return [entry, entry._replace(bank_reference=entry.bank_reference + "B")], [mirrored]
    if kind == "split":
        first_minor = mirrored.amount_minor // 2
        amounts = (first_minor, mirrored.amount_minor - first_minor)
        return [entry], [
            mirrored._replace(amount_minor=minor, reference=f"{entry.reference}/{part}")
            for part, minor in enumerate(amounts, 1)
        ]
    return [entry], [mirrored]
