"""Payments files: every way to write an amount and a time, and where blocks are cut."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import BATCH_FRAME_BYTES, Limits
from hansa.node.replay.cast import Sums, make_plan
from hansa.node.replay.run import ROWS_PER_BLOCK, cut_blocks
from hansa.node.replay.signing import ITEM_FRAME_BYTES, cut_batches
from hansa.node.replay.source import ColumnMap, Payments, PaymentsFile, parse_amounts

COLUMNS = ColumnMap("id", "time", "payer", "payee", "amount", "USD")
DAY = dt.datetime(2018, 4, 1)  # noqa: DTZ001 - the files have no zone
DAY_MS = 86_400_000


def write(folder, amounts, times=None, payers=None):
    count = len(amounts)
    path = folder / "payments.parquet"
    table = pa.table(
        {
            "id": pa.array(range(count)),
            "time": times or [DAY] * count,
            "payer": payers or ["ann"] * count,
            "payee": ["shop"] * count,
            "amount": amounts,
        }
    )
    pyarrow.parquet.write_table(table, path)
    return PaymentsFile(path, COLUMNS)


@pytest.mark.parametrize(
    "amounts",
    [
        pa.array([0.29, 1.1, 2.0000000001]),
        pa.array(["0.29", "1.10", "2"]),
        pa.array([Decimal("0.29"), Decimal("1.10"), Decimal("2.00")]),
    ],
)
def test_amounts_are_exact_however_they_are_written(amounts):
    assert parse_amounts(amounts, COLUMNS, 0).to_pylist() == [29, 110, 200]


@pytest.mark.parametrize(
    "amounts",
    [
        pa.array([1.0, 0.291]),
        pa.array([1.0, float("nan")]),
        pa.array([1.0, None]),
        pa.array(["1", "0.291"]),
        pa.array(["1", "1e30"]),
        pa.array(["1", "Infinity"]),
        pa.array(["1", "ten"]),
        pa.array(["1", "1.00000000000000000000000000000000001"]),
        pa.array(["1", "1." + "0" * 120 + "1"]),
        pa.array(["1", None]),
    ],
)
def test_what_is_no_amount_is_an_error_that_names_row_and_column(amounts):
    with pytest.raises(Invalid, match=r"row 8, column 'amount'") as caught:
        parse_amounts(amounts, COLUMNS, 7)
    assert caught.value.code.value == "AMOUNT"


def test_a_double_too_large_for_an_amount_is_an_error():
    with pytest.raises(Invalid, match="row 0"):
        parse_amounts(pa.array([1e300]), COLUMNS, 0)


def test_a_missing_value_is_an_error_that_names_its_row(tmp_path):
    source = write(tmp_path, [1.0, 1.0], payers=["ann", None])
    with pytest.raises(Invalid, match="row 1, column 'payer': no value"):
        list(source.iterate())


def test_reading_from_a_row_on_gives_the_rest(tmp_path):
    source = write(tmp_path, [float(at) for at in range(10)])
    (part,) = source.iterate(7)
    assert part.first == 7
    assert part.columns.column("amount_minor").to_pylist() == [700, 800, 900]


def test_the_plan_knows_what_each_wallet_will_do(tmp_path):
    day = dt.timedelta(days=1)
    source = write(
        tmp_path,
        [1.0, 2.0, 4.0, 8.0],
        times=[DAY, DAY + day, DAY, DAY],
        payers=["ann", "ann", "ann", "bob"],
    )
    plan = make_plan(source.iterate())
    assert (plan.rows, plan.total_minor) == (4, 1500)
    ann, bob = plan.payers["ann"], plan.payers["bob"]
    assert (ann.spent, ann.single_max, ann.day_max) == (700, 400, 500)
    assert (bob.spent, bob.single_max, bob.day_max) == (800, 800, 800)
    assert plan.payees["shop"].received == 1500
    assert plan.first_ms == DAY.replace(tzinfo=dt.UTC).timestamp() * 1000


def test_a_file_without_rows_gives_an_empty_plan(tmp_path):
    assert make_plan(write(tmp_path, pa.array([], pa.float64())).iterate()).rows == 0


@given(st.lists(st.integers(1, 2 * ROWS_PER_BLOCK + 1), min_size=1, max_size=5))
def test_blocks_are_whole_and_in_order_and_of_one_day(day_counts):
    times = [day * DAY_MS for day, count in enumerate(day_counts) for _ in range(count)]
    rows = Payments(3, pa.record_batch({"time_ms": pa.array(times, pa.int64())}))
    expected = 3
    for block in cut_blocks(rows):
        found = block.columns.column("time_ms").to_pylist()
        assert block.first == expected
        assert 0 < len(found) <= ROWS_PER_BLOCK
        assert len(set(found)) == 1
        expected += len(found)
    assert expected == 3 + len(times)


@pytest.mark.parametrize("column", ["time", "payer"])
def test_a_column_of_a_wrong_kind_is_an_error_that_names_the_file(tmp_path, column):
    path = tmp_path / "payments.parquet"
    names = ("id", "time", "payer", "payee", "amount")
    columns = {name: pa.array([DAY if name == "time" else 1]) for name in names}
    columns[column] = pa.array([[1.5]])
    pyarrow.parquet.write_table(pa.table(columns), path)
    with pytest.raises(Invalid, match="from row 0 on"):
        list(PaymentsFile(path, COLUMNS).iterate())


def test_amounts_that_add_up_to_too_much_are_an_error(tmp_path):
    source = write(tmp_path, ["92233720368547758.07", "0.01"])
    with pytest.raises(Invalid, match="up to row 2 the file's amounts add up to"):
        make_plan(source.iterate())


def test_what_the_plan_keeps_is_bounded_by_the_keys():
    sums = Sums(["name"], {"amount": "sum", "largest": "max"})
    for _ in range(50):
        names, amounts = ["a", "b"] * 100, list(range(200))
        sums.add(pa.table({"name": names, "amount": amounts, "largest": amounts}))
        assert len(sums) <= 4
    total = {row["name"]: row for row in sums.total().to_pylist()}
    assert (total["a"]["amount"], total["b"]["largest"]) == (50 * sum(range(0, 200, 2)), 199)


def test_a_job_carries_its_own_rows_only():
    rows = Payments(0, pa.record_batch({"time_ms": pa.array(range(30_000))}))
    part = rows.cut(29_990, 30_000)
    assert len(pickle.dumps(part.copied())) < 2_000
    assert part.copied() == part


def test_batches_are_cut_at_what_the_network_accepts():
    limits = Limits(batch_items=3, batch_bytes=BATCH_FRAME_BYTES + 2 * (100 + ITEM_FRAME_BYTES))
    items = [(bytes(size), None) for size in (1, 1, 1, 1, 100, 100, 100, 500, 1)]
    parts = [[len(item[0]) for item in part] for part in cut_batches(items, limits)]
    assert parts == [[1, 1, 1], [1, 100], [100, 100], [500], [1]]
