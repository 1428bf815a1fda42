"""What a feature is: a name, a unit and a sentence; and what lists of them have in common.

A name says its unit: a time ends in `_ms`, an amount in `_minor`; a ratio has `_to_` between what
is divided and by what, or ends in `_share` or `_surprise`, and is a whole multiple of 2**-16. All
others are counts, or numbers whose unit says what they can be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from hansa.kernel.encoding import Decoder, encode

COUNT, MS, MINOR, RATIO = "count", "ms", "minor units", "2**-16"
RATIO_BITS = 16
"""65,536 is 1, or the whole."""


_decode = Decoder[list[tuple[str, str, str]]](list[tuple[str, str, str]], "features").decode


class Feature(NamedTuple):
    """A column of rows; -1 stands for what is not known."""

    name: str
    unit: str
    says: str
    """One sentence on what it is."""


def find_columns(features: Iterable[Feature]) -> dict[str, int]:
    """Find the column of each feature by its name."""
    return {feature.name: column for column, feature in enumerate(features)}


def hash_features(features: Iterable[Feature]) -> bytes:
    """Hash all names, units and sentences in their order: 32 bytes.

    It is the SHA-256 of a canonical array of one array for each: name, unit, sentence.
    """
    return hashlib.sha256(encode_features(features)).digest()


def encode_features(features: Iterable[Feature]) -> bytes:
    """Encode features as what is hashed, to be kept beside rows that later programs are to read."""
    return encode(list(features))


def decode_features(raw: bytes) -> list[Feature]:
    """Decode features that were encoded, in the order of a row; raises `Invalid`."""
    return [Feature(*each) for each in _decode(raw)]


def decode_names(raw: bytes) -> list[str]:
    """Decode the names alone of features that were encoded; raises `Invalid`."""
    return [name for name, _, _ in _decode(raw)]


def write_table(features: Iterable[Feature]) -> str:
    """Write features as a table in Markdown, for the reference."""
    rows = [f"| `{name}` | {unit} | {says} |" for name, unit, says in features]
    return "\n".join(["| feature | unit | what it says |", "|---|---|---|", *rows])
