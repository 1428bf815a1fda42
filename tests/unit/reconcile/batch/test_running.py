"""Whole runs: every entry in one match or one break, whatever order the rows come in."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reconciled import make_side

from hansa.kernel.errors import Invalid
from hansa.reconcile.batch.diagnosing import BreakClass
from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.net import LEFT, RIGHT
from hansa.reconcile.batch.running import reconcile
from hansa.reconcile.entries import Entry
from hansa.reconcile.rules.loading import load_rules

BOOK = load_rules(
    b"""
name = "test"
sides = [{name = "ours"}, {name = "theirs", sign = -1}]

[[passes]]
name = "exact"
kind = "net"
on = ["account", "currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "reversed"
kind = "reversal"
on = ["account", "currency", "reference"]
days = 9

[[passes]]
name = "near"
kind = "tolerance"
on = ["account", "currency"]
amount_minor = 2
days = 1

[[passes]]
name = "parts"
kind = "parts"
on = ["account", "currency"]
days = 1

[[passes]]
name = "sums"
kind = "sum"
on = ["account", "currency"]
parts_max = 3
days = 1

[[passes]]
name = "groups"
kind = "net_zero"
on = ["account", "currency"]
by = "batch"
days = 9

[[passes]]
name = "cancelled"
kind = "net_zero"
on = ["account", "currency"]
by = "amount"
days = 1

[[passes]]
name = "by_amount"
kind = "net"
on = ["account", "currency", "amount_minor"]
""",
    "rules.toml",
)

SCORED = load_rules(
    b"""
name = "test"
sides = [{name = "ours"}, {name = "theirs", sign = -1}]

[[passes]]
name = "exact"
kind = "net"
on = ["account", "currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "evidence"
kind = "score"
on = ["account", "currency"]
days_after = 1
threshold_millibits = -3000
""",
    "rules.toml",
)
"""A threshold that lets many pairs through."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with opened_duckdb(tmp_path_factory.mktemp("duckdb"), threads=1) as opened:
        yield opened


def run(engine, left, right, book=BOOK):
    """Run the rules; returns matches and breaks with their entries instead of places."""
    tables = [engine.add(make_side(side)) for side in (left, right)]
    found = reconcile(engine, *tables, book, sides=book.sides)
    pairs = engine.fetch(found.pairs).to_pylist()
    matches = [("exact", (left[each[LEFT]],), (right[each[RIGHT]],)) for each in pairs]
    named = [(each.name, match) for each in found.passes for match in each.matches]
    named += [(each.kind, each) for each in found.breaks]
    for name, each in named:
        ours = (left[row] for row in found.rest.left.rows[list(each.left)].tolist())
        theirs = (right[row] for row in found.rest.right.rows[list(each.right)].tolist())
        matches.append((name, tuple(sorted(ours, key=repr)), tuple(sorted(theirs, key=repr))))
    return sorted(matches, key=repr)


def entry(amount_minor, value_date=0, reference="", **more):
    return Entry("DE02", "EUR", amount_minor, value_date, value_date, reference, **more)


texts = st.sampled_from(["", "a b", "a c", "b"])
entries = st.builds(
    entry,
    st.integers(-4, 4),
    st.integers(0, 2),
    st.sampled_from(["", "a", "b", "a/1", "a/2"]),
    batch=st.sampled_from(["", "", "x"]),
    bank_reference=st.sampled_from(["", "1"]),
    is_reversal=st.sampled_from([False, False, False, True]),
)


def side(entries, rows_max):
    """Sides of three accounts, no matter for the rules together: one run tries three cases."""
    numbers = st.sampled_from(["DE02", "DE03", "DE04"])
    rows = st.builds(lambda each, account: each._replace(account=account), entries, numbers)
    return st.lists(rows, min_size=rows_max // 4, max_size=rows_max)


@settings(max_examples=settings.default.max_examples // 33)
@given(side(entries, 40), side(entries, 40), st.randoms())
def test_results_do_not_depend_on_the_order_of_rows(engine, left, right, chance):
    check_order(engine, left, right, chance, BOOK)


@settings(max_examples=settings.default.max_examples // 33)
@given(
    side(st.builds(entry, st.integers(90, 110), st.integers(0, 2), texts), 24),
    side(st.builds(entry, st.integers(-110, -90), st.integers(0, 2), texts), 24),
    st.randoms(),
)
def test_nor_does_what_is_learnt(engine, left, right, chance):
    check_order(engine, left, right, chance, SCORED)


def check_order(engine, left, right, chance, book):
    """Every entry is in one match or break, and these are the same for mixed rows."""
    found = run(engine, left, right, book)
    for at, side in ((1, left), (2, right)):
        told = [each for one in found for each in one[at]]
        assert sorted(told, key=repr) == sorted(side, key=repr)
    mixed = [chance.sample(side, len(side)) for side in (left, right)]
    assert strip(run(engine, *mixed, book)) == strip(found)


def strip(found):
    """Leave out by what a bank tells apart copies that are otherwise the same."""

    def plain(side):
        return sorted((each._replace(bank_reference="") for each in side), key=repr)

    return sorted(((name, plain(ours), plain(theirs)) for name, ours, theirs in found), key=repr)


CASES = {
    "exact": ([entry(5, 1, "r")], [entry(-5, 1, "r")]),
    "near": ([entry(50, 1, "r")], [entry(-52, 2, "r")]),
    "parts": ([entry(50, 1, "r")], [entry(-20, 1, "r/1"), entry(-30, 1, "r/2")]),
    "sums": ([entry(50, 1)], [entry(-20, 1), entry(-30, 1)]),
    "by_amount": ([entry(50, 1)], [entry(-50, 5)]),
    "reversed": ([entry(50, 1, "r"), entry(-50, 3, "r", is_reversal=True)], []),
    "groups": (
        [entry(50, 1, batch="x"), entry(11, 1, batch="x")],
        [entry(-30, 1, batch="x"), entry(-31, 4, batch="x")],
    ),
    "cancelled": ([entry(70, 1), entry(30, 2)], [entry(-45, 1), entry(-55, 2)]),
    BreakClass.MISSING_LEFT: ([], [entry(50)]),
    BreakClass.MISSING_RIGHT: ([entry(50)], []),
    BreakClass.AMOUNT: ([entry(50, 1, "r")], [entry(-60, 1, "r")]),
    BreakClass.SPLIT: ([entry(50, 1, "r")], [entry(-20, 1, "r/1"), entry(-31, 1, "r/2")]),
    BreakClass.REVERSAL: ([entry(50, is_reversal=True)], []),
    BreakClass.AMBIGUOUS: (
        [entry(50, 1, text="a"), entry(50, 1, text="b")],
        [entry(-51, 1)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_pass_and_each_class(engine, name):
    left, right = CASES[name]
    assert [each[0] for each in run(engine, left, right)] == [name]


def test_copies_too_many_are_duplicates(engine):
    found = run(engine, [entry(50)], [entry(-50), entry(-50, bank_reference="2")])
    assert {each[0] for each in found} == {BreakClass.DUPLICATE, "exact"}


def test_sums_in_two_ways_are_not_chosen_from(engine):
    left = [entry(50, 1)]
    right = [entry(-20, 1), entry(-30, 1), entry(-10, 1), entry(-40, 1)]
    found = run(engine, left, right)
    assert [(each[0], len(each[1]), len(each[2])) for each in found] == [
        (BreakClass.AMBIGUOUS, 1, 4)
    ]


def test_sets_that_share_entries_are_told_and_not_chosen_from(engine):
    left = [entry(70, 1, "A"), entry(30, 1)]
    right = [entry(-45, 1, "B"), entry(-55, 1), entry(-44, 2), entry(-56, 2)]
    tables = [engine.add(make_side(side)) for side in (left, right)]
    [each] = reconcile(engine, *tables, BOOK, sides=BOOK.sides).breaks
    assert (each.kind, len(each.left), len(each.right)) == (BreakClass.AMBIGUOUS, 2, 4)
    assert each.reason == (
        "sets that cancel out share entries, 2 of them: "
        "0.30 EUR + 0.70 EUR (A) against 0.56 EUR + 0.44 EUR; or "
        "0.30 EUR + 0.70 EUR (A) against 0.55 EUR + 0.45 EUR (B)"
    )


def test_sets_are_within_days_and_none_is_of_one_side(engine):
    left = [entry(70, 1), entry(30, 3), entry(20, 1), entry(-20, 1)]
    right = [entry(-45, 1), entry(-55, 2)]
    assert {each[0] for each in run(engine, left, right)} == {
        BreakClass.MISSING_LEFT,
        BreakClass.MISSING_RIGHT,
    }


def test_the_first_pass_must_be_a_net(engine):
    book = load_rules(
        b"""
name = "t"
sides = [{name = "a"}, {name = "b"}]
passes = [{name = "near", kind = "tolerance", on = ["currency"]}]
""",
        "r",
    )
    table = engine.add(make_side([]))
    with pytest.raises(Invalid, match="the first pass must be of kind net"):
        reconcile(engine, table, table, book, sides=book.sides)


def test_a_mixture_of_many_is_parted_into_what_it_was_made_of(engine):
    chance = random.Random(7)
    left, right, expected = [], [], []
    for at in range(40):
        amount, reference = 1_000 * (at + 1), f"case{at}"
        name = chance.choice(["exact", "near", "parts"])
        left.append(entry(amount, 1, reference))
        if name == "parts":
            part = chance.randrange(1, amount)
            right += [entry(-part, 1, f"{reference}/1"), entry(part - amount, 1, f"{reference}/2")]
        else:
            right.append(entry(-amount - (name == "near"), 1, reference))
        expected.append(name)
    chance.shuffle(right)
    assert sorted(each[0] for each in run(engine, left, right)) == sorted(expected)
