"""Documents: what is unusual but right is read, what is wrong is told and the rest read."""

import io
import re

import pytest
from tests.camts import ENTRY, READ, list_faults, make_document, make_entry, read_all

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Kind
from hansa.reconcile.readers.camt import is_camt, read_camt
from hansa.reconcile.readers.camt.run import OFTEN

TWO = [READ, READ._replace(amount_minor=-500, line=4)]
SECOND = make_entry(amount="5.00", sign="DBIT")
LEFT_OUT = "<Ntry><Amt></Ntry>"


def test_entries_are_read_in_order_with_their_lines():
    entries, statements, findings = read_all(make_document(f"{ENTRY}\n{SECOND}"))
    assert entries == TWO
    assert findings == []
    (statement,) = statements
    assert (statement.kind, statement.id, statement.number) == (Kind.STATEMENT, "S", 1)
    assert (statement.entries, statement.booked_minor, statement.line) == (2, 734, 2)


@pytest.mark.parametrize(
    ("kind", "read"), [("052", Kind.REPORT), ("053", Kind.STATEMENT), ("054", Kind.NOTIFICATION)]
)
def test_kinds(kind, read):
    entries, statements, findings = read_all(make_document(ENTRY, kind=kind))
    assert (entries, [each.kind for each in statements], findings) == ([READ], [read], [])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("<Ntry>", "<Ntry\n>").replace("</Ntry>", "</Ntry\t >"),
        lambda text: text.replace("<Ntry>", '<Ntry a="&lt;/Ntry>">'),
        lambda text: text.replace("<Ntry>", "<Ntry><!-- </Ntry> & < -->"),
        lambda text: text.replace("<Ntry>", "<!-- <Ntry> --><Ntry>"),
        lambda text: text.replace("<Ntry>", "<?who </Stmt> ?><Ntry>"),
        lambda text: text.replace("CRDT", "<![CDATA[CRDT]]>").replace("DBIT", "D<!---->BIT"),
        lambda text: text.replace("BOOK", "&#66;&#x4f;OK"),
        lambda text: text.replace("</Ntry>", "<AddtlNtryInf/></Ntry>"),
        lambda text: text.replace(
            "<BookgDt>", "<SplmtryData><Ntry2 xmlns='u'/></SplmtryData><BookgDt>"
        ),
        lambda text: text.replace("<BookgDt>", "<x:Dt xmlns:x='other'>no date</x:Dt><BookgDt>"),
        lambda text: text.replace("</Ntry>", "</Ntry ><!-- a > b -->"),
        lambda text: text.replace('Ccy="EUR"', "Ccy='EUR'"),
    ],
)
def test_unusual_xml_is_read_as_the_usual(change):
    entries, _, findings = read_all(change(make_document(f"{ENTRY}\n{SECOND}")))
    assert [each._replace(line=0) for each in entries] == [each._replace(line=0) for each in TWO]
    assert findings == []


def test_names_may_have_prefixes():
    document = make_document(f"{ENTRY}\n{SECOND}").replace("xmlns=", "xmlns:n=")
    for name in ("Document", "BkToCstmrStmt", "GrpHdr", "MsgId", "Stmt", "Id", "Acct", "IBAN"):
        document = document.replace(f"<{name}", f"<n:{name}").replace(f"</{name}", f"</n:{name}")
    for name in (
        "ElctrncSeqNb",
        "Ccy",
        "Ntry",
        "Amt",
        "CdtDbtInd",
        "Sts",
        "Cd",
        "BookgDt",
        "ValDt",
    ):
        document = document.replace(f"<{name}>", f"<n:{name}>").replace(f"</{name}", f"</n:{name}")
    document = document.replace("<Amt ", "<n:Amt ").replace("Dt>", "Dt>").replace("<Dt>", "<n:Dt>")
    document = document.replace("</Dt>", "</n:Dt>")
    entries, statements, findings = read_all(document)
    assert entries == TWO
    assert statements[0].number == 1
    assert findings == []


def test_an_envelope_around_the_document_does_not_matter():
    inner = make_document(ENTRY).partition("\n")[2]
    entries, _, findings = read_all(f"<?xml version='1.0'?>\n<Envelope>{inner}</Envelope>")
    assert (entries, findings) == ([READ], [])


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "cp1252"]
)
def test_encodings(encoding):
    entry = make_entry("<AddtlNtryInf>Müller &amp; Söhne</AddtlNtryInf>")
    declared = {"utf-8-sig": "utf-8"}.get(encoding, encoding.replace("-le", "").replace("-be", ""))
    document = make_document(entry).replace("UTF-8", declared)
    entries, _, findings = read_all(document.encode(encoding))
    assert (entries, findings) == ([READ._replace(text="Müller & Söhne")], [])


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends(end):
    document = make_document(f"{ENTRY}\n{SECOND}").replace("\n", end)
    assert read_all(document)[0] == TWO


def test_bytes_in_another_encoding_are_replaced_and_told():
    entry = make_entry("<AddtlNtryInf>M\xfcller</AddtlNtryInf>")
    head = "<Acct><Id><IBAN>DE02100100100006820101</IBAN></Id><Ccy>EUR</Ccy><Nm>\xfc</Nm></Acct>"
    document = make_document(f"{ENTRY}\n{entry}", head=head).encode("latin-1")
    entries, _, findings = read_all(document)
    assert entries == [READ, READ._replace(text="M�ller", line=4)]
    assert list_faults(findings) == [
        ("warning", "encoding", 4, "Ntry"),
        ("warning", "encoding", 1, ""),
    ]


def test_an_encoding_that_is_not_known_is_told():
    document = make_document(ENTRY).replace("UTF-8", "EBCDIC-CP-BE")
    entries, statements, findings = read_all(document)
    assert (entries, statements) == ([], [])
    assert list_faults(findings)[0] == ("error", "encoding", 1, "")


def test_a_file_that_is_not_in_its_encoding_is_told():
    document = b"\xff\xfe" + make_document(ENTRY).encode("utf-16-le")[:-20] + b"\x00\xd8"
    _, _, findings = read_all(document)
    assert ("error", "encoding") in [each[:2] for each in list_faults(findings)]


@pytest.mark.parametrize(
    ("broken", "raw"),
    [
        (LEFT_OUT, LEFT_OUT),
        ("<Ntry><Amt>1</Amount></Ntry>", "<Ntry><Amt>1</Amount></Ntry>"),
        ("<Ntry><A>&unknown;</A></Ntry>", "<Ntry><A>&unknown;</A></Ntry>"),
        ("<Ntry><A>\x07</A></Ntry>", "<Ntry><A>\x07</A></Ntry>"),
        ("<Ntry><A>￾</A></Ntry>", "<Ntry><A>￾</A></Ntry>"),
        ("<Ntry><A>a < b</A></Ntry>", "<Ntry><A>a < b</A></Ntry>"),
        ('<Ntry><A b="1" b="2"/></Ntry>', '<Ntry><A b="1" b="2"/></Ntry>'),
        ("<Ntry><x:A/></Ntry>", "<Ntry><x:A/></Ntry>"),
        ("<Ntry><Amt>1</Amt>", "<Ntry><Amt>1</Amt>"),  # its end is missing
        ("<Ntry>]]></Ntry>", "<Ntry>]]></Ntry>"),
    ],
)
def test_a_broken_entry_is_told_and_the_others_read(broken, raw):
    entries, statements, findings = read_all(make_document(f"{ENTRY}\n{broken}\n{SECOND}"))
    assert [each._replace(line=0) for each in entries] == [each._replace(line=0) for each in TWO]
    assert statements[0].entries == 2
    assert list_faults(findings) == [("error", "structure", 4, "Ntry")]
    assert findings[0].raw == raw


def test_markup_is_not_taken_for_a_shape_that_was_met():
    plain = "<Ntry><A></A></Ntry>"
    for odd in ("<Ntry><A<>></A></Ntry>", "<Ntry<><A></A></Ntry>", "<Ntry>A><</A></Ntry>"):
        _, _, findings = read_all(make_document(f"{plain * OFTEN}\n{odd}"))
        assert ("error", "structure", 4) in [each[:3] for each in list_faults(findings)]


def test_what_stands_between_entries_is_told():
    entries, _, findings = read_all(make_document(f"{ENTRY}\n</Stm>{SECOND}"))
    assert entries == TWO
    assert list_faults(findings) == [("error", "structure", 4, "")]
    _, _, findings = read_all(make_document(f"{ENTRY}\n<Other/>{SECOND}"))
    assert list_faults(findings) == [("warning", "ignored", 4, "Other")]


def test_entries_in_strange_places_are_told():
    document = make_document("").replace("<Stmt>", f"{ENTRY}<Stmt>")
    entries, _, findings = read_all(document)
    assert entries == []
    assert list_faults(findings) == [("error", "structure", 2, "Ntry")]
    inside = make_document(f"<TxsSummry>{ENTRY}</TxsSummry>")
    entries, _, findings = read_all(inside)
    assert entries == []
    assert list_faults(findings) == [("error", "structure", 3, "Ntry")]


def test_a_file_that_is_cut_off_gives_what_was_whole():
    document = make_document(f"{ENTRY}\n{SECOND}\n")
    cut = document[: document.index("<BookgDt>", document.index(SECOND))]
    entries, statements, findings = read_all(cut)
    assert entries == TWO[:1]
    assert [each.entries for each in statements] == [1]
    assert list_faults(findings) == [
        ("error", "structure", 4, "Ntry"),
        ("error", "structure", 4, ""),
    ]
    assert findings[0].raw.startswith("<Ntry>")


def make_statements(*bodies: str) -> str:
    """Make a document of several statements, each on a line of its own from the third on."""
    document = make_document("")
    begin, end = document.index("<Stmt>"), document.index("</Stmt>") + len("</Stmt>")
    each = document[begin:end].replace("\n", "")
    statements = [each.replace("</Stmt>", f"{body}</Stmt>") for body in bodies]
    return document[:begin] + "\n" + "\n".join(statements) + document[end:]


BROKEN = "<Bal></Amt>"


def test_a_broken_frame_leaves_out_its_statement_and_tells_how_much():
    document = make_statements(ENTRY, BROKEN + ENTRY + ENTRY, ENTRY)
    entries, statements, findings = read_all(document)
    assert [(each.line, each.statement) for each in entries] == [(3, 0), (5, 2)]
    assert [(each.line, each.entries) for each in statements] == [(3, 1), (4, 0), (5, 1)]
    assert list_faults(findings) == [("error", "structure", 4, "")]
    assert "2 entries behind it are left out, the next statement is read" in findings[0].text
    assert BROKEN in findings[0].raw


def test_a_broken_frame_at_the_end_leaves_out_the_rest():
    entries, statements, findings = read_all(make_statements(ENTRY, BROKEN + ENTRY))
    assert [each.line for each in entries] == [3]
    assert [each.entries for each in statements] == [1, 0]
    assert list_faults(findings)[0] == ("error", "structure", 4, "")
    assert "1 entries behind it are left out, no statement follows" in findings[0].text


def test_what_is_broken_behind_a_statement_leaves_out_no_other():
    document = make_statements(ENTRY, ENTRY).replace("</Stmt>\n", "</Stmt></Oops>\n")
    entries, statements, findings = read_all(document)
    assert [(each.line, each.statement) for each in entries] == [(3, 0), (4, 1)]
    assert len(statements) == 2
    assert list_faults(findings) == [("error", "structure", 3, "")]


@pytest.mark.parametrize(
    "start", ['<Stmt a="1" a="1">', "<Stmt <>", "<Stmt x:a='1'>", "<Stmt></Rpt>"]
)
def test_a_broken_start_of_a_statement_leaves_out_that_one(start):
    document = make_statements(ENTRY, ENTRY, ENTRY).replace("\n<Stmt>", f"\n{start}", 2)
    document = document.replace(f"\n{start}", "\n<Stmt>", 1)
    entries, _, findings = read_all(document)
    assert [each.line for each in entries] == [3, 5]
    assert ("error", "structure", 4) in [each[:3] for each in list_faults(findings)]


def test_reading_goes_on_with_prefixes_after_a_broken_frame():
    document = make_statements(BROKEN, ENTRY)
    document = re.sub("<(/?)([A-Z])", r"<\1n:\2", document).replace("xmlns=", "xmlns:n=")
    entries, statements, _ = read_all(document)
    assert entries == [READ._replace(line=4, statement=1)]
    assert [each.account for each in statements] == [READ.account, READ.account]


def test_a_message_without_statements_is_told():
    document = make_document("").partition("<Stmt>")[0] + "</BkToCstmrStmt></Document>"
    entries, statements, findings = read_all(document)
    assert (entries, statements) == ([], [])
    assert list_faults(findings) == [("error", "missing", 2, "Stmt")]


@pytest.mark.parametrize(("version", "is_told"), [("14", False), ("15", True), ("99", True)])
def test_newer_versions_are_read_and_told(version, is_told):
    entries, _, findings = read_all(make_document(ENTRY, version=version))
    assert entries == [READ]
    assert [each.fault for each in findings] == [Fault.IGNORED] * is_told


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE D [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.02'><BkToCstmrStmt>&b;"
)
EXTERNAL = (
    '<!DOCTYPE D SYSTEM "file:///etc/passwd"><Document '
    "xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.02'><BkToCstmrStmt/></Document>"
)
DEEP = make_document("<A>" * 100 + "</A>" * 100)
LATE = make_document(f"{ENTRY}<!DOCTYPE D []>{ENTRY}")


@pytest.mark.parametrize("document", [BOMB, EXTERNAL, DEEP, LATE])
def test_what_attacks_do_is_refused(document):
    with pytest.raises(Invalid) as error:
        read_all(document)
    assert error.value.code is InvalidCode.MALFORMED
    assert error.value.facts["fault"] == Fault.UNSAFE


def test_an_entry_nested_deeply_is_left_out():
    entries, _, findings = read_all(make_document(make_entry("<A>" * 70 + "</A>" * 70) + ENTRY))
    assert entries == [READ]
    assert list_faults(findings) == [("error", "unsafe", 3, "Ntry")]


@pytest.mark.parametrize("filler", ["x", "<a>", "<!--"])
def test_something_larger_than_anything_should_be_is_refused(filler):
    head = make_document("").partition("</Stmt>")[0].encode()

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size):
            self.given += size
            return (filler * size).encode()[:size] if self.given > size else head + b"<Ntry>"

    with pytest.raises(Invalid) as error:
        list(read_camt(Endless(), processes=0))
    assert error.value.facts["fault"] == Fault.UNSAFE


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<html></html>", b":20:STARTUMSE", b"\x00" * 9, b"<Document>", b"{}"]
)
def test_other_files_are_refused(data):
    assert not is_camt(data)
    with pytest.raises(Invalid):
        read_all(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_camt_is_known_by_its_first_bytes(encoding):
    document = make_document("").replace("UTF-8", "UTF-16" if "16" in encoding else "UTF-8")
    assert is_camt(document.encode(encoding))
    assert is_camt(document.encode(encoding)[:400])
