"""Statements: account, balances, numbers and what they say of their entries."""

import pytest
from tests.camts import ACCOUNT, ENTRY, READ, list_faults, make_document, make_entry, read_all

from hansa.reconcile.entries import Kind, Statement


def read_head(head: str, body: str = "", **options):
    _, statements, findings = read_all(make_document(body, head=ACCOUNT + head, **options))
    (statement,) = statements
    return statement, findings


def make_balance(kind: str, amount: str, sign: str = "CRDT", currency: str = "EUR") -> str:
    return (
        f'<Bal><Tp>{kind}</Tp><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        "<Dt><Dt>2026-11-30</Dt></Dt></Bal>"
    )


def code(name: str) -> str:
    return f"<CdOrPrtry><Cd>{name}</Cd></CdOrPrtry>"


def test_a_statement():
    statement, findings = read_head(
        "<FrToDt><FrDtTm>1970-01-02T00:00:00</FrDtTm><ToDtTm>1970-01-03T00:00:00Z</ToDtTm></FrToDt>"
        + make_balance(code("OPBD"), "10.00")
        + make_balance(code("CLBD"), "2.34", "DBIT")
    )
    assert findings == []
    assert statement == Statement(
        Kind.STATEMENT, READ.account, "EUR", "S", 1, None, 1, 2, 1000, -234, 0, 0, 2
    )


@pytest.mark.parametrize(
    "account",
    [
        "<IBAN>A</IBAN>",
        "<Othr><Id>A</Id></Othr>",
        "<BBAN>A</BBAN>",
        "<PrtryAcct><Id>A</Id></PrtryAcct>",
        "<UPIC>A</UPIC>",
    ],
)
def test_accounts_of_all_versions(account):
    head = f"<Acct><Id>{account}</Id><Ccy>EUR</Ccy></Acct>"
    entries, statements, findings = read_all(make_document(ENTRY, head=head))
    assert entries == [READ._replace(account="A")]
    assert (statements[0].account, findings) == ("A", [])


def test_an_iban_in_groups_is_one_word():
    head = "<Acct><Id><IBAN>DE02 1001 0010 0006 8201 01</IBAN></Id><Ccy>EUR</Ccy></Acct>"
    entries, statements, _ = read_all(make_document(ENTRY, head=head))
    assert entries == [READ]
    assert statements[0].account == READ.account


def test_a_statement_without_account_is_told():
    _, _, findings = read_all(make_document(ENTRY, head="<Acct><Ccy>EUR</Ccy></Acct>"))
    assert list_faults(findings) == [("warning", "missing", 2, "Acct/Id")]


@pytest.mark.parametrize(
    ("balances", "kind", "opening", "closing"),
    [
        (make_balance(code("PRCD"), "1.00"), "053", 100, None),
        (make_balance(code("PRCD"), "1.00") + make_balance(code("OPBD"), "2.00"), "053", 200, None),
        (make_balance("<CdOrPrtry><Prtry>CLBD</Prtry></CdOrPrtry>", "1.00"), "053", None, 100),
        (make_balance("<Cd>CLBD</Cd>", "1.00"), "053", None, 100),  # version 01
        (make_balance(code("ITBD"), "1.00"), "053", None, None),
        (make_balance(code("ITBD"), "1.00") + make_balance(code("ITBD"), "2.00"), "052", None, 200),
        (make_balance(code("CLAV"), "1.00"), "053", None, None),
    ],
)
def test_balances(balances, kind, opening, closing):
    statement, findings = read_head(balances, kind=kind)
    assert findings == []
    assert (statement.opening_minor, statement.closing_minor) == (opening, closing)


@pytest.mark.parametrize(
    ("balance", "fault", "name"),
    [
        (make_balance(code("OPBD"), "1.00", currency="USD"), "currency", "Bal/Amt"),
        (make_balance(code("OPBD"), "1.999"), "field", "Bal/Amt"),
        (make_balance(code("OPBD"), "-1.00"), "field", "Bal/Amt"),
        (f"<Bal><Tp>{code('OPBD')}</Tp></Bal>", "currency", "Bal/Amt"),
        (make_balance(code("OPBD"), "1.00", "?"), "missing", "Bal/CdtDbtInd"),
    ],
)
def test_a_balance_that_cannot_be_read_is_told(balance, fault, name):
    statement, findings = read_head(balance)
    assert statement.opening_minor is None
    assert list_faults(findings) == [("warning", fault, 2, name)]


def test_a_balance_in_no_currency_is_told():
    head = f"<Acct><Id><IBAN>A</IBAN></Id></Acct><Bal><Tp>{code('OPBD')}</Tp></Bal>"
    _, (statement,), findings = read_all(make_document("", head=head))
    assert (statement.currency, statement.opening_minor) == ("", None)
    assert list_faults(findings) == [("warning", "currency", 2, "Bal/Amt")]


def test_the_currency_is_that_of_a_balance_or_of_entries_if_the_account_has_none():
    head = "<Acct><Id><IBAN>A</IBAN></Id></Acct>"
    balance = make_balance(code("OPBD"), "1", currency="JPY")
    _, (statement,), findings = read_all(make_document("", head=head + balance))
    assert (statement.currency, statement.opening_minor, findings) == ("JPY", 1, [])
    entry = make_entry().replace('"EUR"', '"CHF"')
    _, (statement,), findings = read_all(make_document(entry, head=head))
    assert (statement.currency, findings) == ("CHF", [])
    _, (statement,), findings = read_all(make_document(entry + ENTRY, head=head))
    assert list_faults(findings) == [("warning", "currency", 2, "Acct/Ccy")]


@pytest.mark.parametrize(
    ("pages", "page"),
    [
        ("<StmtPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>", None),
        ("<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>", 1),
        ("<StmtPgntn><PgNb>2</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>", 2),
        ("", None),
    ],
)
def test_pages(pages, page):
    assert read_head(pages)[0].page == page


def test_the_page_of_the_message_counts_if_the_statement_has_none():
    pages = "<MsgPgntn><PgNb>3</PgNb><LastPgInd>false</LastPgInd></MsgPgntn>"
    document = make_document("").replace("</GrpHdr>", f"{pages}</GrpHdr>")
    assert read_all(document)[1][0].page == 3


def test_numbers():
    assert read_head("<LglSeqNb>9</LglSeqNb>", number="007")[0].number == 7
    document = make_document("").replace("ElctrncSeqNb", "LglSeqNb")
    assert read_all(document)[1][0].number == 1
    _, findings = read_head("", number="1/2026")
    assert list_faults(findings) == [("warning", "field", 2, "ElctrncSeqNb")]


TWO = ENTRY + make_entry(amount="5.00", sign="DBIT")
RIGHT = {
    "TtlNtries/NbOfNtries": "2",
    "TtlNtries/Sum": "17.34",
    "TtlNtries/TtlNetNtryAmt": "7.34",
    "TtlNtries/TtlNetNtry/Amt": "7.34",
    "TtlCdtNtries/NbOfNtries": "1",
    "TtlCdtNtries/Sum": "12.34",
    "TtlDbtNtries/NbOfNtries": "1",
    "TtlDbtNtries/Sum": "5",
}


def make_summary(path: str, value: str) -> str:
    for name in reversed(["TxsSummry", *path.split("/")]):
        value = f"<{name}>{value}</{name}>"
    return value


@pytest.mark.parametrize("path", RIGHT)
def test_totals_are_checked(path):
    assert read_head(make_summary(path, RIGHT[path]), TWO)[1] == []
    _, findings = read_head(make_summary(path, "99"), TWO)
    assert list_faults(findings) == [("warning", "count", 2, f"TxsSummry/{path}")]
    _, findings = read_head(make_summary(path, "many"), TWO)
    assert list_faults(findings) == [("warning", "field", 2, f"TxsSummry/{path}")]


def test_sums_are_not_blamed_on_entries_that_could_not_be_read():
    summary = make_summary("TtlNtries/Sum", "17.34") + make_summary("TtlNtries/NbOfNtries", "2")
    _, findings = read_head(summary, ENTRY + "<Ntry><A></Ntry>")
    assert list_faults(findings) == [("error", "structure", 3, "Ntry")]


def test_statements_have_their_own_numbers_and_sums():
    document = make_document(ENTRY)
    statement = document[document.index("<Stmt>") : document.index("</Stmt>") + len("</Stmt>")]
    document = document.replace(statement, statement * 2 + "<Stmt><Id>E</Id></Stmt>" + statement)
    entries, statements, _ = read_all(document)
    assert [each.statement for each in entries] == [0, 1, 3]
    assert [each.entries for each in statements] == [1, 1, 0, 1]
    assert [each.booked_minor for each in statements] == [1234, 1234, 0, 1234]
