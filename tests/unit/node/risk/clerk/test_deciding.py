"""What was decided before a start is known after it, whatever the clock said meanwhile."""

from __future__ import annotations

from contextlib import closing

from tests.deciding_desk import Bank
from tests.world import key

from hansa.node.risk.clerk.clerk import When
from hansa.node.risk.clerk.taking import Undecided
from hansa.node.risk.reading import Intended

HOUR_MS = 3_600_000


def ask(number, amount_minor, until_ms):
    intended = Intended(key("ann").address, key("shop").address, "CRD", amount_minor)
    return Undecided(number.to_bytes(32, "big"), b"", until_ms, "", (intended,))


def decide(desk, now_ms, *asked):
    return desk._clerk.clerk.decide(asked, When(now_ms, now_ms, ()))  # noqa: SLF001


def test_what_was_decided_is_known_though_the_clock_was_ahead_before_the_start(tmp_path):
    bank = Bank(tmp_path)
    begun_ms = bank.now_ms()
    until_ms = begun_ms + HOUR_MS + 890_000
    held, allowed = ask(1, 7_000, until_ms), ask(2, 5, until_ms)
    with closing(bank.open_desk()) as desk:  # the clock is an hour ahead, and then put right
        before = decide(desk, begun_ms + HOUR_MS, held, allowed)
        decide(desk, begun_ms, ask(3, 5, begun_ms + 300_000))
    with closing(bank.open_desk()) as desk:
        after = decide(desk, begun_ms + HOUR_MS + 60_000, held, ask(4, 5, until_ms), allowed)
    assert before.decided[0].held.tx_id == after.decided[0].held.tx_id == held.tx_id
    assert after.decided[2] == before.decided[1]
    assert after.events == before.events + 2  # the third and the fourth
