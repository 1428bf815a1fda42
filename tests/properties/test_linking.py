"""Linking: what is told depends on what rows say, not on their order, ties included."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.reconcile.matching.comparisons import MISSING, Comparison, Measure, Table
from hansa.reconcile.matching.linking import Block, Key, LinkRules, link
from hansa.reconcile.matching.tolerance import Tolerance

RULES = LinkRules(
    amount="amount_minor",
    day="day",
    comparisons=(
        Comparison("amount", "amount_minor", Measure.PPM, (0, 200_000)),
        Comparison("days", "day", Measure.DIFFERENCE, (0, 1)),
        Comparison("memo", "memo", Measure.WORDS, (0, 1, 2)),
    ),
    blocks=(
        Block((Key("memo", 1),), Tolerance(5, 300_000, 3, 3), ("amount", "days")),
        Block((), Tolerance(1, 0, 0, 1), ("memo",)),
    ),
    threshold_millibits=-4_000,
    random_pairs=500,
)
ROW = st.tuples(
    st.sampled_from([1, 2, 10, 11, -10]),
    st.sampled_from([0, 1, 2, MISSING]),
    st.sampled_from(["A B", "A C", "B", "", "A D E"]),
)
ROWS = st.lists(ROW, max_size=10)


def tell(left, right):
    """Links and groups as what their rows are."""
    tables = []
    for rows in (left, right):
        amounts, days, memos = zip(*rows, strict=True) if rows else ((), (), ())
        tables.append(Table({"amount_minor": amounts, "day": days}, {"memo": memos}))
    links = link(*tables, RULES)
    pairs = zip(*(column.tolist() for column in links[:5]), strict=True)
    groups = Counter(
        (
            group.reason,
            tuple(sorted(left[i] for i in group.left)),
            tuple(sorted(right[j] for j in group.right)),
        )
        for group in links.groups
    )
    told = Counter((left[i], right[j], *scores) for i, j, *scores in pairs)
    return told, groups, links.levels, links.candidates, links.crowded


@settings(max_examples=60)
@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_makes_no_difference(left, right, random):
    shuffled = random.sample(left, len(left)), random.sample(right, len(right))
    assert tell(*shuffled) == tell(left, right)
