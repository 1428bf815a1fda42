"""Every feature of the graph, in the order of its column.

What a ring of edges tells is the same six figures for each of four rings: what the payer paid and
received, what the payee received and paid. docs/reference/risk-graph.md has this catalogue as a
table.
"""

from __future__ import annotations

from hansa.risk.catalogue import COUNT, MINOR, MS, RATIO, Feature, find_columns

RATIO_MAX = 1 << 30
"""At most this: more than sixteen thousand times the whole."""
AMOUNT_MAX = 1 << 53
"""Of one payment, in minor units; a sum that a feature tells ends there, too."""
UNKNOWN = -1
"""Of a time or share of which there is nothing to say."""

_RINGS = (
    ("payer_out", "payments that the payer made", "wallets that they went to"),
    ("payer_in", "payments that the payer received", "wallets that they came from"),
    ("payee_in", "payments that the payee received", "wallets that they came from"),
    ("payee_out", "payments that the payee made", "wallets that they went to"),
)


def _list_ring(name: str, payments: str, others: str) -> list[Feature]:
    return [
        Feature(f"{name}_short", COUNT, f"The {payments} in the short window."),
        Feature(f"{name}_long", COUNT, f"The {payments} in the long window."),
        Feature(f"{name}_fan_short", COUNT, f"Different {others}, in the short window."),
        Feature(f"{name}_fan_long", COUNT, f"Different {others}, in the long window."),
        Feature(f"{name}_minor", MINOR, f"Sum of the {payments} in the long window."),
        Feature(
            f"{name}_alike",
            COUNT,
            f"Of the {payments} in the long window, those within an eighth of this amount.",
        ),
    ]


FEATURES: tuple[Feature, ...] = (
    *(feature for ring in _RINGS for feature in _list_ring(*ring)),
    # --- the pair
    Feature("pair", COUNT, "Payments from this payer to this payee in the long window."),
    Feature("pair_age_ms", MS, "Time since the last of them."),
    Feature("back", COUNT, "Payments from this payee to this payer in the long window."),
    Feature("back_age_ms", MS, "Time since the last of them."),
    Feature("back_share", RATIO, "The smaller of this amount and the last of them by the larger."),
    # --- money that passes through
    Feature("covered_share", RATIO, "How much of this amount the payer's unspent receipts cover."),
    Feature("covered_receipts", COUNT, "Receipts that this payment is covered by, newest first."),
    Feature("held_ms", MS, "How long the payer held the receipt that covers the most of it."),
    Feature("drawn_share", RATIO, "How much of that receipt this payment draws."),
    Feature("since", COUNT, "Payments that the payer made since that receipt, this one included."),
    Feature("since_share", RATIO, "The sum of these by that receipt's amount."),
    Feature("unspent_share", RATIO, "Of all that the payer received, what is unspent after this."),
    Feature("alike_share", RATIO, "The receipt nearest in amount: the smaller by the larger."),
    Feature("alike_held_ms", MS, "How long the payer held that receipt."),
    Feature(
        "payer_passed_share", RATIO, "What the payer paid, this included, by what it received."
    ),
    Feature("payee_passed_share", RATIO, "What the payee paid by what it received, this included."),
    Feature("gathered", COUNT, "The fewer of the payer's fan-in and fan-out, this included."),
    # --- chains
    Feature("chain", COUNT, "Payments in a row by which this money came, this one included."),
    Feature("chain_span_ms", MS, "Time since the first of them."),
    Feature("chain_share", RATIO, "This amount by the amount of the first of them."),
    Feature("chain_returns", COUNT, "1 if the payee is the wallet where they began, else 0."),
    Feature("payer_chained", COUNT, "Receipts of the payer, in the long window, on a chain."),
    Feature("payee_chained", COUNT, "Receipts of the payee, in the long window, on a chain."),
    Feature("payee_chained_minor", MINOR, "The sum of these."),
    # --- cycles
    Feature("cycles_2", COUNT, "Cycles of two payments that this one closes."),
    Feature("cycles_3", COUNT, "Cycles of three payments that this one closes."),
    Feature("cycles_4", COUNT, "Cycles of four payments that this one closes."),
    Feature("cycles_5", COUNT, "Cycles of five payments that this one closes."),
    Feature("cycle_share", RATIO, "Of the best cycle, the least amount by the greatest."),
    Feature("cycle_length", COUNT, "Payments in the best cycle; 0 if there is none."),
    Feature("cycle_span_ms", MS, "Time since the first payment of the best cycle."),
    Feature("cycle_minor", MINOR, "The least amount in the best cycle: what went all around."),
    # --- between the same two
    Feature(
        "middlemen", COUNT, "Wallets that passed on to this payee from a source of this money."
    ),
    Feature("middlemen_minor", MINOR, "What came to the payee through them."),
    Feature("middlemen_span_ms", MS, "Time since the source first paid one of them."),
    Feature("co_payers", COUNT, "Payers of this payee who paid another payee of this payer."),
    Feature("squares", COUNT, "Pairs of such a payer and such a payee."),
    Feature("stacked_squares", COUNT, "Squares of the receipt that this chain came by."),
    Feature("capped", "bits", "Where a bound ended a search, so that counts say at least."),
)

COLUMNS = find_columns(FEATURES)
WIDTH = len(FEATURES)

CAPPED_PAYER = 1
CAPPED_PAYEE = 2
CAPPED_CYCLES = 4
CAPPED_MIDDLEMEN = 8
CAPPED_SQUARES = 16
