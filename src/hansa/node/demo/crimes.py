"""The demo's crimes: what a few residents pay on the town's day that they had better not.

Each kind is one that risk control is trained to find (`hansa.risk.simulator`), here among people
whose other payments are the town's own. What is a crime is known to the demo alone.

Source: docs/concepts/simulated-payments.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, cycle, islice, pairwise

from hansa.contracts import payments
from hansa.node.demo.town import ASSET, Act, Town, name_phone, place_operator
from hansa.sdk.keys import KeyPair

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
LISTED = 2
"""Whose wallet a court has blocked: the place among the people."""
LISTED_PAYEE = "to a listed wallet"
_KEPT_OUT = 3
"""The first people, and the last, have other parts in the demo."""


class Crimes:
    """Draws crimes; the same seed, the same crimes."""

    def __init__(self, town: Town) -> None:
        self._random = random.Random(f"crimes of {town.seed}")  # noqa: S311 - a demo's population
        self._people = town.people[_KEPT_OUT:-1]
        self._listed = town.people[LISTED]
        self._numbers = count()

    def draw(self, crimes: int) -> list[Act]:
        """Draw the acts of so many crimes, in the order of their time."""
        kinds: Sequence[Callable[[], list[Act]]] = (
            self._take_over,
            self._collect,
            self._go_round,
            self._pay_listed,
        )
        acts = [act for kind in islice(cycle(kinds), crimes) for act in kind()]
        return sorted(acts, key=lambda act: act.at_ms)

    def _take_over(self) -> list[Act]:
        """A thief empties a wallet at night, from a phone of its own."""
        victim, mule = self._random.sample(self._people, 2)
        begin_ms = 24 * HOUR_MS + self._random.randrange(30, 300) * MINUTE_MS
        return [
            replace(
                self._pay("taken over", victim, mule, amount, begin_ms + part * 3 * MINUTE_MS),
                device="the thief's phone",
            )
            for part, amount in enumerate(self._draw_amounts(3, 40_000, 90_000))
        ]

    def _collect(self) -> list[Act]:
        """Deceived people pay a mule, who passes it on within the hour."""
        mule, *others = self._random.sample(self._people, 8)
        victims, behind = others[:5], others[5:]
        at_ms = self._random.randrange(14, 20) * HOUR_MS
        amounts = self._draw_amounts(len(victims), 20_000, 45_000)
        acts = [
            self._pay("deceived", victim, mule, amount, at_ms + place * 8 * MINUTE_MS)
            for place, (victim, amount) in enumerate(zip(victims, amounts, strict=True))
        ]
        left = sum(amounts) * 9 // 10
        return acts + [
            self._pay("passed on", mule, payee, left // 2, at_ms + (50 + place) * MINUTE_MS)
            for place, payee in enumerate(behind)
        ]

    def _go_round(self) -> list[Act]:
        """Money goes through three wallets, less a fee, and comes back to the first."""
        ring = self._random.sample(self._people, 4)
        at_ms = self._random.randrange(12, 21) * HOUR_MS
        (amount,) = self._draw_amounts(1, 60_000, 120_000)
        return [
            self._pay(
                "sent around",
                payer,
                payee,
                amount * (100 - 2 * place) // 100,
                at_ms + place * 25 * MINUTE_MS,
            )
            for place, (payer, payee) in enumerate(pairwise([*ring, ring[0]]))
        ]

    def _pay_listed(self) -> list[Act]:
        """Somebody pays a wallet that a court has blocked."""
        (payer,) = self._random.sample(self._people, 1)
        at_ms = self._random.randrange(9, 21) * HOUR_MS
        return [self._pay(LISTED_PAYEE, payer, self._listed, 2_500, at_ms)]

    def _pay(
        self, crime: str, payer: KeyPair, payee: KeyPair, amount_minor: int, at_ms: int
    ) -> Act:
        command = payments.Transfer(
            payer.address, payee.address, ASSET, amount_minor, f"evening-{next(self._numbers)}"
        )
        return Act((payer,), (command,), place_operator(payer), at_ms, name_phone(payer), crime)

    def _draw_amounts(self, amounts: int, least: int, most: int) -> list[int]:
        return [self._random.randrange(least, most) for _ in range(amounts)]
