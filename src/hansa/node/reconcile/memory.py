"""Journals of a bank's pairs that last as long as their process: the demo's, and those of tests."""

from __future__ import annotations

from hansa.reconcile.stream.journal import Journal, MemoryJournal


class MemoryStore:
    """A `hansa.node.reconcile.opened.Store`.

    Args:
      secret: 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._journals: dict[bytes, MemoryJournal] = {}

    @property
    def secret(self) -> bytes:
        """As `Store.secret`."""
        return self._secret

    def list_agreements(self) -> list[bytes]:
        """As `Store.list_agreements`."""
        return sorted(self._journals)

    def open_journal(self, agreement: bytes) -> Journal:
        """As `Store.open_journal`."""
        return self._journals.setdefault(agreement, MemoryJournal())

    def drop_journal(self, agreement: bytes) -> None:
        """As `Store.drop_journal`."""
        self._journals.pop(agreement, None)
