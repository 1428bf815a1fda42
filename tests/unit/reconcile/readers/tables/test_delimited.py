"""CSV: every row is an entry or a finding, and what is wrong in one spoils no other."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tabled import HEADER, PLAIN, read_text

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Kind, Severity, Status
from hansa.reconcile.readers.tables.delimited import ROW_LETTERS_MAX
from hansa.reconcile.readers.tables.rows import ROWS_PER_READ

GOOD = "DE02,EUR,2026-04-03,12.50,A1\n"


def test_rows_become_entries_and_one_statement():
    entries, (statement,), findings = read_text(HEADER + GOOD + GOOD.replace("12.50", "-2"))
    assert [(entry.amount_minor, entry.booking_date, entry.line) for entry in entries] == [
        (1_250, 20_546, 2),
        (-200, 20_546, 3),
    ]
    assert entries[0].reference == "A1"
    assert entries[0].value_date is None
    assert (statement.kind, statement.account, statement.currency) == (Kind.LIST, "DE02", "EUR")
    assert (statement.entries, statement.booked_minor) == (2, 1_050)
    assert findings == []


BANK = """
[columns]
account = 1
booking_date = "Buchungstag"
value_date = "Valuta"
credit = "Haben"
debit = "Soll"
counterparty = "Name"
text = ["Zweck 1", "Zweck 2"]
charges = "Gebühr"
[constants]
currency = "EUR"
[amounts]
decimal = ","
thousands = "."
[dates]
format = "%d.%m.%Y"
[rows]
delimiter = ";"
encoding = "cp1252"
skip = 2
footer = 1
"""
BANK_FILE = """Umsätze
vom 30.11.2026
Konto;Buchungstag;Valuta;Haben;Soll;Name;Zweck 1;Zweck 2;Gebühr
DE02;03.04.2026;02.04.2026;1.234,50;;Müller;Rechnung;"7; vom
1. April";0,30
DE02;03.04.2026;;0,00;99,99;;;Miete;
;;;;;;;;
Summe;;;1.134,51
"""


def test_a_banks_export_is_read_by_its_mapping():
    (paid, spent), _, findings = read_text(BANK_FILE, BANK, "cp1252")
    assert findings == []
    assert (paid.amount_minor, paid.charges_minor, paid.counterparty) == (123_450, 30, "Müller")
    assert (paid.booking_date, paid.value_date, paid.line) == (20_546, 20_545, 4)
    assert paid.text == "Rechnung 7; vom 1. April"
    assert (spent.amount_minor, spent.value_date, spent.text) == (-9_999, None, "Miete")
    assert spent.line == 6


INDICATED = """
[columns]
account = "account"
currency = "currency"
value_date = "date"
amount = "amount"
indicator = "side"
original_currency = "other"
original_amount = "abroad"
[constants]
status = "pending"
[amounts]
decimal = "."
sign = -1
[indicator]
credit = ["C"]
debit = ["D", "Soll"]
credit_reversal = ["RC"]
debit_reversal = ["RD"]
"""


def test_indicators_say_which_way_and_a_table_can_be_turned_round():
    rows = "".join(f"A,EUR,2026-04-03,5,{word},USD,6.5\n" for word in ("C", "Soll", "RC", "RD"))
    entries, (statement,), findings = read_text(
        "account,currency,date,amount,side,other,abroad\n" + rows, INDICATED
    )
    assert findings == []
    assert [(entry.amount_minor, entry.is_reversal) for entry in entries] == [
        (-500, False),
        (500, False),
        (500, True),
        (-500, True),
    ]
    assert entries[0].status is Status.PENDING
    assert (entries[0].original_currency, entries[0].original_minor) == ("USD", -650)
    assert statement.booked_minor == 0


@pytest.mark.parametrize(
    ("row", "fault", "field"),
    [
        (",EUR,2026-04-03,1,", Fault.MISSING, "account"),
        ("A,,2026-04-03,1,", Fault.CURRENCY, "currency"),
        ("A,euro,2026-04-03,1,", Fault.CURRENCY, "currency"),
        ("A,EUR,,1,", Fault.MISSING, "date"),
        ("A,EUR,03.04.2026,1,", Fault.FIELD, "date"),
        ("A,EUR,2026-04-03,,", Fault.MISSING, "amount"),
        ('A,EUR,2026-04-03,"1,234",', Fault.FIELD, "amount"),
        ("A,EUR,2026-04-03,0.001,", Fault.FIELD, "amount"),
        ("A,JPY,2026-04-03,0.5,", Fault.FIELD, "amount"),
        ("A,EUR,2026-04-03,1", Fault.STRUCTURE, ""),
        ("A,EUR,2026-04-03,1,x,y", Fault.STRUCTURE, ""),
        ('"A,EUR,2026-04-03,1,', Fault.STRUCTURE, ""),
        ('"A"B,EUR,2026-04-03,1,', Fault.STRUCTURE, ""),
        ("A,EUR,2026-04-03,1,\udcff", Fault.ENCODING, "reference"),
    ],
)
def test_a_bad_row_is_a_finding_and_the_rest_goes_on(row, fault, field):
    text = (HEADER + GOOD + row + "\n" + GOOD).encode(errors="surrogateescape")
    entries, (statement,), (finding,) = read_text(text)
    assert [entry.line for entry in entries] == [2, 4]
    assert statement.entries == 2
    assert (finding.severity, finding.fault) == (Severity.ERROR, fault)
    assert (finding.line, finding.field) == (3, field)
    assert finding.text
    assert finding.raw.startswith(row[:5].rstrip("\udcff"))


TWO = """
[columns]
credit = "in"
debit = "out"
booking_date = "date"
[constants]
account = "A"
currency = "EUR"
"""


@pytest.mark.parametrize(
    ("row", "debits", "minor"),
    [
        ("5,", "positive", 500),
        ("0,5", "positive", -500),
        (",-5", "negative", -500),
        ("0,0", "positive", 0),
        ("5,5", "positive", None),
        (",", "positive", None),
        (",-5", "positive", None),
        (",5", "negative", None),
        ("-5,", "positive", None),
    ],
)
def test_credits_and_debits_have_the_sign_that_the_mapping_says(row, debits, minor):
    mapping = TWO + f'[amounts]\ndebits = "{debits}"\n'
    entries, _, findings = read_text(f"in,out,date\n{row},2026-04-03\n", mapping)
    assert [entry.amount_minor for entry in entries] == ([] if minor is None else [minor])
    assert len(findings) == (minor is None)


def test_a_negative_amount_with_an_indicator_is_not_guessed():
    header = "account,currency,date,amount,side,other,abroad\n"
    rows = "A,EUR,2026-04-03,-5,D,,\nA,EUR,2026-04-03,5,?,,\n"
    entries, _, findings = read_text(header + rows, INDICATED)
    assert entries == []
    assert [finding.field for finding in findings] == ["amount", "side"]


def test_mixed_currencies_are_told_once():
    text = HEADER + GOOD + 2 * GOOD.replace("EUR", "USD") + GOOD
    entries, (statement,), (finding,) = read_text(text)
    assert len(entries) == 4
    assert (finding.severity, finding.fault, finding.line) == (
        Severity.WARNING,
        Fault.CURRENCY,
        3,
    )
    assert (statement.account, statement.currency, statement.booked_minor) == ("DE02", "", 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("\ufeff", "empty"),
        ("account,currency,date,amount\n", "no column 'reference'"),
        (HEADER.replace("reference", "amount"), "columns 4 and 5"),
        ('"account', "first row"),
    ],
)
def test_a_table_of_other_columns_is_refused(text, told):
    with pytest.raises(Invalid) as caught:
        read_text(text)
    assert caught.value.code is InvalidCode.MALFORMED
    assert told in caught.value.message


def test_a_table_of_a_header_alone_has_no_entries():
    assert read_text(HEADER)[0] == []
    assert read_text(HEADER)[1][0].entries == 0


def test_a_table_without_a_header_goes_by_numbers():
    mapping = """
[columns]
account = 1
currency = 2
booking_date = 3
amount = 4
[rows]
header = false
"""
    entries, _, findings = read_text("A,EUR,2026-04-03,7,x\nA,EUR,2026-04-03,7\n", mapping)
    assert [entry.line for entry in entries] == [1]
    assert [finding.fault for finding in findings] == [Fault.STRUCTURE]
    assert read_text("", mapping)[0] == []
    with pytest.raises(Invalid, match="no column 3"):
        read_text("A,EUR\n", mapping)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_those_of_the_mapping(encoding):
    mapping = PLAIN + f'[rows]\nencoding = "{encoding}"\n'
    (entry,), _, _ = read_text(HEADER + GOOD.replace("A1", "Größe"), mapping, encoding)
    assert entry.reference == "Größe"


def test_a_file_that_is_not_in_its_encoding_at_all_is_refused():
    mapping = PLAIN + '[rows]\nencoding = "utf-16"\n'
    with pytest.raises(Invalid, match="encoding"):
        read_text((HEADER + GOOD * 3).encode("utf-16")[:-1] + b"\xd8", mapping)


def test_an_open_quote_costs_its_line_alone():
    text = HEADER + GOOD + '"' + GOOD + GOOD * 2_000
    entries, _, (finding,) = read_text(text)
    assert len(entries) == 2_001
    assert entries[-1].line == 2_003
    assert finding.line == 3


def test_a_line_without_end_is_told_and_read_over():
    text = HEADER + GOOD + "x" * (3 * ROW_LETTERS_MAX) + "\n" + GOOD
    entries, _, (finding,) = read_text(text)
    assert [entry.line for entry in entries] == [2, 4]
    assert finding.line == 3


def test_many_rows_come_in_bounded_parts():
    count = 2 * ROWS_PER_READ + 5
    entries, (statement,), findings = read_text(HEADER + GOOD * count + "bad\n" * 2_500)
    assert len(entries) == statement.entries == count
    assert statement.booked_minor == count * 1_250
    assert len(findings) == 2_500


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
rows = st.lists(
    st.tuples(cells, st.integers(-(10**15), 10**15), st.dates(), st.booleans()), max_size=8
)


@given(rows)
def test_what_is_written_is_read_and_what_is_bad_is_counted(given_rows):
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(HEADER.strip().split(","))
    for text, minor, day, is_bad in given_rows:
        amount = "?" if is_bad else f"{Decimal(minor).scaleb(-2):f}"
        writer.writerow(["A", "EUR", f"{day.year:04}-{day.month:02}-{day.day:02}", amount, text])
    entries, _, findings = read_text(target.getvalue())
    good = [row for row in given_rows if not row[3]]
    assert [entry.amount_minor for entry in entries] == [minor for _, minor, _, _ in good]
    assert [entry.booking_date for entry in entries] == [
        day.toordinal() - 719_163 for _, _, day, _ in good
    ]
    assert len(entries) + len(findings) == len(given_rows)


@given(st.data())
def test_changed_files_raise_nothing_but_invalid(data):
    raw = bytearray((HEADER + GOOD * 3 + '"A ""b""",EUR,2026-04-03,"1.5","x\ny"\n').encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        raw = raw or bytearray(b"x")
    try:
        entries, statements, findings = read_text(bytes(raw))
    except Invalid:
        return
    assert statements[0].entries == len(entries)
    assert all(finding.text for finding in findings)
