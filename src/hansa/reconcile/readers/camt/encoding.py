"""Encodings of documents: by byte order mark or declaration, to UTF-8 with plain line ends.

Source: XML 1.0 (fifth edition), section 2.11 and appendix F.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

BLOCK_BYTES = 1 << 19
"""Read at a time; what is made of them takes some forty times as much for a moment."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FIRST = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"))
_DECLARED = re.compile(
    rb"""\A\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,39})["']"""
)
_KNOWN = {
    "utf-8",
    "ascii",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    *(f"iso8859-{number}" for number in [*range(1, 12), *range(13, 17)]),
    *(f"cp{number}" for number in (437, 850, *range(1250, 1259))),
}
"""Python's names of those that a file may say."""


class UnknownEncodingError(Exception):
    """A document in an encoding that is not known here, or not in the one that it says."""


def find_encoding(head: bytes) -> tuple[str, int]:
    """Find the encoding of a document by its first bytes, and how many to leave out.

    Raises:
      UnknownEncodingError: it says another than those known here.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    for first, encoding in _FIRST:
        if head.startswith(first):
            return encoding, 0
    found = _DECLARED.match(head[:1_024])
    if found is None:
        return "utf-8", 0
    told = found[1].decode()
    try:
        encoding = codecs.lookup(told).name
    except LookupError:
        encoding = told
    if encoding not in _KNOWN:
        raise UnknownEncodingError(f"the encoding {told!r} is not known here: send it as UTF-8")
    # a declaration that could be read byte by byte is not in UTF-16
    return ("utf-8" if encoding.startswith("utf-16") else encoding), 0


def read_blocks(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Read a document, of which `head` was read, in blocks of UTF-8 with line feeds at line ends.

    What should be UTF-8 is not checked here.

    Raises:
      UnknownEncodingError: where it cannot be decoded.
    """
    encoding, start = find_encoding(head)
    block = head[start:] or stream.read(BLOCK_BYTES)
    decoder = None
    if encoding not in {"utf-8", "ascii"}:
        decoder = codecs.getincrementaldecoder(encoding)()
    was_return = False
    while block:
        following = stream.read(BLOCK_BYTES)
        if decoder:
            try:
                block = decoder.decode(block, final=not following).encode()
            except UnicodeError:
                raise UnknownEncodingError(
                    f"bytes are not {encoding}, which the file says: send it as UTF-8"
                ) from None
        if was_return and block.startswith(b"\n"):
            block = block[1:]
        was_return = block.endswith(b"\r")
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if block:
            yield block
        block = following
