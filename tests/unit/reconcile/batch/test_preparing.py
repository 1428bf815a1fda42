"""Prepared entries: keys beside what was read, the side turned round, no nulls."""

import pytest
from tests.reconciled import make_side

from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.preparing import NO_DATE, ROW, name_key, prepare
from hansa.reconcile.entries import Entry, Status
from hansa.reconcile.rules.book import References, Side

PLAIN = References()
ENTRIES = [
    Entry("DE02", "EUR", 500, None, 3, reference="", text="Inv-7"),
    Entry("DE02", "EUR", -70, 2, None, reference="E2E", status=Status.PENDING),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with opened_duckdb(tmp_path_factory.mktemp("duckdb"), threads=1) as opened:
        yield opened


def run(engine, side, references=PLAIN):
    table = engine.add(make_side(ENTRIES))
    return engine.fetch(prepare(table, side, references).order_by(ROW)).to_pylist()


def test_entries_that_do_not_count_are_left_out(engine):
    assert [each[ROW] for each in run(engine, Side(name="a"))] == [0]
    both = Side(name="a", statuses=("pending", "booked"))
    assert [each[ROW] for each in run(engine, both)] == [0, 1]


def test_a_side_is_turned_round_in_keys_alone(engine):
    (found,) = run(engine, Side(name="a", sign=-1))
    assert (found["amount_minor"], found[name_key("amount_minor")]) == (500, -500)


def test_the_first_reference_that_is_there_counts(engine):
    form = References(fields=("reference", "text"), letters_and_digits=True)
    rows = run(engine, Side(name="a", statuses=("pending", "booked")), form)
    assert [each[name_key("reference")] for each in rows] == ["Inv7", "E2E"]


def test_no_key_is_null(engine):
    (found,) = run(engine, Side(name="a"))
    assert found["booking_date"] is None
    assert found[name_key("booking_date")] == NO_DATE
    assert all(value is not None for name, value in found.items() if name.startswith("key_"))
