"""Reads the consolidated list of the UN Security Council, an XML document, an entry at a time.

A document type declaration is refused, so that no entity can be declared, and none expands.

Source: https://www.un.org/sc/resources/sc-sanctions.xsd.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from xml.parsers import expat

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.screening.dates import read_iso, widen
from hansa.risk.screening.entries import CUT_OFF, Alias, Days, Entry, Finding, Kind, Reading

SOURCE = "UN"
DEPTH_MAX = 16
"""Elements within one another; the schema has 5."""
ENTRY_SIZE_MAX = 262_144
"""Characters of an entry, and what may stand between two of them."""
_CHUNK_SIZE = 65_536
_ROOT = "CONSOLIDATED_LIST"
_KINDS = {"INDIVIDUAL": Kind.PERSON, "ENTITY": Kind.ENTITY}
_NAMES = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
_ROUGH = "APPROXIMATELY"
_WEAK = "Low"


class _Element(dict[str, list["_Element"]]):
    """An element: children by name, and text."""

    text = ""

    def find(self, *names: str) -> list[str]:
        """Find the texts of the descendants of that path which are not blank."""
        found = [self]
        for name in names:
            found = [child for element in found for child in element.get(name, [])]
        return [text for text in (" ".join(element.text.split()) for element in found) if text]


def read_un(path: Path) -> Reading:
    """Read a consolidated list; an entry that cannot be read is left out and reported.

    Raises:
      Invalid: the file is not there, is not well-formed or not such a list, declares a document
        type, is nested deeper or has a longer entry than any such list.
    """
    reader = _Reader(path)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_SIZE):
                reader.feed(chunk)
            reader.finish()
    except OSError as error:
        raise Invalid(
            InvalidCode.MALFORMED, f"{path} cannot be read: {error.strerror}", file=str(path)
        ) from None
    return Reading(reader.entries, reader.findings)


class _Reader:
    """Builds the element of the entry that is open, and of nothing else."""

    def __init__(self, path: Path) -> None:
        self.entries: list[Entry] = []
        self.findings: list[Finding] = []
        self._path = path
        self._ids: set[str] = set()
        self._depth = 0
        self._size = 0
        self._line = 0
        self._open: list[_Element] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._add_text

    def feed(self, chunk: bytes, *, is_last: bool = False) -> None:
        try:
            self._parser.Parse(chunk, is_last)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code) or "not well-formed"
            raise self._refuse(f"{what}: {CUT_OFF}") from None

    def finish(self) -> None:
        self.feed(b"", is_last=True)
        if not self.entries:
            raise self._refuse("no entry in it")

    def _refuse(self, why: str) -> Invalid:
        line = self._parser.CurrentLineNumber
        text = f"{self._path}:{line}: {why}"
        return Invalid(InvalidCode.MALFORMED, text, file=str(self._path), line=line)

    def _refuse_doctype(self, *_: object) -> None:
        raise self._refuse("a document type declaration, which no such list has")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and name != _ROOT:
            raise self._refuse(f"a document of {name[:40]!r}, not {_ROOT}")
        if self._depth > DEPTH_MAX:
            raise self._refuse(f"elements nested more than {DEPTH_MAX} deep")
        if self._open or name in _KINDS:
            element = _Element()
            if self._open:
                self._open[-1].setdefault(name, []).append(element)
            else:
                self._line = self._parser.CurrentLineNumber
            self._open.append(element)
            self._count(len(name))

    def _end(self, name: str) -> None:
        self._depth -= 1
        if not self._open:
            return
        element = self._open.pop()
        if not self._open:
            self._size = 0
            self._add_entry(element, _KINDS[name])

    def _add_text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text
            self._count(len(text))

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > ENTRY_SIZE_MAX:
            raise self._refuse(f"an entry of more than {ENTRY_SIZE_MAX} characters")

    def _report(self, text: str, *, is_left_out: bool) -> None:
        self.findings.append(Finding(self._path.name, self._line, text, is_left_out=is_left_out))

    def _add_entry(self, element: _Element, kind: Kind) -> None:
        reference = " ".join(element.find("REFERENCE_NUMBER"))
        name = " ".join(text for part in _NAMES for text in element.find(part))
        if not reference or not name or reference in self._ids:
            text = (
                "an entry without a reference number"
                if not reference
                else f"{reference[:40]} has no name"
                if not name
                else f"{reference[:40]} again"
            )
            self._report(text, is_left_out=True)
            return
        self._ids.add(reference)
        prefix = "INDIVIDUAL" if kind is Kind.PERSON else "ENTITY"
        countries = {
            *element.find("NATIONALITY", "VALUE"),
            *element.find(f"{prefix}_ADDRESS", "COUNTRY"),
        }
        self.entries.append(
            Entry(
                SOURCE,
                reference,
                kind,
                name,
                _read_aliases(element, prefix),
                self._read_born(element),
                tuple(sorted(countries)),
                tuple(element.find("UN_LIST_TYPE")),
            )
        )

    def _read_born(self, element: _Element) -> tuple[Days, ...]:
        born = []
        for birth in element.get("INDIVIDUAL_DATE_OF_BIRTH", []):
            dates = birth.find("DATE") or birth.find("YEAR")
            span = birth.find("FROM_YEAR") + birth.find("TO_YEAR") if not dates else []
            texts = dates[:1] or span
            if not texts:
                continue
            first, last = read_iso(texts[0]), read_iso(texts[-1])
            if first is None or last is None or first.first > last.last:
                text = f"a date of birth that cannot be read: {' to '.join(texts)[:40]!r}"
                self._report(text, is_left_out=False)
                continue
            days = Days(first.first, last.last)
            born.append(widen(days) if _ROUGH in birth.find("TYPE_OF_DATE") else days)
        return tuple(born)


def _read_aliases(element: _Element, prefix: str) -> tuple[Alias, ...]:
    """Read aliases, several of which may stand in one element with semicolons between them."""
    by_name: dict[str, bool] = defaultdict(lambda: True)
    for alias in element.get(f"{prefix}_ALIAS", []):
        is_weak = _WEAK in alias.find("QUALITY")
        for text in alias.find("ALIAS_NAME"):
            for name in text.split(";"):
                by_name[name.strip()] &= is_weak
    for name in element.find("NAME_ORIGINAL_SCRIPT"):
        by_name[name] = False
    return tuple(Alias(name, is_weak) for name, is_weak in by_name.items() if name)
