"""OFX: transactions to entries, answers to findings, SGML and XML alike."""

import pytest
from tests.bank_files import day, read_all

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Entry, Fault, Kind, Status
from hansa.reconcile.readers.ofx import is_ofx, read_ofx

SGML = "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nENCODING:USASCII\nCHARSET:1252\n\n"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="220"?>\n'
DEBIT = (
    "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20261128<TRNAMT>-12.50<FITID>F1<NAME>Baker<MEMO>Bread"
    "</STMTTRN>\n"
)


def write(*transactions: str, currency: str = "EUR", head: str = SGML) -> str:
    """Write a statement of a bank, whose first transaction is on line 14."""
    return (
        f"{head}<OFX>\n<BANKMSGSRSV1><STMTTRNRS>\n<STATUS><CODE>0<SEVERITY>INFO</STATUS>\n<STMTRS>\n"
        f"<CURDEF>{currency}\n<BANKACCTFROM><BANKID>1<ACCTID>4711</BANKACCTFROM>\n"
        f"<BANKTRANLIST><DTSTART>20261101<DTEND>20261130\n{''.join(transactions)}</BANKTRANLIST>\n"
        "<LEDGERBAL><BALAMT>100.00<DTASOF>20261130</LEDGERBAL>\n</STMTRS></STMTTRNRS>"
        "</BANKMSGSRSV1></OFX>\n"
    )


def write_fields(**fields: str) -> str:
    """Write a transaction; a name with two underscores is an aggregate and a field in it."""
    good = {"TRNTYPE": "DEBIT", "DTPOSTED": "20261128", "TRNAMT": "-12.50", "FITID": "F1"} | fields
    tags = "".join(
        "<{0}><{1}>{2}</{0}>".format(*name.split("__"), value)
        if "__" in name
        else f"<{name}>{value}"
        for name, value in good.items()
    )
    return f"<STMTTRN>{tags}</STMTTRN>\n"


def read(data: str | bytes):
    return read_all(read_ofx, data)


def test_a_whole_file():
    result = read(write(DEBIT))
    assert result.findings == []
    assert result.entries == [
        Entry(
            "4711",
            "EUR",
            -1250,
            day("2026-11-28"),
            None,
            bank_reference="F1",
            counterparty="Baker",
            text="Bread",
            code="DEBIT",
            line=14,
        )
    ]
    (statement,) = result.statements
    assert (statement.kind, statement.line) == (Kind.STATEMENT, 10)
    assert (statement.from_date, statement.to_date) == (day("2026-11-01"), day("2026-11-30"))
    assert result.summarize() == [("4711", "EUR", 1, -1250, None, 10000)]


def test_lines_may_end_with_a_carriage_return_alone():
    assert read(write(DEBIT).replace("\n", "\r")).entries[0].line == 14


def close_all(text: str) -> str:
    """Write every field with its end tag, as XML needs it."""
    out = []
    for piece in text.split("<")[1:]:
        name, _, value = piece.partition(">")
        line_end = value[len(value.rstrip()) :]
        closed = f"{value.rstrip()}</{name}>{line_end}" if value.strip() else value
        out.append(f"<{name}>{closed}")
    return "".join(out)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: XML + close_all(text.removeprefix(SGML)),
        lambda text: SGML + close_all(text.removeprefix(SGML)),
        lambda text: XML + text.removeprefix(SGML),  # half of it, as some banks do
        lambda text: text.removeprefix(SGML),
        lambda text: SGML.replace("\n", " ") + text.removeprefix(SGML),
        lambda text: "\n\n" + text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", ""),
        lambda text: text.replace("<", " <").replace(">", "> "),
        lambda text: text.replace("STMT", "stmt").replace("NAME", "name"),
        lambda text: text.replace("<", "<ofx:").replace("<ofx:/", "</ofx:"),
        lambda text: text.replace("<OFX>", '<OFX xmlns="http://ofx.net/types/2003/04">'),
        lambda text: text.replace("<NAME>Baker", "<NAME><![CDATA[Baker]]>"),
        lambda text: text.replace("<NAME>", "<!-- <NAME>Butcher -->\n<NAME>"),
        lambda text: text.replace("<NAME>", "<CHECKNUM><CATEGORY></CATEGORY><REFNUM/><NAME>"),
        lambda text: text.replace("<FITID>", "<INTU.ID>9<FITID>"),
    ],
)
def test_forms_of_one_file(change):
    """Which differ in where a line is, and in nothing else."""
    text = write(DEBIT)
    expected, result = read(text), read(change(text))
    assert result.findings == []
    assert [entry._replace(line=0) for entry in result.entries] == [
        entry._replace(line=0) for entry in expected.entries
    ]
    assert result.summarize() == expected.summarize()


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_marks_of_byte_order(codec):
    text = XML + write(DEBIT.replace("Baker", "Bäcker")).removeprefix(SGML)
    result = read(text.encode(codec))
    assert result.findings == []
    assert result.entries[0].counterparty == "Bäcker"


@pytest.mark.parametrize(
    ("head", "codec", "name", "told"),
    [
        (SGML, "cp1252", "Café", []),
        (SGML, "utf-8", "Café", ["encoding"]),
        (SGML.replace("\n", "") + "COMPRESSION:NONE", "cp1252", "Café", []),
        (SGML.replace("1252", "1251"), "cp1251", "Жук", []),
        (SGML.replace("1252", "ISO-8859-5"), "iso-8859-5", "Жук", []),
        (SGML.replace("USASCII", "UTF-8").replace("1252", "NONE"), "utf-8", "Жук", []),
        (SGML.replace("1252", "EBCDIC"), "cp1252", "Café", ["encoding"]),
        (SGML.replace("1252", "9999"), "cp1252", "Café", ["encoding"]),
        (SGML.replace("1252", "utf-16"), "cp1252", "Café", ["encoding"]),
        (XML, "utf-8", "Жук", []),
        (XML, "cp1252", "Café", ["encoding"]),
        (XML.replace("UTF-8", "ISO-8859-1"), "latin-1", "Café", []),
    ],
)
def test_letters_by_what_is_declared_and_what_is_there(head, codec, name, told):
    text = head + write(DEBIT.replace("Baker", name)).removeprefix(SGML)
    result = read(text.encode(codec))
    assert [found.fault for found in result.findings] == told
    assert result.entries[0].counterparty == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("A&amp;B &lt;C&gt;", "A&B <C>"),
        ("A&B", "A&B"),
        ("A&LTD", "A&LTD"),
        ("A &#66; &#x43; &eacute;", "A B C é"),
        ("A &unknown; B", "A &unknown; B"),
        ("A < B > C <3", "A < B > C <3"),
        ("  A \n B\t", "A B"),
        ("<![CDATA[A <b>&amp; C]]>", "A <b>&amp; C"),
        ("A <![CDATA[]]>B", "A B"),
    ],
)
def test_values(written, name):
    assert read(write(write_fields(NAME=written))).entries[0].counterparty == name


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"TRNAMT": "+12,5"}, {"amount_minor": 1250}),
        ({"TRNAMT": "-00012.5000"}, {"amount_minor": -1250}),
        (
            {"DTPOSTED": "20261128235959.999[-5:EST]"},
            {
                "booking_date": day("2026-11-28"),
                "booked_at_s": day("2026-11-29") * 86_400 - 1,
                "booked_offset_minutes": -300,
            },
        ),
        ({"DTPOSTED": "20261128[+0]"}, {"booking_date": day("2026-11-28")}),
        (
            {"DTPOSTED": "2026-11-28T10:00:00Z"},
            {"booked_at_s": day("2026-11-28") * 86_400 + 36_000, "booked_offset_minutes": 0},
        ),
        ({"DTPOSTED": "202611281200"}, {"booking_date": day("2026-11-28")}),
        ({"DTPOSTED": "20261128000000[-5:EST]"}, {"booked_at_s": None}),
        ({"DTAVAIL": "20261130"}, {"value_date": day("2026-11-30")}),
        ({"DTUSER": "20261101"}, {"value_date": None}),
        ({"CHECKNUM": "319"}, {"reference": "319", "transaction_id": ""}),
        ({"REFNUM": "R9"}, {"reference": "R9"}),
        ({"CHECKNUM": "319", "REFNUM": "R9"}, {"reference": "319", "transaction_id": "R9"}),
        ({"CHECKNUM": "0000", "REFNUM": "0"}, {"reference": ""}),
        ({"SRVRTID": "S1"}, {"transaction_id": "S1"}),
        ({"PAYEE__NAME": "Payee"}, {"counterparty": "Payee"}),
        ({"NAME": "Short", "EXTDNAME": "Longer name"}, {"counterparty": "Longer name"}),
        ({"BANKACCTTO__ACCTID": "99"}, {"counterparty_account": "99"}),
        ({"CCACCTTO__ACCTID": "98"}, {"counterparty_account": "98"}),
        ({"CURRENCY__CURSYM": "eur"}, {"currency": "EUR"}),
        ({"ORIGCURRENCY__CURSYM": "USD"}, {"currency": "EUR", "original_currency": "USD"}),
        ({"ORIGCURRENCY__CURSYM": "EUR"}, {"original_currency": ""}),
        ({"MEMO": "One</MEMO><MEMO>Two"}, {"text": "One Two"}),
        ({"TRNTYPE": "Credit"}, {"code": "CREDIT"}),
    ],
)
def test_fields(fields, expected):
    result = read(write(write_fields(**fields)))
    assert result.findings == []
    (entry,) = result.entries
    assert {name: getattr(entry, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "fault", "names"),
    [
        ({"TRNAMT": ""}, Fault.MISSING, "TRNAMT"),
        ({"TRNAMT": "$12"}, Fault.FIELD, "TRNAMT"),
        ({"TRNAMT": "1,234.50"}, Fault.FIELD, "TRNAMT"),
        ({"TRNAMT": "1.234"}, Fault.FIELD, "TRNAMT"),
        ({"TRNAMT": "9" * 25}, Fault.FIELD, "TRNAMT"),
        ({"DTPOSTED": ""}, Fault.MISSING, "DTPOSTED"),
        ({"DTPOSTED": "20260230"}, Fault.FIELD, "DTPOSTED"),
        ({"DTPOSTED": "yesterday"}, Fault.FIELD, "DTPOSTED"),
        ({"CURRENCY__CURSYM": "EURO"}, Fault.CURRENCY, "EURO"),
        ({"FITID": "F1<TRNAMT>-2.00"}, Fault.FIELD, "'-12.50 -2.00'"),
    ],
)
def test_a_bad_transaction_is_an_error_and_the_next_is_read(fields, fault, names):
    result = read(write(write_fields(**fields), DEBIT))
    (error,) = result.findings
    assert (error.severity, error.fault, error.line) == ("error", fault, 14)
    assert names in error.text
    assert error.raw.startswith("<STMTTRN><TRNTYPE>DEBIT")
    assert [entry.line for entry in result.entries] == [15]


def test_a_value_date_that_cannot_be_read_is_left_out():
    result = read(write(write_fields(DTAVAIL="0"), DEBIT))
    assert result.tell() == [("warning", "field", 14, "STMTTRN/DTAVAIL")]
    assert [entry.value_date for entry in result.entries] == [None, None]


def test_statements_of_other_kinds_are_told():
    loan = "<LOANSTMTRS><LOANTRAN><FITID>1</LOANTRAN></LOANSTMTRS>"
    result = read(write(DEBIT).replace("</OFX>", loan + "</OFX>"))
    assert [(error.fault, error.field) for error in result.findings] == [
        (Fault.IGNORED, "LOANSTMTRS")
    ]
    assert len(result.entries) == 1


def test_other_currencies_stand_by_themselves():
    """In the currency in which they are, which the statement's sum leaves out."""
    foreign = write_fields(CURRENCY__CURSYM="USD")
    result = read(write(DEBIT, foreign, foreign))
    assert result.tell() == [("warning", "currency", 15, "STMTTRN/CURRENCY")]
    assert [entry.currency for entry in result.entries] == ["EUR", "USD", "USD"]
    assert result.summarize() == [("4711", "EUR", 3, -1250, None, 10000)]


def test_a_statement_without_a_currency_has_that_of_its_transactions():
    result = read(write(write_fields(CURRENCY__CURSYM="AUD"), DEBIT, currency=""))
    assert result.tell() == [("warning", "currency", 11, "CURDEF")]
    assert [entry.currency for entry in result.entries] == ["AUD", "AUD"]
    assert result.statements[0].currency == "AUD"


def test_without_any_currency_nothing_is_read():
    result = read(write(DEBIT, currency="dollars"))
    assert [each.fault for each in result.errors] == [Fault.CURRENCY, Fault.CURRENCY]
    assert result.entries == []


def test_corrections_and_pending_transactions():
    replaced = write_fields(CORRECTFITID="F0", CORRECTACTION="REPLACE")
    deleted = write_fields(CORRECTFITID="F0", CORRECTACTION="DELETE")
    pending = DEBIT.replace("STMTTRN", "STMTTRNP").replace("DTPOSTED", "DTTRAN")
    result = read(write(replaced, deleted, pending))
    assert [found.fault for found in result.findings] == [Fault.DUPLICATE, Fault.DUPLICATE]
    assert [entry.status for entry in result.entries] == [
        Status.BOOKED,
        Status.INFORMATION,
        Status.PENDING,
    ]
    assert result.statements[0].booked_minor == -1250


@pytest.mark.parametrize(
    ("balance", "closing", "told"),
    [
        ("<BALAMT>1,5", 150, []),
        ("<BALAMT> <DTASOF>", None, [("warning", "missing")]),
        ("<BALAMT>n/a", None, [("error", "field")]),
        ("", None, []),
    ],
)
def test_balances(balance, closing, told):
    result = read(write(DEBIT).replace("<BALAMT>100.00", balance))
    assert [(found.severity, found.fault) for found in result.findings] == told
    assert result.statements[0].closing_minor == closing
    assert len(result.entries) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("<SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS></SONRS>", ["warning missing OFX"]),
        (
            "<SONRS><STATUS><CODE>15500<SEVERITY>ERROR<MESSAGE>No</STATUS></SONRS>",
            ["error missing SONRS/STATUS", "warning missing OFX"],
        ),
        (
            "<STMTTRNRS><STATUS><CODE>2000<SEVERITY>ERROR</STATUS></STMTTRNRS>",
            ["error missing STMTTRNRS/STATUS", "warning missing OFX"],
        ),
        (
            "<CCSTMTTRNRS><STATUS><CODE>1<SEVERITY>INFO</STATUS></CCSTMTTRNRS>",
            ["warning ignored CCSTMTTRNRS/STATUS", "warning missing OFX"],
        ),
        ("", ["warning missing OFX"]),
    ],
)
def test_answers_without_a_statement_say_so(answer, told):
    result = read(f"{SGML}<OFX>{answer}</OFX>")
    assert [f"{each.severity} {each.fault} {each.field}" for each in result.findings] == told


@pytest.mark.parametrize(
    ("data", "is_unsafe"),
    [
        ("date,amount\n2026-11-30,1", False),
        ('<?xml version="1.0"?><Document/>', False),
        ("", False),
        (XML + "<!DOCTYPE OFX [<!ENTITY a 'b'>]><OFX></OFX>", True),
        (XML + '<!DOCTYPE OFX SYSTEM "file:///etc/passwd"><OFX></OFX>', True),
        (XML + "<OFX><!ENTITY a 'b'></OFX>", True),
        (write(DEBIT).replace("<NAME>", "<!doctype x>"), True),
        (XML + "<OFX><!--" + "x" * 2_000_000, True),
    ],
    ids=range(8),
)
def test_what_is_none_or_unsafe_is_refused(data, is_unsafe):
    with pytest.raises(Invalid) as caught:
        read(data)
    assert caught.value.code is InvalidCode.MALFORMED
    assert (caught.value.facts.get("fault") == "unsafe") is is_unsafe


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        (SGML, True),
        (XML, True),
        ("\ufeff<OFX>", True),
        ('<ofx:OFX xmlns:ofx="http://ofx.net">', True),
        (SGML.replace(":", " : ").lower(), True),
        ("<OFXER>", False),
        (":20:STARTUMS", False),
        ("", False),
    ],
)
def test_what_looks_like_ofx(head, verdict):
    assert is_ofx(head.encode()) is verdict
    assert is_ofx(head.encode("utf-16")) is verdict
