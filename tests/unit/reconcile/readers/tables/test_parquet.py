"""Parquet: typed columns, no guesses, no objects for rows that are well."""

import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tabled import PLAIN, gather, mapping_of

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.tables.parquet import (
    CELL_BYTES_MAX,
    ROWS_PER_READ,
    TEXT_BYTES_PER_READ,
    is_parquet,
    read_parquet,
)

DAY = dt.date(2026, 4, 3)


def write(**columns):
    target = io.BytesIO()
    given_columns = {
        "account": ["A", "A"],
        "currency": ["EUR", "EUR"],
        "date": [DAY, DAY],
        "amount": pa.array([5, -7], pa.int64()),
        "reference": ["r1", None],
    } | columns
    pyarrow.parquet.write_table(pa.table(given_columns), target)
    return target.getvalue()


def read(raw, mapping=PLAIN):
    return gather(read_parquet(io.BytesIO(raw), mapping_of(mapping)))


def test_columns_become_entries():
    raw = write()
    assert is_parquet(raw)
    entries, (statement,), findings = read(raw)
    assert findings == []
    assert [(each.amount_minor, each.booking_date, each.line) for each in entries] == [
        (500, 20_546, 1),
        (-700, 20_546, 2),
    ]
    assert [each.reference for each in entries] == ["r1", ""]
    assert (statement.entries, statement.booked_minor) == (2, -200)


@pytest.mark.parametrize(
    ("amounts", "minor"),
    [
        (pa.array([Decimal("1.50"), Decimal("-0.01")]), [150, -1]),
        (pa.array([1.5, 0.1 + 0.2]), [150, 30]),
        (pa.array(["1.5", "-0.30"]), [150, -30]),
        (pa.array([1, 2], pa.int16()), [100, 200]),
        (pa.array(["1.5", "-0.30"]).dictionary_encode(), [150, -30]),
    ],
)
def test_amounts_of_all_types_are_exact(amounts, minor):
    assert [entry.amount_minor for entry in read(write(amount=amounts))[0]] == minor


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("amount", pa.array([0.015, 5.0]), Fault.FIELD),
        ("amount", pa.array([None, 5], pa.int64()), Fault.MISSING),
        ("amount", pa.array([2**62, 5], pa.int64()), Fault.FIELD),
        ("amount", pa.array([Decimal("0.001"), Decimal("5.000")]), Fault.FIELD),
        ("date", pa.array([None, DAY]), Fault.MISSING),
        ("date", pa.array([3_000_000, 20_000], pa.int32()).cast(pa.date32()), Fault.FIELD),
        ("currency", pa.array(["eur", "EUR"]), Fault.CURRENCY),
        ("account", pa.array([None, "A"]), Fault.MISSING),
    ],
)
def test_a_bad_row_is_a_finding_with_its_cells(column, values, fault):
    (entry,), (statement,), (finding,) = read(write(**{column: values}))
    assert entry.line == 2
    assert statement.entries == 1
    assert (finding.fault, finding.line, finding.field) == (fault, 1, column)
    assert '"reference": "r1"' in finding.raw


def test_text_that_is_no_utf_8_costs_its_row_alone():
    broken = pa.array([b"a\xff", b"fine"]).view(pa.string())
    (entry,), _, (finding,) = read(write(reference=broken))
    assert (entry.reference, entry.line) == ("fine", 2)
    assert (finding.fault, finding.line, finding.field) == (Fault.ENCODING, 1, "reference")
    assert finding.raw.endswith('"reference": "a\\\\xff"}')
    assert read(write(reference=broken.take(pa.array([0, 0]))))[0] == []


def test_names_can_be_numbers_and_lists_of_values():
    raw = write(
        account=pa.array([7, 8], pa.int32()), reference=pa.array(["x", "y"]).dictionary_encode()
    )
    entries, (statement,), _ = read(raw)
    assert [(entry.account, entry.reference) for entry in entries] == [("7", "x"), ("8", "y")]
    assert statement.account == ""


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"amount": pa.array([True, False])}, "holds bool"),
        ({"date": pa.array([1, 2])}, "holds int64"),
        ({"reference": pa.array([b"a", b"b"])}, "holds binary"),
        ({"account": pa.array([["A"], ["B"]])}, "holds list"),
        ({"currency": pa.array([1.5, 2.5])}, "holds double"),
    ],
)
def test_a_column_of_a_wrong_type_is_refused(columns, told):
    with pytest.raises(Invalid) as caught:
        read(write(**columns))
    assert caught.value.code is InvalidCode.MALFORMED
    assert told in caught.value.message


def test_columns_that_are_not_there_or_are_twice_are_refused():
    with pytest.raises(Invalid, match="no column 'nowhere'"):
        read(write(), PLAIN.replace('reference = "reference"', 'reference = "nowhere"'))
    with pytest.raises(Invalid, match="no column 9"):
        read(write(), PLAIN.replace('reference = "reference"', "reference = 9"))
    target = io.BytesIO()
    table = pa.table([["A"], ["B"]], names=["account", "account"])
    pyarrow.parquet.write_table(table, target)
    with pytest.raises(Invalid, match="2 columns 'account'"):
        read(target.getvalue())


def test_an_empty_table_has_no_entries():
    empty = pa.table({name: pa.array([], pa.string()) for name in pa_names()})
    target = io.BytesIO()
    pyarrow.parquet.write_table(empty, target)
    entries, (statement,), findings = read(target.getvalue())
    assert (entries, findings, statement.entries) == ([], [], 0)


def pa_names():
    return ["account", "currency", "date", "amount", "reference"]


def test_rows_are_numbered_through_all_parts():
    count = ROWS_PER_READ + 10
    amounts = pa.array([2**62] * count, pa.int64())
    raw = write(
        account=["A"] * count,
        currency=["EUR"] * count,
        date=[DAY] * count,
        amount=amounts,
        reference=["r"] * count,
    )
    parts = list(
        read_parquet(io.BytesIO(raw), mapping_of(PLAIN.replace('decimal = "."', 'unit = "minor"')))
    )
    assert [part.entries.num_rows for part in parts] == [ROWS_PER_READ, 10, 0]
    assert parts[1].entries.column("line")[9].as_py() == count
    assert parts[2].statements[0].booked_minor == count * 2**62


@pytest.mark.parametrize("letters", [CELL_BYTES_MAX + 1, CELL_BYTES_MAX])
def test_a_text_that_is_listed_once_does_not_fill_the_memory(letters):
    count = 20_000
    table = pa.table(
        {
            "account": ["A"] * count,
            "currency": ["EUR"] * count,
            "date": [DAY] * count,
            "amount": [1] * count,
            "reference": pa.DictionaryArray.from_arrays([0] * count, ["x" * letters]),
        }
    )
    target = io.BytesIO()
    pyarrow.parquet.write_table(table, target, compression="zstd")
    assert len(target.getvalue()) < 10_000
    parts = read_parquet(target, mapping_of(PLAIN))
    if letters > CELL_BYTES_MAX:
        with pytest.raises(Invalid, match="unsafe"):
            next(parts)
    else:
        assert next(parts).entries.nbytes < 1.1 * TEXT_BYTES_PER_READ


@given(st.data())
def test_damaged_files_raise_nothing_but_invalid(data):
    raw = bytearray(write())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    try:
        entries, _, _ = read(bytes(cut))
    except Invalid:
        return
    assert len(entries) <= 2
