"""Tags and the values behind them, of SGML and of XML alike.

An end tag says no more than that an aggregate ends, since elements of SGML have none. What XML may
hold beside tags is taken off before: comments and sections of letters (CDATA). Declarations of
types and entities are refused, since OFX has none, and they are what bombs are made of.

Source: OFX 1.6 sections 2.3 and 2.4 (SGML); OFX 2.2 section 2.3 (XML).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.parts import PartBuilder

VALUE_SIZE_MAX = 65_536
"""Of a value with its tag; what is beyond it is left out."""
SECTION_SIZE_MAX = 1_048_576
"""Of a comment or a section of letters; a larger one is refused."""
_TAG = re.compile("<(?=[A-Za-z/?])")
_TOKEN = re.compile(
    r"<\?[^>]*>|<(/?)([A-Za-z][A-Za-z0-9_.:-]*)([^<>]*)>([^<]*(?:<(?![A-Za-z/?])[^<]*)*)"
)
_SECTIONS = {"<!--": "-->", "<![CDATA[": "]]>"}
_DECLARATION = re.compile("<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)
_DECLARATION_SIZE = len("<!DOCTYPE")


class Token(NamedTuple):
    """A tag, with what stands between it and the next."""

    line: int
    name: str
    """In capitals, without the prefix of a namespace."""
    is_end: bool
    is_empty: bool
    """A tag of XML that is start and end at once."""
    value: str
    """Letters of one byte each, not decoded."""


def read_tokens(chunks: Iterator[str], builder: PartBuilder) -> Iterator[Token]:
    """Read tokens.

    Raises:
      Invalid: MALFORMED: a declaration of types or entities, or a section beyond all bounds.
    """
    cutter = _Cutter(builder)
    held = ""
    for chunk in chunks:
        settled, held = _settle(held + chunk)
        yield from cutter.feed(settled)
    if held.startswith(tuple(_SECTIONS)):
        builder.report(
            Fault.STRUCTURE, cutter.line, "", "a comment or a CDATA section does not end", held
        )
        held = ""
    yield from cutter.finish(held)


class _Cutter:
    """Cuts letters into tokens; what may go on in the next letters is kept."""

    def __init__(self, builder: PartBuilder) -> None:
        self._builder = builder
        self._rest = ""
        self._is_skipping = False
        self.line = 1

    def feed(self, letters: str) -> Iterator[Token]:
        text = self._rest + letters
        if self._is_skipping:
            text = self._skip(text)
        end = _find_last_tag(text)
        yield from self._cut(text[:end])
        self._rest = text[end:]
        if len(self._rest) > VALUE_SIZE_MAX:
            yield from self._cut_short()

    def finish(self, letters: str) -> Iterator[Token]:
        yield from self._cut(self._rest + letters)

    def _cut(self, text: str) -> Iterator[Token]:
        position = 0
        for found in _TOKEN.finditer(text):
            if found.start() != position:
                self._pass(text[position : found.start()])
            position = found.end()
            line = self.line
            self.line += found[0].count("\n")
            if found[2]:
                name = found[2].rpartition(":")[2].upper()
                value = found[4]
                if len(value) > VALUE_SIZE_MAX:
                    self._tell_long(line, found[0])
                    value = value[:VALUE_SIZE_MAX]
                yield Token(line, name, bool(found[1]), found[3].endswith("/"), value)
        self._pass(text[position:])

    def _pass(self, gap: str) -> None:
        """Pass over what is no tag: headers of SGML before the first, else something broken."""
        if gap.startswith("<"):
            self._builder.warn(
                Fault.IGNORED, self.line, "", f"no tag, and no value: {gap[:40]!r} is passed over"
            )
        self.line += gap.count("\n")

    def _tell_long(self, line: int, text: str) -> None:
        self._builder.report(
            Fault.UNSAFE,
            line,
            "",
            f"a value of more than {VALUE_SIZE_MAX} bytes: what is beyond them is left out",
            text[:80],
        )

    def _cut_short(self) -> Iterator[Token]:
        """Cut a value whose end has not come yet, and skip what is still to come of it."""
        self._tell_long(self.line, self._rest)
        short, lost = self._rest[:VALUE_SIZE_MAX], self._rest[VALUE_SIZE_MAX:]
        yield from self._cut(short)
        self.line += lost.count("\n")
        self._rest, self._is_skipping = "", True

    def _skip(self, text: str) -> str:
        """Skip the rest of a value that was cut short."""
        found = _TAG.search(text)
        start = found.start() if found else len(text)
        self._is_skipping = found is None
        self.line += text.count("\n", 0, start)
        return text[start:]


def _find_last_tag(text: str) -> int:
    """Find where the last tag begins: it may not be whole."""
    end = text.rfind("<")
    while end > 0 and not _TAG.match(text, end):
        end = text.rfind("<", 0, end)
    return max(end, 0)


def _settle(text: str) -> tuple[str, str]:
    """Take off comments and sections; return the letters, and what waits for its end."""
    settled: list[str] = []
    position = 0
    while (start := text.find("<!", position)) >= 0:
        if _DECLARATION.match(text, start):
            raise Invalid(
                InvalidCode.MALFORMED,
                "unsafe: OFX has no declarations of types or entities (<!DOCTYPE, <!ENTITY); "
                "they are refused",
                fault=Fault.UNSAFE.value,
            )
        opening = next((each for each in _SECTIONS if text.startswith(each, start)), None)
        if opening is None:
            if len(text) - start < _DECLARATION_SIZE:  # may become one yet
                break
            settled.append(text[position : start + 2])
            position = start + 2
            continue
        end = text.find(_SECTIONS[opening], start + len(opening))
        if end < 0:
            if len(text) - start > SECTION_SIZE_MAX:
                raise Invalid(
                    InvalidCode.MALFORMED,
                    f"unsafe: a comment or a CDATA section of more than {SECTION_SIZE_MAX} bytes",
                    fault=Fault.UNSAFE.value,
                )
            break
        inner = text[start + len(opening) : end]
        settled.append(text[position:start])
        is_comment = opening == "<!--"
        settled.append(
            "\n" * inner.count("\n")
            if is_comment
            else inner.replace("&", "&amp;").replace("<", "&lt;")
        )
        position = end + len(_SECTIONS[opening])
    if start < 0:
        start = len(text) - 1 if text.endswith("<") else len(text)
    settled.append(text[position:start])
    return "".join(settled), text[start:]
