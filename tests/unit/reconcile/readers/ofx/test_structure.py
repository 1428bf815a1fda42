"""What is nested wrongly, cut off, or without end: told, bounded, and the rest is read."""

import tracemalloc

import pytest
from tests.bank_files import Endless, read_all

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.ofx import read_ofx
from hansa.reconcile.readers.ofx.tokens import VALUE_SIZE_MAX
from hansa.reconcile.readers.ofx.transactions import FIELDS_MAX

HEAD = "<OFX><STMTTRNRS><STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>1</BANKACCTFROM><BANKTRANLIST>\n"
TAIL = "</BANKTRANLIST></STMTRS></STMTTRNRS></OFX>\n"
FIELDS = "<TRNTYPE>DEBIT<DTPOSTED>20261128<TRNAMT>-1.00<FITID>F1<NAME>A"
GOOD = f"<STMTTRN>{FIELDS}</STMTTRN>\n"
MIB = 1 << 20
LONG = GOOD.replace("<NAME>A", "<NAME>" + "A" * 60_000)
SECTION = GOOD.replace("<NAME>A", "<NAME><![CDATA[" + "x" * 900_000 + "]]>")


def read(*pieces: str):
    return read_all(read_ofx, "".join(pieces))


def test_a_missing_end_tag_costs_nothing():
    result = read(HEAD, GOOD.replace("</STMTTRN>", ""), GOOD.replace("</STMTTRN>", ""), TAIL)
    assert len(result.entries) == 2
    assert result.tell() == [
        ("warning", "structure", 3, "STMTTRN"),
        ("warning", "structure", 4, "STMTTRN"),
    ]


@pytest.mark.parametrize("start", ["", "<STMTRTN>", "<STMTTRN", "STMTTRN>"])
def test_a_broken_start_tag_is_an_error_with_what_stood_behind_it(start):
    result = read(HEAD, GOOD, GOOD.replace("<STMTTRN>", start), GOOD, TAIL)
    assert [entry.line for entry in result.entries] == [2, 4]
    (error,) = result.errors
    assert (error.fault, error.line) == (Fault.STRUCTURE, 3)
    assert "<TRNAMT>-1.00<FITID>F1<NAME>A" in error.raw


@pytest.mark.parametrize("tag", ["<BANKTRANLST>", ""])
def test_a_broken_list_costs_nothing(tag):
    result = read(HEAD.replace("<BANKTRANLIST>", tag), GOOD, FIELDS, TAIL)
    assert [entry.line for entry in result.entries] == [2]
    assert [(error.fault, error.line) for error in result.errors] == [(Fault.STRUCTURE, 3)]


def test_letters_where_none_belong_are_told():
    result = read(HEAD, GOOD.replace("<STMTTRN>", "<STMTTRN>odd"), GOOD.strip(), "more", TAIL)
    assert len(result.entries) == 2
    assert [found.fault for found in result.findings] == [Fault.IGNORED, Fault.IGNORED]
    assert "'odd'" in result.findings[0].text
    assert "'more'" in result.findings[1].text


def test_a_transaction_outside_any_statement_is_an_error():
    (error, none) = read("<OFX>", GOOD, "</OFX>").findings
    assert (error.severity, error.fault, error.line) == ("error", Fault.STRUCTURE, 1)
    assert error.raw == GOOD.strip()
    assert none.fault is Fault.MISSING


def test_a_statement_without_its_account_is_told():
    result = read(HEAD.replace("<ACCTID>1", ""), GOOD, TAIL)
    assert result.tell() == [("error", "missing", 1, "ACCTID")]
    assert len(result.entries) == 1


@pytest.mark.parametrize("size", range(len(HEAD) + 9, len(HEAD) + len(GOOD) - 1, 7))
def test_a_file_cut_off_within_a_transaction_is_told_with_it(size):
    result = read((HEAD + GOOD)[:size])
    (error,) = result.errors
    assert (error.fault, error.field) == (Fault.STRUCTURE, "STMTTRN")
    assert error.raw.startswith("<STMTTRN>")
    assert result.entries == []
    assert len(result.statements) == 1


def test_a_section_that_does_not_end_is_told():
    for opening in ("<!--", "<![CDATA["):
        result = read(HEAD, GOOD, opening, GOOD, TAIL)
        assert len(result.entries) == 1
        assert [error.fault for error in result.errors] == [Fault.STRUCTURE, Fault.STRUCTURE]


def test_tags_and_sections_may_lie_across_chunks():
    """Wherever the chunks of 64 KiB are cut: through tags, values, comments, sections."""
    piece = GOOD.replace("<NAME>A", "<NAME><![CDATA[<A>]]>& <!-- - -->B < C")
    whole = HEAD + piece * 800 + TAIL
    result = read(whole)
    assert result.findings == []
    assert {entry.counterparty for entry in result.entries} == {"<A>& B < C"}
    assert [entry.line for entry in result.entries] == list(range(2, 802))


def test_a_value_beyond_all_bounds_is_cut_and_the_rest_is_read():
    for size in (VALUE_SIZE_MAX + 1, 3 * VALUE_SIZE_MAX):
        for value in ("A" * size, f"<![CDATA[{'A' * size}]]>"):
            result = read(HEAD, GOOD.replace("<NAME>A", f"<NAME>{value}"), GOOD, TAIL)
            assert [error.fault for error in result.errors] == [Fault.UNSAFE]
            assert [entry.line for entry in result.entries] == [2, 3]
            assert len(result.entries[0].counterparty) <= VALUE_SIZE_MAX


def test_fields_beyond_all_bounds_are_told_once():
    many = "".join(f"<F{number}>x" for number in range(3 * FIELDS_MAX))
    result = read(HEAD, f"<STMTTRN>{FIELDS}{many}</STMTTRN>", GOOD, TAIL)
    assert [found.fault for found in result.findings] == [Fault.IGNORED]
    assert len(result.entries) == 2


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (Endless(HEAD.encode() + b"<STMTTRN><MEMO>", b"x", 64 * MIB), Fault.UNSAFE),
        (Endless(b"OFXHEADER:100", b"x", 64 * MIB), Fault.UNSAFE),
        (Endless(HEAD.encode() + b"<STMTTRN>", b"<MEMO>" + b"x" * 1000, 16 * MIB), Fault.IGNORED),
        (Endless(HEAD.encode() + b"<STMTTRN><MEMO>", b"< " * 500, 16 * MIB), Fault.UNSAFE),
        (Endless(HEAD.encode(), b"<A><B><STMTTRN>" + b" " * 1000, 8 * MIB), Fault.STRUCTURE),
        (Endless(HEAD.encode(), b"<FITID>" + b"x" * 1000, 8 * MIB), Fault.STRUCTURE),
        (
            Endless(HEAD.encode(), GOOD.encode() + b"<NAME>" + b"x" * 60_000, 64 * MIB),
            Fault.STRUCTURE,
        ),
        (Endless(HEAD.encode(), LONG.encode(), 64 * MIB), Fault.STRUCTURE),
        (Endless(HEAD.encode(), SECTION.encode(), 64 * MIB), Fault.UNSAFE),
    ],
    ids=["value", "header", "fields", "no tags", "nesting", "loose", "names", "texts", "sections"],
)
def test_memory_is_bounded(stream, fault):
    tracemalloc.start()
    try:
        result = [part.findings[:3] for part in read_ofx(stream)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fault in {found.fault for findings in result for found in findings}
    assert peak < 40 * MIB
