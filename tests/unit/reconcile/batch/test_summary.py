"""Summaries: figures that agree with the result, sums that no size breaks, currencies apart."""

import json
from collections import defaultdict

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from tests.reconciled import RULES, run_sides

from hansa.reconcile.batch.manifest import MANIFEST
from hansa.reconcile.batch.results import BREAKS
from hansa.reconcile.batch.summary import SUMMARY, UNDATED, SideFacts, summarise
from hansa.reconcile.entries import Entry, Status
from hansa.reconcile.rules.loading import load_rules

BOOK = load_rules(RULES.encode(), "rules")
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
CLASSES = ["amount", "missing_left", "missing_right"]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(CLASSES),
        st.sampled_from(["0-1", "2-5", "6+", None]),
        st.integers(1, 5),
        st.lists(
            st.tuples(st.sampled_from(["books", "bank"]), st.sampled_from(["EUR", "JPY"]), INT64),
            min_size=1,
            max_size=4,
        ),
    ),
    max_size=20,
)


def lay_out(breaks):
    rows = [
        {
            "break": number,
            "class": kind,
            "age": age,
            "priority": priority,
            "side": side,
            "currency": currency,
            "amount_minor": minor,
        }
        for number, (kind, age, priority, entries) in enumerate(breaks)
        for side, currency, minor in entries
    ]
    schema = pa.schema(
        {
            "break": pa.int64(),
            "class": pa.string(),
            "age": pa.string(),
            "priority": pa.int8(),
            "side": pa.string(),
            "currency": pa.string(),
            "amount_minor": pa.int64(),
        }
    )
    return pa.Table.from_pylist(rows, schema)


def make_summary(breaks, unmatched=(0, 0)):
    manifest = {
        "as_of": "2026-03-13",
        "rules_sha256": "",
        "result_sha256": "",
        "sides": [{"name": "books", "entries": 9}, {"name": "bank", "entries": 9}],
        "passes": {"exact": 0, "near": 0},
        "breaks": dict.fromkeys((each[0] for each in breaks), 1),
        "unmatched": list(unmatched),
    }
    matches = pa.table({"pass": pa.array([], pa.string()), "side": pa.array([], pa.string())})
    ages = ("0-1", "2-5", "6+")
    return summarise(manifest, BOOK, [SideFacts(())] * 2, ages, (matches, lay_out(breaks)))


def add_up(breaks):
    """Add up in plain Python: by currency entries, amounts without and with signs."""
    sums = defaultdict(lambda: [0] * 5)
    for *_, entries in breaks:
        for side, currency, minor in entries:
            place = side == "bank"
            sums[currency][place] += 1
            sums[currency][2 + place] += abs(minor)
            # the second side is turned round: left less right adds both up
            sums[currency][4] += minor
    return {currency: tuple(each) for currency, each in sums.items()}


def told(count):
    return {each.currency: tuple(each[1:]) for each in count.amounts}


@given(ROWS)
def test_each_way_to_split_breaks_counts_every_one_once(breaks):
    summary = make_summary(breaks)
    assert summary.breaks.breaks == len(breaks)
    assert told(summary.breaks) == add_up(breaks)
    for place, counts in enumerate((summary.by_class, summary.by_age, summary.by_priority)):
        assert sum(each.breaks for each in counts) == len(breaks)
        for count in counts:
            ours = [each for each in breaks if str(each[place] or UNDATED) == count.name]
            assert (count.breaks, told(count)) == (len(ours), add_up(ours))


def test_sums_beyond_64_bits_are_exact():
    largest, least = (1 << 63) - 1, -(1 << 63)
    entries = [("books", "EUR", largest)] * 3 + [("bank", "EUR", least)] * 2
    (amount,) = make_summary([("amount", "6+", 1, entries)]).breaks.amounts
    assert amount[1:] == (3, 2, 3 * largest, 1 << 64, 3 * largest + 2 * least)


def test_currencies_of_most_entries_come_first():
    entries = [("books", "JPY", 1), ("books", "EUR", 1), ("bank", "USD", 1), ("bank", "USD", 1)]
    summary = make_summary([("amount", None, 5, entries)])
    assert [each.currency for each in summary.breaks.amounts] == ["USD", "EUR", "JPY"]
    assert summary.by_age[-1].name == UNDATED
    assert len(make_summary([]).by_age) == 3


def test_a_summary_agrees_with_the_result_beside_it(tmp_path):
    left = [
        Entry("1", "EUR", 10_00, 1, 1, "a"),
        Entry("1", "EUR", 20_00, 2, 2, "b"),
        Entry("1", "EUR", 7_000_00, 3, 3, "c"),
        Entry("1", "EUR", 1, 3, 3, "d", status=Status.PENDING),
    ]
    right = [
        Entry("1", "EUR", -10_00, 1, 1, "a"),
        Entry("1", "EUR", -20_02, 4, 4, "b"),
        Entry("1", "JPY", 500, 30, 30, "e"),
    ]
    out = run_sides(tmp_path, left, right, with_report=False)
    summary = json.loads((out / SUMMARY).read_text())
    manifest = json.loads((out / MANIFEST).read_text())
    rows = pq.read_table(out / BREAKS).to_pylist()
    assert {each["name"]: each["breaks"] for each in summary["by_class"]} == manifest["breaks"]
    assert [each["unmatched"] for each in summary["sides"]] == manifest["unmatched"]
    assert {each["name"]: each["matches"] for each in summary["passes"]} == manifest["passes"]
    ours, theirs = summary["sides"]
    assert (ours["entries"], ours["matched"], ours["unmatched"], ours["left_out"]) == (4, 2, 1, 1)
    assert (theirs["matched"], theirs["left_out"]) == (2, 0)
    assert [(each["left"], each["right"]) for each in summary["passes"]] == [(1, 1), (1, 1)]
    assert summary["breaks"]["left"] + summary["breaks"]["right"] == len(rows) == 2
    amounts = {each["currency"]: each for each in summary["breaks"]["amounts"]}
    assert amounts["EUR"]["left_minor"] == amounts["EUR"]["difference_minor"] == "700000"
    assert (amounts["JPY"]["right_minor"], amounts["JPY"]["difference_minor"]) == ("500", "500")
    assert ours["files"][0]["sha256"] == manifest["sides"][0]["sha256"][0]
