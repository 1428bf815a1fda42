"""Cycles of two to five payments that one closes: money that comes back to where it left.

A cycle goes from the payee over at most three others to the payer, each payment not before the one
before it, all inside the long window and alike in amount to the one that closes it, and no wallet
twice. Ways into the payer, of one and two payments, are put into a table; ways out of the payee are
followed as far and looked up there. So it takes rings around the two wallets alone.

The best cycle loses the least on its way: the least of its amounts by the greatest is largest; then
the shorter, then the quicker, then the larger.
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.risk.compiled import compiled_inside
from hansa.risk.graph.catalogue import CAPPED_CYCLES, COLUMNS, UNKNOWN
from hansa.risk.graph.neighbours import CAPPED
from hansa.risk.graph.rings import (
    AMOUNT,
    IN,
    OTHER,
    OUT,
    TIME_MS,
    Array,
    Run,
    count_held,
    find_slot,
    get_run,
)
from hansa.risk.graph.searching import (
    GREATEST,
    KEY,
    LEAST,
    LINE,
    LINE_WIDTH,
    NEXT,
    PAIRS_MAX,
    VIA,
    WALLET,
    WHEN,
    Edge,
    add_entry,
    clear_table,
    compute_share,
    find_bucket,
    get_lined,
    line_up,
    open_rings,
)

CYCLES_2 = COLUMNS["cycles_2"]
CYCLE_SHARE = COLUMNS["cycle_share"]
CYCLE_LENGTH = COLUMNS["cycle_length"]
CYCLE_SPAN_MS = COLUMNS["cycle_span_ms"]
CYCLE_MINOR = COLUMNS["cycle_minor"]
_DIRECT = -1
"""In place of the wallet between: there is none."""


@compiled_inside
def note_cycle(row: Array, length: int, span_ms: int, least: int, greatest: int) -> None:
    """Count a cycle, and keep it if it is the best so far."""
    row[CYCLES_2 + length - 2] += 1
    share = compute_share(least, greatest)
    better = share - row[CYCLE_SHARE]
    if better == 0:
        better = row[CYCLE_LENGTH] - length
    if better == 0:
        better = row[CYCLE_SPAN_MS] - span_ms
    if better == 0:
        better = least - row[CYCLE_MINOR]
    if better > 0:
        row[CYCLE_SHARE] = share
        row[CYCLE_LENGTH] = length
        row[CYCLE_SPAN_MS] = span_ms
        row[CYCLE_MINOR] = least


@compiled_inside
def is_on_way(words: Array, slot: int, edge: Edge) -> bool:
    """Say whether an edge may be on a cycle but not at its ends: by its amount, and whose it is."""
    amount, other = words[slot + AMOUNT], words[slot + OTHER]
    is_alike = edge.least <= amount <= edge.greatest
    return bool(is_alike) and other not in (edge.payer, edge.payee)


@compiled_inside
def list_direct_ways(
    words: Array, memory: Array, run: Run, edge: Edge, rings_max: int
) -> tuple[int, int]:
    """Put the payments into the payer into the table, and their payers into the line.

    Returns:
      How many are in the table and in the line.
    """
    added, lined = 0, 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        if words[slot + TIME_MS] < edge.start_ms:
            break
        if not is_on_way(words, slot, edge):
            continue
        amount, other = words[slot + AMOUNT], words[slot + OTHER]
        entry = add_entry(memory, added, other)
        memory[entry + VIA] = _DIRECT
        memory[entry + WHEN] = words[slot + TIME_MS]
        memory[entry + LEAST] = min(amount, edge.amount)
        memory[entry + GREATEST] = max(amount, edge.amount)
        added += 1
        if lined < rings_max:
            place = line_up(memory, lined, other)
            lined += 1
            for word in (WHEN, LEAST, GREATEST):
                memory[place + word] = memory[entry + word]
    return added, lined


@compiled_inside
def list_longer_ways(words: Array, memory: Array, place: int, edge: Edge, added: int) -> int:
    """Put ways of two payments, over a wallet in the line, into the table; returns its size."""
    run = get_lined(memory, place)
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        time_ms, amount = words[slot + TIME_MS], words[slot + AMOUNT]
        if time_ms < edge.start_ms:
            break
        if time_ms > memory[place + WHEN] or not is_on_way(words, slot, edge):
            continue
        entry = add_entry(memory, added, words[slot + OTHER])
        memory[entry + VIA] = memory[place + WALLET]
        memory[entry + WHEN] = time_ms
        memory[entry + LEAST] = min(amount, memory[place + LEAST])
        memory[entry + GREATEST] = max(amount, memory[place + GREATEST])
        added += 1
    return added


@compiled_inside
def list_ways_back(
    heads: Array, words: Array, memory: Array, edge: Edge, rings_max: int
) -> tuple[int, bool]:
    """Put all ways of one and two payments into the payer into the table.

    Returns:
      How many there are, and whether some may be missing.
    """
    clear_table(memory)
    run = get_run(heads, IN, edge.payer)
    added, lined = list_direct_ways(words, memory, run, edge, rings_max)
    is_capped = run.dropped_ms >= edge.start_ms or lined < added
    is_capped |= open_rings(heads, words, memory, IN, lined, edge)
    for number in range(lined):
        added = list_longer_ways(words, memory, LINE + number * LINE_WIDTH, edge, added)
    return added, is_capped


class Way(NamedTuple):
    """One or two payments out of the payee."""

    between: int
    """The wallet between the two, or -1."""
    start_ms: int
    end_ms: int
    least: int
    greatest: int


@compiled_inside
def close_cycles(memory: Array, wallet: int, way: Way, edge: Edge, row: Array) -> int:
    """Join a way to a wallet with all ways back from there; returns how many were looked at."""
    looked = 0
    steps = 1 + int(way.between != _DIRECT)
    entry = memory[find_bucket(wallet)]
    while entry >= 0:
        looked += 1
        via = memory[entry + VIA]
        back = 1 + int(via != _DIRECT)
        # Two payments back are joined to two forth alone, so that no cycle is counted twice.
        if (
            memory[entry + KEY] == wallet
            and memory[entry + WHEN] >= way.end_ms
            and back <= steps
            and (via == _DIRECT or via != way.between)
        ):
            least = min(memory[entry + LEAST], way.least)
            greatest = max(memory[entry + GREATEST], way.greatest)
            note_cycle(row, 1 + steps + back, edge.time_ms - way.start_ms, least, greatest)
        entry = memory[entry + NEXT]
    return looked


@compiled_inside
def follow(words: Array, memory: Array, place: int, edge: Edge, row: Array, looked: int) -> int:
    """Go on from a wallet in the line, and close cycles from there.

    Returns:
      How many pairs of a way forth and a way back were looked at, with those before.
    """
    run = get_lined(memory, place)
    start_ms = memory[place + WHEN]
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        time_ms, amount = words[slot + TIME_MS], words[slot + AMOUNT]
        if time_ms < start_ms or looked > PAIRS_MAX:
            break
        if is_on_way(words, slot, edge):
            least = min(memory[place + LEAST], amount)
            greatest = max(memory[place + GREATEST], amount)
            way = Way(memory[place + WALLET], start_ms, time_ms, least, greatest)
            looked += close_cycles(memory, words[slot + OTHER], way, edge, row)
    return looked


@compiled_inside
def take_first_steps(
    words: Array, memory: Array, run: Run, edge: Edge, rings_max: int, row: Array
) -> tuple[int, int, int]:
    """Close cycles of two and three payments, and line up the payee's payees.

    Returns:
      How many payees there are on a way, how many are in the line, how many pairs were looked at.
    """
    ways, lined, looked = 0, 0, 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        time_ms, amount = words[slot + TIME_MS], words[slot + AMOUNT]
        if time_ms < edge.start_ms:
            break
        least, greatest = min(amount, edge.amount), max(amount, edge.amount)
        if words[slot + OTHER] == edge.payer and edge.least <= amount <= edge.greatest:
            note_cycle(row, 2, edge.time_ms - time_ms, least, greatest)
        if looked > PAIRS_MAX or not is_on_way(words, slot, edge):
            continue
        way = Way(_DIRECT, time_ms, time_ms, least, greatest)
        looked += close_cycles(memory, words[slot + OTHER], way, edge, row)
        ways += 1
        if lined < rings_max:
            place = line_up(memory, lined, words[slot + OTHER])
            lined += 1
            memory[place + WHEN] = time_ms
            memory[place + LEAST] = least
            memory[place + GREATEST] = greatest
    return ways, lined, looked


@compiled_inside
def find_cycles(
    heads: Array, words: Array, memory: Array, edge: Edge, rings_max: int, row: Array
) -> None:
    """Fill the columns of cycles.

    Args:
      heads: of all wallets.
      words: of all runs.
      memory: of searches.
      edge: the payment.
      rings_max: rings that are opened in one step.
      row: filled.
    """
    row[CYCLE_SPAN_MS] = row[CYCLE_SHARE] = UNKNOWN
    run = get_run(heads, OUT, edge.payee)
    if run.added == 0 or get_run(heads, IN, edge.payer).added == 0:
        return
    ways_back, is_capped = list_ways_back(heads, words, memory, edge, rings_max)
    ways, lined, looked = take_first_steps(words, memory, run, edge, rings_max, row)
    is_capped |= run.dropped_ms >= edge.start_ms or lined < ways
    if ways_back > 0:
        is_capped |= open_rings(heads, words, memory, OUT, lined, edge)
        for number in range(lined):
            looked = follow(words, memory, LINE + number * LINE_WIDTH, edge, row, looked)
    if is_capped or looked > PAIRS_MAX:
        row[CAPPED] |= CAPPED_CYCLES
