"""When it becomes known what a payment was: after days, weeks, months, or never.

Victims report what was taken from them after days, most of them. Laundering has no victim: an
investigation ends after weeks or months, knows all of a case at once, and finds half of them.
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.risk.simulator.calibration import DAY_MS, HOUR_MS
from hansa.risk.simulator.cases import Case
from hansa.risk.simulator.chance import UNIT, find_logarithm
from hansa.risk.simulator.columns import LAUNDERING, NEVER, Pattern


class Delay(NamedTuple):
    """How a pattern becomes known."""

    known_percent: int
    """Of payments, or of cases where a whole case becomes known."""
    least_ms: int
    median_ms: int
    is_whole: bool
    """Whether all payments of a case become known together, after its last one."""


_VICTIM = Delay(85, 2 * HOUR_MS, 3 * DAY_MS, is_whole=False)
_SLOW_VICTIM = Delay(70, 5 * DAY_MS, 15 * DAY_MS, is_whole=False)
_INVESTIGATION = Delay(50, 14 * DAY_MS, 30 * DAY_MS, is_whole=True)
DELAYS = {
    **dict.fromkeys(LAUNDERING, _INVESTIGATION),
    Pattern.OVERPAID_REFUND: _INVESTIGATION,
    Pattern.COLLECTING_MERCHANT: _INVESTIGATION,
    Pattern.VICTIMS_NAME: _SLOW_VICTIM,
    Pattern.MULE_WALLET: _VICTIM,
    Pattern.SHOP_CASH_OUT: _VICTIM,
    Pattern.ACCOUNT_TAKEOVER: _VICTIM,
    Pattern.PUSH_PAYMENT: _SLOW_VICTIM,
}


def draw_reports(case: Case, pattern: Pattern) -> list[int]:
    """Draw when each payment of a case becomes known, or `NEVER`; never before the payment."""
    delay, chance = DELAYS[pattern], case.chance

    def draw() -> int:
        return delay.least_ms + chance.amount(find_logarithm(delay.median_ms), UNIT)

    times = case.times_ms
    if not delay.is_whole:
        return [
            time_ms + draw() if chance.happens(delay.known_percent) else NEVER for time_ms in times
        ]
    if not chance.happens(delay.known_percent):
        return [NEVER] * len(times)
    known = max(times) + draw()
    return [known + chance.one(2 * DAY_MS) for _ in times]
