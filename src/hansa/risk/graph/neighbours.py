"""Counts over the rings of payer and payee: how many, from how many, how much, to each other."""

from __future__ import annotations

from hansa.risk.compiled import compiled_inside
from hansa.risk.graph.catalogue import (
    AMOUNT_MAX,
    CAPPED_PAYEE,
    CAPPED_PAYER,
    COLUMNS,
    UNKNOWN,
)
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
from hansa.risk.graph.searching import Edge, clear_marks, compute_likeness, mark

PAYER_OUT = COLUMNS["payer_out_short"]
PAYER_IN = COLUMNS["payer_in_short"]
PAYEE_IN = COLUMNS["payee_in_short"]
PAYEE_OUT = COLUMNS["payee_out_short"]
SHORT, LONG, FAN_SHORT, FAN_LONG, SUM, ALIKE = (
    COLUMNS[f"payer_out_{name}"] - PAYER_OUT
    for name in ("short", "long", "fan_short", "fan_long", "minor", "alike")
)
"""Places among the six columns of a ring."""
PAIR = COLUMNS["pair"]
PAIR_AGE_MS = COLUMNS["pair_age_ms"]
BACK = COLUMNS["back"]
BACK_AGE_MS = COLUMNS["back_age_ms"]
BACK_SHARE = COLUMNS["back_share"]
CAPPED = COLUMNS["capped"]


@compiled_inside
def count_ring(
    words: Array, memory: Array, run: Run, edge: Edge, row: Array, first: int
) -> None:  # fmt: skip
    """Count one ring.

    Args:
      words: of all runs.
      memory: whose set of wallets is used.
      run: of the ring.
      edge: the payment.
      row: six columns of which are filled, and are 0.
      first: the first of these.
    """
    if run.added == 0:
        return
    clear_marks(memory)
    total = 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        time_ms, amount = words[slot + TIME_MS], words[slot + AMOUNT]
        if time_ms < edge.start_ms:
            break
        is_short = int(time_ms >= edge.short_ms)
        is_new = int(mark(memory, words[slot + OTHER]))
        row[first + SHORT] += is_short
        row[first + LONG] += 1
        row[first + FAN_SHORT] += is_new * is_short
        row[first + FAN_LONG] += is_new
        row[first + ALIKE] += int(8 * abs(amount - edge.amount) <= edge.amount)
        total += amount
    row[first + SUM] = min(total, AMOUNT_MAX)


@compiled_inside
def count_pair(words: Array, run: Run, edge: Edge, row: Array, columns: tuple[int, int]) -> int:
    """Count payments between the two in a ring of the payer's: how many, and the age of the last.

    Returns:
      The amount of the last, or 0.
    """
    count, age_ms = columns
    row[age_ms] = UNKNOWN
    last = 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        time_ms = words[slot + TIME_MS]
        if time_ms < edge.start_ms:
            break
        if words[slot + OTHER] == edge.payee:
            if last == 0:
                last = words[slot + AMOUNT]
                row[age_ms] = edge.time_ms - time_ms
            row[count] += 1
    return last


@compiled_inside
def count_neighbours(heads: Array, words: Array, memory: Array, edge: Edge, row: Array) -> None:
    """Fill the columns of the four rings and of the pair, and whether rings were full.

    Args:
      heads: of all wallets.
      words: of all runs.
      memory: of searches.
      edge: the payment.
      row: filled.
    """
    payer_out, payer_in = get_run(heads, OUT, edge.payer), get_run(heads, IN, edge.payer)
    payee_in, payee_out = get_run(heads, IN, edge.payee), get_run(heads, OUT, edge.payee)
    count_ring(words, memory, payer_out, edge, row, PAYER_OUT)
    count_ring(words, memory, payer_in, edge, row, PAYER_IN)
    count_ring(words, memory, payee_in, edge, row, PAYEE_IN)
    count_ring(words, memory, payee_out, edge, row, PAYEE_OUT)
    count_pair(words, payer_out, edge, row, (PAIR, PAIR_AGE_MS))
    last = count_pair(words, payer_in, edge, row, (BACK, BACK_AGE_MS))
    row[BACK_SHARE] = compute_likeness(last, edge.amount) if last > 0 else UNKNOWN
    if max(payer_out.dropped_ms, payer_in.dropped_ms) >= edge.start_ms:
        row[CAPPED] |= CAPPED_PAYER
    if max(payee_in.dropped_ms, payee_out.dropped_ms) >= edge.start_ms:
        row[CAPPED] |= CAPPED_PAYEE
