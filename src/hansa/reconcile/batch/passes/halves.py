"""Both sides as a pass compares them: entries measured, and numbered by what must be equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hansa.reconcile.batch.passes.bounds import Measured, Measuring
from hansa.reconcile.batch.passes.found import Match, Places
from hansa.reconcile.batch.rest import Rest, RestSide
from hansa.reconcile.currencies import write_amount
from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.matching.net_zero import KeyGroup
from hansa.reconcile.report.texts import show
from hansa.reconcile.rules.book import Measured as Asked

_REFERENCE_MAX = 35
"""Letters of a reference that are told: as many as ISO 20022 has of an end-to-end id."""


class Half(NamedTuple):
    """One side: entries as they are measured, and what they share."""

    side: RestSide
    measured: Measured
    keys: Ints
    """By place among the measured; 0 of what shares nothing."""
    currency: str

    def find(self, indexes: Places) -> Places:
        """Find the places of measured entries."""
        return tuple(sorted(pick(self.measured.places, indexes)))


def halve(rest: Rest, keys: list[Ints], asked: Asked, measuring: Measuring) -> tuple[Half, Half]:
    """Measure both sides' open entries, with the numbers of what a pass asks to be equal."""
    told = measuring.tell_in(asked)
    halves = []
    for side, numbers in zip((rest.left, rest.right), keys, strict=True):
        measured = measuring.measure(side, asked)
        halves.append(Half(side, measured, numbers[measured.places], told))
    return halves[0], halves[1]


def pick(column: Ints, indexes: Places) -> list[int]:
    """Pick some of a column: of few entries, as most groups have, quicker than an array."""
    return [int(column[index]) for index in indexes]


def explain(halves: tuple[Half, Half], group: KeyGroup, what: str) -> Match:
    """Explain a match: what it is, and how far its sums are apart."""
    left, right = halves
    currency = left.currency or left.side.read_currency(int(left.measured.places[group.left[0]]))
    difference = -group.difference_minor
    apart = f", {write_amount(difference, currency)} apart" if difference else ""
    return Match(left.find(group.left), right.find(group.right), f"{what}{apart}")


def describe(half: Half, indexes: Sequence[int]) -> list[str]:
    """Describe entries by amount and reference, for people, in their order.

    Only what tells entries apart that are not interchangeable is told, so that no order of rows
    shows in it.
    """
    places = half.measured.places[list(indexes)]
    references = half.side.entries.column("reference").take(places).to_pylist()
    amounts = half.measured.amounts[list(indexes)].tolist()
    currencies = half.side.read_currencies(places)
    told = []
    for amount, currency, reference in zip(amounts, currencies, references, strict=True):
        name = f" ({show(reference, _REFERENCE_MAX)})" if reference else ""
        told.append(f"{write_amount(amount, half.currency or currency)}{name}")
    return told
