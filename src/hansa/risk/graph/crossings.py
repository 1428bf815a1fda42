"""Ways between the same wallets side by side: middlemen, and squares of a bipartite pattern.

Middlemen (scatter–gather): a source paid this payer, in an amount like this payment's, and also
paid others; those of them that paid this payee afterwards are its middlemen. What came through one
is the smaller of its last payment to the payee and the last before it that it had from the source.
Of several sources the one with most middlemen is told, then with most money, then the quickest.

Squares: others paid this payee an amount like this payment's, and one of them also paid another
payee of this payer's.
"""

from __future__ import annotations

from hansa.risk.compiled import compiled_inside
from hansa.risk.graph.catalogue import (
    AMOUNT_MAX,
    CAPPED_MIDDLEMEN,
    CAPPED_SQUARES,
    COLUMNS,
    UNKNOWN,
)
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
    LEAST,
    LINE,
    LINE_WIDTH,
    VIA,
    WHEN,
    Edge,
    add_entry,
    clear_marks,
    clear_table,
    find_entry,
    get_lined,
    line_up,
    mark,
    open_rings,
)

MIDDLEMEN = COLUMNS["middlemen"]
MIDDLEMEN_MINOR = COLUMNS["middlemen_minor"]
MIDDLEMEN_SPAN_MS = COLUMNS["middlemen_span_ms"]
CO_PAYERS = COLUMNS["co_payers"]
SQUARES_CLOSED = COLUMNS["squares"]


@compiled_inside
def list_others(words: Array, memory: Array, run: Run, but: int, edge: Edge) -> int:
    """Put the wallets at the other ends of a ring into the table, each with its newest payment.

    Args:
      words: of all runs.
      memory: with the table, which is emptied first.
      run: of the ring.
      but: a wallet that is left out.
      edge: the payment, for the window.

    Returns:
      How many wallets it has.
    """
    clear_table(memory)
    added = 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        other = words[slot + OTHER]
        if words[slot + TIME_MS] < edge.start_ms:
            break
        if other == but or find_entry(memory, other) >= 0:
            continue
        entry = add_entry(memory, added, other)
        memory[entry + WHEN] = words[slot + TIME_MS]
        memory[entry + LEAST] = words[slot + AMOUNT]
        memory[entry + VIA] = -1
        added += 1
    return added


@compiled_inside
def line_up_alike(
    words: Array, memory: Array, run: Run, but: int, edge: Edge, rings_max: int
) -> tuple[int, bool]:
    """Line up the wallets at the other ends of payments alike in amount, each once.

    Returns:
      How many are in the line, and whether there are more.
    """
    clear_marks(memory)
    mark(memory, but)
    lined = 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        amount, other = words[slot + AMOUNT], words[slot + OTHER]
        if words[slot + TIME_MS] < edge.start_ms:
            break
        if amount < edge.least or amount > edge.greatest or not mark(memory, other):
            continue
        if lined >= rings_max:
            return lined, True
        line_up(memory, lined, other)
        lined += 1
    return lined, False


@compiled_inside
def tell_source(words: Array, memory: Array, place: int, edge: Edge, row: Array) -> None:
    """Count the middlemen of a source in the line, and keep them if they are the most so far."""
    run = get_lined(memory, place)
    middlemen, through, span_ms = 0, 0, UNKNOWN
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        time_ms = words[slot + TIME_MS]
        if time_ms < edge.start_ms:
            break
        entry = find_entry(memory, words[slot + OTHER])
        if entry < 0 or memory[entry + VIA] == place or memory[entry + WHEN] < time_ms:
            continue
        memory[entry + VIA] = place  # counted
        middlemen += 1
        through += min(words[slot + AMOUNT], memory[entry + LEAST])
        span_ms = edge.time_ms - time_ms
    through = min(through, AMOUNT_MAX)
    better = middlemen - row[MIDDLEMEN]
    if better == 0:
        better = through - row[MIDDLEMEN_MINOR]
    if better == 0:
        better = row[MIDDLEMEN_SPAN_MS] - span_ms
    if better > 0:
        row[MIDDLEMEN] = middlemen
        row[MIDDLEMEN_MINOR] = through
        row[MIDDLEMEN_SPAN_MS] = span_ms


@compiled_inside
def find_middlemen(
    heads: Array, words: Array, memory: Array, edge: Edge, rings_max: int, row: Array
) -> None:
    """Fill the columns of middlemen, who are others than the payer."""
    row[MIDDLEMEN_SPAN_MS] = UNKNOWN
    came, into = get_run(heads, IN, edge.payer), get_run(heads, IN, edge.payee)
    if came.added == 0 or list_others(words, memory, into, edge.payer, edge) == 0:
        return
    lined, is_capped = line_up_alike(words, memory, came, edge.payee, edge, rings_max)
    is_capped |= max(came.dropped_ms, into.dropped_ms) >= edge.start_ms
    is_capped |= open_rings(heads, words, memory, OUT, lined, edge)
    for number in range(lined):
        tell_source(words, memory, LINE + number * LINE_WIDTH, edge, row)
    if is_capped:
        row[CAPPED] |= CAPPED_MIDDLEMEN


@compiled_inside
def count_shared(words: Array, memory: Array, place: int, edge: Edge) -> int:
    """Count the payees, of a wallet in the line, that are in the table."""
    run = get_lined(memory, place)
    shared = 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        if words[slot + TIME_MS] < edge.start_ms:
            break
        entry = find_entry(memory, words[slot + OTHER])
        if entry >= 0 and memory[entry + VIA] != place:
            memory[entry + VIA] = place  # counted
            shared += 1
    return shared


@compiled_inside
def count_squares(
    heads: Array, words: Array, memory: Array, edge: Edge, rings_max: int, row: Array
) -> None:
    """Fill the columns of squares."""
    into, went = get_run(heads, IN, edge.payee), get_run(heads, OUT, edge.payer)
    if into.added == 0 or list_others(words, memory, went, edge.payee, edge) == 0:
        return
    lined, is_capped = line_up_alike(words, memory, into, edge.payer, edge, rings_max)
    is_capped |= max(into.dropped_ms, went.dropped_ms) >= edge.start_ms
    is_capped |= open_rings(heads, words, memory, OUT, lined, edge)
    for number in range(lined):
        shared = count_shared(words, memory, LINE + number * LINE_WIDTH, edge)
        row[SQUARES_CLOSED] += shared
        row[CO_PAYERS] += int(shared > 0)
    if is_capped:
        row[CAPPED] |= CAPPED_SQUARES
