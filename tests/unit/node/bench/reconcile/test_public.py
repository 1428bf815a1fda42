"""The public data set, reconciled by the whole job without its truth, and scored by it."""

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hansa.node.bench.reconcile.public import FOLDER, RULES, SIDES, score_public


def test_public_payments_are_matched_without_knowing_the_truth(datasets, tmp_path):
    scored = score_public(datasets, 5, tmp_path)
    assert scored.f1 >= 0.985
    assert scored.precision >= 0.99
    names = pq.read_schema(tmp_path / "origin.parquet").names
    assert sorted(names) == ["amount", "memo", "transaction_date"]


def test_no_data_no_score(tmp_path):
    assert score_public(tmp_path, 1, tmp_path) is None


def test_pairs_of_all_passes_are_judged_and_wrong_ones_count(tmp_path):
    """Five payments: two equal, one that an earlier day hides, two that look like each other."""
    days = [dt.date(2026, 3, day) for day in (1, 2, 3, 4, 5)]
    memos = ["rent", "power", "water", "gas", "gift"]
    amounts = [10.0, 20.5, 30.25, 40.0, 50.0]
    right_days = [days[0], days[1] + dt.timedelta(1), days[2] - dt.timedelta(60), days[4], days[3]]
    right_memos = [*memos[:3], "gift", "gas"]
    for side, dates, texts, sums in (
        (SIDES[0], days, memos, amounts),
        (SIDES[1], right_days, right_memos, [*amounts[:3], 50.0, 40.0]),
    ):
        columns = {
            "ground_truth": [1, 2, 3, 4, 5],
            "memo": texts,
            "transaction_date": dates,
            "amount": sums,
            "unique_id": [1, 2, 3, 4, 5],
        }
        path = tmp_path / FOLDER / f"transactions_{side}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)
    (tmp_path / "made").mkdir()
    rules = RULES.split("[[passes]]")
    near = '[[passes]]\nname = "near"\nkind = "tolerance"\non = ["currency"]\ndays = 1\n'
    scored = score_public(tmp_path, 1, tmp_path / "made", f"{rules[0]}[[passes]]{rules[1]}{near}")
    assert (scored.precision, scored.recall) == (2 / 4, 2 / 5)
    assert scored.f1 == pytest.approx(4 / 9)
