"""Intake: the same events in the same order give the same rows, whatever happened between."""

from __future__ import annotations

import numpy as np
import pytest

from hansa.kernel.errors import Corrupt, Invalid, Unavailable
from hansa.risk.intake.intake import Taken, Told, begin_intake, load_intake


def name(number):
    return number.to_bytes(32, "big")


@pytest.fixture(scope="module")
def events():
    chance = np.random.default_rng(11)
    events, now_ms, payments = [], 1_700_000_000_000, 0
    for _ in range(400):
        now_ms += int(chance.integers(0, 9_000_000))
        if payments and chance.random() < 0.2:
            told = Told(int(chance.integers(payments)), now_ms, bool(chance.random() < 0.5))
            events.append(told)
            continue
        payer, payee = chance.choice(30, 2, replace=False).tolist()
        device = name(100 + payer) if chance.random() < 0.8 else None
        merchant = name(200 + payee % 3) if payee < 9 else None
        amount = int(chance.integers(1, 90_000))
        attempt = int(chance.integers(payments)) if payments and chance.random() < 0.2 else -1
        who = (name(payer), name(payee), amount, device, merchant)
        events.append(Taken(now_ms, *who, attempt, is_attempt=bool(chance.random() < 0.2)))
        payments += 1
    return events


def test_a_restart_and_what_was_refused_between_change_no_row(events):
    whole = begin_intake().take(events)
    first = begin_intake()
    rows = [first.take(events[:150])]
    last = next(each for each in reversed(events[:150]) if isinstance(each, Taken))
    last = last._replace(time_ms=first.now_ms)
    bad = [
        last._replace(payer=name(999)),
        last._replace(payer=name(998), payee=name(998)),
    ]
    with pytest.raises(Invalid, match="to its own payer"):
        first.take(bad)  # numbers somebody new, and must take the number back
    with pytest.raises(Invalid, match="not yet taken in"):
        first.take([last._replace(payer=name(999)), Told(10_000, last.time_ms, True)])
    with pytest.raises(Invalid, match="out of range"):
        first.take([last._replace(time_ms=2**50 + 1)])  # of a clock that counts microseconds
    again = load_intake(first.save())
    rows += [again.take([each]) for each in events[150:170]]
    rows.append(again.take(events[170:]))
    assert np.array_equal(np.concatenate(rows), whole)
    assert again.next_number == len(whole)
    assert again.wallet_count == 30


def test_looking_changes_nothing_and_keeping_is_taking_in(events):
    intake, other = begin_intake(), begin_intake()
    paid = [each for each in events if isinstance(each, Taken) and each.attempt < 0]
    for begin in range(0, len(paid), 7):
        block = [each._replace(time_ms=paid[begin].time_ms) for each in paid[begin : begin + 7]]
        before = intake.save()
        looked = intake.look([each._replace(is_attempt=False) for each in block])
        alone = [load_intake(before).look([each]).rows[0] for each in block]
        assert np.array_equal(looked.rows, alone)
        rows = intake.keep(looked, [each.is_attempt for each in block])
        assert np.array_equal(rows, other.take(block))
        assert np.array_equal(rows[0], looked.rows[0])
        assert intake.save() == other.save()


def test_what_cannot_be_kept_leaves_nobody_numbered(events, monkeypatch):
    intake, other = begin_intake(), begin_intake()
    paid = [each for each in events if isinstance(each, Taken) and each.attempt < 0][:70]
    paid = [each._replace(time_ms=paid[0].time_ms) for each in paid]
    monkeypatch.setattr("hansa.risk.features.memory.LOG_MAX", 64)
    looked = intake.look(paid)
    with pytest.raises(Unavailable, match="at most 64"):
        intake.keep(looked, [False] * len(paid))
    assert intake.wallet_count == 0
    again = paid[::-1][:3]
    assert np.array_equal(intake.take(again), other.take(again))


def test_what_is_saved_tells_nothing_of_the_blocks_in_which_events_came(events):
    """Over four months, of which one is remembered; in one play with a restart."""
    start_ms = events[0].time_ms
    slow = [each._replace(time_ms=start_ms + (each.time_ms - start_ms) * 6) for each in events]
    rows, saved = [], set()
    for size in (1, 7, 130, len(slow)):
        intake, taken = begin_intake(), []
        for begin in range(0, len(slow), size):
            taken.append(intake.take(slow[begin : begin + size]))
            if size == 130:
                intake = load_intake(intake.save())
        rows.append(np.concatenate(taken))
        saved.add(intake.save())
    assert all(np.array_equal(each, rows[0]) for each in rows)
    assert len(saved) == 1


def test_bytes_that_are_none_are_told(events):
    intake = begin_intake()
    intake.take(events[:20])
    kept = intake.save()
    for raw in (b"", kept[:-30], kept[: len(kept) // 2]):
        with pytest.raises(Corrupt):
            load_intake(raw)
