"""What a code is in words: the one form of `codes`, `refusals` and `identity_refusals`."""

from __future__ import annotations

from typing import NamedTuple


class Advice(NamedTuple):
    """A code in words."""

    means: str
    do: str
    who: str = "the sender"
    """Must act."""
