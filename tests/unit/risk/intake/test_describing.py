"""Rows of whole payments: the same in blocks as one by one, and after a restart."""

import hashlib

import msgspec
import numpy as np
import pytest
from tests.conftest import ROOT

from hansa.kernel.errors import Corrupt, Invalid
from hansa.risk.features.catalogue import NAMES
from hansa.risk.features.layout import AMOUNT, ATTEMPT, KIND, PAYEE, PAYER, PAYMENT, TIME
from hansa.risk.features.memory import Features, write_events
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.intake.describing import (
    CATALOGUE,
    FEATURES,
    FEATURES_HASH,
    Describer,
    load_describer,
)
from hansa.risk.rules.book import load_rules
from hansa.risk.simulator.stream import Settings, simulate

BEGINNING = 900


def make_describer():
    return Describer(Features(), PaymentGraph())


@pytest.fixture(scope="module")
def events():
    """The first payments of a simulated city, and some labels among them."""
    simulation = simulate(Settings(seed=3, days=2, persons=500, illicit_per_million=50_000))
    payments = [simulation.payments.get(number) for number in range(1_500)]
    return write_events(payments)


def test_a_restart_between_any_two_blocks_changes_no_row(events):
    whole = make_describer().take(events)
    assert whole.shape == (len(events), len(FEATURES))
    assert len(set(FEATURES)) == len(FEATURES)
    first = make_describer()
    rows = [first.take(events[:BEGINNING])]
    again = load_describer(first.save())
    rows += [again.take(events[at : at + 1]) for at in range(BEGINNING, BEGINNING + 50)]
    rows.append(again.take(events[BEGINNING + 50 :]))
    assert np.array_equal(np.concatenate(rows), whole)
    # Both halves tell something of these payments.
    assert (whole != whole[0]).any(axis=0).sum() > 80
    # Whole numbers that a floating-point number of 64 bits holds, as trees are grown on them.
    assert np.abs(whole).max() <= 2**53
    assert whole.min() >= -1


def test_a_row_is_of_both_halves_and_nothing_of_an_attempt_is_remembered(events):
    kinds = np.where(np.random.default_rng(5).random(len(events)) < 0.2, ATTEMPT, PAYMENT)
    tried = events.copy()
    tried[:, KIND] = kinds
    whole = make_describer().take(tried)
    assert np.array_equal(whole[:, : len(NAMES)], Features().take(tried))
    made = tried[kinds == PAYMENT][:, [PAYER, PAYEE, AMOUNT, TIME]]
    assert np.array_equal(whole[kinds == PAYMENT, len(NAMES) :], PaymentGraph().take(made))


@pytest.mark.parametrize("column", [3, 5])
def test_what_one_half_refuses_the_other_has_not_taken(events, column):
    describer = make_describer()
    describer.take(events[:BEGINNING])
    bad = events[BEGINNING:].copy()
    bad[7, column] = bad[7, 4] if column == 3 else 0  # to its own payer; of nothing
    early = events[BEGINNING:].copy()
    early[9, 2] = 0  # in 1970
    for block in (bad, early):
        with pytest.raises(Invalid):
            describer.take(block)
    expected = make_describer().take(events)[BEGINNING:]
    assert np.array_equal(describer.take(events[BEGINNING:]), expected)


def test_bytes_that_are_not_what_was_remembered_are_told(events):
    describer = make_describer()
    describer.take(events[:10])
    kept = describer.save()
    for raw in (b"", kept[:-30], kept[: len(kept) // 2]):
        with pytest.raises(Corrupt):
            load_describer(raw)


def test_a_name_says_its_unit():
    ends = {"_ms": "ms", "_minor": "minor units", "_share": "2**-16", "_surprise": "2**-16"}
    for name, unit, _ in CATALOGUE:
        said = {of for end, of in ends.items() if name.endswith(end)}
        said |= {"2**-16"} if "_to_" in name else set()
        assert said == {unit} & set(ends.values()), name


def test_rules_compare_any_time_with_a_duration():
    asked = ", ".join(f'"{name} < 2h"' for name, unit, _ in CATALOGUE if unit == "ms")
    book = f'name = "r"\n[[rules]]\nname = "young"\nverdict = "review"\nall = [{asked}]\n'
    (rule,) = load_rules(book.encode(), "rules.toml", FEATURES)
    assert {condition.constant for condition in rule.all} == {7_200_000}


def test_the_rules_of_the_reference_ask_for_features_that_there_are():
    page = (ROOT / "docs" / "reference" / "risk-rules.md").read_text()
    book = page.split("```toml\n")[1].split("```")[0]
    assert len(load_rules(book.encode(), "risk-rules.md", FEATURES)) == 2


def test_the_hash_of_the_features_is_that_of_their_names_units_and_sentences():
    plain = [[str(part) for part in feature] for feature in CATALOGUE]
    assert hashlib.sha256(msgspec.msgpack.encode(plain)).digest() == FEATURES_HASH
