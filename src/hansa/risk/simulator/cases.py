"""A case of crime while it is drawn: who pays whom, when, how much, and what is kept on the way.

All of a case is drawn when it begins, however many days it lasts; so what happens later does not
depend on how many days are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hansa.risk.simulator.calibration import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Kind,
)
from hansa.risk.simulator.chance import UNIT, Chance, find_logarithm
from hansa.risk.simulator.columns import Pattern, Rows, Stage
from hansa.risk.simulator.population import Ring, World, business_device

LIMIT_MINOR = 2_500_00
"""Above which a payment is asked about, so that some split what exceeds it."""
_SUM_MEDIAN = find_logarithm(3_500_00)
_PACES_MS = (25 * MINUTE_MS, 5 * HOUR_MS, 26 * HOUR_MS)
"""How long money usually rests in a wallet: one of these for each case."""
_DAWN_HOUR = 7
_ROUNDED_MIN_MINOR = 200_00


class Case:
    """What is drawn of one case."""

    def __init__(self, world: World, chance: Chance, day: int, begins_ms: int) -> None:
        """Begin a case on a day, on which a random ring works.

        Args:
          world: the city.
          chance: the case's own.
          day: of the simulation, from 0.
          begins_ms: when that day begins.
        """
        self.world = world
        self.chance = chance
        self.day = day
        self.ring: Ring = chance.choose(world.rings)
        self.begins_ms = begins_ms + 8 * HOUR_MS + chance.one(15 * HOUR_MS)
        self._rows: list[tuple[int, int, int, int, int, Stage]] = []
        self._devices: dict[int, int] = {}
        self._pace_ms = chance.choose(_PACES_MS)
        self._is_structured = chance.happens(30)
        self._keeps_hours = chance.happens(70)
        self._places = chance.happens(60)
        self._integrates = chance.happens(60)
        self._is_round = chance.happens(40)

    def recruit(self, count: int) -> list[int]:
        """Draw different mules of the ring."""
        return self.chance.sample(self.ring.mules, count)

    def draw_sum(self, parts: int = 1) -> int:
        """Draw how much money there is, the more the more share it; in minor units."""
        more = find_logarithm(parts) * 3 // 4
        total = min(self.chance.amount(_SUM_MEDIAN + more, UNIT * 5 // 4), 10**9)
        return self._round(total) + 100_00 * parts

    def split(self, total: int, parts: int) -> list[int]:
        """Split a sum into positive parts, of which none is much more than four times another."""
        weights = [UNIT + self.chance.one(3 * UNIT - 1) for _ in range(parts)]
        shares = [self._round(total * weight // sum(weights)) for weight in weights]
        shares[0] += total - sum(shares)
        return shares

    def keep_fee(self, amount_minor: int) -> int:
        """Draw what goes on when a wallet's owner keeps a fee of 1 to 6 %."""
        kept = max(1, amount_minor * self.chance.one_of(10, 60) // 1000)
        return self._round(amount_minor - kept)

    def _round(self, amount_minor: int) -> int:
        is_round = self._is_round and amount_minor > _ROUNDED_MIN_MINOR
        return amount_minor - amount_minor % 10_00 if is_round else amount_minor

    def wait(self, time_ms: int) -> int:
        """Draw when the next payment follows, by the pace and the hours of the case."""
        rest = self.chance.amount(find_logarithm(self._pace_ms), UNIT)
        return self._by_day(time_ms + MINUTE_MS + min(rest, 6 * DAY_MS))

    def spread(self) -> int:
        """Draw a time soon after the case begins."""
        return self.wait(self.begins_ms)

    def _by_day(self, time_ms: int) -> int:
        hour = time_ms % DAY_MS // HOUR_MS
        if self._keeps_hours and hour < _DAWN_HOUR:
            time_ms += (_DAWN_HOUR - hour + self.chance.one(3)) * HOUR_MS
        return time_ms

    def pay(
        self,
        time_ms: int,
        payer: int,
        payee: int,
        amount_minor: int,
        stage: Stage,
        device: int | None = None,
    ) -> int:
        """Pay once, and return when."""
        used = self._find_device(payer) if device is None else device
        self._rows.append((time_ms, payer, payee, amount_minor, used, stage))
        return time_ms

    def send(self, time_ms: int, payer: int, payee: int, amount_minor: int) -> int:
        """Pay as layering, in several parts below the limit where the case is one that splits.

        Returns:
          When the last part is paid.
        """
        parts = 1
        if self._is_structured and amount_minor > LIMIT_MINOR:
            parts = min(amount_minor * 10 // (LIMIT_MINOR * 8) + 1, 12)
        for share in self.split(amount_minor, parts):
            self.pay(time_ms, payer, payee, share, Stage.LAYERING)
            last = time_ms
            time_ms = self._by_day(time_ms + self.chance.one_of(2 * MINUTE_MS, 8 * HOUR_MS))
        return last

    def enter(self, account: int, amount_minor: int) -> tuple[int, int]:
        """Bring dirty money to an account, or have it there already.

        Returns:
          When it may go on, and how much of it.
        """
        time_ms = self.spread()
        if not self._places:
            return time_ms, amount_minor
        if self.chance.happens(25):
            payer = self.shop_wallet(self.chance.choose(self.ring.shells))
        else:
            payer = self.bank_wallet(account)
        self.pay(time_ms, payer, account, amount_minor, Stage.PLACEMENT)
        return self.wait(time_ms), self.keep_fee(amount_minor)

    def leave(self, account: int, amount_minor: int, time_ms: int) -> None:
        """Take money out of an account, unless it is left there."""
        if not self._integrates:
            return
        way = self.chance.one(3)
        if way == 0:
            payee = self.bank_wallet(account)
        elif way == 1:
            payee = self.shop_wallet(self.chance.choose(self.ring.shells))
        else:
            payee = self.shop_wallet(self.draw_shop(Kind.VALUABLES))
        self.pay(self.wait(time_ms), account, payee, self.keep_fee(amount_minor), Stage.INTEGRATION)

    def draw_shop(self, kind: Kind) -> int:
        """Draw a business of a kind by its popularity."""
        of = self.world.businesses
        cumulative = of.popularity[kind]
        drawn = self.chance.one(int(cumulative[-1]))
        return int(of.by_kind[kind][np.searchsorted(cumulative, drawn, side="right")])

    def shop_wallet(self, business: int) -> int:
        """Draw a wallet of a business."""
        of = self.world.businesses
        return int(of.wallet[business]) + self.chance.one(int(of.wallets[business]))

    def bank_wallet(self, account: int) -> int:
        """Find the wallet of an account's bank, the one that it uses for honest money too."""
        of = self.world.businesses
        banks = of.by_kind[Kind.BANK]
        bank = int(banks[account * 31 % len(banks)])
        return int(of.wallet[bank]) + (account * 7 + bank) % int(of.wallets[bank])

    def draw_victim(self) -> int:
        """Draw somebody outside the ring whose wallet is open, whether they pay often or not."""
        people = self.world.people
        while True:
            person = self.chance.one(len(people.rate))
            is_open = people.rate[person] > 0 and people.opened_on[person] <= self.day
            if is_open and person not in self.ring.mules:
                return person

    def _find_device(self, payer: int) -> int:
        """Find from which device a wallet pays: a mule's may be in the ring's hands."""
        if payer not in self._devices:
            self._devices[payer] = self._draw_device(payer)
        return self._devices[payer]

    def _draw_device(self, payer: int) -> int:
        people = self.world.people
        if payer >= len(people.rate):
            return business_device(self.world, int(self.world.business_of[payer]))
        if payer in self.ring.mules and self.chance.happens(15):
            return self.chance.choose(self.ring.devices)
        first = int(people.device_of[payer])
        return 3 * first + 2 * int(people.replaced_on[first] <= self.day)

    def end(self, pattern: Pattern, number: int, known_ms: Sequence[int]) -> Rows:
        """Make rows of what was drawn, each with the time at which it becomes known."""
        columns = [np.array(column, np.int64) for column in zip(*self._rows, strict=True)]
        count = len(self._rows)
        return Rows(
            time_ms=columns[0],
            payer=columns[1],
            payee=columns[2],
            amount_minor=columns[3],
            device=columns[4],
            pattern=np.full(count, pattern, np.int8),
            stage=columns[5].astype(np.int8),
            case=np.full(count, number, np.int64),
            known_ms=np.array(known_ms, np.int64),
        )

    @property
    def times_ms(self) -> list[int]:
        """When each payment is made, in the order in which they were drawn."""
        return [row[0] for row in self._rows]
