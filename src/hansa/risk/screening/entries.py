"""What is on a sanctions list: one value per list, whatever form it was published in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

CUT_OFF = "it was cut off on its way, or is not this list: get it anew"
"""What is told of a file that cannot be read to its end."""
THRESHOLD = 767_000
"""A name that scores this, in millionths, is a hit."""
FINDING_TEXT_MAX = 200
"""Characters of what could not be read that a finding repeats."""


class Kind(StrEnum):
    """What an entry names."""

    PERSON = "person"
    ENTITY = "entity"
    VESSEL = "vessel"
    AIRCRAFT = "aircraft"
    UNKNOWN = "unknown"
    """Of an entry that is known by its aliases alone."""


class Alias(NamedTuple):
    """Another name of an entry."""

    name: str
    is_weak: bool = False
    """The list's publisher says that it identifies badly."""


class Days(NamedTuple):
    """Days from `first` to `last`, both included, as whole numbers of the form 19710131."""

    first: int
    last: int


class Entry(NamedTuple):
    """A person, entity, vessel or aircraft of a list."""

    source: str
    """Which list, as `OFAC-SDN`."""
    id: str
    """Within its source."""
    kind: Kind
    name: str
    aliases: tuple[Alias, ...] = ()
    born: tuple[Days, ...] = ()
    """When the person was born, by each of the dates that the list gives."""
    countries: tuple[str, ...] = ()
    """Of nationality, address or flag, as the list writes them."""
    programmes: tuple[str, ...] = ()


class Finding(NamedTuple):
    """Something in a file that could not be read, or not as it should be."""

    file: str
    line: int
    """From 1."""
    text: str
    is_left_out: bool
    """Nothing of what stands there is screened against."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class Reading(NamedTuple):
    """What a file was found to contain, and what in it was found wrong."""

    entries: list[Entry]
    findings: list[Finding]


class SanctionsList(NamedTuple):
    """Entries of all sources in the order of source and id, with the hash of their content."""

    entries: tuple[Entry, ...]
    content_hash: bytes
    """SHA-256 of the entries: lists of equal hash screen alike, in whatever order they were read.
    32 bytes."""


def build_list(entries: Iterable[Entry]) -> SanctionsList:
    """Put entries in order, and hash them; of entries that are the same, one stays."""
    ordered = tuple(sorted(set(entries)))
    content = msgspec.msgpack.encode(ordered)
    return SanctionsList(ordered, hashlib.sha256(content).digest())
