"""Kinds of Arrow columns, made few, and doubles that stand for whole minor units."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

DOUBLE_MAX = 2**53
"""In minor units: beyond it doubles do not hold every whole number."""
DOUBLE_TOLERANCE = 1e-6
"""How far a double may lie from a whole minor unit, in minor units."""


def simplify(column: pa.Array) -> pa.Array:
    """Take dictionaries apart, and make all text of one kind."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()) if is_text(column.type) else column


def get_value_kind(kind: pa.DataType) -> pa.DataType:
    """Get the type of a column's values, of a dictionary that of what it lists."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_text(kind: pa.DataType) -> bool:
    """Whether a column is text, in whichever of Arrow's three forms."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_name(kind: pa.DataType) -> bool:
    """Whether a column can name something: text or whole numbers."""
    return is_text(kind) or bool(pa.types.is_integer(kind))


def is_time(kind: pa.DataType) -> bool:
    """Whether a column can say when: timestamps, dates or text."""
    return is_text(kind) or bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def is_amount(kind: pa.DataType) -> bool:
    """Whether a column can hold amounts: text, decimals, doubles or whole numbers."""
    return is_name(kind) or bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def round_doubles(column: pa.Array, places: int) -> tuple[pa.Array, pa.Array]:
    """Round doubles of major units to minor units.

    Returns:
      The minor units as int64, and whether each lies on a whole one: within 1e-6 of it, and not
      beyond 2^53. What does not, and what is null, is null.
    """
    scaled = pc.multiply(column.cast(pa.float64()), float(10**places))
    rounded = pc.round(scaled, round_mode="half_to_even")
    is_near = pc.less_equal(pc.abs(pc.subtract(scaled, rounded)), DOUBLE_TOLERANCE)
    is_exact = pc.less_equal(pc.abs(scaled), float(DOUBLE_MAX))
    is_good = pc.fill_null(pc.and_(is_near, is_exact), False)  # noqa: FBT003 - Arrow's
    nothing = pa.scalar(None, pa.float64())
    return pc.if_else(is_good, rounded, nothing).cast(pa.int64()), is_good


def write_cell(column: pa.Array, place: int) -> str | None:
    """Write a cell for people: dates that Python does not have, too, and bytes that are no text."""
    cell = column.slice(place, 1).cast(pa.string())[0]
    raw = cell.as_buffer()
    return None if raw is None else raw.to_pybytes().decode(errors="backslashreplace")
