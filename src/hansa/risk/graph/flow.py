"""Money that passes through: which receipts a payment is paid from, how soon, and how long a chain.

A payment draws on what its payer received and has not paid since, newest first, until it is
covered. If receipts cover half of it, and the one that covers most came within the short window,
the payment goes on the chain of that receipt; else a chain begins.
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.risk.compiled import compiled_inside
from hansa.risk.graph.catalogue import AMOUNT_MAX, COLUMNS, UNKNOWN
from hansa.risk.graph.neighbours import FAN_LONG, PAYEE_IN, PAYEE_OUT, PAYER_IN, PAYER_OUT, SUM
from hansa.risk.graph.rings import (
    AMOUNT,
    CHAIN,
    IN,
    LEFT,
    ORIGIN,
    OUT,
    SQUARES,
    START_AMOUNT,
    START_MS,
    TIME_MS,
    Array,
    Run,
    count_held,
    find_slot,
    find_trail,
    get_run,
)
from hansa.risk.graph.searching import Edge, compute_likeness, compute_share

COVERED_SHARE = COLUMNS["covered_share"]
COVERED_RECEIPTS = COLUMNS["covered_receipts"]
HELD_MS = COLUMNS["held_ms"]
DRAWN_SHARE = COLUMNS["drawn_share"]
SINCE = COLUMNS["since"]
SINCE_SHARE = COLUMNS["since_share"]
PAYER_CHAINED = COLUMNS["payer_chained"]
PAYEE_CHAINED = COLUMNS["payee_chained"]
PAYEE_CHAINED_MINOR = COLUMNS["payee_chained_minor"]
UNSPENT_SHARE = COLUMNS["unspent_share"]
ALIKE_SHARE = COLUMNS["alike_share"]
ALIKE_HELD_MS = COLUMNS["alike_held_ms"]
PAYER_PASSED_SHARE = COLUMNS["payer_passed_share"]
PAYEE_PASSED_SHARE = COLUMNS["payee_passed_share"]
GATHERED = COLUMNS["gathered"]
CHAINED = COLUMNS["chain"]
CHAIN_SPAN_MS = COLUMNS["chain_span_ms"]
CHAIN_SHARE = COLUMNS["chain_share"]
CHAIN_RETURNS = COLUMNS["chain_returns"]
STACKED_SQUARES = COLUMNS["stacked_squares"]
PAIR = COLUMNS["pair"]


class Trail(NamedTuple):
    """The chain that a payment goes on."""

    start_ms: int
    start_amount: int
    origin: int
    chain: int


@compiled_inside
def tell_since(words: Array, paid: Run, edge: Edge, receipt: int, row: Array) -> None:
    """Count what the payer made of a receipt: its payments since, and their sum.

    Args:
      words: of all runs.
      paid: the payer's payments.
      edge: the payment.
      receipt: where the words of the receipt are.
      row: filled.
    """
    total, count = edge.amount, 1
    for back in range(1, count_held(paid) + 1):
        slot = find_slot(paid, back)
        if words[slot + TIME_MS] < words[receipt + TIME_MS]:
            break
        total += words[slot + AMOUNT]
        count += 1
    row[SINCE] = count
    row[SINCE_SHARE] = compute_share(total, words[receipt + AMOUNT])


@compiled_inside
def sum_chained(words: Array, run: Run, edge: Edge) -> tuple[int, int]:
    """Count the receipts of a wallet that go on a chain, and sum them up."""
    count, total = 0, 0
    for back in range(1, count_held(run) + 1):
        slot = find_slot(run, back)
        if words[slot + TIME_MS] < edge.start_ms:
            break
        if words[find_trail(run, back) + CHAIN] > 1:
            count += 1
            total += words[slot + AMOUNT]
    return count, min(total, AMOUNT_MAX)


@compiled_inside
def draw(heads: Array, words: Array, edge: Edge, row: Array) -> Trail:
    """Cover the payment from its payer's receipts, fill the columns, and say on which chain it is.

    What is drawn is taken off the receipts by `spend`, if the payment is made.
    """
    run = get_run(heads, IN, edge.payer)
    need, unspent, total = edge.amount, 0, 0
    most, source = 0, 0
    row[ALIKE_SHARE] = row[ALIKE_HELD_MS] = row[HELD_MS] = UNKNOWN
    row[DRAWN_SHARE] = row[SINCE_SHARE] = UNKNOWN
    for back in range(1, count_held(run) + 1):
        slot, trail = find_slot(run, back), find_trail(run, back)
        time_ms, amount = words[slot + TIME_MS], words[slot + AMOUNT]
        if time_ms < edge.start_ms:
            break
        left = words[trail + LEFT]
        drawn = min(need, left)
        if drawn > 0:
            need -= drawn
            left -= drawn
            row[COVERED_RECEIPTS] += 1
        if drawn > most:
            most, source = drawn, back
        unspent += left
        total += amount
        likeness = compute_likeness(amount, edge.amount)
        if likeness > row[ALIKE_SHARE]:
            row[ALIKE_SHARE] = likeness
            row[ALIKE_HELD_MS] = edge.time_ms - time_ms
    row[COVERED_SHARE] = compute_share(edge.amount - need, edge.amount)
    row[UNSPENT_SHARE] = compute_share(unspent, total) if total > 0 else UNKNOWN
    begun = Trail(edge.time_ms, edge.amount, edge.payer, 1)
    if source == 0:
        return begun
    slot, trail = find_slot(run, source), find_trail(run, source)
    row[HELD_MS] = edge.time_ms - words[slot + TIME_MS]
    row[DRAWN_SHARE] = compute_share(most, words[slot + AMOUNT])
    tell_since(words, get_run(heads, OUT, edge.payer), edge, slot, row)
    if 2 * need > edge.amount or words[slot + TIME_MS] < edge.short_ms:
        return begun
    row[STACKED_SQUARES] = words[trail + SQUARES]
    return Trail(
        words[trail + START_MS],
        words[trail + START_AMOUNT],
        words[trail + ORIGIN],
        words[trail + CHAIN] + 1,
    )


@compiled_inside
def spend(heads: Array, words: Array, edge: Edge) -> None:
    """Take what a payment draws off its payer's receipts."""
    run = get_run(heads, IN, edge.payer)
    need = edge.amount
    for back in range(1, count_held(run) + 1):
        if need == 0 or words[find_slot(run, back) + TIME_MS] < edge.start_ms:
            break
        trail = find_trail(run, back)
        drawn = min(need, words[trail + LEFT])
        words[trail + LEFT] -= drawn
        need -= drawn


@compiled_inside
def tell_flow(heads: Array, words: Array, edge: Edge, row: Array) -> Trail:
    """Fill all columns of this module, once those of the rings are filled; see `draw`."""
    trail = draw(heads, words, edge, row)
    row[CHAINED] = trail.chain
    row[CHAIN_SPAN_MS] = edge.time_ms - trail.start_ms
    row[CHAIN_SHARE] = compute_share(edge.amount, trail.start_amount)
    row[CHAIN_RETURNS] = int(trail.origin == edge.payee)
    paid, received = row[PAYER_OUT + SUM] + edge.amount, row[PAYER_IN + SUM]
    row[PAYER_PASSED_SHARE] = compute_share(paid, received) if received > 0 else UNKNOWN
    row[PAYEE_PASSED_SHARE] = compute_share(row[PAYEE_OUT + SUM], row[PAYEE_IN + SUM] + edge.amount)
    fan_out = row[PAYER_OUT + FAN_LONG] + int(row[PAIR] == 0)
    row[GATHERED] = min(row[PAYER_IN + FAN_LONG], fan_out)
    row[PAYER_CHAINED], _ = sum_chained(words, get_run(heads, IN, edge.payer), edge)
    count, total = sum_chained(words, get_run(heads, IN, edge.payee), edge)
    row[PAYEE_CHAINED], row[PAYEE_CHAINED_MINOR] = count, total
    return trail
