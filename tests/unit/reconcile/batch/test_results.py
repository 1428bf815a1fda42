"""The hash of a window: the same for the same finding, by whatever way it was come to."""

import pytest
from tests.reconciled import RULES, make_side

from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.results import bind_windows, hash_window
from hansa.reconcile.batch.running import reconcile
from hansa.reconcile.entries import Entry
from hansa.reconcile.rules.loading import load_rules

BOOK = load_rules(RULES.encode(), "rules")


@pytest.fixture(scope="module")
def find(tmp_path_factory):
    """Finds what there is in two sides, and counts the pairs of the first pass."""

    def run(left, right):
        tables = [engine.add(make_side(side)) for side in (left, right)]
        found = reconcile(engine, *tables, BOOK, sides=BOOK.sides)
        pairs = engine.fetch(found.pairs).num_rows
        return found, pairs

    with opened_duckdb(tmp_path_factory.mktemp("duckdb"), threads=1) as engine:
        yield run


def entry(amount_minor, reference, **more):
    return Entry("1", "EUR", amount_minor, 20_000, 20_000, reference, **more)


ALIKE = [entry(100, "a"), entry(100, "a"), entry(200, "b")]
TURNED = [each._replace(amount_minor=-each.amount_minor) for each in ALIKE]
REST = (
    [entry(300, "c"), entry(400, "d"), entry(900, "f")],
    [entry(-302, "c"), entry(-500, "e"), entry(-900, "f"), entry(-900, "f", bank_reference="2")],
)


def test_rows_that_match_may_as_well_only_be_counted(find):
    found, pairs = find(ALIKE + REST[0], TURNED + REST[1])
    counted, pairs_of_rest = find(*REST)
    assert pairs == pairs_of_rest + 3
    assert hash_window(found, pairs) == hash_window(counted, pairs_of_rest + 3)
    assert hash_window(found, pairs) != hash_window(found, pairs + 1)


def test_order_changes_no_hash_and_content_does(find):
    one = hash_window(*find(*REST))
    assert hash_window(*find(REST[0][::-1], REST[1][::-1])) == one
    assert hash_window(*find(REST[0], [*REST[1][1:], entry(-303, "c")])) != one


def test_a_run_is_bound_to_its_windows_their_numbers_and_their_order():
    hashes = [(0, "a"), (2, "b")]
    others = [[(0, "a"), (1, "b")], [(0, "b"), (2, "a")], [(2, "b"), (0, "a")], [(0, "a")]]
    assert len({bind_windows(each) for each in (hashes, *others)}) == 5
