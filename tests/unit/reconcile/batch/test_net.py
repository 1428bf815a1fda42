"""The multiset net, against counting by hand, for any order of rows."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reconciled import make_side

from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.net import GROUP, LEFT, RIGHT, SURPLUS, net
from hansa.reconcile.batch.preparing import ROW, name_key, prepare
from hansa.reconcile.entries import Entry
from hansa.reconcile.rules.book import References, Side

OURS, THEIRS = Side(name="ours"), Side(name="theirs", sign=-1)
KEYS = [name_key(each) for each in ("account", "currency", "amount_minor", "value_date")]


def run(engine, left, right, keys=KEYS):
    tables = (
        prepare(engine.add(make_side(entries)), side, References())
        for entries, side in ((left, OURS), (right, THEIRS))
    )
    found = net(engine, *tables, keys)
    return [engine.fetch(each).to_pylist() for each in found]


def entry(amount_minor, value_date=None, reference="", **more):
    return Entry("DE02", "EUR", amount_minor, 0, value_date, reference, **more)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with opened_duckdb(tmp_path_factory.mktemp("duckdb"), threads=1) as opened:
        yield opened


entries = st.builds(
    entry,
    st.integers(-20, 20),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from(["", "a"]),
    bank_reference=st.sampled_from(["1", "2"]),
)


def mirror(each):
    return each._replace(amount_minor=-each.amount_minor)


def key(each):
    return each.amount_minor, each.value_date


@settings(max_examples=settings.default.max_examples // 12)
@given(*[st.lists(entries, min_size=9, max_size=200)] * 2)
def test_copies_match_copies(engine, left, right):
    pairs, left_rest, right_rest = run(engine, left, list(map(mirror, right)))
    for rest, rows, side in ((left_rest, LEFT, left), (right_rest, RIGHT, right)):
        matched = [each[rows] for each in pairs]
        assert sorted([*matched, *(each[ROW] for each in rest)]) == list(range(len(side)))
    assert all(key(left[each[LEFT]]) == key(right[each[RIGHT]]) for each in pairs)
    check_counts(pairs, left, right)


def check_counts(pairs, left, right):
    """As many match as the poorer side has, unless the richer one's copies are unlike."""
    matched = Counter(key(left[each[LEFT]]) for each in pairs)
    for each in {*map(key, left), *map(key, right)}:
        sides = [[entry for entry in side if key(entry) == each] for side in (left, right)]
        fewer, more = sorted(sides, key=len)
        is_alike = len({entry.reference for entry in more}) <= 1
        decided = len(fewer) == len(more) or is_alike
        assert matched[each] == (len(fewer) if decided else 0)


def test_unlike_copies_of_which_one_is_missing_are_not_chosen_from(engine):
    left = [entry(5, reference="a"), entry(5, reference="b"), entry(7)]
    right = [entry(-5, reference="a"), entry(-7), entry(-7, bank_reference="x")]
    pairs, left_rest, right_rest = run(engine, left, right)
    assert [(each[LEFT], each[RIGHT]) for each in pairs] == [(2, 1)]
    assert {each[ROW]: each[GROUP] is not None for each in left_rest} == {0: True, 1: True}
    assert {each[ROW]: each[SURPLUS] for each in right_rest} == {0: False, 2: True}
    of_right = {each[ROW]: each[GROUP] for each in right_rest}
    assert {each[GROUP] for each in left_rest} == {of_right[0]}
    assert of_right[2] is None


def test_groups_that_are_left_open_are_told_apart(engine):
    """The first row of either is 0: of one on the left side, of the other on the right."""
    left = [entry(5, reference="a"), entry(5, reference="b"), entry(7)]
    right = [entry(-7, reference="a"), entry(-7, reference="b"), entry(-5)]
    pairs, *rests = run(engine, left, right)
    assert not pairs
    of_left, of_right = ({each[ROW]: each[GROUP] for each in rest} for rest in rests)
    assert of_left[0] == of_left[1] == of_right[2]
    assert of_right[0] == of_right[1] == of_left[2]
    assert of_left[0] != of_right[0]


@pytest.mark.parametrize(("ours", "theirs"), [(4, 2), (20, 10)])
def test_a_group_of_many_is_found_whole(engine, ours, theirs):
    """Of the larger one more rows would be joined than may be: it is found before."""
    left = [entry(5, reference=str(place)) for place in range(ours)]
    right = [*[entry(-5)] * theirs, entry(-7)]
    pairs, left_rest, right_rest = run(engine, left, right)
    assert not pairs
    assert {each[ROW] for each in left_rest} == set(range(ours))
    assert len({each[GROUP] for each in left_rest}) == 1
    assert {each[ROW] for each in right_rest} == set(range(theirs + 1))


def test_accounts_count_if_they_are_among_the_keys(engine):
    left = [entry(5), entry(7)._replace(account="DE03"), entry(9)]
    right = [entry(-5)._replace(account="DE03"), entry(-7)._replace(account="DE03"), entry(-9)]
    pairs, *_ = run(engine, left, right)
    assert {(each[LEFT], each[RIGHT]) for each in pairs} == {(1, 1), (2, 2)}
    pairs, *_ = run(engine, left, right, [each for each in KEYS if each != name_key("account")])
    assert {(each[LEFT], each[RIGHT]) for each in pairs} == {(0, 0), (1, 1), (2, 2)}
