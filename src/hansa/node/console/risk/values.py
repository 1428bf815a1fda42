"""Features of a payment as sentences, with their values in units that people read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hansa.kernel.errors import Invalid
from hansa.node.console.risk.words import CAPPED, WEEKDAYS
from hansa.node.console.text.formatting import Format, Money, format_duration, format_share
from hansa.risk.catalogue import MINOR, MS, RATIO, RATIO_BITS, Feature, decode_features
from hansa.risk.intake.describing import CATALOGUE, FEATURES_HASH

MISSING = "not known"
ONE = 1 << RATIO_BITS
RATIO_MAX = 1 << 30
"""From here on a ratio says at least so much."""

_SUPERSCRIPTS = (("<sup>", "^"), ("</sup>", ""))


@dataclass(frozen=True, slots=True)
class Value:
    """A feature, and what it was."""

    name: str
    says: str
    """What the feature is."""
    text: str
    """Its value, with a unit."""


def find_catalogue(features: bytes, raw: bytes | None) -> Sequence[Feature]:
    """Find the features by which something was described; none where they are lost.

    Another release may have as many, and others: nothing but their hash tells.

    Args:
      features: the hash of them.
      raw: what is kept under it, if anything is.
    """
    if features == FEATURES_HASH:
        return CATALOGUE
    if raw is None or hashlib.sha256(raw).digest() != features:
        return ()
    try:
        return decode_features(raw)
    except Invalid:
        return ()


def read_values(
    row: Sequence[int], catalogue: Sequence[Feature], asset: str, formats: Format
) -> list[Value]:
    """Read all features of a row, in its order; none where there is no row of this catalogue."""
    if len(row) != len(catalogue):
        return []
    return [
        Value(feature.name, say(feature), write_value(feature, value, asset, formats))
        for feature, value in zip(catalogue, row, strict=True)
    ]


def say(feature: Feature) -> str:
    """Say what a feature is, as plain text."""
    says = feature.says
    for mark, text in _SUPERSCRIPTS:
        says = says.replace(mark, text)
    return says


def write_value(feature: Feature, value: int, asset: str, formats: Format) -> str:
    """Write the value of a feature with its unit.

    Args:
      feature: of whichever release.
      value: as a row has it; -1 is what is not known.
      asset: of the payment, whose minor units amounts are.
      formats: of the network.
    """
    if value < 0:
        return MISSING
    match feature.unit:
        case unit if unit == MINOR:
            return formats.money(Money(value, asset))
        case unit if unit == MS:
            return format_duration(value) if value else "0 seconds"
        case unit if unit == RATIO and feature.name.endswith("_share"):
            return format_share(value, ONE)
        case unit if unit == RATIO:
            return _write_times(value)
        case "0 or 1":
            return "yes" if value else "no"
        case "0-6":
            return WEEKDAYS[value % len(WEEKDAYS)]
        case "0-23":
            return f"{value}:00 to {value}:59"
        case "bits":
            found = [what for bit, what in enumerate(CAPPED) if value >> bit & 1]
            return f"the search {', '.join(found)}" if found else "nowhere"
        case _:
            return f"{value:,}"


def _write_times(value: int) -> str:
    times = value / ONE
    if value >= RATIO_MAX:
        return f"{RATIO_MAX // ONE:,} times or more"
    text = f"{times:,.0f}" if times >= 100 else f"{times:.1f}"  # noqa: PLR2004 - three digits
    return f"{text.removesuffix('.0')} times"
