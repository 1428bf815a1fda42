"""Several documents in one file, as when files were joined: each is read, none is lost."""

import pytest
from tests.camts import ENTRY, READ, list_faults, make_document, make_entry, read_all

from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Fault, Kind

FIRST = make_document(ENTRY)
SECOND = make_document(make_entry(amount="5.00"), number="2", kind="052", version="06")
AGAIN = ("warning", "structure")


def strip_declaration(document: str) -> str:
    return document.partition("?>\n")[2].strip()


@pytest.mark.parametrize("between", ["", "\n", "\n\n<!-- joined -->\n", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_all_documents_of_a_file_are_read(between, encoding):
    text = between.join(each.strip() for each in (FIRST, SECOND, FIRST))
    text = text if encoding == "utf-8" else text.replace("UTF-8", "UTF-16")
    lines = 4 if between == "\n" else 0
    entries, statements, findings = read_all(text.encode(encoding))
    assert [each.amount_minor for each in entries] == [1234, 500, 1234]
    assert [each.statement for each in entries] == [0, 1, 2]
    assert [each.kind for each in statements] == [Kind.STATEMENT, Kind.REPORT, Kind.STATEMENT]
    assert [(each.number, each.entries) for each in statements] == [(1, 1), (2, 1), (1, 1)]
    assert [fault[:2] for fault in list_faults(findings)] == [AGAIN, AGAIN]
    for entry, statement in zip(entries, statements, strict=True):
        assert text.split("\n")[entry.line - 1].startswith("<Ntry")
        assert "<Id>S</Id>" in text.split("\n")[statement.line - 1]
    if lines:
        assert [each.line for each in findings] == [4, 7]


def test_documents_without_declarations_and_with_heads_of_their_own():
    page = "<MsgPgntn><PgNb>{}</PgNb><LastPgInd>false</LastPgInd></MsgPgntn></GrpHdr>"
    text = "".join(
        strip_declaration(FIRST).replace("</GrpHdr>", page.format(number)) for number in (1, 2)
    )
    entries, statements, _ = read_all(text)
    assert [(each.account, each.amount_minor) for each in entries] == [(READ.account, 1234)] * 2
    assert [each.page for each in statements] == [1, 2]


def test_messages_of_several_kinds_in_one_envelope_are_read():
    inner = strip_declaration(FIRST) + strip_declaration(SECOND)
    entries, statements, findings = read_all(f"<Envelope>{inner}</Envelope>")
    assert [each.amount_minor for each in entries] == [1234, 500]
    assert [each.kind for each in statements] == [Kind.STATEMENT, Kind.REPORT]
    assert findings == []


def test_a_broken_document_costs_no_other_one():
    broken = "<Document><BkToCstmr<Stmt>"
    entries, _, findings = read_all(FIRST.strip() + broken + FIRST.strip() + SECOND)
    assert sum(each.amount_minor for each in entries) in {1234 + 500, 1234 * 2 + 500}
    errors = [each for each in findings if each.severity.value == "error"]
    told = sum("1 entries behind it" in each.text for each in errors)
    assert errors
    assert len(entries) + told == 3


@pytest.mark.parametrize("rest", ["<Ntry", "<Ntry>", "x", "<Document", "</Stmt>", "<!-- "])
def test_scraps_behind_a_document_are_told(rest):
    entries, _, findings = read_all(FIRST + rest)
    assert entries == [READ]
    assert "error" in {each.severity.value for each in findings}


def test_what_follows_and_is_no_camt_is_told():
    entries, _, findings = read_all(FIRST + "<Other/>" + ENTRY + FIRST)
    assert [each.amount_minor for each in entries] == [1234, 1234]
    assert list_faults(findings).count(("error", "missing", 4, "Document")) == 2


def test_documents_of_different_encodings_in_one_file_are_refused():
    other = SECOND.replace("UTF-8", "ISO-8859-1")
    with pytest.raises(Invalid, match="send each as its own") as error:
        read_all(FIRST + other)
    assert error.value.facts["fault"] == Fault.ENCODING
