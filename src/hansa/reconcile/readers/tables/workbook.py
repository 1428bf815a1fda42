"""XLSX: the parts of a workbook, and the sheet that the mapping names.

Read by us, on what Python has: openpyxl has had no release since June 2024, and like all others
makes floats of amounts, which stand in the file as decimals. A workbook is refused before anything
is unpacked if its parts would be too large, or very many times their size.

Source: ECMA-376 part 1, 18.2 (workbook), 18.4 (shared strings), 18.8 (styles, number formats);
part 2 (packages and relationships).
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, NamedTuple
from xml.parsers import expat

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Part
from hansa.reconcile.readers.tables.mapping import Mapping
from hansa.reconcile.readers.tables.rows import Row, hold_back, read_rows
from hansa.reconcile.readers.tables.sheet import READ_BYTES, Damaged, Sheet, open_parser

_HEAD = re.compile(rb"PK\x03\x04.{26}(\[Content_Types\]|_rels/|xl/|docProps/)", re.DOTALL)
PARTS_MAX = 10_000
PART_BYTES_MAX = 1 << 31
"""Of the sheet; Excel's largest are about so."""
SMALL_BYTES_MAX = 1 << 24
"""Of the workbook's own part, its relationships and its styles."""
TEXTS_BYTES_MAX = 1 << 28
"""Of the texts that cells share, which are kept in memory."""
RATIO_MAX = 250
FREE_BYTES = 1 << 24
_DATES = {14, 15, 16, 17, 22, *range(27, 37), *range(50, 59)}
"""Number formats that every workbook has and that show a day."""
_NO_LETTERS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|[_*].')
"""Of a number format: what stands there as it is."""
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, struct.error, expat.ExpatError),
    *(KeyError, RuntimeError, ValueError, OverflowError, OSError),
)


class _Book(NamedTuple):
    """What the parts of a workbook say of its sheets."""

    sheets: dict[str, str]
    """Parts of those that are shown, by name."""
    texts: list[str]
    date_styles: set[int]
    is_1904: bool


def is_xlsx(head: bytes) -> bool:
    """Whether a file that begins so may be a workbook: a ZIP whose first part is one of XML."""
    return _HEAD.match(head) is not None


def read_xlsx(stream: BinaryIO, mapping: Mapping) -> Iterator[Part]:
    """Read a workbook, which must be seekable; memory is bounded but for the texts it shares.

    Raises:
      Invalid: it is no workbook, is damaged before its rows, or unsafe; the sheet that the mapping
        names is not there, or it names none and there are several; or as in `read_rows`.
    """
    try:
        archive = zipfile.ZipFile(stream)
        book = _read_book(archive)
        name = _choose_sheet(book, mapping.rows.sheet)
        sheet = Sheet(book.texts, book.date_styles, is_1904=book.is_1904)
        rows = _open(archive, name, PART_BYTES_MAX)
    except _FAULTS as error:
        raise _malformed(f"it is no workbook, or damaged ({error}): save it anew") from None
    with rows:
        yield from read_rows(_iterate(sheet, rows, mapping), mapping, is_typed=True)


def _iterate(sheet: Sheet, stream: IO[bytes], mapping: Mapping) -> Iterator[Row]:
    width, line = 0, mapping.rows.skip
    numbers = [column for column in mapping.wanted if isinstance(column, int)]
    shown = (row for row in sheet.iterate(stream) if row.line > mapping.rows.skip)
    try:
        for row in hold_back(shown, mapping.rows.footer):
            line = row.line
            width = width or max(len(row.cells), *numbers, 1)
            cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
            yield row._replace(cells=cells)
    except (Damaged, *_FAULTS) as error:
        fault = (
            f"the sheet is damaged or cut off behind row {line} ({error}): nothing after it is "
            "read; save the workbook anew"
        )
        yield Row(line, [""], 0, fault)
    if sheet.merged:
        fault = (
            f"cells are merged over several rows ({sheet.merged}): only the first of these rows "
            "has their value; separate them, if the mapping reads their column"
        )
        yield Row(line, [""], 0, fault, is_warning=True)


def _read_book(archive: zipfile.ZipFile) -> _Book:
    if len(archive.infolist()) > PARTS_MAX:
        raise _malformed(f"it is unsafe: more than {PARTS_MAX} parts")
    (root,) = [target for kind, _, target in _read_links(archive, "") if kind == "officeDocument"]
    sheets: list[dict[str, str]] = []
    settings: dict[str, str] = {}

    def start(name: str, given: dict[str, str]) -> None:
        if name == "sheet":
            sheets.append({key.rpartition(" ")[2]: value for key, value in given.items()})
        elif name == "workbookPr":
            settings.update(given)

    _parse(archive, root, SMALL_BYTES_MAX, start)
    links = _read_links(archive, root)
    parts = {link: target for kind, link, target in links if kind == "worksheet"}
    by_kind = {kind: target for kind, _, target in links}
    texts = by_kind.get("sharedStrings")
    styles = by_kind.get("styles")
    return _Book(
        {
            sheet["name"]: parts[sheet["id"]]
            for sheet in sheets
            if sheet["id"] in parts and sheet.get("state", "visible") == "visible"
        },
        _read_texts(archive, texts) if texts else [],
        _read_date_styles(archive, styles) if styles else set(),
        settings.get("date1904", "0") in ("1", "true"),
    )


def _choose_sheet(book: _Book, name: str) -> str:
    told = ", ".join(map(repr, book.sheets))
    if name:
        if name not in book.sheets:
            raise _malformed(f"there is no sheet {name!r} that is shown: there are {told}")
        return book.sheets[name]
    if len(book.sheets) != 1:
        raise _malformed(f"there are {len(book.sheets)} sheets, {told}: name one as rows.sheet")
    return next(iter(book.sheets.values()))


def _read_links(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str, str]]:
    """Read the relationships of a part: kind, id and target of each."""
    folder, name = posixpath.split(part)
    links: list[tuple[str, str, str]] = []

    def start(name: str, given: dict[str, str]) -> None:
        if name == "Relationship" and given.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, given["Target"]))
            links.append((given["Type"].rpartition("/")[2], given["Id"], target.lstrip("/")))

    _parse(archive, posixpath.join(folder, "_rels", f"{name}.rels"), SMALL_BYTES_MAX, start)
    return links


def _read_texts(archive: zipfile.ZipFile, part: str) -> list[str]:
    texts: list[str] = []
    pieces: list[str] = []
    is_in = {"t": False, "rPh": False}

    def start(name: str, _: dict[str, str]) -> None:
        if name in is_in:
            is_in[name] = True

    def end(name: str) -> None:
        if name in is_in:
            is_in[name] = False
        elif name == "si":
            texts.append("".join(pieces))
            pieces.clear()

    def take(text: str) -> None:
        if is_in["t"] and not is_in["rPh"]:
            pieces.append(text)

    _parse(archive, part, TEXTS_BYTES_MAX, start, end, take)
    return texts


def _read_date_styles(archive: zipfile.ZipFile, part: str) -> set[int]:
    """Read which styles show a day, by their place among the formats of cells."""
    dates, formats = set(_DATES), []
    is_in = {"cellXfs": False}

    def start(name: str, given: dict[str, str]) -> None:
        if name in is_in:
            is_in[name] = True
        elif name == "numFmt" and _shows_day(given["formatCode"]):
            dates.add(int(given["numFmtId"]))
        elif name == "xf" and is_in["cellXfs"]:
            formats.append(int(given.get("numFmtId", "0")))

    def end(name: str) -> None:
        if name in is_in:
            is_in[name] = False

    _parse(archive, part, SMALL_BYTES_MAX, start, end)
    return {place for place, number in enumerate(formats) if number in dates}


def _shows_day(form: str) -> bool:
    """Whether a number format shows a day, or a month: hours and minutes alone are none."""
    letters = set(_NO_LETTERS.sub("", form.partition(";")[0]).lower())
    return bool(letters & {"d", "y"}) or ("m" in letters and not letters & {"h", "s"})


def _parse(
    archive: zipfile.ZipFile,
    part: str,
    bytes_max: int,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] = lambda _: None,
    text: Callable[[str], None] = lambda _: None,
) -> None:
    parser = open_parser(start, end, text)
    with _open(archive, part, bytes_max) as stream:
        while data := stream.read(READ_BYTES):
            parser.Parse(data, False)  # noqa: FBT003 - expat's
    parser.Parse(b"", True)  # noqa: FBT003


def _open(archive: zipfile.ZipFile, part: str, bytes_max: int) -> IO[bytes]:
    """Open a part, unless it would unpack to too much."""
    info = archive.getinfo(part)
    is_bomb = info.file_size > max(FREE_BYTES, RATIO_MAX * info.compress_size)
    if info.file_size > bytes_max or is_bomb:
        raise _malformed(
            f"it is unsafe: {part[:100]} unpacks to {info.file_size} bytes from "
            f"{info.compress_size}, as no workbook's does"
        )
    return archive.open(info)


def _malformed(message: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message)
