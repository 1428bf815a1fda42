"""Bytes to letters: what an OFX file says of its encoding, and what its bytes say.

Tokens are cut from letters of one byte each, in which every tag is ASCII, whatever the encoding;
only values with other letters are decoded, one by one.

Source: OFX 1.6 section 2.2 (headers `ENCODING`, `CHARSET`), OFX 2.2 section 2.2.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from typing import BinaryIO

from hansa.reconcile.entries import Fault
from hansa.reconcile.readers.parts import PartBuilder

HEAD_SIZE = 65_536
CHUNK_SIZE = 65_536
USUAL = "cp1252"
_UTF_8 = "utf-8"
_ENCODING = re.compile(
    r"""ENCODING\s*[:=]\s{0,9}["']?\s{0,9}([A-Z0-9_-]*?)(?=["'\s<?]|CHARSET|$)""", re.IGNORECASE
)
_CHARSET = re.compile(r"CHARSET\s*:\s*([A-Z0-9_-]*?)(?=[\s<]|COMPRESSION|$)", re.IGNORECASE)
"""Also in headers whose lines a bank has put together without anything between them."""
_CODECS = re.compile(
    "utf_?8|(us_?)?ascii|iso_?8859_?[0-9]{1,2}|8859_?[0-9]{1,2}|latin_?[0-9]{1,2}|windows_[0-9]+"
    "|cp?[0-9]+|[0-9]+|big5|gbk|gb2312|gb18030|s(hift)?_?jis|euc_(jp|kr)|koi8_[ru]"
)
_ENTITY = re.compile("&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_chunks(stream: BinaryIO, head: bytes) -> Iterator[str]:
    """Read letters of one byte each, lines ended by a line feed; UTF-16 becomes UTF-8 first."""
    has_returns_alone = b"\n" not in head
    codec = _MARKS.get(head[:2])
    decoder = codecs.getincrementaldecoder(codec)(errors="replace") if codec else None
    chunk = head
    while chunk:
        if decoder is not None:
            chunk = decoder.decode(chunk).encode(_UTF_8, errors="replace")
        letters = chunk.decode("latin-1")
        yield letters.replace("\r", "\n") if has_returns_alone else letters
        chunk = stream.read(CHUNK_SIZE)


class Letters:
    """Decodes values: by the encoding that is declared, unless the bytes are another."""

    def __init__(self, head: str, builder: PartBuilder) -> None:
        self._builder = builder
        self._is_told = False
        self._codec = self._find_codec(head, builder)

    @staticmethod
    def _find_codec(head: str, builder: PartBuilder) -> str:
        if head[:2].encode("latin-1") in _MARKS:
            return _UTF_8
        header = head.partition("<OFX>")[0]
        declared = [each.search(header) for each in (_ENCODING, _CHARSET)]
        encoding, charset = (found[1] if found else "" for found in declared)
        names = [each for each in (charset, encoding) if each.upper() not in {"", "NONE"}]
        if not names:
            return USUAL if any(declared) else _UTF_8
        if encoding.upper() in {"UTF-8", "UNICODE"}:
            return _UTF_8
        name = names[0].lower().replace("-", "_")
        if name in {"usascii", "us_ascii", "ascii"}:
            return USUAL
        if name.isdigit():
            name = f"cp{name}"
        elif name.startswith("8859"):
            name = f"iso{name}"
        try:
            if _CODECS.fullmatch(name):
                return codecs.lookup(name).name
        except LookupError:
            pass
        builder.warn(
            Fault.ENCODING, 1, "CHARSET", f"{names[0][:40]!r} is unknown: taken as Windows-1252"
        )
        return USUAL

    def decode(self, value: str, line: int) -> str:
        """Decode a value: its letters, its entities, and its blanks, of which one is left."""
        if not value.isascii():
            value = self._decode(value.encode("latin-1"), line)
        if "&" in value:
            value = _ENTITY.sub(lambda found: html.unescape(found[0]), value)
        return " ".join(value.split())

    def _decode(self, raw: bytes, line: int) -> str:
        for codec in (_UTF_8, self._codec):  # no other encoding looks like UTF-8 by chance
            try:
                value = raw.decode(codec)
            except UnicodeDecodeError:
                continue
            if codec != self._codec:
                self._tell(line, "UTF-8")
            return value
        self._tell(line, "Windows-1252")
        return raw.decode(USUAL, errors="replace")

    def _tell(self, line: int, name: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._builder.warn(
                Fault.ENCODING,
                line,
                "ENCODING",
                f"letters that are not {self._codec}, which the file declares: taken as {name}",
            )
