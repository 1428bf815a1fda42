"""Runs of entries, cut out of a document, to a batch: what may be done in another process."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from hansa.reconcile.entries import RAW_MAX, Entry, Fault, Finding, Severity
from hansa.reconcile.readers.camt.entry import (
    BLANKS,
    EntryFieldError,
    EntryReader,
    Scope,
    Tally,
)
from hansa.reconcile.readers.camt.layout import Layout, find_layout
from hansa.reconcile.readers.camt.markup import (
    NotXmlError,
    Shapes,
    Tag,
    mask,
    name_tags,
    parse,
    resolve,
    split,
)
from hansa.reconcile.readers.fields import FieldError
from hansa.reconcile.readers.parts import build_batch

SHAPES_MAX = 512
"""Kept at a time: entries of one bank have a few dozen."""
SHAPE_TAGS_MAX = 400
"""Of a shape that is kept."""
OFTEN = 16
"""How often a shape is met before it comes into the pattern."""
OFTEN_MAX = 24
"""Shapes in the pattern, the first that are met often; others go on being split at their tags."""
_NO_CHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
"""Code points that XML allows nowhere either, in UTF-8."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class Run(NamedTuple):
    """Bytes from the start of an entry to the end of one, in one statement."""

    scope: Scope
    data: bytes
    line: int
    """Where it begins."""
    has_specials: bool = False
    """Whether there may be comments, CDATA or instructions in it."""


class Reading(NamedTuple):
    """What was in some runs."""

    batch: pa.RecordBatch
    tallies: tuple[Tally, ...]
    """One of each run."""
    findings: tuple[Finding, ...]


def read_runs(runs: Sequence[Run]) -> Reading:
    """Read runs of entries; memory is some ten times their bytes."""
    entries: list[Entry] = []
    findings: list[Finding] = []
    tallies = []
    for run in runs:
        reader = _RunReader(run.scope, entries, findings)
        reader.read_run(run)
        tallies.append(reader.tally)
    return Reading(build_batch(entries), tuple(tallies), tuple(findings))


@dataclass(slots=True)
class _Shape:
    """What is known of entries with the same tags, and how often it was looked up."""

    layout: Layout
    met: int = 0


class _Shapes:
    """Shapes that were met, all with one prefix; forgotten when there are too many."""

    def __init__(self) -> None:
        self._prefix = ""
        self._shapes: dict[str, _Shape | None] = {}
        self._often: list[tuple[list[str], list[Tag]]] = []
        self._match: Callable[[str, int], re.Match[str] | None] | None = None
        self._endings: dict[int, tuple[tuple[int, ...], Layout]] = {}

    def use(self, prefix: str) -> None:
        """Begin entries whose names have this prefix."""
        if prefix != self._prefix or len(self._shapes) > SHAPES_MAX:
            self._prefix = prefix
            self._shapes.clear()
            self._often.clear()
            self._endings.clear()
            self._match = None
        elif len(self._often) != len(self._endings):
            shapes = Shapes(self._often)
            self._match = shapes.pattern.match
            self._endings = {
                last: (ending.groups, find_layout(ending.tags))
                for last, ending in shapes.endings.items()
            }

    def match(self, text: str, place: int) -> tuple[Layout, Sequence[str], int] | None:
        """Match an entry of a frequent shape there: its layout, its texts, where it ends."""
        found = self._match(text, place) if self._match else None
        if found is None:
            return None
        groups, layout = self._endings[found.lastindex or 0]
        texts: Sequence[str] | None = found.group(*groups)
        until = found.end()
        if text.find("&", place, until) >= 0:
            texts = resolve(texts or ())
        return (layout, texts, until) if texts else None

    def find(self, tags: list[str]) -> Layout | None:
        """Find the layout of an entry by its tags; None if it is not plain."""
        key = "<".join(tags)  # which no tag has in it, so that no two shapes are one key
        shape = self._shapes.get(key)
        if shape is None:
            if key in self._shapes:
                return None
            named = name_tags(tags, self._prefix)
            if named and named[0].name == "Ntry":
                shape = _Shape(find_layout(named))
            if len(tags) <= SHAPE_TAGS_MAX:
                self._shapes[key] = shape
            if shape is None:
                return None
        shape.met += 1
        if shape.met == OFTEN and len(self._often) < OFTEN_MAX:
            self._often.append((tags, name_tags(tags, self._prefix) or []))
        return shape.layout


_SHAPES = _Shapes()
"""Of this process: a shape depends on nothing but its tags."""


class _RunReader(EntryReader):
    """Reads the entries of one run."""

    def read_run(self, run: Run) -> None:
        """Read a run."""
        try:
            text = run.data.decode()
            is_usual = not run.has_specials and not any(each in run.data for each in _NO_CHARACTERS)
        except UnicodeDecodeError:
            text = run.data.decode("utf-8", "surrogateescape")
            is_usual = False
        if not is_usual:
            self._read_unusual(text, run.line)
            return
        _SHAPES.use(run.scope.names.prefix)
        end = f"</{run.scope.names.prefix}Ntry>"
        line, place = run.line, 0
        while True:
            found = _SHAPES.match(text, place)
            if found:
                layout, texts, until = found
                self._read_one(layout, texts, line, text[place:until])
            else:
                until = text.find(end, place) + len(end)
                if until < len(end):
                    break
                self._read_piece(text[place:until], line)
            line += text.count("\n", place, until)
            place = until
        self._read_unusual(text[place:], line)

    def _read_piece(self, piece: str, line: int) -> None:
        """Read an entry, and what stands before it, of a shape that was not met of late."""
        parts = split(piece)
        layout = _SHAPES.find(parts[0]) if parts else None
        if parts is None or layout is None or parts[1][0].strip(BLANKS):
            self._read_unusual(piece, line)
        else:
            self._read_one(layout, [*parts[1], ""], line, piece)

    def _read_one(self, layout: Layout, texts: Sequence[str], line: int, raw: str) -> None:
        """Read an entry; the first text is what stands before it."""
        line += texts[0].count("\n")
        self.tally.entries += 1
        try:
            self.read(layout, texts, line)
        except EntryFieldError as error:
            self._report(error.fault, line, error.name, error.text, raw)

    def _report(self, fault: Fault, line: int, name: str, text: str, raw: str) -> None:
        self.tally.unread += 1
        raw = raw.strip(BLANKS)[:RAW_MAX]
        self.findings.append(
            Finding(Severity.ERROR, fault, line, name, f"{text}: the entry is left out", raw)
        )

    def _read_unusual(self, text: str, line: int) -> None:
        """Read entries that are not plain, and tell what stands between them."""
        masked = mask(text)
        start, end, empty = _find_patterns(self.scope.names.prefix)
        done = 0
        begins = start.search(masked)
        while begins:
            stray = text[done : begins.start()]
            self._read_stray(stray, line)
            line += stray.count("\n")
            following = start.search(masked, begins.end())
            until = following.start() if following else len(text)
            ends = empty.match(masked, begins.start(), until) or end.search(
                masked, begins.end(), until
            )
            done = ends.end() if ends else until
            element = text[begins.start() : done]
            self._read_element(element, line)
            line += element.count("\n")
            begins = following
        self._read_stray(text[done:], line)

    def _read_element(self, element: str, line: int) -> None:
        """Read one entry by expat."""
        element = self._replace_wrong_bytes(element, line)
        try:
            tags, texts = parse(element, self.scope.names)
            if tags[0].name != "Ntry":
                raise FieldError(Fault.STRUCTURE, "the element is of another namespace")
            layout = find_layout(tags)
        except NotXmlError as error:
            self.tally.entries += 1
            text = f"the entry is not well-formed XML ({error})"
            self._report(Fault.STRUCTURE, line, "Ntry", text, element)
        except FieldError as error:
            self.tally.entries += 1
            self._report(error.fault, line, "Ntry", error.text, element)
        else:
            self._read_one(layout, ["", *texts[1:]], line, element)

    def _read_stray(self, text: str, line: int) -> None:
        """Tell of what stands between entries, where nothing should."""
        if not text.strip(BLANKS):
            return
        line += text.count("\n", 0, len(text) - len(text.lstrip(BLANKS)))
        text = self._replace_wrong_bytes(text.strip(BLANKS), line)
        try:
            tags, _ = parse(text, self.scope.names)
        except (NotXmlError, FieldError) as error:
            self.findings.append(
                Finding(
                    Severity.ERROR,
                    Fault.STRUCTURE,
                    line,
                    "",
                    f"between two entries stands what is not well-formed ({error}): "
                    "look whether it was an entry",
                    text[:RAW_MAX],
                )
            )
        else:
            if tags:
                self.warn(
                    Fault.IGNORED, line, tags[0].name, "an element between entries is not read"
                )

    def _replace_wrong_bytes(self, text: str, line: int) -> str:
        if not _SURROGATE.search(text):
            return text
        self.warn(
            Fault.ENCODING,
            line,
            "Ntry",
            "bytes are not in the encoding that the file says: letters are replaced by U+FFFD",
        )
        return _SURROGATE.sub("\ufffd", text)


def _find_patterns(prefix: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Find the start of an entry, its end, and one that is empty; `re` keeps what it compiled."""
    name = f"{re.escape(prefix)}Ntry"
    return (
        re.compile(f"<{name}(?=[ \t\n/>])"),
        re.compile(f"</{name}[ \t\n]*>"),
        re.compile(f"<{name}[^<>]*/>"),
    )
