"""The workbook: read back as it was written, amounts to the cent, and no text that acts."""

import io
import re
import zipfile
from xml.etree import ElementTree as ET

import pyarrow.parquet as pq
import pytest
from tests.reconciled import run_sides

from hansa.reconcile.batch.results import BREAKS, MATCHES
from hansa.reconcile.batch.summary import BreakCount, SideCount, Summary
from hansa.reconcile.entries import Entry, Severity
from hansa.reconcile.readers.opening import Reading, open_statements
from hansa.reconcile.readers.tables.mapping import parse_mapping
from hansa.reconcile.report.workbook import DIGITS_MAX, WORKBOOK, write_workbook

MAPPING = """
rows = {{ sheet = "{sheet}" }}

[columns]
account = "Account"
currency = "Currency"
amount = "Amount"
booking_date = "Booking date"
value_date = "Value date"
reference = "Reference"
bank_reference = "Bank's reference"
counterparty = "Counterparty"
text = "Text"
"""
HOSTILE = [
    *("=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "{=1}", "\t=1", "1234", "1E5"),
    *("http://x", "mailto:x", "internal:Summary!A1", "TRUE", "#REF!"),
    *("<r><t>x</t></r>", "</t></is></c><c><f>1</f></c>", "<b>&amp;\"'"),
]
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_back(out, sheet):
    """Read a sheet of entries by our own reader of workbooks."""
    mapping = parse_mapping(MAPPING.format(sheet=sheet).encode(), "map")
    entries = []
    for part in open_statements(out / WORKBOOK, Reading(mapping)):
        assert not [each for each in part.findings if each.severity is Severity.ERROR]
        entries += part.entries.to_pylist()
    return entries


def read_sheets(out):
    """Read cells of all sheets as (reference, kind, text), in plain XML."""
    sheets = []
    with zipfile.ZipFile(out / WORKBOOK) as archive:
        for number in (1, 2, 3):
            root = ET.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314 - ours
            assert root.find(f".//{MAIN}f") is None
            assert root.find(f".//{MAIN}hyperlink") is None
            sheets.append(
                [
                    (cell.get("r"), cell.get("t", "n"), "".join(cell.itertext()))
                    for cell in root.iter(f"{MAIN}c")
                ]
            )
    return sheets


TOLD = ["account", "currency", "amount_minor", "booking_date", "value_date", "reference"]
TOLD += ["bank_reference", "counterparty", "text"]


def test_entries_are_read_back_as_they_were(tmp_path):
    left = [
        Entry("DE02", "EUR", -1_234_567_89, 20_000, 20_001, "a", "b", "", "Müller", "", "Text"),
        Entry("DE02", "JPY", 70, 20_000, 20_000, "same"),
        Entry("DE02", "KWD", -7, 20_000, 20_000, "k"),
        Entry("DE02", "EUR", 0, 20_000, 20_000, "none"),
        Entry("DE02", "EUR", 20_00, 20_000, 20_000, "near"),
    ]
    right = [Entry("DE02", "EUR", -20_02, 20_002, 20_002, "near")]
    out = run_sides(tmp_path, left, right)
    for sheet, path, count in (("Breaks", BREAKS, 4), ("Matches", MATCHES, 2)):
        told = pq.read_table(out / path).select(TOLD).to_pylist()
        read = [{name: each[name] for name in TOLD} for each in read_back(out, sheet)]
        assert read == told
        assert len(read) == count


@pytest.mark.parametrize("sign", [1, -1])
def test_amounts_lose_no_cent_however_large(tmp_path, sign):
    minors = [10**digits - 1 for digits in range(1, 19)] + [95 * 10**13 + 1, (1 << 63) - 1]
    entries = [
        Entry("1", currency, sign * minor, 1, 1, f"{minor} {currency}")
        for minor in minors
        for currency in ("EUR", "JPY", "KWD", "CLF")
    ]
    out = run_sides(tmp_path, entries, [])
    places = {"EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4}
    _, cells, _ = read_sheets(out)
    told = {reference: (kind, text) for reference, kind, text in cells}
    rows = pq.read_table(out / BREAKS).to_pylist()
    assert len(rows) == len(entries)
    for number, entry in enumerate(rows, 2):
        kind, text = told[f"H{number}"]
        whole, _, decimals = text.replace(",", "").partition(".")
        digits = decimals.ljust(places[entry["currency"]], "0")
        assert int(whole + digits) == entry["amount_minor"]
        is_long = len(str(abs(entry["amount_minor"]))) > DIGITS_MAX
        assert kind == ("inlineStr" if is_long else "n")


def test_no_text_becomes_a_formula_a_link_or_markup(tmp_path):
    entries = [
        Entry("1", "EUR", 1 + at, 1, 1, text, text, "", text, "", text)
        for at, text in enumerate(HOSTILE)
    ]
    out = run_sides(tmp_path, entries, [])
    _, cells, _ = read_sheets(out)
    found = {reference: (kind, text) for reference, kind, text in cells}
    rows = pq.read_table(out / BREAKS).column("reference").to_pylist()
    shown = {"\t=1": "\\t=1", "<r><t>x</t></r>": "\\x3cr><t>x</t></r>"}
    for number, text in enumerate(rows, 2):
        for column in "KLMN":
            assert found[f"{column}{number}"] == ("inlineStr", shown.get(text, text))


def test_what_excel_takes_for_an_escape_is_escaped(tmp_path):
    out = run_sides(
        tmp_path, [Entry("1", "EUR", 1, 1, 1, "_x0041_", text="a\x00\x1b\ufffe\u202e")], []
    )
    _, cells, _ = read_sheets(out)
    texts = {reference: text for reference, _, text in cells}
    assert texts["K2"] == "_x005F_x0041_"
    assert texts["N2"] == r"a\x00\x1b\ufffe\u202e"


def test_long_texts_fit_a_cell_and_say_that_they_are_cut(tmp_path):
    long = ["\x1b" * 200_000, "x" * 200_000, "\U0010ffff" * 40_000]
    entries = [Entry("1", "EUR", 1 + at, 1, 1, text=text) for at, text in enumerate(long)]
    _, cells, _ = read_sheets(run_sides(tmp_path, entries, []))
    texts = [text for reference, _, text in cells if re.fullmatch(r"N[234]", reference)]
    assert len(texts) == 3
    assert all(text.endswith(" letters)") for text in texts)
    assert max(len(text.encode("utf-16-le")) // 2 for text in texts) <= 32_767


def test_days_that_no_spreadsheet_knows_are_texts(tmp_path):
    entries = [Entry("1", "EUR", 1, -30_000, -30_000), Entry("1", "EUR", 2, 20_546, None)]
    out = run_sides(tmp_path, entries, [])
    _, cells, _ = read_sheets(out)
    found = {reference: (kind, text) for reference, kind, text in cells}
    days = {found.get("I2"), found.get("I3")}
    assert days == {("inlineStr", "1887-11-12"), ("n", "46115")}


def test_heads_stay_in_view_and_filter(tmp_path):
    out = run_sides(tmp_path, [Entry("1", "EUR", 1, 1, 1)], [])
    with zipfile.ZipFile(out / WORKBOOK) as archive:
        breaks, matches = (archive.read(f"xl/worksheets/sheet{at}.xml") for at in (2, 3))
        names = re.findall(rb'<sheet name="(\w+)"', archive.read("xl/workbook.xml"))
    assert names == [b"Summary", b"Breaks", b"Matches"]
    assert b'state="frozen"' in breaks
    assert b'<autoFilter ref="A1:Q2"/>' in breaks
    assert b'<autoFilter ref="A1:O1"/>' in matches


def test_what_does_not_fit_a_sheet_is_told(tmp_path):
    out = run_sides(tmp_path, [Entry("1", "EUR", 1 + at, 1, 1) for at in range(9)], [])
    sides = tuple(SideCount(name, (), False, 0, 0, 0, 0, 0, 0) for name in ("books", "bank"))
    none = BreakCount("all", 0, 0, 0, ())
    summary = Summary("=title", "2026-01-01", "", "", sides, (), none, (), (), ())
    write_workbook(summary, out, tmp_path, rows_max=4)
    figures, breaks, _ = read_sheets(out)
    texts = [text for _, _, text in figures]
    assert "4 of 9 entries; the sheet has no room for the others, breaks.parquet has all" in texts
    assert "0 of 0 entries" in texts
    assert figures[0] == ("A1", "inlineStr", "=title")
    assert max(int(re.sub(r"\D", "", reference)) for reference, *_ in breaks) == 5


def test_nothing_is_left_of_what_was_put_together(tmp_path):
    out = run_sides(tmp_path, [Entry("1", "EUR", 1, 1, 1)], [])
    assert not (out / ".work").exists()
    assert zipfile.ZipFile(io.BytesIO((out / WORKBOOK).read_bytes())).testzip() is None
