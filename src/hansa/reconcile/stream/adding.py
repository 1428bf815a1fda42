"""Adding: entries that somebody adds again, after whichever crash, are added once.

Two entries that say the same may be two movements, so an entry alone does not tell whether it is
there already. What does is where it comes from: a file, and its place in it.
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.stream.journal import Journal


class Origin(NamedTuple):
    """Where entries come from that are added together."""

    id: bytes
    """Of what they are read from in a fixed order: the SHA-256 of a file."""
    start: int
    """How many stand in it before the first of these."""


class Added(NamedTuple):
    """What became of entries that were added."""

    taken: int
    left_out: int
    """Whose status does not count."""
    repeated: int = 0
    """That were taken or left out before, by their origin."""


def count_added(journal: Journal, origin: Origin) -> int:
    """Count the entries from `origin.start` on that were added before.

    Raises:
      Invalid: some before them were not.
    """
    added = int.from_bytes(journal.get(_name(origin)) or b"", "big")
    if added < origin.start:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"of these entries' origin {added} are added, and they begin behind {origin.start}: "
            "add those between them first",
            added=added,
        )
    return added - origin.start


def note_added(origin: Origin, count: int) -> tuple[str, bytes]:
    """Make the record that so many entries from `origin.start` on are added."""
    return _name(origin), (origin.start + count).to_bytes(8, "big")


def _name(origin: Origin) -> str:
    return f"added/{origin.id.hex()}"
