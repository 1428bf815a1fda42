"""One agreement in a line, and all that its own page shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hansa.contracts.reconciliation.agreements import State
from hansa.kernel.calendar import DAY_MS, MINUTE_MS
from hansa.node.console.charts import Chart, build_stacks
from hansa.node.console.reading import Pace
from hansa.node.console.reconciliation.breaks import (
    AgeLine,
    build_ageing,
    read_queue,
    sum_ages,
)
from hansa.node.console.reconciliation.windows import WindowLine, read_window
from hansa.node.console.reconciliation.words import CLOSED
from hansa.node.reconcile.service import BreakView, PairService, PairView, WindowView
from hansa.reconcile.rules.windows import find_window

WINDOWS_PER_PAGE = 12
WINDOWS_OPEN_READ = 32
"""Windows that are not agreed, of which waiting entries are counted."""
EMPTY_PASSED_MAX = 400
"""Windows without anything that are passed over for one to begin with."""
SERIES = ("matched", "passes", "open")
"""Of the chart, from the bottom upwards."""


@dataclass(frozen=True, slots=True)
class PairLine:
    """One agreement."""

    view: PairView
    other: bytes
    """Address of the other bank."""
    state: str
    """A key of `words.PAIR_STATES`."""
    waiting: int
    """Entries of this bank that are not posted yet."""
    open: tuple[BreakView, ...]
    """Breaks as of the last window of which all is known."""

    @property
    def breaks(self) -> int:
        """How many breaks are open."""
        return len(self.open)

    @property
    def cases(self) -> int:
        """How many of the breaks have a case that is not closed."""
        found = [each.case for each in self.open if each.case is not None]
        return len([case for case in found if case.state not in CLOSED])

    @property
    def id(self) -> str:
        """Name of the agreement, hexadecimal."""
        return self.view.agreement.hex()


@dataclass(frozen=True, slots=True)
class PairPage:
    """One agreement with some of its windows."""

    line: PairLine
    windows: tuple[WindowLine, ...]
    """The newest first."""
    chart: Chart
    newest: int
    """Number of the newest window of all."""
    ages: tuple[AgeLine, ...]


def read_line(pairs: PairService, agreement: bytes) -> PairLine:
    """Read an agreement in a line; raises `NotFound`."""
    view = pairs.get_pair(agreement, windows=1)
    waiting = sum(each.waiting for each in _list_unagreed(pairs, view))
    other = view.pair.get_bank(view.place.other)
    breaks = tuple(pairs.list_breaks(agreement))
    return PairLine(view, other, _name_state(pairs, view), waiting, breaks)


def name_state(pairs: PairService, agreement: bytes) -> str:
    """Name what of an agreement changes without a block: entries, results, what is in the way."""
    view = pairs.get_pair(agreement, windows=1)
    windows = [(each.waiting, each.outcome is not None) for each in _list_unagreed(pairs, view)]
    known = repr((agreement, view.completed, view.trouble, windows))
    return hashlib.sha256(known.encode()).hexdigest()


async def read_pair(
    pairs: PairService, agreement: bytes, first: int | None, today: int
) -> PairPage:
    """Read an agreement with a page of windows.

    Args:
      pairs: of this node's bank.
      agreement: its name.
      first: number of the newest window to show; None for the newest up to today in which there is
        something.
      today: day as of which breaks are as old as they are, from 1970-01-01.

    Raises:
      NotFound: the bank has no such agreement.
    """
    line = read_line(pairs, agreement)
    view, newest = line.view, line.view.windows[0].number
    top = _find_top(pairs, view, today) if first is None else min(first, newest)
    pace = Pace()
    windows = []
    for number in range(top, max(-1, top - WINDOWS_PER_PAGE), -1):
        found = pairs.get_window(agreement, number)
        windows.append(read_window(view.pair, view.place, view.progress, found))
        await pace.rest()
    ageing = build_ageing(view.pair, today)
    queue = await read_queue(view.pair, view.place, ageing, line.open)
    return PairPage(line, tuple(windows), _draw(windows), newest, tuple(sum_ages(queue, ageing)))


def compute_day(time_ms: int, offset_minutes: int) -> int:
    """Compute the civil day of a ledger time, from 1970-01-01."""
    return (time_ms + offset_minutes * MINUTE_MS) // DAY_MS


def _find_top(pairs: PairService, view: PairView, today: int) -> int:
    """Find the newest window up to today in which there is something.

    One entry with a mistaken year lies far beyond all others.
    """
    floor = max(view.progress.closed, view.completed)
    top = min(view.windows[0].number, max(floor, find_window(view.pair.window, today, None)))
    for _ in range(EMPTY_PASSED_MAX):
        found = pairs.get_window(view.agreement, top)
        if top <= floor or found.row is not None or found.waiting:
            break
        top -= 1
    return top


def _list_unagreed(pairs: PairService, view: PairView) -> list[WindowView]:
    """List the windows that are not agreed; of very many the first ones and the last."""
    newest = view.windows[0].number
    first = view.progress.agreed
    numbers = {*range(first, min(first + WINDOWS_OPEN_READ, newest + 1)), newest}
    return [pairs.get_window(view.agreement, each) for each in sorted(numbers)]


def _draw(windows: Sequence[WindowLine]) -> Chart:
    """Draw what matched and what is open, the oldest window first; few stand to the right."""
    rows = [(each.by_tag, each.by_passes, each.open) for each in reversed(windows)]
    return build_stacks(SERIES, [(0, 0, 0)] * (WINDOWS_PER_PAGE - len(rows)) + rows)


def _name_state(pairs: PairService, view: PairView) -> str:
    row = view.row
    if row is None:
        return "unknown"
    if row.state is State.PROPOSED:
        return "offered" if row.proposer == pairs.bank else "asked"
    return "in_force" if row.state is State.IN_FORCE else "ended"
