"""Tables that tests write and read."""

from __future__ import annotations

import io
import zipfile
from html import escape

from hansa.reconcile.readers.parts import read_entries
from hansa.reconcile.readers.tables.delimited import read_csv
from hansa.reconcile.readers.tables.mapping import parse_mapping
from hansa.reconcile.readers.tables.workbook import read_xlsx

PLAIN = """
[columns]
account = "account"
currency = "currency"
booking_date = "date"
amount = "amount"
reference = "reference"
[amounts]
decimal = "."
"""
HEADER = "account,currency,date,amount,reference\n"


def gather(parts):
    """Gather entries, statements and findings of parts."""
    entries, statements, findings = [], [], []
    for part in parts:
        entries += read_entries(part.entries)
        statements += part.statements
        findings += part.findings
    return entries, statements, findings


def mapping_of(text=PLAIN):
    return parse_mapping(text.encode(), "map.toml")


def read_text(text, mapping=PLAIN, encoding="utf-8"):
    """Read a table that is written as CSV."""
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode(encoding))
    return gather(read_csv(stream, mapping_of(mapping)))


RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def make_parts(rows, *, sheets=("Sheet",), texts=(), formats=(), is_1904=False, behind=""):
    """Make the parts of a workbook by name; `rows` is the XML within sheetData of each sheet."""
    links = "".join(
        f'<Relationship Id="s{at}" Type="{RELATIONSHIPS}/worksheet" Target="worksheets/{at}.xml"/>'
        for at, _ in enumerate(sheets)
    )
    links += f'<Relationship Id="t" Type="{RELATIONSHIPS}/sharedStrings" Target="/xl/texts.xml"/>'
    links += f'<Relationship Id="f" Type="{RELATIONSHIPS}/styles" Target="styles.xml"/>'
    states = {name: "hidden" if name.startswith("-") else "visible" for name in sheets}
    listed = "".join(
        f'<sheet name="{name.removeprefix("-")}" r:id="s{at}" state="{states[name]}"/>'
        for at, name in enumerate(sheets)
    )
    custom = "".join(
        f'<numFmt numFmtId="{200 + at}" formatCode="{form}"/>' for at, form in enumerate(formats)
    )
    styled = "".join(f'<xf numFmtId="{200 + at}"/>' for at, _ in enumerate(formats))
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="1" '
        f'Type="{RELATIONSHIPS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONSHIPS}"><workbookPr '
        f'date1904="{int(is_1904)}"/><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">{links}</Relationships>',
        "xl/texts.xml": f'<sst xmlns="{MAIN}">{"".join(texts)}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><numFmts>{custom}</numFmts>'
        f'<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>{styled}</cellXfs></styleSheet>',
    }
    for at, _ in enumerate(sheets):
        xml = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{behind}</worksheet>'
        parts[f"xl/worksheets/{at}.xml"] = xml
    return parts


def pack(parts):
    """Pack the parts of a workbook."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return target.getvalue()


def inline(text):
    """Make a cell of text."""
    return f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>'


def read_workbook(raw, mapping=PLAIN):
    """Read a workbook."""
    return gather(read_xlsx(io.BytesIO(raw), mapping_of(mapping)))
