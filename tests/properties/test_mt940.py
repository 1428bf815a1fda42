"""MT940 of any content: as written, as mt-940 reads it, and broken in any way.

Source: mt-940 (https://github.com/wolph/mt940), another reader, with all its corrections on.
"""

from __future__ import annotations

import re

import mt940
from hypothesis import given
from hypothesis import strategies as st
from tests.mt_files import EPOCH, Account, Line, read, write, written_statements

from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Severity

DIALECTS = b"""\
{1:F01ASNBNL21XXXX0000000000}{2:O940ASNBNL21XXXXN}{3:}{4:
:20:0000000000
:25:NL81ASNB9999999999
:28C:1/1
:60F:C200101EUR444,29
:61:2001010101D65,00NOVBNL47INGB9999999999
hr gjlm paulissen
:86:NL47INGB9999999999 hr gjlm paulissen

Betaling sieraden
:62F:C200101EUR379,29
-}{5:}
ABNANL2A
942
:20:R1
:25:DE02120300000000202051EUR
:28C:7/1
:34F:EUR0,
:13D:2611301730+0100
:61:2611301130RCR12,NTRFNONREF//B1
:86:166?00GUTSCHRIFT?20EREF+A-1?21SVWZ+Rent?30BYLADEM1001?31DE02120300000000202051?32Ada
:61:2611301130ED0,5NMSCKREF+
/OCMT/USD0,6//CHGS/EUR0,1/
:86:/TRTP/SEPA/IBAN/NL71RABO0123456789/NAME/Bob/REMI/For 20:44:45/EREF/E2/
:90D:1EUR0,5
:90C:1EUR12,
-
"""


def _days(date) -> int | None:
    return None if date is None else (date - EPOCH).days


def _expected(statement: Account, line: Line) -> tuple:
    return (
        statement.account,
        line.sign() * line.amount_minor,
        _days(line.value_date),
        _days(line.entry_date or line.value_date),
        "" if line.reference == "NONREF" else line.reference,
        line.bank_reference,
        line.type,
        line.mark.startswith("R"),
    )


@given(
    st.lists(written_statements, min_size=1, max_size=4),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["-", "-}", "-}{5:}", ""]),
)
def test_what_a_bank_writes_is_read(statements, end, trailer):
    ours = read(write(statements, end=end, trailer=trailer))
    assert [
        (
            entry.account,
            entry.amount_minor,
            entry.value_date,
            entry.booking_date,
            entry.reference,
            entry.bank_reference,
            entry.code,
            entry.is_reversal,
        )
        for entry in ours.entries
    ] == [_expected(statement, line) for statement in statements for line in statement.lines]
    assert [entry.text.replace(" ", "") for entry in ours.entries] == [
        (line.text or line.supplement).replace(" ", "")
        for statement in statements
        for line in statement.lines
    ]
    assert [
        (each.id, each.account, each.number, each.opening_minor, each.closing_minor, each.entries)
        for each in ours.statements
    ] == [
        (
            each.id,
            each.account,
            each.number,
            each.opening_minor,
            each.closing_minor(),
            len(each.lines),
        )
        for each in statements
    ]
    assert [each.opening_minor + each.booked_minor for each in ours.statements] == [
        each.closing_minor for each in ours.statements
    ]
    assert ours.findings == []


@given(st.lists(written_statements, min_size=1, max_size=4))
def test_another_reader_agrees(statements):
    text = write(statements, end="\n")
    ours = read(text)
    theirs = mt940.parse_statements(text, options=mt940.Options.all())
    assert len(theirs) == len(ours.statements)
    for each, other in zip(ours.statements, theirs, strict=True):
        opening, closing = other.data["final_opening_balance"], other.data["final_closing_balance"]
        assert other.data["transaction_reference"] == each.id
        assert other.data["account_identification"] == each.account
        assert int(other.data["statement_number"]) == each.number
        assert opening.amount.amount * 100 == each.opening_minor
        assert closing.amount.amount * 100 == each.closing_minor
        assert _days(opening.date) == each.from_date
    for entry, other in zip(ours.entries, [line for each in theirs for line in each], strict=True):
        assert other.data["amount"].amount * 100 == entry.amount_minor
        assert other.data["amount"].currency == entry.currency
        assert _days(other.data["date"]) == entry.value_date
        assert _days(other.data.get("entry_date") or other.data["date"]) == entry.booking_date
        assert other.data["customer_reference"] == (entry.reference or "NONREF")
        assert (other.data["bank_reference"] or "") == entry.bank_reference
        assert other.data["id"] == entry.code


@st.composite
def broken_files(draw) -> bytes:
    """A good file of one dialect or another, with bytes changed, cut out, doubled or put in."""
    good = DIALECTS
    if draw(st.booleans()):
        good = write(draw(st.lists(written_statements, min_size=1, max_size=2))).encode()
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 60))
        change = draw(st.sampled_from(["cut", "double", "put", "end"]))
        if change == "cut":
            del data[at : at + length]
        elif change == "double":
            data[at:at] = data[at : at + length]
        elif change == "put":
            data[at : at + 1] = draw(
                st.binary(max_size=4) | st.sampled_from([b"\n:61:", b":", b","])
            )
        else:
            del data[at:]
    return bytes(data)


@given(broken_files())
def test_a_broken_file_ends_in_findings(data):
    """Nothing is raised but that it is no MT940, and each `:61:` is an entry or a finding."""
    try:
        ours = read(data)
    except Invalid:
        assert re.search(rb"(?m)^:61:", data) is None
        return
    lost = [found for found in ours.findings if found.field == ":61:"]
    lost = [found for found in lost if found.severity is Severity.ERROR]
    assert len(re.findall(rb"(?:^|[\r\n]):61:", data)) <= len(ours.entries) + len(lost)
    assert all(found.raw.startswith(":61:") for found in lost)
    assert sum(each.entries for each in ours.statements) == len(ours.entries)
    assert all(found.line >= 1 and found.text for found in ours.findings)


@given(st.data())
def test_what_is_cut_off_is_told(data):
    """However a file ends early: what is whole before stays as it was, and the rest is told."""
    statements = data.draw(st.lists(written_statements, min_size=1, max_size=3))
    text = write(statements, end="\n", trailer="")
    at = data.draw(st.integers(5, len(text) - 1))
    whole, ours = read(text), read(text[:at])
    last = ours.statements[-1]
    assert ours.statements[:-1] == whole.statements[: len(ours.statements) - 1]
    before = ours.entries[:-1]
    assert before == whole.entries[: len(before)]
    assert len(ours.entries) <= len(whole.entries)
    if last.closing_minor is None:
        assert any(found.severity is Severity.ERROR for found in ours.findings)


PIECES = [
    *(":20:", ":25:", ":28C:", ":60F:", ":60M:", ":61:", ":62F:", ":86:", ":NS:", ":34F:", ":90C:"),
    *("\n", "\r\n", ":", "-", "-}", "{1:", "{2:O942", "{4:", "940", "ABNANL2A", "\x01", "\xfc"),
    *(
        "261130",
        "260230",
        "1130",
        "C",
        "D",
        "RC",
        "EUR",
        "1,",
        "12,345",
        ".",
        "NTRF",
        "NONREF",
        "//",
    ),
    *(
        "166",
        "?20",
        "?30",
        "?32",
        "EREF+",
        "SVWZ+",
        "MTLG:",
        "/NAME/",
        "/REMI/",
        "/CNTP/",
        "/OCMT/",
    ),
    *(
        "REK: A/NAAM: ",
        "Z RACH.: ",
        "SEPA ",
        "NAAM: ",
        "IBAN: ",
        "DE02120300000000202051",
        " ",
        "7",
    ),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=60).map("".join))
def test_any_heap_of_pieces_ends_in_parts(text):
    """Every entry is one by the columns, and belongs to a statement that was told."""
    try:
        ours = read(text.encode(errors="replace"))
    except Invalid:
        return
    assert {entry.statement for entry in ours.entries} <= set(range(len(ours.statements)))
    assert all(entry.currency and entry.line >= 1 for entry in ours.entries)
    assert sum(each.entries for each in ours.statements) == len(ours.entries)
