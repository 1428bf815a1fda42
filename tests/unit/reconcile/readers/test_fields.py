"""Amounts and dates: exact, or refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.currencies import count_digits, is_currency
from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.fields import FieldError, parse_amount, parse_iso_date


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("0", "EUR", 0),
        ("12.", "EUR", 1_200),
        ("12,5", "EUR", 1_250),
        (".07", "EUR", 7),
        ("+3.1400", "EUR", 314),
        ("-0.01", "EUR", -1),
        ("100,000", "JPY", 100),
        ("1,234", "KWD", 1_234),
        ("92233720368547758.07", "EUR", 2**63 - 1),
    ],
)
def test_amounts_are_read_exactly(text, currency, minor):
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "EUR"),
        (".", "EUR"),
        ("-", "EUR"),
        ("1.234,56", "EUR"),
        ("1,234.56", "EUR"),
        ("1 234", "EUR"),
        ("0.001", "EUR"),
        ("1.5", "JPY"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("١٢", "EUR"),
        ("92233720368547758.08", "EUR"),
        ("9" * 5_000, "EUR"),
    ],
)
def test_what_is_no_amount_is_refused(text, currency):
    with pytest.raises(FieldError) as caught:
        parse_amount(text, currency)
    assert caught.value.fault is Fault.FIELD
    assert len(caught.value.text) < 200


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_what_is_written_is_read(minor, currency):
    places = count_digits(currency)
    digits = str(abs(minor)).rjust(places + 1, "0")
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    text = ("-" if minor < 0 else "") + f"{whole},{decimals}"
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize("text", ["2026-02-30", "2026-2-3", "20260203", "2026-02-3x", "", "x" * 99])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(FieldError):
        parse_iso_date(text)


def test_codes_of_currencies_have_three_capitals():
    assert is_currency("EUR")
    assert not any(map(is_currency, ("", "eur", "EURO", "€€€", "EU1")))
