"""Field `:61:` in every form, with the entry date's year."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mt_files import day

from hansa.reconcile.readers.fields import FieldError
from hansa.reconcile.readers.mt.statement_line import (
    StatementLine,
    find_entry_date,
    parse_date,
    parse_statement_line,
)


def line(*lines):
    found = parse_statement_line(list(lines))
    assert found is not None
    return found


def test_all_its_parts():
    assert line("2611301201RCR1234,5NTRFREF 1//BANK-9", "/OCMT/USD1,/") == StatementLine(
        value_date=day("2026-11-30"),
        booking_date=day("2026-12-01"),
        mark="RC",
        funds_code="R",
        amount="1234,5",
        type="NTRF",
        reference="REF 1",
        bank_reference="BANK-9",
        beside="",
        supplement="/OCMT/USD1,/",
        faults=(),
    )


@pytest.mark.parametrize(
    ("text", "mark", "letter", "amount"),
    [
        ("261130C1,NTRFX", "C", "", "1,"),
        ("261130D,5NTRFX", "D", "", ",5"),
        ("261130DR1,NTRFX", "D", "R", "1,"),
        ("261130RD1,NTRFX", "RD", "", "1,"),
        ("261130RDR1,NTRFX", "RD", "R", "1,"),
        ("261130EC1,NTRFX", "EC", "", "1,"),
        ("261130EDD1,NTRFX", "ED", "D", "1,"),
        ("261130    CD0,00NDEFX", "C", "D", "0,00"),
        ("2611301130D 5,NTRFX", "D", "", "5,"),
        ("261130C500NTRFX", "C", "", "500"),
    ],
)
def test_marks_letters_and_amounts(text, mark, letter, amount):
    found = line(text)
    assert (found.mark, found.funds_code, found.amount) == (mark, letter, amount)
    assert found.booking_date == found.value_date == day("2026-11-30")


@pytest.mark.parametrize(
    ("tail", "kind", "reference", "bank_reference", "beside"),
    [
        ("NTRFNONREF", "NTRF", "NONREF", "", ""),
        ("NTRF", "NTRF", "", "", ""),
        ("", "", "", "", ""),
        ("NONREF", "", "NONREF", "", ""),
        ("NONREF//B", "", "NONREF", "B", ""),
        (" NRTIKREF+//B", "NRTI", "KREF+", "B", ""),
        ("S   X", "S", "X", "", ""),
        ("NMSCNONREF//", "NMSC", "NONREF", "", ""),
        ("NMSC34/1X//O/77", "NMSC", "34/1X", "O/77", ""),
        ("N0440121470966      W.P. Jansen   ", "N044", "0121470966", "", "W.P. Jansen"),
        ("NOVBNL47INGB9999999999", "NOVB", "NL47INGB9999999999", "", ""),
        ("NTRFBIPI-dvT1FzfMqvzF5HaU4oetlH7SGRkonU//2022", "NTRF", None, "2022", ""),
        ("NTRF1234567890123456A name behind", "NTRF", "1234567890123456", "", "A name behind"),
    ],
)
def test_type_and_references(tail, kind, reference, bank_reference, beside):
    found = line("261130C1," + tail)
    reference = "BIPI-dvT1FzfMqvzF5HaU4oetlH7SGRkonU" if reference is None else reference
    assert (found.type, found.reference, found.bank_reference, found.beside) == (
        kind,
        reference,
        bank_reference,
        beside,
    )


def test_a_wrapped_line_is_joined():
    found = line("1811261126CR", "30,00N062NONREF", "more")
    assert (found.amount, found.type, found.supplement) == ("30,00", "N062", "more")


@pytest.mark.parametrize(
    "lines",
    [[""], ["261130X1,NTRF"], ["26113C1,NTRFX"], ["261130C"], ["261130CNTRF"], ["CC", "1,NTRF"]],
)
def test_what_is_none_is_none(lines):
    assert parse_statement_line(lines) is None


@pytest.mark.parametrize(
    ("value", "entry", "expected"),
    [
        ("191231", "0102", "2020-01-02"),
        ("200102", "1231", "2019-12-31"),
        ("200615", "0615", "2020-06-15"),
        ("160230", "0301", "2016-03-01"),
        ("200228", "0229", "2020-02-29"),
        ("210301", "0229", "2020-02-29"),
    ],
)
def test_an_entry_date_is_of_the_nearest_year(value, entry, expected):
    assert find_entry_date(value, entry) == day(expected)


def test_days_that_do_not_exist_are_faults():
    found = line("1602300301D6,00N024NONREF")
    assert (found.value_date, found.booking_date) == (None, day("2016-03-01"))
    assert found.faults == ("there is no value date 160230",)
    found = line("2611301332D6,00N024NONREF")
    assert (found.value_date, found.booking_date) == (day("2026-11-30"), None)
    assert found.faults == ("there is no entry date 1332",)
    assert line("261399C1,NTRFX").booking_date is None
    assert line("2613990101C1,NTRFX").booking_date is None


def test_years_have_their_century():
    assert parse_date("791231") == day("2079-12-31")
    assert parse_date("800101") == day("1980-01-01")
    for text in ("260230", "000000", "26113", "ab1130"):
        with pytest.raises(FieldError):
            parse_date(text)


@given(st.dates(dt.date(1981, 1, 1), dt.date(2078, 12, 31)), st.integers(-180, 180))
def test_any_entry_date_within_half_a_year_is_found(value, apart):
    entry = value + dt.timedelta(apart)
    found = find_entry_date(f"{value:%y%m%d}", f"{entry:%m%d}")
    if (entry.month, entry.day) != (2, 29):
        assert found == day(entry.isoformat())
