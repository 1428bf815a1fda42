"""Linking the residue: learnt, explained, in any order of rows, and held to a known truth."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from hansa.kernel.errors import Invalid
from hansa.reconcile.matching.assignment import Group, Reason
from hansa.reconcile.matching.comparisons import MISSING, Comparison, Measure, Table
from hansa.reconcile.matching.linking import Block, Key, LinkRules, lay_blocks, link
from hansa.reconcile.matching.tolerance import Tolerance

RULES = LinkRules(
    amount="amount_minor",
    day="day",
    comparisons=(
        Comparison("amount", "amount_minor", Measure.PPM, (0, 5_000, 20_000)),
        Comparison("days", "day", Measure.DIFFERENCE, (-1, 0, 1, 2, 3)),
        Comparison("letters", "memo", Measure.LETTERS, (400, 600, 800, 999)),
    ),
    blocks=(
        Block((Key("memo", 2),), Tolerance(0, 300_000, 3, 9), ("amount", "days")),
        Block((), Tolerance(0, 20_000, 1, 4), ("letters",)),
    ),
    random_pairs=50_000,
)
"""For `draw_sides`."""

LEVELS = (
    Comparison("amount", "amount_minor", Measure.PPM, (0, 5_000, 20_000, 50_000, 100_000)),
    Comparison("days", "day", Measure.DIFFERENCE, (-1, 0, 1, 2, 3, 7, 21)),
    Comparison("letters", "memo", Measure.LETTERS, (500, 700, 850, 999)),
    Comparison("beginning", "memo", Measure.BEGINNING, (2, 4, 6, 8, 10, 12)),
)
TRANSACTIONS = LinkRules(
    amount="amount_minor",
    day="day",
    comparisons=LEVELS,
    blocks=lay_blocks(LEVELS, on=(), days=(3, 31)),
    threshold_millibits=-5_000,
)
"""For payments whose amounts drift, whose dates lag and whose texts are cut off."""


def draw_sides(rng, rows):
    """Draw two sides of which the right one is late, rounded and misspelt; rows are in order."""
    memos = ["".join(rng.choice(list("ABCDEFGHIK"), 8)) for _ in range(rows)]
    amounts = rng.integers(1_000, 100_000, rows)
    days = rng.integers(0, 60, rows)
    misspelt = [
        memo[:-1] + "X" if is_bad else memo
        for memo, is_bad in zip(memos, rng.random(rows) < 0.3, strict=True)
    ]
    drifted = amounts + (amounts // 100) * (rng.random(rows) < 0.4)
    late = days + rng.integers(1, 4, rows)
    return (
        Table({"amount_minor": amounts, "day": days}, {"memo": memos}),
        Table({"amount_minor": drifted, "day": late}, {"memo": misspelt}),
    )


def take(table, rows):
    """Some rows of a table, in the order given."""
    return Table(
        {name: np.asarray(column)[rows] for name, column in table.numbers.items()},
        {name: [column[row] for row in rows] for name, column in table.texts.items()},
    )


def append(table, amount, day, memo):
    return Table(
        {
            "amount_minor": np.append(table.numbers["amount_minor"], amount),
            "day": np.append(table.numbers["day"], day),
        },
        {"memo": [*table.texts["memo"], memo]},
    )


def test_what_is_late_rounded_and_misspelt_is_linked():
    left, right = draw_sides(np.random.default_rng(1), 1_000)
    links = link(left, right, RULES)
    assert (links.left == links.right).all()
    assert links.left.size > 990
    assert links.groups == ()


def test_nothing_depends_on_the_order_of_rows():
    rng = np.random.default_rng(2)
    left, right = draw_sides(rng, 300)
    left, right = append(left, 7_777, 70, "KKKKKKKK"), append(right, 7_777, 71, "KKKKKKKK")
    right = append(right, 7_777, 71, "KKKKKKKX")  # all but equal
    first = link(left, right, RULES)
    rows = rng.permutation(301), rng.permutation(302)
    second = link(take(left, rows[0]), take(right, rows[1]), RULES)
    assert first.levels == second.levels
    told = {
        (i, j, score)
        for i, j, score in zip(
            rows[0][second.left].tolist(), rows[1][second.right].tolist(), second.score, strict=True
        )
    }
    assert told == set(zip(first.left.tolist(), first.right.tolist(), first.score, strict=True))


def test_a_link_is_explained_by_what_was_measured():
    left, right = draw_sides(np.random.default_rng(3), 400)
    links = link(left, right, RULES)
    told = list(links.scorer.explain(links.left, links.right))
    assert [each.score for each in told] == links.score.tolist()
    pair, reasons = (int(links.left[5]), int(links.right[5])), told[5]
    amount, days, letters = reasons.evidence
    one, other = (
        side.numbers["amount_minor"][row] for side, row in zip((left, right), pair, strict=True)
    )
    assert amount.measured == abs(other - one) * 1_000_000 // max(one, other)
    assert days.measured == right.numbers["day"][pair[1]] - left.numbers["day"][pair[0]]
    assert letters.weight_millibits in {
        level.weight_millibits for level in links.levels if level.comparison == "letters"
    }
    total = sum(each.weight_millibits for each in reasons.evidence)
    assert total + reasons.prior_millibits - reasons.threshold_millibits == reasons.score


def test_equally_good_partners_are_told_and_not_picked():
    left, right = draw_sides(np.random.default_rng(4), 300)
    left = append(left, 7_777, 70, "KKKKKKKK")
    # Both a letter off, so that they are different entries of the same levels.
    right = append(append(right, 7_777, 71, "KKKKKKKX"), 7_777, 71, "KKKKKKKY")
    links = link(left, right, RULES)
    assert Group(Reason.AMBIGUOUS, (300,), (300, 301)) in links.groups
    assert 300 not in links.left


def test_entries_equal_in_all_that_is_compared_are_interchangeable():
    left, right = draw_sides(np.random.default_rng(5), 300)
    left = append(left, 7_777, 70, "KKKKKKKK")
    right = append(append(right, 7_777, 71, "KKKKKKKX"), 7_777, 71, "KKKKKKKX")
    links = link(left, right, RULES)
    assert 300 in links.left
    assert links.groups == ()


def test_entries_that_are_told_apart_by_more_than_is_compared_are_not_interchangeable():
    left, right = draw_sides(np.random.default_rng(5), 300)
    left = append(left, 7_777, 70, "KKKKKKKK")
    right = append(append(right, 7_777, 71, "KKKKKKKX"), 7_777, 71, "KKKKKKKX")
    left.numbers["class"], right.numbers["class"] = np.arange(301), np.arange(302)
    links = link(left, right, RULES._replace(apart=("class",)))
    assert 300 not in links.left
    assert links.groups == (Group(Reason.AMBIGUOUS, (300,), (300, 301)),)


def test_a_higher_threshold_links_less():
    left, right = draw_sides(np.random.default_rng(6), 300)
    links = [
        link(left, right, RULES._replace(threshold_millibits=threshold))
        for threshold in (0, 10_000, 60_000)
    ]
    sizes = [each.left.size for each in links]
    assert sizes[0] > sizes[1] > sizes[2] == 0
    assert links[0].levels == links[1].levels == links[2].levels


def test_what_is_missing_is_no_evidence_and_without_a_day_there_is_no_candidate():
    left, right = draw_sides(np.random.default_rng(7), 300)
    right.numbers["day"][17] = MISSING
    right.texts["memo"][18] = ""
    links = link(left, right, RULES)
    assert 17 not in links.right
    (reasons,) = links.scorer.explain(np.array([18]), np.array([18]))
    (evidence,) = [each for each in reasons.evidence if each.comparison == "letters"]
    assert (evidence.measured, evidence.weight_millibits) == (None, 0)


def test_a_block_with_too_many_pairs_is_told():
    left, right = draw_sides(np.random.default_rng(8), 300)
    links = link(left, right, RULES._replace(block_pairs_max=100))
    everything = tuple(range(300))
    assert links.crowded == (Group(Reason.UNDECIDED, everything, everything),)  # without a key
    assert links.candidates > 250


def test_blocks_that_are_laid_learn_each_comparison_where_the_block_says_little_of_it():
    first, second = lay_blocks(LEVELS, on=(Key("account"),), days=(2, 9))
    assert first.keys == (Key("account"), Key("memo", 3))
    assert first.learns == ("amount", "days")
    assert second.keys == (Key("account"),)
    assert second.learns == ("letters", "beginning")
    assert second.tolerance.amount_ppm < first.tolerance.amount_ppm
    assert second.tolerance[2:] == first.tolerance[2:] == (2, 9)
    (only,) = lay_blocks(LEVELS[:2], on=(), days=(0, 1))
    assert only.learns == ("amount", "days")


@pytest.mark.parametrize("sides", [(0, 5), (5, 0), (0, 0), (1, 1)])
def test_a_side_may_be_empty(sides):
    left, right = draw_sides(np.random.default_rng(9), 5)
    links = link(take(left, range(sides[0])), take(right, range(sides[1])), RULES)
    assert links.left.size <= min(sides)


@pytest.mark.parametrize(
    "rules",
    [
        RULES._replace(amount="sum"),
        RULES._replace(blocks=RULES.blocks[:1]),
        RULES._replace(comparisons=(*RULES.comparisons, RULES.comparisons[0])),
        RULES._replace(blocks=()),
    ],
)
def test_rules_that_do_not_fit_are_refused(rules):
    left, right = draw_sides(np.random.default_rng(9), 5)
    with pytest.raises(Invalid):
        link(left, right, rules)


def read_transactions(datasets, name, rng, share):
    """Read what may be known of a side, its rows shuffled; and the truth, to score by."""
    table = pq.read_table(
        datasets / "recon" / "splink_transactions" / f"transactions_{name}.parquet"
    )
    table = table.take(rng.permutation(table.num_rows)[: int(table.num_rows * share)])
    amounts = np.rint(np.array(table["amount"]) * 100).astype(np.int64)
    days = np.array(table["transaction_date"].cast("int32")).astype(np.int64)
    known = Table({"amount_minor": amounts, "day": days}, {"memo": table["memo"].to_pylist()})
    return known, np.array(table["ground_truth"])


@pytest.mark.parametrize(
    ("share", "floor", "seed"),
    [(1, 0.99, 11), (1, 0.99, 12), (0.8, 0.985, 13), (0.5, 0.96, 14)],
)
def test_public_transactions_are_linked_without_knowing_the_truth(datasets, share, floor, seed):
    """Whole, and with rows missing on both sides, so that many have no partner.

    Source: Splink's data set of transactions; P, R and F1 as its documentation defines them.
    """
    rng = np.random.default_rng(seed)
    left, truth_left = read_transactions(datasets, "origin", rng, share)
    right, truth_right = read_transactions(datasets, "destination", rng, share)
    links = link(left, right, TRANSACTIONS)
    right_ones = int((truth_left[links.left] == truth_right[links.right]).sum())
    precision = right_ones / links.left.size
    recall = right_ones / np.intersect1d(truth_left, truth_right).size
    assert 2 * precision * recall / (precision + recall) >= floor
