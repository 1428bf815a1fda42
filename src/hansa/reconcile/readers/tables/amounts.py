"""Columns of amounts: to minor units, exact or refused, whole columns at a time."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from hansa.kernel.values import INT64_MAX
from hansa.reconcile.currencies import DIGITS, DIGITS_USUAL
from hansa.reconcile.readers.fields import AMOUNT_LETTERS_MAX
from hansa.reconcile.readers.tables.kinds import is_text, round_doubles
from hansa.reconcile.readers.tables.mapping import Writing

_MARKS = {"": "[^\\d\\D]", ".": "[.]", ",": "[,]", " ": "[ \u00a0\u202f]", "'": "['’]"}
_NOTHING = pa.scalar(None, pa.int64())
_LONGEST = str(INT64_MAX)


def count_places(currencies: pa.Array) -> pa.Array:
    """Count the decimal places of each currency of a column."""
    index = pc.index_in(currencies, value_set=pa.array(list(DIGITS)))
    digits = pc.take(pa.array(DIGITS.values(), pa.int8()), index)
    return pc.fill_null(digits, DIGITS_USUAL)


def parse_amounts(column: pa.Array, places: pa.Array, writing: Writing) -> pa.Array:
    """Parse a column of amounts: text, decimals, doubles or whole numbers.

    Args:
      column: Arrow array.
      places: decimal places of each one's currency, an array as long.
      writing: how they are written.

    Returns:
      Minor units, int64; null where there is no amount, or none that can be read exactly.
    """
    if writing.unit == "minor":
        return _parse(column, 0, writing)
    distinct = pc.unique(places).to_pylist() or [0]
    parsed = _parse(column, distinct[0], writing)
    for other in distinct[1:]:
        parsed = pc.if_else(pc.equal(places, other), _parse(column, other, writing), parsed)
    return parsed


def explain_amount(value: object, places: int, writing: Writing) -> str:
    """Say why an amount could not be read, and what to do."""
    if not isinstance(value, str):
        return f"{value!r} is no whole number of minor units, with {places} decimals: correct it"
    text = value.strip()
    if not text or len(text) > AMOUNT_LETTERS_MAX:
        return f"{text[:AMOUNT_LETTERS_MAX]!r} is no amount"
    if not writing.decimal and re.search("[.,]", text):
        return (
            f"{text!r} has a mark, and the mapping does not say what it means: "
            'under [amounts] write decimal = "." or ",", and thousands if there are any'
        )
    if re.fullmatch(_build_pattern(writing), text) is None:
        return (
            f"{text!r} is no amount with the decimal mark {writing.decimal!r} and the thousands "
            f"separator {writing.thousands!r} of the mapping: correct one of them"
        )
    return (
        f"{text!r} is finer than the minor unit, which has {places} decimals, or more than "
        f"{INT64_MAX} minor units: correct it"
    )


def _parse(column: pa.Array, places: int, writing: Writing) -> pa.Array:
    kind = column.type
    if is_text(kind):
        return _parse_text(column, places, writing)
    if pa.types.is_floating(kind):
        return round_doubles(column, places)[0]
    if pa.types.is_decimal(kind):
        return _parse_decimals(column, places)
    bound = INT64_MAX // 10**places
    wide = column.cast(pa.decimal128(38)) if pa.types.is_uint64(kind) else column.cast(pa.int64())
    is_good = pc.and_(pc.less_equal(wide, bound), pc.greater_equal(wide, -bound))
    whole = pc.if_else(is_good, wide, pa.scalar(None, wide.type)).cast(pa.int64())
    return pc.multiply(whole, 10**places)


def _parse_decimals(column: pa.Array, places: int) -> pa.Array:
    try:
        exact = column.cast(pa.decimal128(38, places))
        # The same 128 bits, as a whole number of minor units.
        whole = pa.Array.from_buffers(
            pa.decimal128(38, 0), len(exact), exact.buffers(), offset=exact.offset
        )
        return whole.cast(pa.int64())
    except pa.ArrowInvalid:
        texts = pc.if_else(
            column.is_valid(), column.cast(pa.string()), pa.scalar(None, pa.string())
        )
        return _parse_text(texts, places, Writing(decimal="."))


def _parse_text(column: pa.Array, places: int, writing: Writing) -> pa.Array:
    texts = pc.utf8_trim_whitespace(column)
    parts = pc.extract_regex(texts, f"^{_build_pattern(writing)}$")

    def get(name: str) -> pa.Array:
        return pc.struct_field(parts, name)

    whole, decimals = get("whole"), get("decimals")
    if writing.thousands:
        whole = pc.replace_substring_regex(whole, _MARKS[writing.thousands], "")
    is_number = pc.greater(pc.add(pc.utf8_length(whole), pc.utf8_length(decimals)), 0)
    decimals = pc.utf8_rtrim(decimals, "0")
    is_coarse = pc.less_equal(pc.utf8_length(decimals), places)
    digits = pc.utf8_ltrim(
        pc.binary_join_element_wise(whole, pc.utf8_rpad(decimals, places, "0"), ""), "0"
    )
    length = pc.utf8_length(digits)
    is_small = pc.or_(
        pc.less(length, len(_LONGEST)),
        pc.and_(pc.equal(length, len(_LONGEST)), pc.less_equal(digits, _LONGEST)),
    )
    signs = [pc.not_equal(get(name), "").cast(pa.int8()) for name in ("open", "lead", "trail")]
    is_signed_once = pc.and_(
        pc.less_equal(pc.add(pc.add(*signs[:2]), signs[2]), 1),
        pc.equal(pc.equal(get("open"), ""), pc.equal(get("close"), "")),
    )
    is_short = pc.less_equal(pc.utf8_length(texts), AMOUNT_LETTERS_MAX)
    is_good = _all(is_number, is_coarse, is_small, is_signed_once, is_short)
    text = pc.if_else(pc.equal(digits, ""), "0", digits)
    minor = pc.if_else(is_good, text, pa.scalar(None, pa.string())).cast(pa.int64())
    is_negative = pc.or_(
        pc.not_equal(get("open"), ""),
        pc.or_(_is_minus(get("lead")), _is_minus(get("trail"))),
    )
    return pc.if_else(is_negative, pc.negate(minor), minor)


def _build_pattern(writing: Writing) -> str:
    """Build what an amount looks like; parts that are not there are empty."""
    mark, separator = _MARKS[writing.decimal], _MARKS[writing.thousands]
    grouped = f"[0-9]{{1,3}}(?:{separator}[0-9]{{3}})+|" if writing.thousands else ""
    return (
        rf"(?P<open>\(?)(?P<lead>[-+−]?) ?(?P<whole>{grouped}[0-9]*)"
        rf"(?:{mark}(?P<decimals>[0-9]*))?(?P<trail>[-+−]?)(?P<close>\)?)"
    )


def _is_minus(sign: pa.Array) -> pa.Array:
    return pc.or_(pc.equal(sign, "-"), pc.equal(sign, "−"))


def _all(first: pa.Array, *others: pa.Array) -> pa.Array:
    for other in others:
        first = pc.and_(first, other)
    return pc.fill_null(first, False)  # noqa: FBT003 - Arrow's
