"""The one loop: for each payment in its order a row of features, and then its edge.

A row tells of the graph before its payment, but where the catalogue says that this payment is
included. One payment online and a block of them in replay are the same call, with other lengths.

Bounds on the work for one payment, with rings of 32 edges of which 16 are opened in one step: seven
readings of the rings of payer and payee; then four steps, for ways into the payer and out of the
payee, for sources and for other payers, each with 256 edges at most; 512 pairs of ways, and as many
more as one wallet has; a run of 32 edges moved on either side. What is beyond is not looked at, and
`capped` says so.
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.risk.compiled import compiled, compiled_inside
from hansa.risk.graph.catalogue import AMOUNT_MAX
from hansa.risk.graph.crossings import SQUARES_CLOSED, count_squares, find_middlemen
from hansa.risk.graph.cycles import find_cycles
from hansa.risk.graph.flow import Trail, spend, tell_flow
from hansa.risk.graph.neighbours import count_neighbours
from hansa.risk.graph.rings import (
    AMOUNT,
    CHAIN,
    EDGES,
    IN,
    LAST_MS,
    LEFT,
    ORIGIN,
    OTHER,
    OUT,
    ROOM_WORDS,
    SQUARES,
    START_AMOUNT,
    START_MS,
    TIME_MS,
    USED,
    WALLETS,
    Array,
    Run,
    add_edge,
    find_slot,
    find_trail,
    get_run,
    is_full,
    sweep,
    widen,
)
from hansa.risk.graph.searching import Edge, Reach

# Columns of `edges`.
PAYER = 0
PAYEE = 1
AMOUNT_MINOR = 2
AT_MS = 3
EDGE_WIDTH = 4
WALLETS_MAX = 1 << 31
TIME_MAX_MS = 1 << 50
"""Some 35,000 years."""


class Graph(NamedTuple):
    """The graph as arrays."""

    heads: Array
    """Shape (n_wallets, 8): where the runs of each wallet are."""
    words: Array
    """All runs."""
    facts: Array
    """Few numbers on the whole."""
    memory: Array
    """Of searches; nobody keeps it."""


@compiled_inside
def put(graph: Graph, side: int, edge: Edge, ring_max: int) -> Run:
    """Put an edge into the ring of payer or payee; returns the run, whose newest it is."""
    heads, words, facts, _ = graph
    wallet, other = edge.payer, edge.payee
    if side == IN:
        wallet, other = other, wallet
    run = get_run(heads, side, wallet)
    if run.capacity < ring_max and is_full(words, run, edge.start_ms):
        widen(heads, words, facts, side, wallet)
    run = add_edge(heads, words, side, wallet, edge.start_ms)
    slot = find_slot(run, 1)
    words[slot + OTHER] = other
    words[slot + TIME_MS] = edge.time_ms
    words[slot + AMOUNT] = edge.amount
    return run


@compiled_inside
def insert(graph: Graph, edge: Edge, ring_max: int, trail: Trail, squares: int) -> None:
    """Put an edge into the rings of payer and payee."""
    _, words, facts, _ = graph
    put(graph, OUT, edge, ring_max)
    place = find_trail(put(graph, IN, edge, ring_max), 1)
    words[place + LEFT] = edge.amount
    words[place + START_MS] = trail.start_ms
    words[place + START_AMOUNT] = trail.start_amount
    words[place + ORIGIN] = trail.origin
    words[place + CHAIN] = trail.chain
    words[place + SQUARES] = squares
    facts[LAST_MS] = edge.time_ms
    facts[WALLETS] = max(facts[WALLETS], edge.payer + 1, edge.payee + 1)
    facts[EDGES] += 1


@compiled
def survey(edges: Array, last_ms: int) -> tuple[int, int]:
    """Find what stands against payments, and how many wallets there are with theirs.

    Args:
      edges: as `advance` takes them.
      last_ms: the time of the payment before.

    Returns:
      Of all that stands against any, the first of: 0 a wallet that is none, 1 an amount, 2 a
      payment to its payer, 3 a time; -1 for nothing. And one more than the highest wallet.
    """
    found, wallets = 4, 0
    for number in range(edges.shape[0]):
        payer, payee = edges[number, PAYER], edges[number, PAYEE]
        amount, time_ms = edges[number, AMOUNT_MINOR], edges[number, AT_MS]
        if payer < 0 or payee < 0 or payer >= WALLETS_MAX or payee >= WALLETS_MAX:
            return 0, 0
        wallets = max(wallets, payer + 1, payee + 1)
        if amount < 1 or amount > AMOUNT_MAX:
            found = min(found, 1)
        if payer == payee:
            found = min(found, 2)
        if time_ms < last_ms or time_ms > TIME_MAX_MS:
            found = min(found, 3)
        last_ms = time_ms
    return (-1 if found == 4 else found), wallets  # noqa: PLR2004 - none of these


@compiled_inside
def describe(graph: Graph, edge: Edge, rings_max: int, row: Array) -> Trail:
    """Fill the row of a payment, and say on which chain it is."""
    heads, words, _, memory = graph
    row[:] = 0
    count_neighbours(heads, words, memory, edge, row)
    find_cycles(heads, words, memory, edge, rings_max, row)
    find_middlemen(heads, words, memory, edge, rings_max, row)
    count_squares(heads, words, memory, edge, rings_max, row)
    return tell_flow(heads, words, edge, row)


@compiled_inside
def make_edge(paid: tuple[int, int, int, int], reach: Reach) -> Edge:
    """Make an edge of payer, payee, amount and time: with its windows, and what counts as alike."""
    payer, payee, amount, time_ms = paid
    return Edge(
        payer,
        payee,
        amount,
        time_ms,
        time_ms - reach.short_ms,
        time_ms - reach.long_ms,
        (amount + reach.factor - 1) // reach.factor,
        min(amount * reach.factor, AMOUNT_MAX),
    )


@compiled_inside
def has_words(graph: Graph, payments: int) -> bool:
    """Whether there are words enough for so many payments, whatever they are."""
    return bool(graph.words.shape[0] - graph.facts[USED] >= payments * ROOM_WORDS)


@compiled_inside
def make(graph: Graph, edge: Edge, ring_max: int, trail: Trail, squares: int) -> None:
    """Spend what a payment draws on, put its edge into the graph, and forget what is old."""
    heads, words, facts, _ = graph
    spend(heads, words, edge)
    insert(graph, edge, ring_max, trail, squares)
    sweep(heads, words, facts, edge.start_ms)


@compiled
def advance(
    arrays: tuple[Array, ...], bounds: tuple[int, ...], edges: Array, first: int, rows: Array
) -> int:
    """Fill a row for each payment from `first` on, and put its edge into the graph.

    Args:
      arrays: a `Graph`, as a plain tuple; its heads have one for each of the wallets.
      bounds: a `Reach`, likewise.
      edges: shape (n, 4): payer, payee, amount in minor units, time in milliseconds.
      first: where to begin.
      rows: shape (n, WIDTH).

    Returns:
      The first payment that was left because words ran out: n if none was.
    """
    graph, reach = Graph(*arrays), Reach(*bounds)
    for number in range(first, edges.shape[0]):
        if not has_words(graph, 1):
            return number
        paid = edges[number]
        edge = make_edge((paid[PAYER], paid[PAYEE], paid[AMOUNT_MINOR], paid[AT_MS]), reach)
        trail = describe(graph, edge, reach.rings_max, rows[number])
        make(graph, edge, reach.ring_max, trail, rows[number, SQUARES_CLOSED])
    return int(edges.shape[0])
