"""Rows of features against their definitions, computed the slow way from lists of all that was."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK, ROOT

from hansa.kernel.errors import Corrupt, Invalid, Unavailable
from hansa.risk.arrays import write_arrays
from hansa.risk.catalogue import RATIO_BITS, write_table
from hansa.risk.events import Label, Payment
from hansa.risk.features.catalogue import FEATURES, NAMES, RATIO_MAX
from hansa.risk.features.layout import DAY_MS, HOUR_MS, SUMMED_MAX, WINDOW_NAMES, WINDOWS_MS
from hansa.risk.features.loop import Finding
from hansa.risk.features.memory import Features, load, write_events
from hansa.risk.features.rows import PAIR_MAX

START_MS = 1_700_000_000_000
ZONE_MS = 2 * HOUR_MS
KEPT_MS = 31 * DAY_MS


class Slow:
    """Every feature as the catalogue words it, from all events so far."""

    def __init__(self):
        self.tried = []
        """Payments and attempts, by their numbers."""
        self.payments = []
        self.labels = []
        self.surprises = []
        self.verdicts = {}
        self.became = {}

    def take(self, event):
        if isinstance(event, Payment):
            row = self.describe(event)
            by_name = dict(zip(NAMES, row, strict=True))
            habit = by_name["amount_to_payer_genuine_30d"], by_name["amount_to_payer_mean_30d"]
            self.surprises.append(min(habit[0] if habit[0] >= 0 else habit[1], 2**31 - 1))
            self.tried.append(event)
            if not event.is_attempt:
                self.payments.append(event)
                self.become(event)
            return row
        if isinstance(event, Label):
            self.learn(event)
        return None

    def become(self, paid):
        attempt = self.tried[paid.attempt]
        if paid.attempt >= 0 and attempt.is_attempt and is_kept(attempt, paid.time_ms):
            self.became[paid.attempt] = paid.number
            if paid.attempt in self.verdicts:
                self.learn(Label(paid.number, paid.time_ms, self.verdicts[paid.attempt]))

    def learn(self, told):
        paid = self.tried[told.number]
        is_known = self.verdicts.get(told.number) is told.is_fraud
        if is_known or not is_kept(paid, told.time_ms):
            return
        self.verdicts[told.number] = told.is_fraud
        if not paid.is_attempt:
            self.labels.append((told, paid))
        elif told.number in self.became:
            self.learn(told._replace(number=self.became[told.number]))

    def describe(self, now):
        local_ms = now.time_ms + ZONE_MS
        row = {
            "amount_minor": now.amount_minor,
            "hour": local_ms // HOUR_MS % 24,
            "weekday": (local_ms // DAY_MS + 3) % 7,
            "is_night": int(local_ms // HOUR_MS % 24 < 7),
        }
        for name, span_ms in zip(WINDOW_NAMES, WINDOWS_MS, strict=True):
            row |= self.describe_window(now, name, now.time_ms - span_ms)
        row["amount_to_payer_max_30d"] = divide(now, row["payer_max_30d_minor"])
        row["payer_max_1d_to_genuine_30d"] = -1
        if row["payer_max_1d_minor"] >= 0:
            largest = now._replace(amount_minor=row["payer_max_1d_minor"])
            row["payer_max_1d_to_genuine_30d"] = divide(largest, row["payer_genuine_30d"])
        for party in ("payer", "payee", "device", "merchant"):
            row |= self.describe_party(now, party)
        kept = [paid for paid in self.payments if paid.time_ms > now.time_ms - KEPT_MS]
        times = [p.time_ms for p in kept if (p.payer, p.payee) == (now.payer, now.payee)]
        row["pair_age_ms"] = self.begin_of_pair(now)
        row["pair_idle_ms"] = now.time_ms - times[-1] if times else -1
        row["is_first_of_pair"] = int(not times)
        used = [p for p in kept if (p.payer, p.device) == (now.payer, now.device)]
        row["is_first_of_device"] = int(not used) if now.device >= 0 else -1
        return [int(row[name]) for name in NAMES]

    def begin_of_pair(self, now):
        """A relation that rested for as long as payments are kept begins anew."""
        times = [p.time_ms for p in self.payments if (p.payer, p.payee) == (now.payer, now.payee)]
        if not times or now.time_ms - times[-1] >= KEPT_MS:
            return -1
        begins = [later for sooner, later in pairwise(times) if later - sooner >= KEPT_MS]
        return now.time_ms - (begins[-1] if begins else times[0])

    def describe_window(self, now, name, horizon_ms):
        recent = [paid for paid in self.payments if paid.time_ms > horizon_ms]
        told = [(v, paid) for v, paid in self.labels if v.time_ms > horizon_ms]
        row = {}
        for party in ("payer", "payee", "device", "merchant"):
            who = getattr(now, party)
            own = [paid for paid in recent if getattr(paid, party) == who]
            amounts = [min(paid.amount_minor, SUMMED_MAX) for paid in own]
            mean = sum(amounts) // len(own) if own else -1
            verdicts = [v.is_fraud for v, paid in told if getattr(paid, party) == who]
            known = [
                min(paid.amount_minor, SUMMED_MAX)
                for v, paid in told
                if getattr(paid, party) == who and not v.is_fraud
            ]
            genuine = sum(known) // len(known) if known else -1
            row |= {
                f"{party}_count_{name}": len(own),
                f"{party}_sum_{name}_minor": sum(amounts),
                f"{party}_max_{name}_minor": max(amounts, default=-1),
                f"{party}_mean_{name}_minor": mean,
                f"{party}_payees_{name}": len({paid.payee for paid in own}),
                f"{party}_payers_{name}": len({paid.payer for paid in own}),
                f"{party}_devices_{name}": len({paid.device for paid in own} - {-1}),
                f"amount_to_{party}_mean_{name}": divide(now, mean),
                f"{party}_labelled_{name}": len(verdicts),
                f"{party}_frauds_{name}": sum(verdicts),
                f"amount_to_{party}_genuine_{name}": divide(now, genuine),
                f"{party}_genuine_{name}": genuine,
            }
            if who < 0:
                row |= {key: -1 for key in row if key.startswith(party)}
        pair = (now.payer, now.payee)
        own = [min(p.amount_minor, SUMMED_MAX) for p in recent if (p.payer, p.payee) == pair]
        newest = own[-PAIR_MAX:]
        return row | {
            f"pair_count_{name}": len(own),
            f"pair_sum_{name}_minor": sum(newest),
            f"pair_max_{name}_minor": max(newest, default=-1),
            f"pair_mean_{name}_minor": sum(newest) // len(newest) if newest else -1,
        }

    def describe_party(self, now, party):
        who = getattr(now, party)
        times = [paid.time_ms for paid in self.payments if getattr(paid, party) == who]
        verdicts = [
            (paid.time_ms, told.is_fraud, self.surprises[paid.number])
            for told, paid in self.labels
            if getattr(paid, party) == who
        ]
        run, began_ms = [], -1
        for place, (paid_ms, is_fraud, surprise) in enumerate(verdicts):
            frauds = [at for at, was_fraud, _ in verdicts[:place] if was_fraud]
            if is_fraud:
                began_ms = began_ms if run else paid_ms
                run.append(surprise)
            elif paid_ms >= max(frauds, default=-1):
                run, began_ms = [], -1
        since = {
            "age": times[0] if times and who >= 0 else -1,
            "idle": times[-1] if times and who >= 0 else -1,
            "fraud_run_age": began_ms,
            "fraud_age": max((at for at, is_fraud, _ in verdicts if is_fraud), default=-1),
            "genuine_age": max((at for at, is_fraud, _ in verdicts if not is_fraud), default=-1),
        }
        ages = {f"{party}_{k}_ms": now.time_ms - at if at >= 0 else -1 for k, at in since.items()}
        surprises = [surprise for _, is_fraud, surprise in verdicts if is_fraud]
        return ages | {
            f"{party}_fraud_run": len(run),
            f"{party}_fraud_run_surprise": min(run, default=-1),
            f"{party}_fraud_surprise": surprises[-1] if surprises else -1,
        }


def is_kept(paid, now_ms):
    return paid.time_ms > now_ms - KEPT_MS


def divide(now, by):
    amount = min(now.amount_minor, SUMMED_MAX)
    return -1 if by < 0 else min((amount << RATIO_BITS) // max(by, 1), RATIO_MAX)


def play(steps):
    """Turn (wait, what, numbers) into events whose clock does not go back."""
    now_ms, events, payments = START_MS, [], 0
    for wait_ms, what, (payer, payee, amount, device, merchant) in steps:
        now_ms += wait_ms
        number = max(0, payments - 1 - amount % 8)
        if what in ("pay", "try", "pay at last"):
            attempt = number if payments and what == "pay at last" else -1
            who = (payer, payee, amount, device, merchant, attempt, what == "try")
            events.append(Payment(payments, now_ms, *who))
            payments += 1
        elif what == "wait":
            events.append(now_ms)
        elif payments:
            events.append(Label(number, now_ms, is_fraud=what == "fraud"))
    return events


# Waits meet each window at its edge, and go on until relations are forgotten.
WAITS = st.sampled_from([0, 1, HOUR_MS - 1, HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, KEPT_MS])
AMOUNTS = st.one_of(st.integers(0, 20), st.sampled_from([2**36, 2**53]))
PARTIES = st.tuples(
    st.integers(0, 2), st.integers(0, 2), AMOUNTS, st.integers(-1, 1), st.integers(-1, 1)
)
WHATS = st.sampled_from(["pay", "pay", "try", "pay at last", "fraud", "genuine", "wait"])
STEPS = st.tuples(WAITS, WHATS, PARTIES)


def check(events):
    """One at a time, all at once, and stopped in the middle: all as the slow way has it."""
    slow = Slow()
    expected = [row for row in map(slow.take, events) if row is not None]
    rows = write_events(events)
    at_once = Features(zone_offset_ms=ZONE_MS, kept_ms=KEPT_MS).take(rows)
    assert [dict(zip(NAMES, row, strict=True)) for row in at_once.tolist()] == [
        dict(zip(NAMES, row, strict=True)) for row in expected
    ]
    alone = Features(zone_offset_ms=ZONE_MS, kept_ms=KEPT_MS)
    half = len(rows) // 2
    singly = [alone.take(rows[place : place + 1]) for place in range(half)]
    again = load(alone.save())
    assert np.concatenate([*singly, again.take(rows[half:])]).tobytes() == at_once.tobytes()


@settings(max_examples=2_000 if IS_SOAK else 30)
@given(st.lists(STEPS, min_size=1, max_size=30))
def test_a_row_is_what_the_catalogue_says_online_and_in_replay(steps):
    check(play(steps))


def test_tables_grow_and_relations_are_forgotten_in_a_long_replay():
    chance = np.random.default_rng(5)
    steps = [
        (
            int(chance.exponential(DAY_MS / 3)),
            str(chance.choice(["pay"] * 6 + ["try", "pay at last", "fraud", "genuine"])),
            tuple(map(int, (*chance.integers(0, 40, 2), *chance.integers(0, 99, 1), 3, who % 2))),
        )
        for who in range(400)
    ]
    check(play(steps))


def test_of_a_pair_that_pays_all_the_time_the_newest_are_summed():
    amounts = np.random.default_rng(3).integers(1, 99, PAIR_MAX + 60).tolist()
    check(play([(HOUR_MS // 7, "pay", (0, 1, amount, 0, 0)) for amount in amounts]))


def test_a_log_that_is_full_has_room_again_once_time_has_passed(monkeypatch):
    monkeypatch.setattr("hansa.risk.features.memory.LOG_MAX", 64)
    features = Features(kept_ms=KEPT_MS)
    features.take(write_events([Payment(each, each, 0, 1, 10) for each in range(64)]))
    with pytest.raises(Unavailable, match="at most 64 payments"):
        features.take(write_events([Payment(64, 64, 0, 1, 10)]))
    features.take(write_events([Payment(64, 64 + KEPT_MS, 0, 1, 10)]))


def test_a_label_that_comes_too_late_is_counted_and_changes_nothing():
    features = Features(kept_ms=KEPT_MS)
    features.take(write_events([Payment(0, 5, 0, 1, 10), Label(0, 5 + KEPT_MS, is_fraud=True)]))
    assert features.labels_too_late == 1
    row = features.take(write_events([Payment(1, 5 + KEPT_MS, 0, 1, 10)]))[0]
    assert row[NAMES.index("payee_frauds_30d")] == 0


PAID = Payment(0, 1_000, 0, 1, 10)


@pytest.mark.parametrize(
    ("event", "finding"),
    [
        (Payment(1, 999, 0, 1, 10), Finding.CLOCK_WENT_BACK),
        (Label(0, 999, is_fraud=True), Finding.CLOCK_WENT_BACK),
        (PAID, Finding.PAYMENT_AGAIN),
        (Payment(2, 1_000, 0, 1, 10), Finding.PAYMENT_MISSING),
        (Label(1, 1_000, is_fraud=True), Finding.LABEL_BEFORE_PAYMENT),
        (Label(-1, 1_000, is_fraud=True), Finding.OUT_OF_RANGE),
        (Payment(1, 1_000, -1, 1, 10), Finding.OUT_OF_RANGE),
        (Payment(1, 1_000, 0, 2**30, 10), Finding.OUT_OF_RANGE),
        (Payment(1, 1_000, 0, 1, 2**53 + 1), Finding.OUT_OF_RANGE),
        (Payment(1, 1_000, 0, 1, -1), Finding.OUT_OF_RANGE),
        (Payment(1, 1_000, 0, 1, 1, attempt=1), Finding.OUT_OF_RANGE),
        (Payment(1, 1_000, 0, 1, 1, attempt=-2), Finding.OUT_OF_RANGE),
        (Payment(2, 1_000, 0, 1, 10, is_attempt=True), Finding.PAYMENT_MISSING),
    ],
)
def test_what_stands_against_an_event_is_said_and_nothing_remembered(event, finding):
    features = Features()
    features.take(write_events([PAID]))
    before = features.save()
    with pytest.raises(Invalid) as refused:
        features.take(write_events([event]))
    assert refused.value.facts == {"finding": finding.name, "place": 0}
    assert features.save() == before


def test_other_bytes_are_not_taken_for_what_was_remembered():
    kept = Features().save()
    of_another_version = write_arrays("parties of other features", clock=np.zeros(1))
    for wrong in (b"", kept[:-40], b"x" + kept[1:], of_another_version):
        with pytest.raises(Corrupt):
            load(wrong)


def test_the_reference_has_the_catalogue_as_it_is():
    page = (ROOT / "docs" / "reference" / "risk-features.md").read_text()
    assert page[page.index("| feature |") :].strip() == write_table(FEATURES)
    assert len(set(NAMES)) == len(NAMES)
