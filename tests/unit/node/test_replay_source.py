"""Payments files: every way to write an amount and a time, and where blocks are cut."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import BATCH_FRAME_BYTES, Limits
from hansa.kernel.values import EndToEndId
from hansa.node.replay.cast import Sums, make_plan
from hansa.node.replay.run import ROWS_PER_BLOCK, cut_blocks
from hansa.node.replay.signing import ITEM_FRAME_BYTES, cut_batches, name_funding
from hansa.node.replay.source import (
    ID_LETTERS_MAX,
    ColumnMap,
    Payments,
    PaymentsFile,
    Place,
    parse_amounts,
    parse_times,
)

COLUMNS = ColumnMap("id", "time", "payer", "payee", "amount", "USD")
FIRST = Place(Path("payments.parquet"), 0)
MAP = {
    "id": '"id"',
    "time": '"time"',
    "payer": '"payer"',
    "payee": '"payee"',
    "amount": '"amount"',
    "currency": '"USD"',
}
DAY = dt.datetime(2018, 4, 1)  # noqa: DTZ001 - the files have no zone
DAY_MS = 86_400_000


def write_text(folder, text):
    path = folder / "payments.csv"
    path.write_text(text)
    return path


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
    assert parse_amounts(amounts, COLUMNS, FIRST).to_pylist() == [29, 110, 200]


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
    with pytest.raises(Invalid, match=r"row 9, column 'amount'") as caught:
        parse_amounts(amounts, COLUMNS, FIRST._replace(first=7))
    assert caught.value.code.value == "AMOUNT"


def test_a_double_too_large_for_an_amount_is_an_error():
    with pytest.raises(Invalid, match="row 1"):
        parse_amounts(pa.array([1e300]), COLUMNS, FIRST)


def test_a_missing_value_is_an_error_that_names_its_row(tmp_path):
    source = write(tmp_path, [1.0, 1.0], payers=["ann", None])
    with pytest.raises(Invalid, match="row 2, column 'payer': no value"):
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
        [1.0, 4.0, 8.0, 2.0],
        times=[DAY, DAY, DAY, DAY + day],
        payers=["ann", "ann", "bob", "ann"],
    )
    plan = make_plan(source.iterate())
    assert (plan.rows, plan.total_minor) == (4, 1500)
    ann, bob = plan.payers["ann"], plan.payers["bob"]
    assert (ann.spent, ann.single_max, ann.day_max) == (700, 400, 500)
    assert (bob.spent, bob.single_max, bob.day_max) == (800, 800, 800)
    assert plan.payees["shop"].received == 1500
    assert plan.first_ms == DAY.replace(tzinfo=dt.UTC).timestamp() * 1000


@pytest.mark.parametrize("rows", ["", "id,time,payer,payee,amount\n"])
def test_a_file_without_rows_is_an_error(tmp_path, rows):
    path = write_text(tmp_path, rows)
    with pytest.raises(Invalid, match=r"cannot be read|no payments"):
        make_plan(PaymentsFile(path, COLUMNS).iterate())


def test_an_amount_below_zero_takes_nothing_from_what_others_need(tmp_path):
    plan = make_plan(write(tmp_path, [5.0, -3.0, -1.0], payers=["ann", "ann", "bob"]).iterate())
    assert plan.total_minor == 500
    assert plan.payers["ann"].spent == plan.payers["ann"].day_max == 500
    assert plan.payers["bob"].spent == plan.payers["bob"].single_max == 0
    assert plan.payees["shop"].received == 500


def test_amounts_that_the_operators_could_not_all_be_issued_are_an_error(tmp_path):
    source = write(tmp_path, ["9e16"])
    with pytest.raises(Invalid, match=r"up to row 1 .* leave rows out"):
        make_plan(source.iterate())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("currency", '""', "currency is '': write its 3 capital letters"),
        ("currency", '"usd"', "currency is 'usd'"),
        ("exponent", "9", "exponent is 9: .* 0 to 8"),
        ("exponent", "-1", "exponent is -1"),
        ("exponent", "true", "exponent has a value of a wrong type"),
        ("exponent", "9" * 5000, "not TOML"),
        ("payee", '"payer"', "payer and payee name one column, 'payer'"),
    ],
)
def test_a_map_that_cannot_be_is_an_error_that_names_the_key(key, value, message):
    text = "\n".join(f"{name} = {each}" for name, each in (MAP | {key: value}).items())
    with pytest.raises(Invalid, match=f"^m.toml.*{message}"):
        ColumnMap.parse(text, "m.toml")


def test_a_map_that_is_not_utf_8_is_an_error(tmp_path):
    path = tmp_path / "m.toml"
    path.write_bytes(b'id = "\xe9"')
    with pytest.raises(Invalid, match=r"m.toml is not UTF-8"):
        ColumnMap.load(path)


@pytest.mark.parametrize(
    ("role", "values", "kind"),
    [
        ("time", pa.array([1.5]), "double"),
        ("time", pa.array([1]), "int64"),
        ("amount", pa.array([True]), "bool"),
        ("payer", pa.array([["ann"]]), "list"),
        ("id", pa.array([b"1"]), "binary"),
    ],
)
def test_a_column_of_a_wrong_kind_is_an_error_that_names_it(tmp_path, role, values, kind):
    table = pa.table({name: values if name == role else ["1"] for name in list(MAP)[:5]})
    pyarrow.parquet.write_table(table, tmp_path / "payments.parquet")
    with pytest.raises(Invalid, match=f"column '{role}' holds {kind}.* as {role} it must hold"):
        PaymentsFile(tmp_path / "payments.parquet", COLUMNS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('2,2024-01-01T00:00:00,ann,shop,"1,5"', r"column 'amount': '1,5' is no amount"),
        ("2,1969-12-31T23:59:59,ann,shop,1", r"column 'time': 1969.* 1970 to 2099"),
        ("2,2100-01-01,ann,shop,1", r"column 'time': 2100.* 1970 to 2099"),
        ("2,yesterday,ann,shop,1", r"column 'time': yesterday is no time: write it as"),
        ("2,2024-01-01T00:00:00,,shop,1", r"column 'payer': no value"),
        ("2,2023-12-31T00:00:00,ann,shop,1", r"column 'time': an earlier day .*sort"),
    ],
)
def test_an_error_in_csv_names_the_row_from_1_and_its_line(tmp_path, row, message):
    text = f"id,time,payer,payee,amount\n\n1,2024-01-01,ann,shop,1\n{row}\n"
    source = PaymentsFile(write_text(tmp_path, text), COLUMNS)
    with pytest.raises(Invalid, match=rf"payments.csv: row 2 \(line 4\), {message}") as caught:
        list(source.iterate())
    assert "\n" not in caught.value.message
    assert caught.value.facts == {"row": 2}


@pytest.mark.parametrize(
    "text",
    [
        "id,time,payer,payee, amount\n1,2024-01-01,ann,shop,1\n",
        "id,time,payer,payee,amount,amount\n1,2024-01-01,ann,shop,1,2\n",
    ],
)
def test_a_table_that_is_not_whole_is_an_error_in_one_line(tmp_path, text):
    with pytest.raises(Invalid) as caught:
        list(PaymentsFile(write_text(tmp_path, text), COLUMNS).iterate())
    assert "payments.csv" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("payments.csv", b"", "as many cells in each row"),
        ("payments.parquet", b"no table", "write it anew"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_that_says_what_to_do(
    tmp_path, name, content, advice
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=f"cannot be read .*{advice}"):
        list(PaymentsFile(tmp_path / name, COLUMNS).iterate())


HEADER = b"id,time,payer,payee,amount,note\n"
FINE = b"1,2024-01-01,ann,shop,1,\n"
QUOTED = b'1,2024-01-01,"a\n\nb",shop,1,\n'


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("before", "bad", "where"),
    [
        (FINE, b"2,2024-01-01,ann,shop\n", r"row 2 \(line 3\) has 4 cells, the header 6: write as"),
        (FINE, b"2\n", r"row 2 \(line 3\) has 1 cell, "),
        (FINE, b"2,2024-01-01,ann,shop,1,5,\n", r"row 2 \(line 3\) has 7 cells, "),
        (FINE, b"2,2024-01-01,\xff,shop,1,\n", r"row 2 \(line 3\), column 'payer': it is no UTF-8"),
        (FINE, b'2,2024-01-01,"ann,shop,1,\n', r"row 2 \(line 3\) has 3 cells, .* quotes"),
        (
            FINE,
            b'2,2024-01-01,"' + FINE * 90_000,
            r"row 2 \(line 3\) has a cell of more than .*quote",
        ),
        (FINE, b"2" * (3 << 20), r"row 2 \(line 3\) has a cell of more than"),
        (b"\n" + FINE, b"2,3\n", r"row 2 \(line 4\) has 2 cells"),
        (
            QUOTED,
            b"2,2024-01-01,ann,shop,x,\n",
            r"row 2 \(line 5\), column 'amount': 'x' is no amount",
        ),
        (QUOTED, b"2,3\n", r"row 2 \(line 5\) has 2 cells"),
        (FINE * 99_000, b"2,3\n", r"row 99001 \(line 99002\) has 2 cells"),
    ],
)
def test_a_row_that_is_not_whole_is_named(tmp_path, before, bad, where, newline):
    path = tmp_path / "payments.csv"
    path.write_bytes((HEADER + before + bad + FINE).replace(b"\n", newline))
    with pytest.raises(Invalid, match=f"payments.csv: {where}") as caught:
        list(PaymentsFile(path, COLUMNS).iterate())
    assert "\n" not in caught.value.message
    assert f"row {caught.value.facts['row']} " in caught.value.message


def test_a_header_that_is_not_utf_8_is_named(tmp_path):
    path = tmp_path / "payments.csv"
    path.write_bytes(HEADER.replace(b"note", b"\xff") + FINE)
    with pytest.raises(Invalid, match=r"the header \(line 1\) is no UTF-8: save"):
        PaymentsFile(path, COLUMNS)


def test_a_column_that_is_not_asked_for_may_hold_anything(tmp_path):
    path = tmp_path / "payments.csv"
    path.write_bytes(HEADER + FINE.replace(b"1,\n", b"1,\xff\n"))
    assert make_plan(PaymentsFile(path, COLUMNS).iterate()).rows == 1


def test_cells_with_line_ends_are_read_wherever_the_reader_cuts_the_file(tmp_path):
    path = tmp_path / "payments.csv"
    path.write_bytes(HEADER + QUOTED.replace(b"b", b"\n" * 200) * 10_000)
    assert make_plan(PaymentsFile(path, COLUMNS).iterate()).rows == 10_000


def test_an_id_longer_than_a_payment_holds_is_an_error_that_names_its_row(tmp_path):
    assert msgspec.convert("é" * ID_LETTERS_MAX, EndToEndId)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("é" * (ID_LETTERS_MAX + 1), EndToEndId)
    ids = ["é" * ID_LETTERS_MAX, "é" * (ID_LETTERS_MAX + 1)]
    rows = "".join(f"{each},2024-01-01,ann,shop,1\n" for each in ids)
    source = PaymentsFile(write_text(tmp_path, f"id,time,payer,payee,amount\n{rows}"), COLUMNS)
    with pytest.raises(Invalid, match=r"row 2 \(line 3\), column 'id': .* at most 35; shorten"):
        list(source.iterate())


def test_a_header_with_a_mark_and_quotes_is_read(tmp_path):
    text = '\ufeff"id","time","payer","payee","a, b"\n1,2024-01-01,ann,shop,1\n'
    columns = ColumnMap("id", "time", "payer", "payee", "a, b", "USD")
    (part,) = PaymentsFile(write_text(tmp_path, text), columns).iterate()
    assert part.columns.column("amount_minor").to_pylist() == [100]


@pytest.mark.parametrize(
    "times",
    [
        pa.array(["2024-01-01T10:00:00", "2024-01-02"]),
        pa.array(["2024-01-01 10:00:00.000999", "2024-01-02T00:00:00"]),
        pa.array(["2024-01-01T10:00:00Z", "2024-01-02T00:00:00.000Z"]),
        pa.array(["2024-01-01T12:00:00+02:00", "2024-01-02T00:00:00"]),
        pa.array(["2024-01-01T05:00:00-0500", "2024-01-02"]),
        pa.array([1_704_103_200_000_000_999, 1_704_153_600_000_000_000], pa.timestamp("ns")),
        pa.array([1_704_103_200, 1_704_153_600], pa.timestamp("s", "Asia/Macau")),
    ],
)
def test_times_are_read_into_utc_however_they_are_written(times):
    found = parse_times(times, "time", FIRST).to_pylist()
    assert found == [1_704_103_200_000, 1_704_153_600_000]


def test_a_time_that_is_none_is_found_among_many():
    times = pa.array(["2024-01-01"] * 1000 + ["2024-01-32"] + ["2024-01-01"] * 7)
    with pytest.raises(Invalid, match="row 1001, column 'time': 2024-01-32 is no time"):
        parse_times(times, "time", FIRST)


def test_a_change_far_into_the_file_changes_its_fingerprint(tmp_path):
    path = write_text(tmp_path, "id,time,payer,payee,amount\n" + "1,2,3,4,5\n" * (1 << 18))
    before = PaymentsFile(path, COLUMNS).fingerprint
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"y")
    assert PaymentsFile(path, COLUMNS).fingerprint != before


def test_long_names_are_funded_under_references_that_differ():
    names = ["a" * 30, "a" * 31, "a" * 31 + "b"]
    references = [name_funding(name) for name in names]
    assert len(set(references)) == 3
    assert max(map(len, references)) == 35


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
