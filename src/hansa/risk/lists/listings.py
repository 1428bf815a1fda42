"""Who is on a list, until when and why, asked by name."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode

FOREVER_MS = 2**63 - 1
"""Until when what has no end counts."""


class Subject(StrEnum):
    """What is listed."""

    WALLET = "wallet"
    DEVICE = "device"
    MERCHANT = "merchant"


class Effect(StrEnum):
    """What a listing does to a payment."""

    ALLOW = "allow"
    BLOCK = "block"


class Listing(NamedTuple):
    """Somebody or something on a list."""

    subject: Subject
    name: str
    """An address, or what the operator calls a device or merchant."""
    effect: Effect
    until_ms: int
    """The first millisecond since 1970 at which it counts no more."""
    why: str
    line: int
    """Of the file; 0 where that is not known."""


class Lists:
    """Listings by name."""

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        """Take listings.

        Raises:
          Invalid: something is listed twice.
        """
        self._by_name: dict[tuple[Subject, str], Listing] = {}
        for listing in listings:
            other = self._by_name.setdefault((listing.subject, listing.name), listing)
            if other is not listing:
                raise Invalid(
                    InvalidCode.MALFORMED,
                    f"{listing.subject} {listing.name} is listed twice, to {other.effect} "
                    f"(line {other.line}) and to {listing.effect} (line {listing.line})",
                    line=listing.line,
                )

    def __len__(self) -> int:
        return len(self._by_name)

    def list_names(self, subject: Subject) -> list[str]:
        """List all of a kind that are listed, whether it counts at present or not."""
        return [name for kind, name in self._by_name if kind is subject]

    def list_effects(self, subject: Subject, time_ms: int) -> set[Effect]:
        """List what listings of a kind do that count at that time, whomever they name."""
        return {
            listing.effect
            for (kind, _), listing in self._by_name.items()
            if kind is subject and time_ms < listing.until_ms
        }

    def find(self, subject: Subject, name: str, time_ms: int) -> Listing | None:
        """Find the listing of a name that counts at that time."""
        listing = self._by_name.get((subject, name))
        return listing if listing is not None and time_ms < listing.until_ms else None
