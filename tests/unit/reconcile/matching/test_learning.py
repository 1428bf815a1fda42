"""Learning without labels: a planted mixture is found again, in whole thousandths of a bit."""

from __future__ import annotations

import numpy as np
import pytest

from hansa.kernel.errors import Invalid
from hansa.reconcile.matching.comparisons import Comparison, Measure
from hansa.reconcile.matching.learning import (
    count_patterns,
    draw_pairs,
    learn_rates,
    weigh,
    weigh_prior,
)

COMPARISONS = [
    Comparison(name, name, Measure.EQUAL, (0, 1)) for name in ("one", "two", "three", "four")
]
TRUE, RANDOM = (0.1, 0.2, 0.7), (0.6, 0.3, 0.1)


def draw_levels(rng, share):
    """20,000 pairs of which some are true; level 3 is of what is missing."""
    is_true = rng.random(20_000) < share
    return [
        np.where(is_true, rng.choice(3, 20_000, p=TRUE), rng.choice(3, 20_000, p=RANDOM)).astype(
            np.int8
        )
        for _ in COMPARISONS
    ]


def test_a_planted_mixture_is_found_again():
    levels = draw_levels(np.random.default_rng(1), 0.3)
    patterns = count_patterns(COMPARISONS, levels)
    true, expected = learn_rates(COMPARISONS, patterns, [np.array(RANDOM)] * 4)
    assert expected == pytest.approx(6_000, rel=0.05)
    for rates in true:
        assert rates == pytest.approx(TRUE, abs=0.03)


def test_the_order_of_pairs_changes_not_a_bit():
    rng = np.random.default_rng(2)
    levels = draw_levels(rng, 0.2)
    order = rng.permutation(20_000)
    learnt = [
        learn_rates(COMPARISONS, count_patterns(COMPARISONS, each), [np.array(RANDOM)] * 4)
        for each in (levels, [column[order] for column in levels])
    ]
    assert [rates.tolist() for rates in learnt[0][0]] == [rates.tolist() for rates in learnt[1][0]]
    assert learnt[0][1] == learnt[1][1]


def test_what_is_missing_says_nothing():
    levels = [np.full(100, 3, np.int8) for _ in COMPARISONS]
    true, expected = learn_rates(
        COMPARISONS, count_patterns(COMPARISONS, levels), [np.array(RANDOM)] * 4
    )
    assert expected == pytest.approx(10)  # the share that learning starts with
    assert weigh(true[0], np.array(RANDOM))[3] == 0


def test_weights_are_thousandths_of_a_bit():
    assert weigh(np.array([0.8, 0.2]), np.array([0.1, 0.4])) == (3_000, -1_000, 0)
    assert weigh_prior(1_000, 1_000, 1_000) == round(-9.9643 * 1_000)
    assert weigh_prior(0, 1, 1) == 0


def test_patterns_are_counted_in_order():
    patterns = count_patterns(
        COMPARISONS[:2], [np.array([1, 0, 1], np.int8), np.array([2, 3, 2], np.int8)]
    )
    assert [column.tolist() for column in patterns.levels] == [[0, 1], [3, 2]]
    assert patterns.counts.tolist() == [1, 2]


def test_too_many_combinations_are_refused():
    many = [Comparison(str(number), "a", Measure.EQUAL, tuple(range(30))) for number in range(13)]
    with pytest.raises(Invalid):
        count_patterns(many, [np.zeros(1, np.int8)] * 13)


def test_random_pairs_are_the_same_everywhere_and_even():
    left, right = draw_pairs(7, 11, 70_000)
    assert (left[:3].tolist(), right[:3].tolist()) == draw_first(70_000)
    assert np.bincount(left).min() > 9_500
    assert np.bincount(right).min() > 6_000
    joint = np.bincount(left * 11 + right)
    assert joint.size == 77
    assert joint.min() > 750


def draw_first(number):
    """SplitMix64 in Python's integers."""
    drawn = []
    for start, rows in ((0, 7), (number, 11)):
        column = []
        for place in range(start + 1, start + 4):
            mixed = place * 0x9E3779B97F4A7C15 % 2**64
            mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
            mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
            column.append((mixed ^ mixed >> 31) % rows)
        drawn.append(column)
    return tuple(drawn)
