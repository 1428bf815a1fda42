"""Whole files: where statements begin and end, what is missing, and what cannot be read."""

import io
import tracemalloc

import pytest
from tests.mt_files import day, read

from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Entry, Fault, Kind, Severity, Statement, Status
from hansa.reconcile.readers.mt import is_mt, read_mt
from hansa.reconcile.readers.mt.movement import LETTERS_MAX

HEAD = ":20:ID\n:25:ACC/1\n:28C:7/1\n:60F:C261129EUR10,\n"
TAIL = ":62F:C261130EUR10,\n"
MOVEMENT = ":61:2611301130C1,NTRFREF//BANK\n"
REPORT = ":20:ID\n:25:ACC/1\n:28C:7/1\n:34F:EUR0,\n:13D:2611301730+0100\n"


def test_a_statement():
    ours = read(HEAD + MOVEMENT + ":86:For it\n" + ":62F:C261130EUR11,\n:64:C261130EUR9,\n-\n")
    assert ours.statements == [
        Statement(
            kind=Kind.STATEMENT,
            account="ACC/1",
            currency="EUR",
            id="ID",
            number=7,
            from_date=day("2026-11-29"),
            to_date=day("2026-11-30"),
            opening_minor=1000,
            closing_minor=1100,
            entries=1,
            booked_minor=100,
            line=1,
        )
    ]
    assert ours.entries == [
        Entry(
            account="ACC/1",
            currency="EUR",
            amount_minor=100,
            booking_date=day("2026-11-30"),
            value_date=day("2026-11-30"),
            reference="REF",
            bank_reference="BANK",
            text="For it",
            code="NTRF",
            line=5,
        )
    ]
    assert ours.findings == []


@pytest.mark.parametrize(
    ("mark", "minor", "is_reversal", "status"),
    [
        ("C", 100, False, Status.BOOKED),
        ("D", -100, False, Status.BOOKED),
        ("RC", -100, True, Status.BOOKED),
        ("RD", 100, True, Status.BOOKED),
        ("EC", 100, False, Status.PENDING),
        ("ED", -100, False, Status.PENDING),
    ],
)
def test_signs(mark, minor, is_reversal, status):
    (entry,) = read(f"{REPORT}:61:261130{mark}1,NTRFREF\n").entries
    assert (entry.amount_minor, entry.is_reversal, entry.status) == (minor, is_reversal, status)


@pytest.mark.parametrize(
    "between", ["", "-\n", "-}\n", "-}{5:}\n", "-\x03\n", "-XXXX\n", "\n\n", "-\r\n\r\n"]
)
@pytest.mark.parametrize(
    "before",
    [
        "",
        "ABNANL2A\n940\nABNANL2A\n",
        "0000 01INGBNL2AXXXX00001\n940 00\n",
        ":940:\n",
        "\x01\n",
        "{1:F01ASNBNL21XXXX0000000000}{2:O940ASNBNL21XXXXN}{3:}{4:\n",
        "{4:",
    ],
)
def test_statements_are_kept_apart(before, between):
    one = before + HEAD + MOVEMENT + ":62F:C261130EUR11,\n" + between
    ours = read(one + one.replace(":20:ID", ":20:ID2"))
    assert [(each.id, each.entries, each.booked_minor) for each in ours.statements] == [
        ("ID", 1, 100),
        ("ID2", 1, 100),
    ]
    assert [entry.statement for entry in ours.entries] == [0, 1]
    assert ours.findings == []


def test_a_message_without_a_closing_balance_ends_at_the_next_header():
    cut = HEAD + MOVEMENT + ":86:text\n-\n"
    for header in ("ABNANL2A\n942\nABNANL2A\n", "{1:F01X}{2:O942}{4:\n", ":942:\n", ""):
        ours = read(cut + header + HEAD + MOVEMENT + TAIL)
        assert [each.entries for each in ours.statements] == [1, 1]
        assert ours.entries[0].text == "text -"
        assert ours.statements[1].kind is (Kind.REPORT if header else Kind.STATEMENT)
        assert ours.faults() == [("error", "missing", ":62F:")]


def test_pages_are_messages_of_their_own():
    first = HEAD + ":62M:C261130EUR10,\n-\n"
    second = HEAD.replace("60F", "60M").replace("7/1", "7/2") + TAIL
    assert [(each.number, each.page) for each in read(first + second).statements] == [
        (7, 1),
        (7, 2),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (REPORT, Kind.REPORT),
        ("942\n" + HEAD + TAIL, Kind.REPORT),
        ("{2:O9421200}{4:\n" + HEAD + TAIL, Kind.REPORT),
        ("{2:I940BANKDEFF}{4:\n" + HEAD + TAIL, Kind.STATEMENT),
        (REPORT + TAIL, Kind.STATEMENT),
    ],
)
def test_kinds(text, kind):
    (statement,) = read(text).statements
    assert statement.kind is kind


def test_a_report_has_its_day_and_currency():
    (statement,) = read(REPORT).statements
    assert (statement.currency, statement.to_date, statement.page) == ("EUR", day("2026-11-30"), 1)


@pytest.mark.parametrize(
    ("totals", "is_told"),
    [
        (":90C:1EUR1,\n:90D:1EUR2,\n", False),
        (":90C:1EUR1,\n:90D:2EUR5,\n", False),
        (":90C:EUR1,\n", False),
        (":90C:2EUR1,\n", True),
        (":90D:1EUR2,01\n", True),
    ],
)
def test_totals_are_checked_with_or_without_what_is_expected(totals, is_told):
    movements = MOVEMENT + ":61:261130D2,NTRFX\n:61:261130ED3,NTRFX\n"
    told = [found.fault for found in read(REPORT + movements + totals).findings]
    assert told == ([Fault.COUNT] if is_told else [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":60F:C261129EUR10,\n" + TAIL, [("warning", ":20:")]),
        (HEAD.replace(":25:ACC/1\n", "") + TAIL, [("warning", ":25:")]),
        (HEAD, [("error", ":62F:")]),
        (HEAD.replace(":60F:C261129EUR10,\n", "") + TAIL, [("error", ":60F:")]),
    ],
)
def test_what_is_missing_is_told(text, expected):
    findings = read(text).findings
    assert [(found.severity, found.field) for found in findings] == expected
    assert {found.fault for found in findings} == {Fault.MISSING}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (":61:", Fault.FIELD),
        (":61:261130X1,NTRFX", Fault.FIELD),
        (":61:261130C1,234NTRFX", Fault.FIELD),
        (":61:261130C1.234,5NTRFX", Fault.FIELD),
        (":61:261130C" + "9" * 20 + ",NTRFX", Fault.FIELD),
    ],
)
def test_a_movement_that_cannot_be_read_is_told_and_the_rest_goes_on(line, fault):
    ours = read(HEAD + MOVEMENT + line + "\n:86:details\n" + MOVEMENT + TAIL)
    assert len(ours.entries) == 2
    (found,) = ours.findings
    assert (found.severity, found.fault, found.line, found.field) == (
        Severity.ERROR,
        fault,
        6,
        ":61:",
    )
    assert found.raw == line + "\n:86:details"


@pytest.mark.parametrize(
    ("text", "fault", "field"),
    [
        (HEAD + ":62F:C260230EUR1,\n", Fault.FIELD, ":62F:"),
        (HEAD + ":62F:C261130USD1,\n", Fault.CURRENCY, ":62F:"),
        (HEAD + TAIL.replace(":62F:", ":25:"), Fault.STRUCTURE, ":25:"),
        (HEAD.replace("7/1", "x") + TAIL, Fault.FIELD, ":28C:"),
        (REPORT.replace(":13D:26", ":13D:x"), Fault.FIELD, ":13D:"),
        (REPORT + ":90C:x\n", Fault.FIELD, ":90C:"),
    ],
)
def test_a_frame_that_cannot_be_read_is_told(text, fault, field):
    found = read(text).findings[0]
    assert (found.severity, found.fault, found.field) == (Severity.ERROR, fault, field)
    assert found.raw.startswith(field)


def test_a_bad_balance_still_tells_the_currency():
    ours = read(HEAD.replace("C261129EUR10,", "C261329EUR10,") + MOVEMENT + TAIL)
    assert [entry.currency for entry in ours.entries] == ["EUR"]
    assert ours.faults() == [("error", "field", ":60F:")]


@pytest.mark.parametrize(
    ("account", "options", "expected"),
    [
        ("DE02120300000000202051EUR", {}, ["EUR"]),
        ("ACC/1", {"currency": "CHF"}, ["CHF"]),
        ("ACC/1", {}, []),
    ],
)
def test_a_currency_may_stand_elsewhere(account, options, expected):
    ours = read(f":20:ID\n:25:{account}\n:28C:1\n{MOVEMENT}", **options)
    assert [entry.currency for entry in ours.entries] == expected
    assert (("error", "currency", ":61:") in ours.faults()) == (not expected)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (":61:260230C1,NTRFX", Fault.FIELD),
        (":61:2611301399C1,NTRFX", Fault.FIELD),
        (":61:261130C1NTRFX", Fault.FIELD),
        (":61:261130C1,MCI0X", Fault.FIELD),
        (":61:261130C1,NTRF", Fault.MISSING),
        (":61:261130C1,", Fault.MISSING),
        (":61:261130CD1,NTRFX", Fault.CURRENCY),
    ],
)
def test_what_is_not_as_it_should_be_is_told_and_read(line, fault):
    ours = read(HEAD + line + "\n" + TAIL)
    assert [entry.amount_minor for entry in ours.entries] == [100]
    assert (Severity.WARNING, fault, ":61:") in ours.faults()


def test_habits_of_a_bank_are_told_once_a_statement():
    assert len(read((HEAD + ":61:261130C1,NTRF\n" * 9 + TAIL) * 2).findings) == 2


def test_movements_behind_the_closing_balance_are_read_and_told():
    ours = read(HEAD + TAIL + MOVEMENT + MOVEMENT)
    assert (len(ours.entries), len(ours.statements)) == (2, 1)
    assert ours.faults() == [("warning", "structure", ":61:")]


def test_an_account_behind_the_closing_balance_begins_a_statement():
    ours = read(HEAD + TAIL + HEAD.partition("\n")[2] + TAIL)
    assert [each.id for each in ours.statements] == ["ID", ""]
    assert ours.faults() == [("warning", "missing", ":20:")]


@pytest.mark.parametrize(
    ("details", "text"),
    [
        (":86:106?20At 2014T16\n:26:37 sharp", "At 2014T16:26:37 sharp"),
        (":86:106?20At 2014T16\n:20:37 sharp", "At 2014T16:20:37 sharp"),
        (":86:one\n:86:two", "one two"),
        (":86:one\n-two\n{three", "one -two {three"),
        (":86:one\n-\ntwo", "one - two"),
        (":86:one -\n-", "one - -"),
        (":\n86:one", "one"),
        (":86:one\n:\ntwo", "one : two"),
        (":86:", ""),
        (":NS:01one\n02two", "one two"),
    ],
)
def test_details_are_wrapped_in_any_way(details, text):
    ours = read(HEAD + MOVEMENT + details + "\n" + TAIL)
    assert [entry.text for entry in ours.entries] == [text]
    assert (len(ours.statements), ours.findings) == (1, [])


def test_a_field_behind_a_number_is_no_time_of_day():
    """Where the statement is closed, or the number is no hour."""
    for text in (HEAD + MOVEMENT + ":86:16\n" + TAIL, HEAD + MOVEMENT + ":86:26\n"):
        assert len(read(text + HEAD.replace(":20:ID", ":20:37")).statements) == 2


def test_references_say_where_they_are():
    details = ":86:166?20KREF+K-1?21SVWZ+text\n"
    for reference in ("KREF+", "NONREF", "EREF"):
        movement = MOVEMENT.replace("REF//", reference + "//")
        assert read(HEAD + movement + details + TAIL).entries[0].reference == "K-1"
    assert read(HEAD + MOVEMENT + details + TAIL).entries[0].reference == "REF"
    details = details.replace("SVWZ", "EREF")
    assert read(HEAD + MOVEMENT + details + TAIL).entries[0].reference == "text"


def test_an_account_is_no_reference():
    movement = MOVEMENT.replace("REF//BANK", "DE02120300000000202051")
    (entry,) = read(HEAD + movement + TAIL).entries
    assert (entry.reference, entry.counterparty_account) == ("", "DE02120300000000202051")
    movement = MOVEMENT + "DE02120300000000202051\n:86:/NAME/Ada/REMI/Rent\n"
    (entry,) = read(HEAD + movement + TAIL).entries
    assert (entry.counterparty, entry.counterparty_account) == ("Ada", "DE02120300000000202051")


def test_what_was_ordered_and_charges():
    details = "/OCMT/USD1,5//CHGS/EUR0,25/\n"
    (entry,) = read(HEAD + MOVEMENT.replace("C1,", "D1,") + details + TAIL).entries
    assert (entry.original_currency, entry.original_minor, entry.charges_minor) == (
        "USD",
        -150,
        25,
    )
    ours = read(HEAD + MOVEMENT + "/OCMT/EUR1,//CHGS/USD1,/\n" + TAIL)
    assert (ours.entries[0].original_minor, ours.entries[0].charges_minor) == (None, None)
    ours = read(HEAD + MOVEMENT + "/OCMT/USD1,555/\n" + TAIL)
    assert (len(ours.entries), ours.faults()) == (1, [("warning", "field", "/OCMT/ or /CHGS/")])


def test_text_beside_all_fields_is_told_once_with_what_it_says():
    ours = read("Example\nfile\n" + HEAD + TAIL + "beside\nall\n-\nand\nmore\n" + HEAD + TAIL)
    told = [(found.fault, found.line, found.raw) for found in ours.findings]
    assert told == [(Fault.IGNORED, 1, "Example"), (Fault.IGNORED, 8, "beside")]


@pytest.mark.parametrize("data", ["", "\n\n", "a;b\n1;2\n", "OFXHEADER:100\n", "{}", "<Document/>"])
def test_what_is_no_mt940_is_refused(data):
    assert not is_mt(data.encode())
    with pytest.raises(Invalid):
        read(data)


def test_an_endless_file_of_something_else_is_refused_early():
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            return b"1\n" * 8_192

    with pytest.raises(Invalid):
        list(read_mt(Endless()))


@pytest.mark.parametrize("encoding", ["utf-16", "no such", "rot13", "hex"])
def test_an_encoding_that_cannot_be_is_refused(encoding):
    with pytest.raises(Invalid):
        read(HEAD, encoding=encoding)


@pytest.mark.parametrize(
    "head", [":20:X", "\r\n:20:X", "\ufeff:20:X", "{1:F01X}", ":940:\n", "words\n:25:X", " :20:X"]
)
def test_a_beginning_is_known(head):
    assert is_mt(head.encode())


class Endless(io.RawIOBase):
    """A statement that goes on for ever, in so many pieces."""

    def __init__(self, head, piece, times):
        self._pieces = iter([head.encode(), *[piece.encode()] * times])

    def read(self, size=-1):
        return next(self._pieces, b"")


def test_endless_details_are_cut_and_told():
    stream = Endless(HEAD + MOVEMENT + ":86:", "for ever and ever\n" * 1_000, 100)
    (part,) = read_mt(stream)
    assert len(part.entries["text"][0].as_py()) < LETTERS_MAX
    told = [(found.severity, found.fault, found.field) for found in part.findings]
    assert told == [
        (Severity.WARNING, Fault.STRUCTURE, ":86:"),
        (Severity.ERROR, Fault.MISSING, ":62F:"),
    ]


def test_an_endless_statement_comes_in_parts_of_bounded_size():
    read(HEAD + MOVEMENT)  # what is imported then is none of it
    stream = Endless(HEAD, (MOVEMENT + ":86:For it\n") * 1_000, 25)
    tracemalloc.start()
    entries = findings = 0
    for part in read_mt(stream):
        entries += part.entries.num_rows
        findings += len(part.findings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (entries, findings) == (25_000, 1)
    assert peak < 10_000_000
