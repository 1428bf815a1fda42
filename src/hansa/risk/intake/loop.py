"""The loop over events, of their parties and of the graph at once: online and in replay the same.

A payment is described, decided on if that is asked, and then remembered, before the next one is
looked at. So each row is of the payments before it that are remembered, whatever came with it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.compiled import compiled, compiled_inside
from hansa.risk.decisions.weighing import (
    BY_MODEL,
    BY_RULES,
    Weighing,
    combine,
    read_weighing,
    weigh_row,
)
from hansa.risk.features.catalogue import NAMES
from hansa.risk.features.layout import (
    AMOUNT,
    ASKED,
    ATTEMPT,
    KIND,
    LISTED,
    PAYEE,
    PAYER,
    PAYMENT,
    TIME,
    TOGETHER,
    State,
    Whole,
)
from hansa.risk.features.loop import Finding, begin_event, check, is_payment, remember
from hansa.risk.features.rows import write_row
from hansa.risk.graph.crossings import SQUARES_CLOSED
from hansa.risk.graph.flow import Trail
from hansa.risk.graph.kernel import Graph, describe, has_words, make, make_edge
from hansa.risk.graph.searching import Edge, Reach
from hansa.risk.verdicts import Verdict

NO_EDGE, NO_WORDS = -1, -2
"""What stands against events besides `Finding`: one is to its payer or of nothing; and the graph is
full, but what is before the place that is told was taken in."""
_NOTHING, _NO_ROOM = int(Finding.NOTHING), int(Finding.NO_ROOM)
_ALLOW = int(Verdict.ALLOW)
_PARTIES = len(NAMES)

Bits = npt.NDArray[np.bool_]


class Memory(NamedTuple):
    """What is remembered, and how rows are read from it."""

    state: State
    graph: Graph
    reach: Reach
    zone_offset_ms: int
    """What local time is ahead of UTC."""

    def lay_out(self) -> tuple[Any, ...]:
        """Lay it out in plain tuples, which take half the time on the way into compiled code."""
        return (*map(tuple, self[:3]), self.zone_offset_ms)


@compiled
def take_in(
    remembered: tuple[Any, ...],
    laid_out: tuple[Any, ...],
    events: Whole,
    first: int,
    told: tuple[Whole, Bits, Whole],
) -> tuple[int, int]:
    """Describe events in their order, decide where that is asked, and remember: all or none.

    Args:
      remembered: a `Memory`, as `Memory.lay_out` lays it out.
      laid_out: a `Weighing`, likewise.
      events: shape (n, `EVENT_COLUMNS`); one that is `ASKED` becomes what was decided.
      first: where to begin; what is before it was taken in.
      told: rows, shape (n, n_features), filled from the first on, one for each payment; `fired`,
        shape (n, n_rules), and `weighed`, shape (n, `WEIGHED_COLUMNS`), filled as `weigh` does at
        the places of what is decided on.

    Returns:
      What stands against them, and the place of that event; if nothing does, how many rows were
      filled.
    """
    parties, graph, reach, zone_offset_ms = remembered
    memory = Memory(State(*parties), Graph(*graph), Reach(*reach), zone_offset_ms)
    weighing, (rows, fired, weighed) = read_weighing(laid_out), told
    if first == 0:
        finding, place = _check(memory, events)
        if finding != _NOTHING:
            return finding, place
    described, place = _count_payments(events, first), first
    while place < events.shape[0]:
        end = place + max(events[place, TOGETHER], 1)
        if not has_words(memory.graph, end - place):
            return NO_WORDS, place
        if end > place + 1 and events[place, KIND] == ASKED:
            scratch = (rows[described], fired[place], weighed[place])
            _decide_whole(memory, weighing, events, (place, end), scratch)
        for at in range(place, end):
            if begin_event(memory.state, events[at]):
                trail = _describe(memory, events[at], rows[described])
                if events[at, TOGETHER] > 0:
                    weigh_row(weighing, rows[described], fired[at], weighed[at])
                    _decide(events[at], weighed[at])
                _remember(memory, events[at], rows[described], trail)
                described += 1
        place = end
    return _NOTHING, described


@compiled_inside
def _check(memory: Memory, events: Whole) -> tuple[int, int]:
    """Find what stands against events, before any is taken in."""
    has_heads = True
    for place in range(events.shape[0]):
        event = events[place]
        if is_payment(event[KIND]):
            if event[PAYER] == event[PAYEE] or event[AMOUNT] < 1:
                return NO_EDGE, place
            highest = max(event[PAYER], event[PAYEE])
            has_heads = has_heads and highest < memory.graph.heads.shape[0]
    finding, place = check(memory.state, events, ASKED)
    return (finding if finding != _NOTHING or has_heads else _NO_ROOM), place


@compiled_inside
def _count_payments(events: Whole, end: int) -> int:
    count = 0
    for place in range(end):
        count += is_payment(events[place, KIND])
    return count


@compiled_inside
def _draw_edge(event: Whole, reach: Reach) -> Edge:
    return make_edge((event[PAYER], event[PAYEE], event[AMOUNT], event[TIME]), reach)


@compiled_inside
def _describe(memory: Memory, event: Whole, row: Whole) -> Trail:
    """Fill a payment's row, and say on which chain it is."""
    write_row(memory.state, event, memory.zone_offset_ms, row[:_PARTIES])
    edge = _draw_edge(event, memory.reach)
    return describe(memory.graph, edge, memory.reach.rings_max, row[_PARTIES:])


@compiled_inside
def _decide(event: Whole, weighed: Whole) -> None:
    """Have a payment be made, or an attempt, as it was weighed; if it is not known yet."""
    if event[KIND] == ASKED:
        event[KIND] = ATTEMPT if _is_held(event, weighed) else PAYMENT


@compiled_inside
def _is_held(event: Whole, weighed: Whole) -> bool:
    verdict, _ = combine(weighed[BY_RULES], weighed[BY_MODEL], event[LISTED])
    return bool(verdict > _ALLOW)


@compiled_inside
def _decide_whole(
    memory: Memory,
    weighing: Weighing,
    events: Whole,
    span: tuple[int, int],
    scratch: tuple[Whole, Bits, Whole],
) -> None:
    """Have payments of one transaction be made, or be attempts if any would be held alone.

    Args:
      memory: without them.
      weighing: by which they are decided.
      events: all.
      span: where theirs begin and end.
      scratch: room for a row, and for what is said of it.
    """
    (first, end), (row, fired, weighed) = span, scratch
    is_held = False
    for at in range(first, end):
        begin_event(memory.state, events[at])
        _describe(memory, events[at], row)
        weigh_row(weighing, row, fired, weighed)
        is_held = is_held or _is_held(events[at], weighed)
    for at in range(first, end):
        events[at, KIND] = ATTEMPT if is_held else PAYMENT


@compiled_inside
def _remember(memory: Memory, event: Whole, row: Whole, trail: Trail) -> None:
    """Remember a payment that was described, if it is made; of an attempt, its number."""
    remember(memory.state, event, row)
    if event[KIND] == PAYMENT:
        edge = _draw_edge(event, memory.reach)
        make(memory.graph, edge, memory.reach.ring_max, trail, row[_PARTIES + SQUARES_CLOSED])
