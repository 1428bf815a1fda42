"""How many payments a second the graph takes in, on two graphs, as it grows.

Ten payments a wallet in a week. In the *uniform* graph payer and payee are any two wallets; in the
*Zipf* graph the k-th wallet is chosen with a frequency of k**-1.2, so that a few are in most
payments. Amounts are log-normal. One process, one core; compiling is not measured.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from hansa.risk.graph.catalogue import WIDTH
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.graph.rings import Array

PAYMENTS_PER_WALLET = 10
ZIPF_EXPONENT = 1.2
WEEK_MS = 7 * 86_400_000
BLOCK = 50_000
SIZES = (500_000, 5_000_000)
GRAPHS = ("uniform", "zipf")
SEED = 3
_MANY = 10**9


def make_edges(count: int, kind: str, seed: int = SEED) -> Array:
    """Make payments between wallets, in order of time; shape (count, 4)."""
    chance = np.random.default_rng(seed)
    wallets = count // PAYMENTS_PER_WALLET
    if kind == "uniform":
        payer, payee = chance.integers(0, wallets, (2, count))
    else:
        ranks = np.minimum(chance.zipf(ZIPF_EXPONENT, (2, count)), _MANY) % wallets
        payer, payee = chance.permutation(wallets)[ranks]
    payee = np.where(payer == payee, (payee + 1) % wallets, payee)
    amount = np.exp(chance.normal(9, 1.5, count)).astype(np.int64) + 1
    times_ms = np.sort(chance.integers(0, WEEK_MS, count))
    return np.ascontiguousarray(np.stack([payer, payee, amount, times_ms], axis=1), np.int64)


def measure_graph(kind: str, count: int) -> dict[str, float]:
    """Measure one graph.

    Returns:
      `edges_per_s` over all, `last_edges_per_s` over the last fifth, `us_p99_of_blocks` a payment
      in the slowest blocks, `bytes_per_edge`, and `capped_share`: of the payments, those where a
      bound ended something.
    """
    PaymentGraph().take(make_edges(1_000, "zipf"))  # compiles
    edges = make_edges(count, kind)
    graph = PaymentGraph()
    rows = np.empty((BLOCK, WIDTH), np.int64)
    seconds, capped = [], 0
    for first in range(0, count, BLOCK):
        block = edges[first : first + BLOCK]
        begun = time.process_time()
        told = graph.take(block, rows[: len(block)])
        seconds.append((time.process_time() - begun) / len(block))
        capped += int((told[:, -1] > 0).sum())
    last = seconds[-max(len(seconds) // 5, 1) :]
    return {
        "edges_per_s": round(len(seconds) / sum(seconds)),
        "last_edges_per_s": round(len(last) / sum(last)),
        "us_p99_of_blocks": round(float(np.quantile(seconds, 0.99)) * 1e6, 1),
        "bytes_per_edge": round(graph.nbytes / count),
        "capped_share": round(capped / count, 4),
    }


def measure_graphs(sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Measure all graphs; `graph_edges_per_s` is the slowest of them."""
    found = {kind: {str(count): measure_graph(kind, count) for count in sizes} for kind in GRAPHS}
    slowest = min(each["edges_per_s"] for sizes in found.values() for each in sizes.values())
    return {"graph_edges_per_s": slowest, "graphs": found}
