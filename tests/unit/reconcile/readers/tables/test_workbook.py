"""XLSX: numbers as they are written, days by their style, and nothing unsafe."""

import io
import zipfile
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tabled import HEADER, PLAIN, inline, make_parts, mapping_of, pack, read_workbook

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault, Severity
from hansa.reconcile.readers.opening import Reading, open_statements
from hansa.reconcile.readers.tables import workbook
from hansa.reconcile.readers.tables.workbook import is_xlsx

DAY = 46_115  # 2026-04-03
HEAD = f"<row r='1'>{''.join(map(inline, HEADER.strip().split(',')))}</row>"
BARE = PLAIN.replace('[amounts]\ndecimal = "."\n', "")
"""A mapping that says nothing of amounts: numbers need none."""


def row(number=2, amount="<c><v>12.5</v></c>", day=f"<c s='1'><v>{DAY}</v></c>", reference="r"):
    cells = inline("DE02") + inline("EUR") + day + amount + inline(reference)
    return f"<row r='{number}'>{cells}</row>"


def test_rows_become_entries():
    raw = pack(make_parts(HEAD + row() + row(5, "<c><v>-3</v></c>")))
    assert is_xlsx(raw)
    entries, (statement,), findings = read_workbook(raw, BARE)
    assert findings == []
    assert [(each.amount_minor, each.booking_date, each.line) for each in entries] == [
        (1_250, 20_546, 2),
        (-300, 20_546, 5),
    ]
    assert (statement.entries, statement.booked_minor) == (2, 950)


def test_a_day_tells_its_time_where_the_format_asks_for_it():
    timed = BARE + '[dates]\nformat = "%Y-%m-%d %H:%M:%S"\n'
    days = (f"<c s='1'><v>{DAY}.75</v></c>", "<c t='d'><v>2026-04-03T18:00:00</v></c>")
    raw = pack(make_parts(HEAD + "".join(row(n, day=each) for n, each in enumerate(days, 2))))
    for mapping, expected in ((BARE, None), (timed, 20_546 * 86_400 + 18 * 3_600)):
        entries, _, findings = read_workbook(raw, mapping)
        assert findings == []
        assert [(each.booking_date, each.booked_at_s) for each in entries] == [
            (20_546, expected)
        ] * 2


@pytest.mark.parametrize(
    ("cell", "minor"),
    [
        ("<c><v>0.30000000000000004</v></c>", 30),
        ("<c><v>1234.4999999999998</v></c>", 123_450),
        ("<c><v>1E2</v></c>", 10_000),
        ("<c><v>1.5e-1</v></c>", 15),
        ("<c t='n'><v>90071992547409.91</v></c>", 9_007_199_254_740_991),
        ("<c t='str'><f>A1</f><v>7</v></c>", 700),
        ("<c><f>1+1</f><v>2</v></c>", 200),
        (inline("12"), 1_200),
    ],
)
def test_amounts_need_no_notation_if_they_are_numbers(cell, minor):
    ((entry,), _, findings) = read_workbook(pack(make_parts(HEAD + row(amount=cell))), BARE)
    assert findings == []
    assert entry.amount_minor == minor


def test_numbers_and_text_can_stand_in_one_column():
    mapping = BARE + '[amounts]\ndecimal = ","\nthousands = "."\n'
    rows = HEAD + row(2) + row(3, inline("1.234,50"))
    entries, _, _ = read_workbook(pack(make_parts(rows)), mapping)
    assert [entry.amount_minor for entry in entries] == [1_250, 123_450]


@pytest.mark.parametrize(
    ("cell", "fault", "told"),
    [
        (inline("1,234"), Fault.FIELD, "which one is decimal"),
        ("<c><f>1+1</f></c>", Fault.FIELD, "never computed"),
        ("<c t='e'><v>#REF!</v></c>", Fault.FIELD, "#REF!"),
        ("<c><v>0.015</v></c>", Fault.FIELD, "finer"),
        ("<c><v>1234567890123456</v></c>", Fault.FIELD, "15 digits"),
        ("<c><v>NaN</v></c>", Fault.FIELD, "15 digits"),
        ("<c><v>x</v></c>", Fault.FIELD, "no number"),
        ("<c t='s'><v>9</v></c>", Fault.FIELD, "not there"),
        (f"<c t='str'><v>{'9' * 70_000}</v></c>", Fault.FIELD, "letters"),
        ("<c/>", Fault.MISSING, "no amount"),
    ],
)
def test_a_bad_cell_is_a_finding_and_the_rest_goes_on(cell, fault, told):
    rows = HEAD + row(2, cell) + row(3)
    ((entry,), _, (finding,)) = read_workbook(pack(make_parts(rows)), BARE)
    assert entry.line == 3
    assert (finding.severity, finding.fault) == (Severity.ERROR, fault)
    assert (finding.line, finding.field) == (2, "amount")
    assert told in finding.text
    assert finding.raw.startswith("DE02,EUR,2026-04-03,")


@pytest.mark.parametrize(
    ("value", "form", "is_1904", "day"),
    [
        (DAY, "dd.mm.yyyy", False, 20_546),
        (f"{DAY}.75", "yyyy\\-mm\\-dd hh:mm", False, 20_546),
        (DAY - 1_462, "d/m/yy", True, 20_546),
        (1, "dd.mm.yyyy", False, -25_567),
        (61, "dd.mm.yyyy", False, -25_508),
        (60, "dd.mm.yyyy", False, None),
        (-1, "dd.mm.yyyy", False, None),
        (DAY, "0.00 &quot;days&quot;", False, None),
        (DAY, "[Red]0;dd", False, None),
        (DAY, "hh:mm:ss", False, None),
        (DAY, "mmm", False, 20_546),
    ],
)
def test_days_are_told_by_their_style(value, form, is_1904, day):
    rows = HEAD + row(day=f"<c s='2'><v>{value}</v></c>")
    parts = make_parts(rows, formats=[form], is_1904=is_1904)
    entries, _, findings = read_workbook(pack(parts), BARE)
    assert [entry.booking_date for entry in entries] == ([] if day is None else [day])
    assert [finding.field for finding in findings] == (["date"] if day is None else [])


def test_days_need_no_format_and_text_has_the_mappings():
    mapping = BARE + '[dates]\nformat = "%d.%m.%y"\n'
    iso = "<c t='d'><v>2026-04-03T10:00:00</v></c>"
    rows = HEAD + row(2) + row(3, day=inline("04.04.26")) + row(4, day=iso)
    entries, _, _ = read_workbook(pack(make_parts(rows)), mapping)
    assert [entry.booking_date for entry in entries] == [20_546, 20_547, 20_546]


def test_shared_texts_are_put_together():
    texts = [
        "<si><t>A1</t></si>",
        "<si><r><t>Rent</t></r><rPh><t>read so</t></rPh><r><t xml:space='preserve'> 4</t></r></si>",
    ]
    cells = "".join(f"<c t='s'><v>{at}</v></c>" for at in (0, 1))
    rows = HEAD + row().replace(inline("DE02"), cells[: len(cells) // 2])
    rows = rows.replace(inline("r"), cells[len(cells) // 2 :])
    ((entry,), _, _) = read_workbook(pack(make_parts(rows, texts=texts)), BARE)
    assert (entry.account, entry.reference) == ("A1", "Rent 4")


def test_cells_stand_where_they_say_and_others_do_not_count():
    cells = f"<c r='E2' t='b'><v>1</v></c><c r='C2' s='1'><v>{DAY}</v></c><c r='D2'><v>5</v></c>"
    cells += "<c r='A2' t='str'><v>A</v></c><c r='B2' t='str'><v>EUR</v></c>"
    cells += "<c r='H2' t='e'><v>#N/A</v></c>"
    raw = pack(make_parts(HEAD + f"<row>{cells}</row><row/>"))
    ((entry,), _, findings) = read_workbook(raw, BARE)
    assert (entry.account, entry.amount_minor, entry.reference) == ("A", 500, "TRUE")
    assert findings == []


def test_rows_above_and_below_are_left_out():
    title = f"<row r='1'>{inline('Umsätze')}</row>"
    rows = title + HEAD.replace("r='1'", "r='4'") + row(5) + f"<row r='6'>{inline('Sum')}</row>"
    mapping = BARE + "[rows]\nskip = 3\nfooter = 1\n"
    ((entry,), (statement,), findings) = read_workbook(pack(make_parts(rows)), mapping)
    assert (entry.line, statement.line, findings) == (5, 4, [])


def test_merged_cells_are_told():
    merged = "<mergeCells><mergeCell ref='A1:C1'/><mergeCell ref='A2:A3'/></mergeCells>"
    entries, _, (finding,) = read_workbook(pack(make_parts(HEAD + row(), behind=merged)), BARE)
    assert len(entries) == 1
    assert (finding.severity, finding.fault) == (Severity.WARNING, Fault.STRUCTURE)
    assert "A2:A3" in finding.text


def test_the_sheet_is_the_one_that_is_named():
    raw = pack(make_parts(HEAD + row(), sheets=("One", "-Hidden", "Two")))
    assert len(read_workbook(raw, BARE + '[rows]\nsheet = "Two"\n')[0]) == 1
    with pytest.raises(Invalid, match="'One', 'Two'"):
        read_workbook(raw, BARE)
    with pytest.raises(Invalid, match="no sheet 'Hidden'"):
        read_workbook(raw, BARE + '[rows]\nsheet = "Hidden"\n')
    assert len(read_workbook(pack(make_parts(HEAD + row(), sheets=("One", "-H"))), BARE)[0]) == 1


def test_a_sheet_that_is_cut_off_is_read_as_far_as_it_goes():
    parts = make_parts(HEAD + row(2) + row(3))
    parts["xl/worksheets/0.xml"] = parts["xl/worksheets/0.xml"][:-200]
    entries, _, (finding,) = read_workbook(pack(parts), BARE)
    assert [entry.line for entry in entries] == [2]
    assert (finding.severity, finding.fault) == (Severity.ERROR, Fault.STRUCTURE)
    assert "behind row 2" in finding.text


BOMB = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
EXTERNAL = "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"


@pytest.mark.parametrize("unsafe", [BOMB, EXTERNAL])
@pytest.mark.parametrize(
    "part",
    ["_rels/.rels", "xl/workbook.xml", "xl/texts.xml", "xl/styles.xml", "xl/worksheets/0.xml"],
)
def test_document_types_are_refused(part, unsafe):
    parts = make_parts(HEAD + row())
    parts[part] = unsafe + parts[part]
    with pytest.raises(Invalid, match="unsafe") as caught:
        read_workbook(pack(parts), BARE)
    assert caught.value.code is InvalidCode.MALFORMED


@pytest.mark.parametrize("part", ["xl/texts.xml", "xl/worksheets/0.xml", "xl/workbook.xml"])
def test_bombs_are_refused_before_they_are_unpacked(part):
    parts = make_parts(HEAD + row())
    parts[part] = parts[part] + " " * (workbook.FREE_BYTES + 1)
    with pytest.raises(Invalid, match="unpacks to"):
        read_workbook(pack(parts), BARE)


@pytest.mark.parametrize("part", list(make_parts("")))
def test_a_workbook_without_one_of_its_parts_is_refused(part):
    parts = make_parts(HEAD + row())
    del parts[part]
    with pytest.raises(Invalid, match="save it anew"):
        read_workbook(pack(parts), BARE)


def test_other_archives_and_old_workbooks_are_told(tmp_path):
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("statement.csv", HEADER)
    raws = {"ZIP archive": other.getvalue(), "before 2007": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}
    for told, raw in raws.items():
        path = tmp_path / "file"
        path.write_bytes(raw)
        with pytest.raises(Invalid, match=told):
            list(open_statements(path, Reading(mapping_of(BARE))))
    path.write_bytes(pack(make_parts(HEAD + row())))
    parts = list(open_statements(path, Reading(mapping_of(BARE))))
    assert sum(part.entries.num_rows for part in parts) == 1


@given(
    st.lists(
        st.tuples(
            st.integers(-(10**14), 10**14), st.integers(61, 100_000), st.text("aé<&", max_size=4)
        )
    )
)
def test_what_is_written_is_read(given_rows):
    rows = HEAD + "".join(
        row(
            number,
            f"<c><v>{float(Decimal(minor).scaleb(-2))!r}</v></c>",
            f"<c s='1'><v>{day}</v></c>",
            text,
        )
        for number, (minor, day, text) in enumerate(given_rows, 2)
    )
    entries, _, findings = read_workbook(pack(make_parts(rows)), BARE)
    assert findings == []
    assert [
        (each.amount_minor, each.booking_date + 25_569, each.reference) for each in entries
    ] == (given_rows)


@given(st.data())
def test_changed_workbooks_raise_nothing_but_invalid(data):
    if data.draw(st.booleans()):
        raw = bytearray(pack(make_parts(HEAD + row() * 3)))
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        changed = bytes(raw)
    else:
        parts = make_parts(HEAD + row() * 3)
        part = data.draw(st.sampled_from(sorted(parts)))
        xml = bytearray(parts[part].encode())
        for _ in range(data.draw(st.integers(1, 3))):
            xml[data.draw(st.integers(0, len(xml) - 1))] = data.draw(st.integers(32, 126))
        changed = pack(parts | {part: bytes(xml)})
    try:
        entries, (statement,), _ = read_workbook(changed, BARE)
    except Invalid:
        return
    assert statement.entries == len(entries)
