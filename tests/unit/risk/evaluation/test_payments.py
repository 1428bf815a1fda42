"""Files of payments are read in order of time, and what is wrong in one is said of its column."""

from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from hansa.kernel.errors import Invalid
from hansa.risk.evaluation.payments import read_files, read_payments

FIRST = datetime(2018, 9, 1)  # noqa: DTZ001 - as the files have it


def make(**columns):
    return pa.table(
        {
            "TRANSACTION_ID": [1, 2, 3],
            "TX_DATETIME": [FIRST + timedelta(hours=hour) for hour in range(3)],
            "CUSTOMER_ID": [3, 3, 4],
            "TERMINAL_ID": [5, 6, 5],
            "TX_AMOUNT": [85.64999999999999, 0.0, 12.5],
            "TX_FRAUD": [0, 1, 0],
            **columns,
        }
    )


def write(folder, **columns):
    parquet.write_table(make(**columns), folder / "payments.parquet")
    return folder / "payments.parquet"


def test_parquet_and_csv_say_the_same_in_whatever_order_files_are_named(tmp_path):
    september = write(tmp_path)
    days = [FIRST - timedelta(days=days) for days in (3, 2, 1)]
    csv.write_csv(make(TX_DATETIME=days), tmp_path / "august.csv")
    read = read_files([september, tmp_path / "august.csv"])
    assert read.amount_minor.tolist() == [8565, 0, 1250] * 2
    assert read.days.tolist() == [17772, 17773, 17774, 17775, 17775, 17775]
    assert read.is_fraud.tolist() == [False, True, False] * 2
    assert read.cards.tolist() == [3, 3, 4] * 2
    with pytest.raises(Invalid, match="overlap in time"):
        read_files([september, september])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"TX_FRAUD": [0, 2, 0]}, "TX_FRAUD of row 2 is not 0 or 1"),
        ({"TX_FRAUD": [0, None, 0]}, "TX_FRAUD of row 2 is not there"),
        ({"TX_AMOUNT": [1.0, 2.0, float("nan")]}, "TX_AMOUNT of row 3"),
        ({"TX_AMOUNT": ["1", "2", "3"]}, "TX_AMOUNT is string, and no number"),
        ({"TX_AMOUNT": [1.0, -2.0, 3.0]}, "TX_AMOUNT of row 2"),
        ({"CUSTOMER_ID": [1, -1, 2]}, "CUSTOMER_ID of row 2"),
        ({"TERMINAL_ID": [1.5, 1, 2]}, "TERMINAL_ID of row 1"),
        ({"TERMINAL_ID": [1, 2, 2**31]}, "TERMINAL_ID of row 3"),
        ({"TX_DATETIME": [1, 2, 3]}, "no timestamp"),
        (
            {"TX_DATETIME": ["today", "2018-09-01", "2018-09-02"]},
            "row 1 is no timestamp: .today",
        ),
        (
            {"TX_DATETIME": [FIRST, FIRST - timedelta(1), FIRST]},
            "row 2 is not in order",
        ),
    ],
)
def test_what_is_wrong_is_said_of_its_column(tmp_path, columns, says):
    with pytest.raises(Invalid, match=says):
        read_payments(write(tmp_path, **columns))


def test_a_file_that_is_not_there_or_lacks_a_column_is_refused(tmp_path):
    with pytest.raises(Invalid, match="needs the columns"):
        read_payments(tmp_path / "none.parquet")
    parquet.write_table(make().drop_columns(["TX_FRAUD"]), tmp_path / "other.parquet")
    with pytest.raises(Invalid, match="needs the columns"):
        read_payments(tmp_path / "other.parquet")
    parquet.write_table(make().slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(Invalid, match="no payments"):
        read_files([tmp_path / "empty.parquet"])


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            ["2018-09-01 00:00:31,1,2"],
            "CSV parse error: Row #2: Expected 5 columns",
        ),
        (["2018-09-01 00:00:31,1,2,3.0,0", "2018-13-01,1,2,3,0"], "of row 2 is no timestamp"),
        ([], "there are no payments"),
    ],
)
def test_what_is_wrong_in_a_csv_file_is_said_of_its_row(tmp_path, rows, says):
    header = "TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD"
    (tmp_path / "some.csv").write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(Invalid, match=says):
        read_files([tmp_path / "some.csv"])
