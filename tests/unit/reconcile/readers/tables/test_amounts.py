"""Columns of amounts: exact, in the notation that the mapping says, or nothing."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.currencies import count_digits
from hansa.reconcile.readers.fields import FieldError, parse_amount
from hansa.reconcile.readers.tables.amounts import count_places, explain_amount, parse_amounts
from hansa.reconcile.readers.tables.mapping import Writing

GERMAN = Writing(decimal=",", thousands=".")
ENGLISH = Writing(decimal=".", thousands=",")
SWISS = Writing(decimal=".", thousands="'")
FRENCH = Writing(decimal=",", thousands=" ")
BARE = Writing()
MINOR = Writing(unit="minor")


def parse(values, writing, places=2, kind=None):
    column = pa.array(values, kind)
    return parse_amounts(column, pa.array([places] * len(values), pa.int8()), writing).to_pylist()


@pytest.mark.parametrize(
    ("text", "writing", "minor"),
    [
        ("1.234,50", GERMAN, 123_450),
        ("1.234", GERMAN, 123_400),
        ("1,234", ENGLISH, 123_400),
        ("1,234,567.8", ENGLISH, 123_456_780),
        ("1'234.50", SWISS, 123_450),
        ("1’234.50", SWISS, 123_450),
        ("1\u202f234,5", FRENCH, 123_450),
        ("-5,00", GERMAN, -500),
        ("5,00-", GERMAN, -500),
        ("(5,00)", GERMAN, -500),
        ("−5", GERMAN, -500),
        ("+5", GERMAN, 500),
        ("  7 ", GERMAN, 700),
        (",5", GERMAN, 50),
        ("5,", GERMAN, 500),
        ("5,1000", GERMAN, 510),
        ("-0", GERMAN, 0),
        ("12", BARE, 1_200),
        ("1234", MINOR, 1_234),
        ("92233720368547758,07", GERMAN, 2**63 - 1),
        ("-92233720368547758,07", GERMAN, 1 - 2**63),
    ],
)
def test_what_the_mapping_says_is_read(text, writing, minor):
    assert parse([text], writing) == [minor]


@pytest.mark.parametrize(
    ("text", "writing"),
    [
        ("1,234", BARE),  # twelve hundred, or one and a bit: the mapping does not say
        ("1.5", BARE),
        ("1.23", GERMAN),
        ("1.2345", GERMAN),
        (".123", GERMAN),
        ("1,234.50", GERMAN),
        ("1.234,56.789", GERMAN),
        ("0,001", GERMAN),
        ("(-5)", GERMAN),
        ("-5-", GERMAN),
        ("(5", GERMAN),
        ("", GERMAN),
        ("-", GERMAN),
        (",", GERMAN),
        ("1e3", ENGLISH),
        ("NaN", ENGLISH),
        ("٣", ENGLISH),
        ("1.50", MINOR),
        ("92233720368547758,08", GERMAN),
        ("9" * 5_000, GERMAN),
    ],
)
def test_what_could_be_something_else_is_not_read(text, writing):
    assert parse([text], writing) == [None]
    told = explain_amount(text, 2, writing)
    assert told
    assert len(told) < 300


def test_an_amount_whose_mark_was_not_declared_says_so():
    assert "decimal =" in explain_amount("1,234", 2, BARE)


def test_places_are_those_of_each_row():
    currencies = pa.array(["EUR", "JPY", "KWD", "EUR"])
    column = pa.array(["1.5", "15", "1.5", "0.015"])
    minor = parse_amounts(column, count_places(currencies), Writing(decimal="."))
    assert minor.to_pylist() == [150, 15, 1_500, None]


@pytest.mark.parametrize(
    ("values", "kind", "writing", "minor"),
    [
        ([5, None, 2**62, -7], pa.int64(), BARE, [500, None, None, -700]),
        ([5, -(2**63)], pa.int64(), MINOR, [5, None]),
        ([5, 2**64 - 1], pa.uint64(), MINOR, [5, None]),
        ([5], pa.int8(), BARE, [500]),
        ([1.5, 0.1 + 0.2, 1e-9, 0.015, 1e300], None, BARE, [150, 30, 0, None, None]),
        ([float("nan"), float("inf"), None], pa.float64(), BARE, [None] * 3),
        ([150.0, 150.5], None, MINOR, [150, None]),
        ([Decimal("1.50"), None], pa.decimal128(10, 2), BARE, [150, None]),
        ([Decimal("1.505"), Decimal("-2.500")], pa.decimal128(10, 3), BARE, [None, -250]),
        ([Decimal(10**30), Decimal(1)], pa.decimal128(38, 0), BARE, [None, 100]),
        ([Decimal("1.5")], pa.decimal256(60, 4), BARE, [150]),
    ],
)
def test_typed_columns_are_exact_or_nothing(values, kind, writing, minor):
    assert parse(values, writing, kind=kind) == minor


def test_slices_of_decimals_keep_their_place():
    column = pa.array([Decimal("1.00"), Decimal("2.00"), Decimal("3.00")]).slice(1)
    assert parse_amounts(column, pa.array([2, 2], pa.int8()), BARE).to_pylist() == [200, 300]


@given(
    st.lists(st.integers(1 - 2**63, 2**63 - 1), min_size=1),
    st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
    st.sampled_from([GERMAN, ENGLISH, SWISS, FRENCH]),
    st.sampled_from(["-{}", "{}-", "({})"]),
    st.booleans(),
)
def test_what_is_written_is_read(amounts, currency, writing, negative, is_grouped):
    places = count_digits(currency)

    def write(minor):
        digits = str(abs(minor)).rjust(places + 1, "0")
        whole = (
            f"{int(digits[: len(digits) - places]):,}" if is_grouped else digits[: -places or None]
        )
        text = whole.replace(",", writing.thousands)
        text += writing.decimal + digits[-places:] if places else ""
        return negative.format(text) if minor < 0 else text

    assert parse([write(minor) for minor in amounts], writing, places) == amounts


@given(st.text(alphabet="0123456789.,+- ", max_size=12))
def test_amounts_without_thousands_agree_with_those_of_other_readers(text):
    (found,) = parse([text], Writing(decimal="."))
    try:
        expected = parse_amount(text, "EUR")
    except FieldError:
        return
    assert found == expected or "," in text
