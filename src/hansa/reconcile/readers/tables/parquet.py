"""Parquet: columns as they are, some hundred thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Part
from hansa.reconcile.readers.tables.building import TableBuilder, describe_cells
from hansa.reconcile.readers.tables.kinds import (
    get_value_kind,
    is_amount,
    is_name,
    is_text,
    is_time,
    simplify,
    write_cell,
)
from hansa.reconcile.readers.tables.mapping import Column, Mapping

MAGIC = b"PAR1"
ROWS_PER_READ = 131_072
TEXT_BYTES_PER_READ = 1 << 28
CELL_BYTES_MAX = 1 << 16
_READING = {"buffer_size": 1 << 20, "pre_buffer": False}

_NAMES = "text or whole numbers", is_name
_TIMES = "dates, timestamps or text", is_time
_AMOUNTS = "whole numbers, decimals, doubles or text", is_amount
_NEEDED: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    **dict.fromkeys(("booking_date", "value_date"), _TIMES),
    **dict.fromkeys(("amount", "credit", "debit", "original_amount", "charges"), _AMOUNTS),
}
"""What a column must hold, if not names."""


def is_parquet(head: bytes) -> bool:
    """Whether a file that begins so is Parquet."""
    return head.startswith(MAGIC)


def read_parquet(stream: BinaryIO, mapping: Mapping) -> Iterator[Part]:
    """Read a Parquet file, which must be seekable; rows that are well become no objects.

    The header is the file's schema, rows are numbered from 1; the mapping's `skip`, `footer` and
    notation of text cells other than amounts and dates mean nothing here.

    Raises:
      Invalid: it is no Parquet or is damaged, or a column that the mapping names is not there,
        is there twice or is of a type that cannot hold what it must.
    """
    builder = TableBuilder(mapping)
    try:
        file = pyarrow.parquet.ParquetFile(stream, **_READING)
        names = _find_columns(file.schema_arrow, mapping)
        wanted = list(dict.fromkeys(names.values()))
        texts = [
            name for name in wanted if is_text(get_value_kind(file.schema_arrow.field(name).type))
        ]
        listed = pyarrow.parquet.ParquetFile(
            stream, metadata=file.metadata, read_dictionary=texts, **_READING
        )
        first = 1
        for group in range(file.num_row_groups):
            rows = _bound_rows(listed, group, texts)
            for batch in file.iter_batches(rows, [group], wanted, use_threads=False):
                yield from _read_batch(builder, batch, names, first)
                first += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _malformed(
            f"it cannot be read as Parquet, write it anew: {' '.join(str(error).split())}"
        ) from None
    yield from builder.finish()


def _bound_rows(listed: pyarrow.parquet.ParquetFile, group: int, texts: list[str]) -> int:
    """Bound how many rows of a group are read at a time, by the longest texts that it lists.

    A text that stands in a file once, in the list of a column, can stand in millions of rows.
    """
    if not texts:
        return ROWS_PER_READ
    longest = 0
    for batch in listed.iter_batches(1, [group], texts, use_threads=False):
        for column in batch.columns:
            if pa.types.is_dictionary(column.type) and len(column.dictionary):
                letters = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
                if letters > CELL_BYTES_MAX:
                    raise _malformed(
                        f"it is unsafe: a cell of {letters} bytes, which may stand in many rows: "
                        f"shorten it to {CELL_BYTES_MAX}"
                    )
                longest += letters
        break
    return min(ROWS_PER_READ, max(1, TEXT_BYTES_PER_READ // max(1, longest)))


def _read_batch(
    builder: TableBuilder, batch: pa.RecordBatch, names: dict[Column, str], first: int
) -> Iterator[Part]:
    columns = {column: simplify(batch.column(name)) for column, name in names.items()}
    lines = pa.arange(first, first + batch.num_rows)

    def describe(place: int) -> str:
        return describe_cells(
            {name: write_cell(columns[column], place) for column, name in names.items()}
        )

    undecoded = _find_undecoded(columns)
    for place, column in undecoded.items():
        text = "bytes that are no letters in UTF-8: correct the cell"
        builder.report(Fault.ENCODING, first + place, names[column], text, describe(place))
    if undecoded:
        is_good = pa.array([place not in undecoded for place in range(batch.num_rows)])
        columns = {column: cells.filter(is_good) for column, cells in columns.items()}
        lines = lines.filter(is_good)
    if len(lines):
        yield from builder.add_rows(columns, lines, describe)


def _find_undecoded(columns: dict[Column, pa.Array]) -> dict[int, Column]:
    """Find the rows with text that is not in UTF-8, which Parquet does not check; and where."""
    found: dict[int, Column] = {}
    for column, cells in columns.items():
        if not is_text(cells.type):
            continue
        try:
            cells.validate(full=True)
        except pa.ArrowInvalid:
            for place, cell in enumerate(cells):
                try:
                    cell.as_py()
                except UnicodeDecodeError:
                    found.setdefault(place, column)
    return found


def _find_columns(schema: pa.Schema, mapping: Mapping) -> dict[Column, str]:
    found: dict[Column, str] = {}
    for role in mapping.columns:
        for column in mapping.find(role):
            name = _find_name(schema, column)
            kind = schema.field(name).type
            needed, is_fit = _NEEDED.get(role, _NAMES)
            if not is_fit(get_value_kind(kind)):
                raise _malformed(
                    f"column {name!r} holds {kind}; as {role} it must hold {needed}: name another "
                    "in the mapping, or convert it"
                )
            found[column] = name
    return found


def _find_name(schema: pa.Schema, column: Column) -> str:
    if isinstance(column, int):
        if column > len(schema.names):
            raise _malformed(f"there is no column {column}: there are {len(schema.names)}")
        column = schema.names[column - 1]
    count = len(schema.get_all_field_indices(column))
    if count != 1:
        raise _malformed(
            f"there is no column {column!r}; there are {', '.join(schema.names)}: correct the "
            "mapping"
            if not count
            else f"there are {count} columns {column!r}: rename all but one"
        )
    return str(column)


def _malformed(message: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message)
