"""What entries come from that is no file: whoever wires it in hands it over as a feed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from hansa.reconcile.entries import Part


class Feed(Protocol):
    """A source of entries, with a document that says what was read of it."""

    @property
    def format(self) -> str:
        """Name of what it is, as of a file's format; names the document, too."""
        ...

    def iterate(self) -> Generator[Part]:
        """Iterate the parts."""
        ...

    def describe(self) -> bytes:
        """Describe what was read, once all of it is, as JSON.

        Its hash is a run's hash of this input: so it must tell the same entries from others, and be
        the same whenever they are.
        """
        ...
