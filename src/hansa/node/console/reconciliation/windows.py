"""The windows of an agreement as its pages show them: counts, what matched, and who stated what."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from hansa.contracts.reconciliation.windows import Progress
from hansa.contracts.reconciliation.windows import Window as WindowRow
from hansa.node.reconcile.service import WindowView
from hansa.reconcile.rules.windows import get_days
from hansa.reconcile.stream.terms import Pair, Place


@dataclass(frozen=True, slots=True)
class WindowLine:
    """One window; counts are of entries, of both banks together where nothing else is said."""

    number: int
    first: dt.date
    last: dt.date
    ours: int
    """Posted by this bank."""
    theirs: int
    waiting: int
    """Of this bank, not posted yet."""
    by_tag: int
    """Matched by the first pass."""
    by_passes: int
    """Matched by the others; 0 while the result is not known."""
    open: int
    """Without a partner."""
    matches: int
    """That can be looked at one by one."""
    state: str
    """A key of `words.WINDOW_STATES`."""
    result: bytes
    """Hash of what came out, which a batch over the same window has, too; empty until then."""
    has_stated: tuple[bool, bool]
    """Whether this bank, and the other one, have stated a result."""

    @property
    def total(self) -> int:
        """All entries."""
        return self.by_tag + self.by_passes + self.open

    @property
    def matched(self) -> int:
        """All that matched."""
        return self.by_tag + self.by_passes


def read_window(pair: Pair, place: Place, progress: Progress, view: WindowView) -> WindowLine:
    """Read a window, as the bank at a place sees it."""
    row = view.row or WindowRow(pair.agreement, view.number, b"")
    sides = row.left, row.right
    outcome = view.outcome
    total = row.left.entries + row.right.entries
    by_tag, unmatched = 2 * row.matched, row.left.open + row.right.open
    if outcome is not None:
        total = outcome.left_entries + outcome.right_entries
        by_tag = 2 * outcome.pairs
        unmatched = sum(len(each.left) + len(each.right) for each in outcome.breaks)
    first, last = get_days(pair.window, view.number)
    return WindowLine(
        view.number,
        first,
        last,
        sides[place].entries,
        sides[place.other].entries,
        view.waiting,
        by_tag,
        max(0, total - by_tag - unmatched),
        unmatched,
        0 if outcome is None else len(outcome.matches),
        _name_state(progress, row),
        b"" if outcome is None else outcome.result,
        (bool(sides[place].statement), bool(sides[place.other].statement)),
    )


def _name_state(progress: Progress, row: WindowRow) -> str:
    if row.window < progress.agreed:
        return "agreed"
    if row.window >= progress.closed:
        return "open"
    statements = {each.statement for each in (row.left, row.right)}
    if statements == {b""}:
        return "closed"
    return "half" if b"" in statements else "differs"
