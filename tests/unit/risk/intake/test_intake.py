"""Intake: the same events in the same order give the same rows, whatever happened between."""

from __future__ import annotations

import numpy as np
import pytest

from hansa.kernel.errors import Corrupt, Invalid, Unavailable
from hansa.risk.decisions.deciding import Decider, Listed
from hansa.risk.decisions.policy import Policy, Unscored
from hansa.risk.intake.describing import FEATURES
from hansa.risk.intake.intake import Answered, Taken, Told, begin_intake, load_intake
from hansa.risk.intake.loop import take_in
from hansa.risk.rules.book import load_rules
from hansa.risk.verdicts import Verdict


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


@pytest.fixture(scope="module")
def decider():
    """Holds what is far above habit, and who pays or is paid often: a third of the payments."""
    book = """name = "few"
[[rules]]
name = "often"
verdict = "step_up"
any = ["payer_count_1d > 1", "graph_payee_in_long > 2"]
[[rules]]
name = "much"
verdict = "review"
all = ["amount_minor > 2 * payer_mean_30d_minor"]
[[rules]]
name = "trusted"
verdict = "allow"
all = ["pair_count_30d > 1"]
"""
    rules = load_rules(book.encode(), "rules.toml", FEATURES)
    return Decider(Policy(1, unscored=Unscored(80_000)), rules, None, FEATURES)


def decide_plainly(intake, payments, decider, listed, together):
    """Decide one transaction after the other, each payment described on a copy first."""
    rows, decisions, are_attempts = [], [], []
    begin = 0
    while begin < len(payments):
        end, before = begin + together[begin], intake.save()
        part = range(begin, end)
        alone = [load_intake(before).take([payments[at]])[0] for at in part]
        verdicts = [
            decider.decide(row, listed.get(at)).verdict for at, row in zip(part, alone, strict=True)
        ]
        for at in part:
            is_attempt = payments[at].is_attempt or max(verdicts) > Verdict.ALLOW
            (row,) = intake.take([payments[at]._replace(is_attempt=is_attempt)])
            rows.append(row)
            decisions.append(decider.decide(row, listed.get(at)))
            are_attempts.append(is_attempt)
        begin = end
    return Answered(np.array(rows), decisions, are_attempts)


@pytest.mark.parametrize("size", [1, 7, 90])
def test_each_is_decided_on_before_the_next_and_what_is_held_is_an_attempt(
    events, decider, size, monkeypatch
):
    monkeypatch.setattr("hansa.risk.graph.graph.WORDS_MIN", 1_024)  # so that it grows within
    chance = np.random.default_rng(size)
    intake, plain, found = begin_intake(), begin_intake(), []
    paid = [each for each in events if isinstance(each, Taken) and each.attempt < 0]
    for begin in range(0, len(paid), size):
        block = [each._replace(is_attempt=False) for each in paid[begin : begin + size]]
        together, listed, at = [1] * len(block), {}, 0
        while at < len(block):
            together[at] = min(int(chance.choice([1, 1, 3])), len(block) - at)
            if chance.random() < 0.2:
                listed[at] = Listed(Verdict(int(chance.integers(3))), "on a list")
            # Held is also whatever comes with what the amount holds of a payment to nobody.
            same = {"time_ms": block[at].time_ms, "is_attempt": bool(chance.random() < 0.1)}
            for place in range(at, at + together[at]):
                block[place] = block[place]._replace(**same)
            at += together[at]
        answered = intake.decide(block, decider, listed, together)
        expected = decide_plainly(plain, block, decider, listed, together)
        assert np.array_equal(answered.rows, expected.rows)
        assert answered[1:] == expected[1:]
        assert intake.save() == plain.save()
        found += answered.are_attempts
    assert 0.2 < np.mean(found) < 0.8
    assert len(take_in.signatures) == 1  # else the first payment waits while another is compiled


def test_what_cannot_be_taken_in_leaves_nobody_numbered(events, decider, monkeypatch):
    intake, other = begin_intake(), begin_intake()
    paid = [each for each in events if isinstance(each, Taken) and each.attempt < 0][:70]
    paid = [each._replace(time_ms=paid[0].time_ms) for each in paid]
    monkeypatch.setattr("hansa.risk.features.memory.LOG_MAX", 64)
    with pytest.raises(Unavailable, match="at most 64"):
        intake.decide(paid, decider, {})
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
