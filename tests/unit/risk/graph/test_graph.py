"""The graph says what a slow, plain telling of all payments says, and ends where its bounds are."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tests.unit.risk.graph.oracle import Oracle

from hansa.kernel.errors import Corrupt, Invalid
from hansa.risk.catalogue import write_table
from hansa.risk.graph.catalogue import COLUMNS, FEATURES, WIDTH
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.graph.searching import Reach

ROOT = Path(__file__).resolve().parents[4]
SMALL = Reach(short_ms=20, long_ms=60, factor=4)
"""Windows so short that payments leave them."""


@st.composite
def payments(draw, wallets=7, most=60):
    """Few wallets, so that they meet; few steps of time, so that some are at once."""
    steps = draw(
        st.lists(
            st.tuples(
                st.integers(0, wallets - 1),
                st.integers(1, wallets - 1),
                st.sampled_from([1, 2, 3, 7, 8, 9, 30, 100, 104, 1_000, 2**53]),
                st.sampled_from([0, 0, 1, 2, 5, 30]),
            ),
            min_size=1,
            max_size=most,
        )
    )
    time_ms, made = 0, []
    for payer, on, amount, later in steps:
        time_ms += later
        made.append((payer, (payer + on) % wallets, amount, time_ms))
    return np.array(made, np.int64)


def name_row(row):
    return dict(zip(COLUMNS, row.tolist(), strict=True))


def make_chance(count, wallets, seed=5, span_ms=10**9):
    chance = np.random.default_rng(seed)
    payer = chance.integers(0, wallets, count)
    payee = (payer + chance.integers(1, wallets, count)) % wallets
    amount = chance.integers(1, 10_000, count)
    return np.stack([payer, payee, amount, np.sort(chance.integers(0, span_ms, count))], axis=1)


@given(payments(), st.integers(0, 2**60))
def test_features_are_those_of_a_plain_telling(edges, bits):
    oracle = Oracle(SMALL)
    graph = PaymentGraph(SMALL)
    for place, edge in enumerate(edges):
        is_made = bits >> place & 1 == 1
        (row,) = (graph if is_made else PaymentGraph.load(graph.save())).take(edge.reshape(1, 4))
        told, expected = name_row(row), oracle.tell(tuple(edge.tolist()), is_made=is_made)
        if told["capped"] == 0:
            assert told == expected
        else:  # a ring of 32 was full, or a search ended: then counts say at least
            assert_at_least(told, expected)


COUNTS = [
    *(name for name in COLUMNS if name.endswith(("_long", "_short", "_alike"))),
    *("pair", "back", "cycles_2", "cycles_3", "cycles_4", "cycles_5", "cycle_share"),
    *("middlemen", "middlemen_minor", "squares", "co_payers", "gathered"),
]


def assert_at_least(told, expected):
    assert {
        name: (told[name], expected[name]) for name in COUNTS if told[name] > expected[name]
    } == {}


@given(payments(wallets=4, most=40), st.sampled_from([2, 4]), st.integers(0, 2))
@settings(max_examples=50)
def test_bounds_are_told_by_the_row(edges, ring_max, rings_max):
    reach = SMALL._replace(ring_max=ring_max, rings_max=rings_max)
    rows = PaymentGraph(reach).take(edges)
    oracle = Oracle(reach)
    for edge, row in zip(edges.tolist(), rows, strict=True):
        told, expected = name_row(row), oracle.tell(tuple(edge))
        assert_at_least(told, expected)
        if told["capped"] == 0:
            searched = [
                name for name in COUNTS if name.startswith(("cycle", "middle", "co_", "sq"))
            ]
            assert [told[name] for name in searched] == [expected[name] for name in searched]


def test_one_at_a_time_saved_and_loaded_is_as_many_at_once():
    edges = make_chance(3_000, 200)
    at_once = PaymentGraph().take(edges)
    graph, rows = PaymentGraph(), []
    for number, edge in enumerate(edges):
        if number % 1_000 == 500:
            graph = PaymentGraph.load(graph.save())
        rows.append(graph.take(edge[None])[0])
    assert (np.array(rows) == at_once).all()
    assert len(graph) == 3_000
    again = PaymentGraph()
    again.take(edges)
    assert again.save() == graph.save()


def test_it_grows_with_wallets_and_payments_and_forgets_what_is_old():
    graph = PaymentGraph()
    week_ms = 7 * 86_400_000
    edges = make_chance(20_000, 5_000, span_ms=week_ms)
    graph.take(edges)
    grown = graph.nbytes
    for weeks in (2, 4, 6, 8):  # each time other wallets, for which room is where the last were
        later = edges + np.array([2_500 * weeks, 2_500 * weeks, 0, weeks * week_ms])
        rows = graph.take(later)
        assert rows[0, COLUMNS["payer_in_long"]] == 0
    heads = 64 * 5 * 8_192
    assert graph.nbytes <= grown + heads


def test_an_account_with_many_payments_costs_no_more_and_says_at_least():
    """It is in every payment, with all others paying each other beside it."""
    reach = Reach()
    edges = make_chance(50_000, 500)
    edges[::2, 0], edges[1::2, 1] = 0, 0
    edges = edges[edges[:, 0] != edges[:, 1]]
    graph = PaymentGraph(reach)
    rows = graph.take(edges)
    last = name_row(rows[-1])
    full = max(last["payee_in_long"], last["payer_out_long"])
    assert full == reach.ring_max
    assert last["capped"] > 0
    # A million payments take no more room than a thousand: rings are bounded.
    before = graph.nbytes
    edges[:, 3] += 1_000_000_000
    graph.take(edges)
    assert graph.nbytes == before


@pytest.mark.parametrize(
    ("edge", "says"),
    [
        ([0, 0, 5, 10], "pays itself"),
        ([-1, 0, 5, 10], "wallet's number"),
        ([0, 2**31, 5, 10], "wallet's number"),
        ([0, 1, 0, 10], "amount"),
        ([0, 1, 2**53 + 1, 10], "amount"),
        ([0, 1, 5, 9], "earlier"),
    ],
)
def test_what_is_no_payment_is_refused_and_nothing_of_its_block_taken(edge, says):
    graph = PaymentGraph()
    graph.take(np.array([[1, 2, 3, 10]]))
    before = graph.save()
    with pytest.raises(Invalid, match=says):
        graph.take(np.array([[0, 1, 5, 10], edge]))
    assert graph.save() == before


@pytest.mark.parametrize(
    "reach",
    [
        Reach(ring_max=12),
        Reach(ring_max=128),
        Reach(short_ms=2, long_ms=1),
        Reach(rings_max=33),
        Reach(factor=0),
    ],
)
def test_bounds_that_are_none_are_refused(reach):
    with pytest.raises(Invalid):
        PaymentGraph(reach)


def test_a_damaged_or_foreign_copy_is_refused():
    graph = PaymentGraph()
    graph.take(make_chance(100, 10))
    saved = graph.save()
    flipped = bytearray(saved)
    flipped[len(saved) // 2] ^= 1
    for damaged in (bytes(flipped), saved[:-40], b"", b"nothing"):
        with pytest.raises(Corrupt):
            PaymentGraph.load(damaged)


def test_every_feature_is_known_by_one_name():
    assert len(COLUMNS) == len(FEATURES) == WIDTH


def test_the_page_has_the_catalogue():
    page = (ROOT / "docs" / "reference" / "risk-graph.md").read_text()
    assert page.endswith(f"\n\n{write_table(FEATURES)}\n")
