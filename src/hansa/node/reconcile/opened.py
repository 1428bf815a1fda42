"""An agreement that is worked on, where its journal is kept, and whether that has all it had.

A journal that was put back from a copy may lack what was posted. Then nothing more is posted:
entries would get numbers that others have on the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hansa.contracts.reconciliation.windows import WINDOWS_AHEAD_MAX, Progress, Window
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.stream.journal import Journal
from hansa.reconcile.stream.pair import PairStream
from hansa.reconcile.stream.terms import Pair, Place

RECEIVED = "received"
"""Name of the record that a pair's terms came from the other bank."""


class Store(Protocol):
    """Keeps the journals of a bank's pairs."""

    @property
    def secret(self) -> bytes:
        """32 bytes that nobody else knows, for as long as the store lasts."""

    def list_agreements(self) -> list[bytes]:
        """List the agreements that have a journal, in a fixed order."""

    def open_journal(self, agreement: bytes) -> Journal:
        """Open the journal of an agreement, which may be a new one."""

    def drop_journal(self, agreement: bytes) -> None:
        """Remove a journal with all that is in it."""


@dataclass(slots=True)
class OpenPair:
    """An agreement that is worked on."""

    stream: PairStream
    journal: Journal
    place: Place
    trouble: str = ""
    """Why the last step failed; empty if it did not."""
    is_kept: bool = False
    """Whether the journal was found to have all that was posted from it."""

    @property
    def pair(self) -> Pair:
        """The terms, opened."""
        return self.stream.pair

    @property
    def other(self) -> bytes:
        """Address of the other bank."""
        return self.pair.get_bank(self.place.other)

    @property
    def may_go(self) -> bool:
        """Whether the other bank sent the terms, and nothing was ever added under them."""
        journal = self.journal
        is_used = journal.list_windows() or journal.list_names("outcome/")
        return journal.get(RECEIVED) is not None and not is_used


def require_kept(
    found: OpenPair, progress: Progress, find_window: Callable[[int], Window | None]
) -> None:
    """Compare a journal with what the ledger has of its bank.

    Args:
      found: the agreement.
      progress: of it, on the ledger.
      find_window: finds figures of a window there.

    Raises:
      Invalid: the journal lacks entries, or what came out of a window.
    """
    for window in found.journal.list_windows():
        if window < progress.agreed and found.stream.find_outcome(window) is None:
            raise _build_error(window)
    own = (progress.left, progress.right)[found.place]
    for window in range(progress.agreed, own + WINDOWS_AHEAD_MAX):
        row = find_window(window)
        posted = 0 if row is None else (row.left, row.right)[found.place].entries
        if found.journal.count(window) < posted:
            raise _build_error(window)


def _build_error(window: int) -> Invalid:
    return Invalid(
        InvalidCode.ARGUMENTS,
        f"the node's journal lacks what the ledger has of window {window}, as an older copy of it "
        "does: put the newest journals.db back; where there is none, end the agreement, agree "
        "anew, and add what is open there",
        window=window,
    )
