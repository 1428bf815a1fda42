"""OFX: what is written is read, closed or not; what is damaged ends in findings."""

from __future__ import annotations

import html
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from tests.bank_files import damage, make_cuts, read_all

from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Severity
from hansa.reconcile.readers.ofx import read_ofx

LETTERS = st.characters(exclude_categories=["C", "Z"])
texts = st.lists(st.text(LETTERS, min_size=1, max_size=8), max_size=4).map(" ".join)
references = st.from_regex("[A-Z][A-Z0-9]{0,6}", fullmatch=True) | st.just("")
transactions = st.tuples(
    st.integers(-(10**12), 10**12), references, texts, texts, st.sampled_from([".", ","])
)
statements = st.tuples(st.lists(transactions, max_size=4), st.integers(-(10**9), 10**9))


def write_amount(minor: int, mark: str) -> str:
    digits = f"{abs(minor):03}"
    return f"{'-' if minor < 0 else ''}{digits[:-2]}{mark}{digits[-2:]}"


def write(written, *, is_closed: bool) -> str:
    """Write a file; of SGML, only what is not empty may go without its end tag."""

    def tag(name: str, value: str) -> str:
        value = html.escape(value)
        return f"<{name}>{value}</{name}>" if is_closed else f"<{name}>{value}\n"

    out = ['<?OFX OFXHEADER="200"?>\n<OFX>\n']
    for number, (listed, balance) in enumerate(written):
        out.append(f"<STMTRS>{tag('CURDEF', 'EUR')}<BANKACCTFROM>{tag('ACCTID', str(number))}")
        out.append("</BANKACCTFROM><BANKTRANLIST>")
        for minor, reference, name, memo, mark in listed:
            out.append("<STMTTRN>" + tag("DTPOSTED", "20261128") + tag("NAME", name))
            out.append(tag("TRNAMT", write_amount(minor, mark)) + tag("FITID", reference))
            out.append(tag("MEMO", memo) + "</STMTTRN>")
        out.append("</BANKTRANLIST><LEDGERBAL>" + tag("BALAMT", write_amount(balance, ".")))
        out.append("</LEDGERBAL></STMTRS>")
    return "".join([*out, "</OFX>"])


@given(st.lists(statements, min_size=1, max_size=3), st.booleans())
def test_what_is_written_is_read(written, is_closed):
    result = read_all(read_ofx, write(written, is_closed=is_closed))
    assert result.findings == []
    listed = [each for transactions, _ in written for each in transactions]
    assert [
        (entry.amount_minor, entry.bank_reference, entry.counterparty, entry.text)
        for entry in result.entries
    ] == [each[:4] for each in listed]
    assert [each.closing_minor for each in result.statements] == [each[1] for each in written]


GOOD = b"""\
OFXHEADER:100
ENCODING:USASCII
CHARSET:1252

<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS></SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>4711</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20261101<DTEND>20261130
<STMTTRN><TRNTYPE>CHECK<DTPOSTED>20261128120000[-5:EST]<TRNAMT>-1.50<FITID>1<NAME>A&amp;B</STMTTRN>
<STMTTRN><TRNTYPE>XFER<DTPOSTED>20261128<TRNAMT>2,00<FITID>2<PAYEE><NAME>C</PAYEE>
<CURRENCY><CURRATE>1.1<CURSYM>USD</CURRENCY><MEMO><![CDATA[D <E>]]></STMTTRN><!-- F -->
</BANKTRANLIST><LEDGERBAL><BALAMT>9.00<DTASOF>20261130</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1>
<INVSTMTMSGSRSV1><INVSTMTTRNRS><INVSTMTRS><CURDEF>USD<INVACCTFROM><ACCTID>4712</INVACCTFROM>
<INVTRANLIST><BUYMF><INVBUY><INVTRAN><FITID>3<DTTRADE>20261128</INVTRAN><TOTAL>-3.00</INVBUY></BUYMF>
<TRANSFER><INVTRAN><FITID>4<DTTRADE>20261128</INVTRAN></TRANSFER></INVTRANLIST>
</INVSTMTRS></INVSTMTTRNRS></INVSTMTMSGSRSV1></OFX>
"""
WORDS = [b"<", b">", b"</", b"&", b"&#0;", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?", b"\x00"]
WORDS += [b"<STMTTRN>", b"</STMTTRN>", b"<STMTRS>", b"</STMTRS>", b"</OFX>", b"<CURDEF>", b"\xff"]
WORDS += [b"<TRANSFER>", b"<STATUS>", b"9" * 25, b"\n", b"\xfe\xff"]


@given(make_cuts(WORDS))
def test_damage_ends_in_findings_or_in_a_refusal(cuts):
    data = damage(GOOD, cuts)
    with suppress(Invalid):
        result = read_all(read_ofx, data)
        assert len(result.findings) < 10 * (len(data) + 1)


REPLACEMENTS = [b"", b"x", b"<", b">", b"/", b"\n", b"0", b" ", b"\x80", b"-"]


@given(st.integers(0, len(GOOD) - 1), st.sampled_from(REPLACEMENTS))
def test_no_entry_is_lost_in_silence(place, replacement):
    """Whichever byte is another: what is missing then has a finding that was not there before."""
    whole = read_all(read_ofx, GOOD)
    with suppress(Invalid):
        result = read_all(read_ofx, GOOD[:place] + replacement + GOOD[place + 1 :])
        is_told = {found[:2] + found[3:5] for found in result.findings} - {
            found[:2] + found[3:5] for found in whole.findings
        }
        assert is_told or len(result.entries) == len(whole.entries) == 3


@given(st.integers(GOOD.index(b"<OFX>") + 5, GOOD.index(b"</OFX>") + 5))
def test_a_file_cut_off_is_told(size):
    result = read_all(read_ofx, GOOD[:size])
    assert any(found.severity is Severity.ERROR for found in result.findings)
