"""Fields of the frame: balances, numbers, totals, and accounts."""

import pytest
from tests.mt_files import day

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.fields import FieldError
from hansa.reconcile.readers.mt.accounts import is_iban, parse_account
from hansa.reconcile.readers.mt.balance import (
    Balance,
    Total,
    find_currency,
    parse_balance,
    parse_number,
    parse_total,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C261130EUR1234,5", Balance(123450, "EUR", day("2026-11-30"))),
        ("D261130EUR000000001000,00", Balance(-100000, "EUR", day("2026-11-30"))),
        ("C261130JPY1234,", Balance(1234, "JPY", day("2026-11-30"))),
        ("C000000EUR0,", Balance(0, "EUR", None)),
        ("C26113095000,00", Balance(9500000, "DEM", day("2026-11-30"))),
    ],
)
def test_balances(text, expected):
    assert parse_balance(text, "DEM") == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.FIELD),
        ("X261130EUR1,", Fault.FIELD),
        ("C260230EUR1,", Fault.FIELD),
        ("C261130EUR1.234,50", Fault.FIELD),
        ("C261130EUR1,234", Fault.FIELD),
        ("C261130EUR", Fault.FIELD),
        ("C2611301,", Fault.CURRENCY),
    ],
)
def test_what_is_no_balance_is_refused(text, fault):
    with pytest.raises(FieldError) as caught:
        parse_balance(text, "")
    assert caught.value.fault is fault


def test_a_currency_is_found_where_the_rest_is_none():
    assert find_currency("C261330EURx") == "EUR"
    assert find_currency("EURD0,00") == find_currency("EUR0,") == "EUR"
    assert find_currency("C2611301,") == find_currency("") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00017/001", (17, 1)),
        ("17", (17, None)),
        ("00000/001", (None, 1)),
        ("0", (None, None)),
        ("1810118101", (1810118101, None)),
        ("1 / 2", (1, 2)),
        ("/1", (None, 1)),
    ],
)
def test_numbers(text, expected):
    assert parse_number(text) == expected


@pytest.mark.parametrize("text", ["", "/", "x", "1/", "1/2/3", "9" * 19, "1/" + "9" * 10])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(FieldError):
        parse_number(text)


def test_totals():
    assert parse_total("3EUR12,5") == Total(3, 1250)
    assert parse_total("EUR12,5") == Total(None, 1250)
    for text in ("", "3", "EUR", "3EURx", "9" * 19 + "EUR1,"):
        with pytest.raises(FieldError):
            parse_total(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DE02120300000000202051", ("DE02120300000000202051", "")),
        ("DE02 1203 0000 0000 2020 51", ("DE02120300000000202051", "")),
        ("DE02120300000000202051EUR", ("DE02120300000000202051", "EUR")),
        ("DE02120300000000202051 EUR", ("DE02120300000000202051", "EUR")),
        ("50880050/0194774600888", ("50880050/0194774600888", "")),
        ("NL54INGB0001234500EUR", ("NL54INGB0001234500", "EUR")),
        ("NL92 KNAB 0123 4567 89 EUR", ("NL92KNAB0123456789", "EUR")),
        ("MU17BOMM0101101030300200000MUR", ("MU17BOMM0101101030300200000MUR", "")),
        ("/DE02120300000000202051", ("DE02120300000000202051", "")),
        ("BYLADEM1/DE02120300000000202051/EUR", ("DE02120300000000202051", "EUR")),
        ("1291.99.348EUR", ("1291.99.348EUR", "EUR")),
        ("UBRTHUHB/1234/HUF", ("UBRTHUHB/1234/HUF", "HUF")),
        ('BILLLULLXXX/"COMPTE"', ('BILLLULLXXX/"COMPTE"', "")),
        ("", ("", "")),
    ],
)
def test_accounts(text, expected):
    assert parse_account(text) == expected


def test_check_digits_make_an_iban():
    assert is_iban("GB82WEST12345698765432")
    assert not is_iban("GB82WEST12345698765433")
    assert not is_iban("GB82")
    assert not is_iban("")
