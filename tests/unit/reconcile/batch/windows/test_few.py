"""Few rows without an engine: the same result as with one."""

import random

from tests.reconciled import make_side

from hansa.reconcile.batch.diagnosing import BreakClass
from hansa.reconcile.batch.engines import opened_duckdb
from hansa.reconcile.batch.results import hash_window
from hansa.reconcile.batch.running import reconcile
from hansa.reconcile.batch.windows.few import reconcile_few
from hansa.reconcile.entries import Entry, Status
from hansa.reconcile.rules.loading import load_rules

BOOK = load_rules(
    b"""
name = "test"
sides = [{name = "ours"}, {name = "theirs", sign = -1, statuses = ["booked", "pending"]}]

[references]
fields = ["reference", "transaction_id"]
ignore_case = true
prefixes = ["EREF+"]
empty = ["NONREF"]

[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "parts"
kind = "parts"
on = ["currency"]

[[passes]]
name = "by_amount"
kind = "net"
on = ["currency", "amount_minor"]
""",
    "rules.toml",
)
REFERENCES = ["", "a", "A", "EREF+b", "B", "nonref", "c/1", "c/2", "c", "\u00e4\U0001f3e6"]


def draw_entries(chance: random.Random, count: int) -> list[Entry]:
    """Draw entries of which many are equal in some fields, and some in all."""
    return [
        Entry(
            "acc",
            chance.choice(["EUR", "MOP"]),
            chance.choice([-3, -2, -1, 1, 2, 3]),
            chance.choice([None, 1]),
            chance.choice([None, 1, 1, 2]),
            chance.choice(REFERENCES),
            transaction_id=chance.choice(["", "a", "d"]),
            text=chance.choice(["", "", "x"]),
            bank_reference=str(number),
            status=chance.choice([Status.BOOKED, Status.BOOKED, Status.PENDING]),
            charges_minor=chance.choice([None, None, 0]),
        )
        for number in range(count)
    ]


def test_result_is_that_of_an_engine(tmp_path):
    chance = random.Random(3)
    with opened_duckdb(tmp_path, threads=1, memory_mb=256) as engine:
        left, right = (make_side(draw_entries(chance, count)) for count in (400, 380))
        tables = engine.add(left), engine.add(right)
        expected = reconcile(engine, *tables, BOOK, sides=BOOK.sides)
        pairs = engine.fetch(expected.pairs.count().as_table())[0][0].as_py()
        found = reconcile_few(left, right, BOOK, sides=BOOK.sides)
        assert len(found.pairs) == pairs > 0
        assert hash_window(found.passed, pairs) == hash_window(expected, pairs)


def test_of_an_empty_side_all_is_missing():
    left = make_side(draw_entries(random.Random(3), 20))
    found = reconcile_few(left, left.slice(0, 0), BOOK, sides=BOOK.sides)
    assert found.pairs == []
    assert {each.kind for each in found.passed.breaks} == {BreakClass.MISSING_RIGHT}
