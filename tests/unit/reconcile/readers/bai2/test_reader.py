"""BAI2: records to entries, totals to findings, and the ways in which banks bend the format."""

import pytest
from tests.bank_files import day, read_all

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Entry, Fault, Kind, Severity, Status
from hansa.reconcile.readers.bai2 import is_bai2, read_bai2

FILE = "01,BANK,CUSTOMER,261130,0715,77,,,2/"
GROUP = "02,CUSTOMER,BANK,1,261129,2359,EUR,2/"
ACCOUNT = "03,4711,,010,10000,,,015,12500,,/"


def read(*lines: str, **options):
    return read_all(read_bai2, "\n".join(lines) + "\n", **options)


def read_details(*details: str, group: str = GROUP, account: str = ACCOUNT):
    """Read transactions in an otherwise good file whose trailers say nothing."""
    return read(FILE, group, account, *details, "49,,/", "98,,,/", "99,,,/")


def test_a_whole_file():
    whole = read(
        FILE,
        GROUP,
        ACCOUNT,
        "16,165,3000,V,261201,,BR1,CR1,Rent, November/",
        "16,475,500,0,BR2,000123,",
        "88,CHECK, PAID AT A/B",
        "49,26000,5/",
        "98,26000,1,7/",
        "99,26000,1,9/",
    )
    assert whole.findings == []
    credit = Entry(
        "4711",
        "EUR",
        3000,
        day("2026-11-29"),
        day("2026-12-01"),
        reference="CR1",
        bank_reference="BR1",
        text="Rent, November",
        code="165",
        line=4,
    )
    debit = credit._replace(
        amount_minor=-500,
        value_date=day("2026-11-29"),
        reference="000123",
        bank_reference="BR2",
        text="CHECK, PAID AT A/B",
        code="475",
        line=5,
    )
    assert whole.entries == [credit, debit]
    (statement,) = whole.statements
    assert statement.kind is Kind.STATEMENT
    assert (statement.id, statement.line) == ("BANK/261130/77", 3)
    assert statement.from_date == statement.to_date == day("2026-11-29")
    assert whole.summarize() == [("4711", "EUR", 2, 2500, 10000, 12500)]


@pytest.mark.parametrize(
    ("trailers", "fields"),
    [
        (["49,22501,3/", "98,22501,1,5/", "99,22501,1,7/"], ["49/total", "98/total", "99/total"]),
        (["49,22500,2/", "98,22500,1,5/", "99,22500,1,8/"], ["49/records", "99/records"]),
        (["49,22500,3/", "98,22500,2,5/", "99,22500,2,7/"], ["98/accounts", "99/groups"]),
        (["49,22500,3/", "98,,,/", "99,22500,1,7/"], []),
    ],
)
def test_trailers_are_checked_at_each_level(trailers, fields):
    """22500 is the sum of both balances; a debit of nothing adds a record."""
    found = read(FILE, GROUP, ACCOUNT, "16,475,0,/", *trailers).findings
    assert [(each.fault, each.field) for each in found] == [(Fault.COUNT, name) for name in fields]


@pytest.mark.parametrize(
    ("code", "sign"),
    [
        *[("100", 1), ("399", 1), ("400", -1), ("699", -1), ("721", 1), ("760", -1)],
        *[("920", 1), ("959", 1), ("960", -1), ("999", -1)],
    ],
)
def test_the_type_code_tells_credit_from_debit(code, sign):
    (entry,) = read_details(f"16,{code},100,/").entries
    assert entry.amount_minor == sign * 100


@pytest.mark.parametrize("code", ["000", "800", "899", "16", "ABC", ""])
def test_a_code_without_a_direction_is_an_error_with_its_text(code):
    result = read_details(f"16,{code},100,,B,C,TEXT", "16,165,1,/")
    (error,) = result.errors
    assert (error.fault, error.line, error.field) == (Fault.FIELD, 4, "16")
    assert error.raw == f"16,{code},100,,B,C,TEXT"
    assert [entry.amount_minor for entry in result.entries] == [1]


@pytest.mark.parametrize("code", ["010", "705", "910"])
def test_a_status_is_no_movement(code):
    result = read_details(f"16,{code},100,/")
    assert result.entries == []
    assert result.tell() == [("warning", "ignored", 4, "16/type")]


def test_information_without_money_is_no_entry():
    assert read_details("16,890,,,B,C,A NOTE").findings == []


@pytest.mark.parametrize(
    ("amount", "minor"), [("+000000000100", 100), ("1.50", 150), ("-100", -100), ("0", 0)]
)
def test_amounts_as_banks_write_them(amount, minor):
    (entry,) = read_details(f"16,165,{amount},/").entries
    assert entry.amount_minor == minor


def test_a_point_and_a_sign_are_told():
    result = read_details("16,165,1.50,/", "16,165,2.50,/", "16,475,-100,/")
    assert result.tell() == [
        ("warning", "field", 4, "amount"),  # once an account
        ("warning", "field", 6, "16/amount"),
    ]
    assert [entry.amount_minor for entry in result.entries] == [150, 250, 100]
    assert [entry.is_reversal for entry in result.entries] == [False, False, True]


@pytest.mark.parametrize(
    ("amount", "fault"),
    [("", Fault.MISSING), ("1-", Fault.FIELD), ("9" * 30, Fault.FIELD), ("1.001", Fault.FIELD)],
)
def test_what_is_no_amount_is_an_error(amount, fault):
    assert [error.fault for error in read_details(f"16,165,{amount},/").errors] == [fault]


@pytest.mark.parametrize(
    ("number", "currency"),
    [("1.000,00", "EUR"), ("1,000.00", "EUR"), ("1,234,567.00", "EUR"), ("1.000,000", "KWD")],
)
def test_a_number_with_both_separators_is_an_error_and_no_small_amount(number, currency):
    """A comma ends the field: of a thousand, one would be left."""
    detail = f"16,195,{number},Z,B,C,hello/"
    result = read_details(detail, account=f"03,4711,{currency}/")
    assert result.entries == []
    (error,) = result.errors
    assert (error.fault, error.line, error.field) == (Fault.FIELD, 4, "16")
    assert error.raw.startswith(detail[:10])
    balance = read_details(account=f"03,4711,{currency},015,{number},,/")
    assert [(each.line, each.field) for each in balance.errors] == [(3, "03")]


@pytest.mark.parametrize("amount", ["1.000", "1.500", "100,00"])
def test_an_amount_whose_rest_would_be_lost_is_an_error(amount):
    result = read_details(f"16,165,{amount},Z,B,C,/")
    assert (result.entries, len(result.errors)) == ([], 1)


def test_amounts_are_in_the_minor_unit_of_their_currency():
    (entry,) = read_details("16,165,1500,/", account="03,4711,JPY/").entries
    assert (entry.amount_minor, entry.currency) == (1500, "JPY")


@pytest.mark.parametrize(
    ("detail", "value_date"),
    [
        ("16,165,10,0,B,C,T", "2026-11-29"),
        ("16,165,10,V,261202,0930,B,C,T", "2026-12-02"),
        ("16,165,10,V,20261202,,B,C,T", "2026-12-02"),
        ("16,165,10,V,,,B,C,T", None),
        ("16,165,10,1,B,C,T", None),
        ("16,165,10,2,B,C,T", None),
        ("16,165,10,Z,B,C,T", None),
        ("16,165,10,,B,C,T", None),
        ("16,165,10,S,1,2,7,B,C,T", None),
        ("16,165,10,D,2,0,4,5,6,B,C,T", None),
        ("16,165,10,D,0,B,C,T", None),
    ],
)
def test_each_funds_type_leaves_the_fields_behind_it_in_their_place(detail, value_date):
    result = read_details(detail)
    assert result.findings == []
    (entry,) = result.entries
    assert (entry.bank_reference, entry.reference, entry.text) == ("B", "C", "T")
    assert entry.value_date == (value_date and day(value_date))


def test_funds_types_that_cannot_be_read():
    result = read_details("16,165,10,Q,B,C,T", "16,165,10,V,991399,,B,C,T", "16,165,10,D,X,B,C,T")
    assert result.tell() == [
        ("warning", "field", 4, "16/funds type"),
        ("warning", "field", 5, "16/value date"),
        ("error", "field", 6, "16"),
    ]
    assert [entry.value_date for entry in result.entries] == [None, None]


@pytest.mark.parametrize(
    "detail",
    [
        ["16,165,10,,B,C,ONE, TWO/THREE"],
        ["16,165,10,,B,C,ONE, TWO/THREE/"],
        ["16,165,10,,B,C/", "88,ONE, TWO/THREE"],
        ["16,165,10,,B,C,/", "88,ONE, TWO/THREE/"],
        ["16,165,10/", "88,,B,C,ONE,", "88,TWO/THREE"],
        ["16,165/", "88,10,,B,C,ONE,   TWO/THREE"],
        ["16,165,10,,B,C,ONE,   ", "88, TWO/THREE   "],
        ["16,165,10,,B,C,ONE,\r", "88,TWO/THREE\r", "\r", "\x1a"],
    ],
)
def test_continuations_go_on_with_fields_or_text(detail):
    result = read_details(*detail)
    assert result.findings == []
    (entry,) = result.entries
    assert (entry.bank_reference, entry.reference) == ("B", "C")
    assert entry.text == "ONE, TWO/THREE"


@pytest.mark.parametrize("reference", ["", "0", "000000", "NONREF", "NOTPROVIDED"])
def test_what_stands_for_no_reference(reference):
    assert read_details(f"16,165,10,,B,{reference},T").entries[0].reference == ""


def test_a_continuation_that_can_be_no_fields_is_text():
    (entry,) = read_details("16,165,10/", "88,THANK YOU", "88,AND, AGAIN").entries
    assert (entry.bank_reference, entry.reference) == ("", "")
    assert entry.text == "THANK YOU AND, AGAIN"


def test_labelled_continuations_name_the_counterparty():
    lines = ["88,EREF: E2E-1", "88,CRNM: Payee", "88,DBNM: Payer", "88,CACT: 1", "88,DACT: 2"]
    credit, debit = read_details("16,165,10,,B,C,T", *lines, "16,475,10,,B,C,T", *lines).entries
    assert credit.reference == debit.reference == "E2E-1"
    assert (credit.counterparty, credit.counterparty_account) == ("Payer", "2")
    assert (debit.counterparty, debit.counterparty_account) == ("Payee", "1")


@pytest.mark.parametrize(
    ("group", "account", "currency"),
    [("EUR", "CHF", "CHF"), ("EUR", "", "EUR"), ("eur", "", "EUR"), ("", "", "USD")],
)
def test_the_currency_comes_from_the_account_the_group_or_is_the_usual_one(
    group, account, currency
):
    result = read_details(
        "16,165,10,/", group=f"02,C,B,1,261129,,{group},2/", account=f"03,4711,{account}/"
    )
    assert result.findings == []
    assert [entry.currency for entry in result.entries] == [currency]
    assert result.statements[0].currency == currency


def test_the_usual_currency_can_be_another():
    lines = [FILE, "02,C,B,1,261129,,,2/", "03,4711,/", "16,165,10,/", "49,,/", "98,,,/", "99,,,/"]
    assert read(*lines, currency="GBP").entries[0].currency == "GBP"


def test_entries_in_no_currency_are_errors():
    result = read_details("16,165,10,,B,C,T", account="03,4711,DOLLAR/")
    assert result.entries == []
    assert [(error.fault, error.line) for error in result.errors] == [
        (Fault.CURRENCY, 3),
        (Fault.CURRENCY, 4),
    ]
    assert result.errors[1].raw == "16,165,10,,B,C,T"


@pytest.mark.parametrize(
    ("modifier", "kind"),
    [(each, Kind.STATEMENT) for each in ("", "1", "2")] + [(each, Kind.REPORT) for each in "34"],
)
def test_the_modifier_tells_a_day_that_goes_on(modifier, kind):
    result = read_details(
        group=f"02,C,B,1,261129,,EUR,{modifier}/", account="03,4711,,010,100,,,030,250,,/"
    )
    (statement,) = result.statements
    assert statement.kind is kind
    assert statement.opening_minor == 100
    assert statement.closing_minor == (250 if kind is Kind.REPORT else None)


@pytest.mark.parametrize(
    ("status", "entry_status", "told"),
    [
        ("1", Status.BOOKED, []),
        ("", Status.BOOKED, []),
        ("2", Status.INFORMATION, [("warning", "ignored", 2, "02/status")]),
        ("3", Status.BOOKED, [("warning", "duplicate", 2, "02/status")]),
        ("4", Status.INFORMATION, [("warning", "ignored", 2, "02/status")]),
        ("9", Status.BOOKED, [("warning", "field", 2, "02/status")]),
    ],
)
def test_groups_that_delete_or_test_book_nothing(status, entry_status, told):
    result = read_details("16,165,10,/", group=f"02,C,B,{status},261129,,EUR,2/")
    assert result.tell() == told
    assert [entry.status for entry in result.entries] == [entry_status]
    (statement,) = result.statements
    assert statement.booked_minor == (10 if entry_status is Status.BOOKED else 0)
    assert (statement.opening_minor is None) == (entry_status is Status.INFORMATION)


@pytest.mark.parametrize("date", ["", "261331", "2611", "November"])
def test_without_a_date_entries_are_read_and_it_is_told(date):
    result = read_details("16,165,10,0,/", group=f"02,C,B,1,{date},2359,EUR,2/")
    assert [(error.line, error.field) for error in result.errors] == [(2, "02/as-of date")]
    assert [(entry.booking_date, entry.value_date) for entry in result.entries] == [(None, None)]


@pytest.mark.parametrize(
    "summaries",
    [
        "010,10,,,015,20,,,100,30,1,0,400,20,1,",
        ",,,,010,10,,,,015,20,2,S,1,2,3,100,30,1,V,261129,1200,400,20,,",
        "010,10,,D,2,0,5,1,5,015,20,,Z,100,30,,",
        "010,10,,015,20,,100,30",
    ],
)
def test_summaries_with_what_banks_leave_out(summaries):
    result = read_details("16,165,30,/", "16,475,20,/", account=f"03,4711,,{summaries}/")
    assert result.findings == []
    assert result.summarize() == [("4711", "EUR", 2, 10, 10, 20)]


def test_totals_are_compared_with_the_transactions_that_are_told():
    account = "03,4711,,100,30,2,,400,20,1,/"
    silent = read_details(account=account)
    assert silent.findings == []  # an account that tells its totals alone
    result = read_details("16,165,30,/", "16,475,21,/", account=account)
    assert result.tell() == [("warning", "count", 3, "03/100"), ("warning", "count", 3, "03/400")]


def test_summaries_that_cannot_be_read():
    result = read_details("16,165,30,/", account="03,,,010,10,,,XX,20,,/")
    assert result.tell() == [("error", "missing", 3, "03/account"), ("error", "field", 3, "03")]
    assert result.statements[0].opening_minor == 10
    assert len(result.entries) == 1


def test_reversals_are_marked():
    entries = read_details("16,252,10,/", "16,552,10,/", "16,165,10,/").entries
    assert [entry.is_reversal for entry in entries] == [True, True, False]
    assert [entry.amount_minor for entry in entries] == [10, -10, 10]


@pytest.mark.parametrize("missing", range(1, 9))
def test_a_missing_record_is_told_and_the_others_are_read(missing):
    lines = [FILE, GROUP, ACCOUNT, "16,165,10,/", "49,22510,3/", "98,22510,1,5/", "99,22510,1,7/"]
    lines.insert(3, "16,165,10,/")
    lines[5] = "49,22520,4/"
    lines[6:] = ["98,22520,1,6/", "99,22520,1,8/"]
    assert read(*lines).findings == []
    del lines[missing - 1]
    if missing == 1:
        with pytest.raises(Invalid):
            read(*lines)
        return
    result = read(*lines)
    assert result.findings
    kept = {3: 0, 4: 1, 5: 1}.get(missing, 2)
    assert len(result.entries) == kept
    assert (missing == 8) == any(each.field == "99" for each in result.errors)


def test_a_file_that_ends_early_is_an_error_and_its_account_a_statement():
    result = read(FILE, GROUP, ACCOUNT, "16,165,10,/")
    assert result.tell() == [("error", "structure", 1, "99")]
    assert [each.entries for each in result.statements] == [1]


def test_files_behind_one_another_are_read():
    lines = [FILE, GROUP, ACCOUNT, "16,165,10,/", "49,22510,3/", "98,22510,1,5/", "99,22510,1,7/"]
    result = read(*lines, *lines)
    assert result.findings == []
    assert [each.entries for each in result.statements] == [1, 1]


def test_lines_of_no_format_are_told():
    result = read(
        "$$ADD ID=BANK BATCHID='1'",
        FILE,
        GROUP,
        ACCOUNT,
        "16,165,10,,B,C,FIRST",
        "AND A BROKEN LINE",
        "l6,475,20,,B,C,A DAMAGED CODE",
        "17,165,10,/",
        "49,,/",
        "98,,,/",
        "99,,,/",
    )
    assert result.tell() == [
        ("warning", "ignored", 1, ""),
        ("warning", "structure", 6, "16"),
        ("error", "structure", 7, ""),
        ("error", "structure", 8, "17"),
    ]
    assert result.errors[0].raw == "l6,475,20,,B,C,A DAMAGED CODE"
    assert [entry.text for entry in result.entries] == ["FIRST AND A BROKEN LINE"]


def test_letters_in_other_encodings():
    data = f"{FILE}\n{GROUP}\n{ACCOUNT}\n16,165,10,,B,C,Café\n49,,/\n98,,,/\n99,,,/\n"
    result = read_all(read_bai2, "\ufeff" + data)
    assert result.findings == []
    assert result.entries[0].text == "Café"
    result = read_all(read_bai2, data.encode("cp1252"))
    assert result.tell() == [("warning", "encoding", 4, "")]
    assert result.entries[0].text == "Café"


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        (FILE, True),
        ("\n\n  " + FILE, True),
        ("//JOB\n" + FILE, True),
        ("01,A,B,20261130,,1,,,3/", True),
        ("01,A,B,,,,,,2/\n02,A,B,1,,,,/", True),
        ("01,2026-11-30,Rent,100\n02,2026-11-30,Rent,100", False),
        ("00,0004,1/2/345,06/0321", False),
        (":20:STARTUMS", False),
        ("", False),
    ],
)
def test_what_looks_like_bai2(head, verdict):
    assert is_bai2(head.encode()) is verdict


def test_what_is_not_bai2_is_refused():
    with pytest.raises(Invalid) as caught:
        read("date,amount", "2026-11-30,100")
    assert caught.value.code is InvalidCode.MALFORMED


def test_errors_are_never_silent():
    """Whatever else a finding of an entry says, it has the entry's text."""
    result = read_details("16,165,X,,B,C,T", "88,MORE")
    (error,) = result.errors
    assert error.severity is Severity.ERROR
    assert error.raw == "16,165,X,,B,C,T\n88,MORE"
