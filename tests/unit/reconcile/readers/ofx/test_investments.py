"""Statements of brokers: what moves cash is an entry, what does not is told."""

from tests.bank_files import day, read_all

from hansa.reconcile.entries import Entry, Fault, Status
from hansa.reconcile.readers.ofx import read_ofx

INTEREST = "<STMTTRN><TRNTYPE>INT<DTPOSTED>20261128<TRNAMT>0.25<FITID>F1<NAME>Interest</STMTTRN>"


def read(*transactions: str):
    return read_all(
        read_ofx,
        "OFXHEADER:100\n<OFX><INVSTMTMSGSRSV1><INVSTMTTRNRS><INVSTMTRS><DTASOF>20261130<CURDEF>USD"
        "<INVACCTFROM><BROKERID>b<ACCTID>4712</INVACCTFROM><INVTRANLIST><DTSTART>20261101"
        f"<DTEND>20261129{''.join(transactions)}</INVTRANLIST><INVBAL><AVAILCASH>7.50</INVBAL>"
        "</INVSTMTRS></INVSTMTTRNRS></INVSTMTMSGSRSV1></OFX>",
    )


def write(name: str, total: str = "-10.00", funds: str = "CASH", more: str = "") -> str:
    return (
        f"<{name}><INVBUY><INVTRAN><FITID>I1<DTTRADE>20261110<DTSETTLE>20261112<MEMO>Trade{more}"
        f"</INVTRAN><SECID><UNIQUEID>US1</SECID><UNITS>1<COMMISSION>0.50<FEES>0.25<TOTAL>{total}"
        f"<SUBACCTFUND>{funds}</INVBUY></{name}>"
    )


def test_cash_moves_are_entries():
    income = write("INCOME", "3.00", more="<INCOMETYPE>DIV")
    interest = f"<INVBANKTRAN>{INTEREST}<SUBACCTFUND>CASH</INVBANKTRAN>"
    result = read(write("BUYSTOCK"), income, interest)
    assert result.findings == []
    assert result.summarize() == [("4712", "USD", 3, -675, None, 750)]
    assert result.entries[0] == Entry(
        "4712",
        "USD",
        -1000,
        day("2026-11-10"),
        day("2026-11-12"),
        bank_reference="I1",
        text="Trade US1",
        code="BUYSTOCK",
        charges_minor=75,
        line=2,
    )
    assert [entry.code for entry in result.entries] == ["BUYSTOCK", "INCOME.DIV", "INT"]


def test_funds_from_outside_are_information():
    """An employer pays into a plan; the cash of the account is as it was."""
    result = read(write("BUYMF", funds="OTHER"))
    assert [entry.status for entry in result.entries] == [Status.INFORMATION]
    assert result.statements[0].booked_minor == 0


def test_what_leaves_the_cash_as_it_was_is_counted():
    names = ["TRANSFER", "REINVEST", "SPLIT", "JRNLFUND", "JRNLSEC", "CLOSUREOPT", "TRANSFER"]
    result = read(*map(write, names))
    assert result.entries == []
    (told,) = result.findings
    assert (told.fault, told.field) == (Fault.IGNORED, "INVTRANLIST")
    assert "1 CLOSUREOPT, 1 JRNLFUND, 1 JRNLSEC, 1 REINVEST, 1 SPLIT, 2 TRANSFER" in told.text


def test_a_reversal_and_a_kind_that_is_not_known():
    reversal = write("SELLMF", "-1.00", more="<REVERSALFITID>I0")
    result = read(reversal, write("BUYCOIN"))
    assert [entry.is_reversal for entry in result.entries] == [True]
    (error,) = result.findings
    assert (error.severity, error.fault) == ("error", Fault.STRUCTURE)
    assert "<FITID>I1" in error.raw
    assert "<TOTAL>-10.00" in error.raw


def test_a_trade_without_a_total_is_an_error():
    (error,) = read(write("BUYSTOCK", "")).findings
    assert (error.severity, error.fault, error.field) == ("error", Fault.MISSING, "BUYSTOCK")


def test_charges_finer_than_money_are_left_out():
    result = read(write("BUYSTOCK").replace("0.50", "0.0035"))
    assert result.tell() == [("warning", "field", 2, "BUYSTOCK/COMMISSION FEES")]
    assert [(entry.amount_minor, entry.charges_minor) for entry in result.entries] == [
        (-1000, None)
    ]
