"""What passes find: matches with their reason, and entries of which none could be chosen."""

from __future__ import annotations

from typing import NamedTuple

Places = tuple[int, ...]
"""Of entries in what is left of their side, ascending."""


class Match(NamedTuple):
    """Entries that belong together; one side may have none."""

    left: Places
    right: Places
    reason: str
    """What was compared and how it differs, for people."""


class OpenGroup(NamedTuple):
    """Entries that could be matched in several ways, of which none was picked."""

    left: Places
    right: Places
    reason: str
    """Which ways there are, for people."""


class Found(NamedTuple):
    """What a pass found; no entry is in two matches."""

    matches: list[Match]
    open_groups: list[OpenGroup]
