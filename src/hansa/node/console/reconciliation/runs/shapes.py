"""What a result tells of itself, as its manifest and its summary have it: what of them is shown.

Both are read from a folder that anybody may have filled. They are not those of `hansa.reconcile`
that write them: those load what a node that shows results need not have.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from hansa.kernel.encoding import DECODE_ERRORS
from hansa.shapes import Unread, tell_unread

MANIFEST, SUMMARY, REPORT = "manifest.json", "summary.json", "report.html"
MANIFEST_VERSIONS, SUMMARY_VERSIONS = (1, 2), (1,)
"""That are read; the first manifests told neither rates nor how files were read."""
LIST_MAX = 100_000
TEXT_LETTERS_MAX = 4_096

T = TypeVar("T")

Count = Annotated[int, Meta(ge=0, le=2**53)]
Counts = tuple[Count, Count]
"""Left and right."""
HexHash = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Text = Annotated[str, Meta(max_length=TEXT_LETTERS_MAX)]
Minor = Annotated[str, Meta(pattern=r"\A-?[0-9]{1,40}\Z")]
Day = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
WindowNumber = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
Hashes = Annotated[tuple[HexHash, ...], Meta(max_length=LIST_MAX)]


class Input(msgspec.Struct, frozen=True):
    """One side."""

    name: Text
    sha256: Hashes
    entries: Count
    reading: Annotated[dict[Text, Text], Meta(max_length=LIST_MAX)] = {}
    """How its files were read, beyond what they say themselves."""


class RatesFile(msgspec.Struct, frozen=True):
    """The file of rates that the rules name."""

    name: Text
    sha256: HexHash


class Window(msgspec.Struct, frozen=True):
    """One window of a run by windows, or several one after the other that found the same."""

    number: WindowNumber
    through: WindowNumber
    """Number of the last of these."""
    first_day: Day
    last_day: Day
    new: Counts
    carried: Counts
    unmatched: Counts
    breaks: dict[Text, Count]
    result_sha256: HexHash


class CarriedFrom(msgspec.Struct, frozen=True):
    """An earlier result, whose open entries count in this one, too."""

    manifest_sha256: HexHash
    result_sha256: HexHash
    entries: Counts


class Manifest(msgspec.Struct, frozen=True):
    """What a result is of, and the hash of each of its files."""

    version: int
    as_of: Day
    rules_sha256: HexHash
    sides: tuple[Input, Input]
    passes: dict[Text, Count]
    breaks: dict[Text, Count]
    unmatched: Counts
    result_sha256: HexHash
    files: Annotated[dict[str, HexHash], Meta(max_length=LIST_MAX)]
    windows: Annotated[tuple[Window, ...], Meta(max_length=LIST_MAX)] = ()
    carried_from: CarriedFrom | None = None
    rates: RatesFile | None = None


class File(msgspec.Struct, frozen=True):
    """One file that was read."""

    name: Text
    sha256: HexHash
    size: Count
    format: Text
    entries: Count


class Side(msgspec.Struct, frozen=True):
    """One side, and how much of it is matched."""

    name: Text
    files: Annotated[tuple[File, ...], Meta(max_length=LIST_MAX)]
    entries: Count
    matched: Count
    unmatched: Count
    left_out: Count
    errors: Count
    warnings: Count

    @property
    def counted(self) -> int:
        """Entries that could match."""
        return self.matched + self.unmatched


class Pass(msgspec.Struct, frozen=True):
    """What one pass matched."""

    name: Text
    kind: Text
    matches: Count
    left: Count
    right: Count


class Amount(msgspec.Struct, frozen=True):
    """What breaks amount to in one currency."""

    currency: Text
    difference_minor: Minor


class Breaks(msgspec.Struct, frozen=True):
    """Breaks of one kind."""

    name: Text
    breaks: Count
    left: Count
    right: Count
    amounts: Annotated[tuple[Amount, ...], Meta(max_length=LIST_MAX)]


BreakLines = Annotated[tuple[Breaks, ...], Meta(max_length=LIST_MAX)]


class Summary(msgspec.Struct, frozen=True):
    """A result in figures."""

    version: int
    title: Text
    result_sha256: HexHash
    sides: tuple[Side, Side]
    passes: Annotated[tuple[Pass, ...], Meta(max_length=LIST_MAX)]
    breaks: Breaks
    by_class: BreakLines
    by_age: BreakLines
    by_priority: BreakLines

    @property
    def matched(self) -> int:
        """Entries of both sides that matched."""
        return sum(each.matched for each in self.sides)

    @property
    def counted(self) -> int:
        """Entries of both sides that could match."""
        return sum(each.counted for each in self.sides)


_decode_manifest = msgspec.json.Decoder(Manifest)
_decode_summary = msgspec.json.Decoder(Summary)


def decode_manifest(raw: bytes) -> Manifest:
    """Decode a manifest; raises `Unread`."""
    found = _decode(_decode_manifest, raw)
    _require_version(found.version, MANIFEST_VERSIONS)
    return found


def decode_summary(raw: bytes) -> Summary:
    """Decode a summary; raises `Unread`."""
    found = _decode(_decode_summary, raw)
    _require_version(found.version, SUMMARY_VERSIONS)
    return found


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except DECODE_ERRORS as error:
        raise Unread(f"cannot be read: {tell_unread(error)}") from None


def _require_version(version: int, known: tuple[int, ...]) -> None:
    if version not in known:
        told = " and ".join(map(str, known))
        raise Unread(f"is of version {version}: this node reads version {told}")
