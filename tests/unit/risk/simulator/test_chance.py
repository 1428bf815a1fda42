"""Draws are whole numbers with the shares, means and bounds that they promise."""

from math import log2

import numpy as np
import pytest

from hansa.risk.simulator.chance import (
    UNIT,
    Chance,
    compute_powers,
    cumulate,
    find_logarithm,
    rank_weights,
)


def test_powers_are_exact_to_the_rounding_of_an_amount():
    exponents = np.arange(0, 36 * UNIT + 1, 37)
    expected = 2.0 ** (exponents / UNIT)
    assert np.abs(compute_powers(exponents) - np.floor(expected)).max() <= 1
    assert compute_powers(np.array([-5, 0, UNIT, 36 * UNIT, 1 << 40])).tolist() == [
        1,
        1,
        2,
        1 << 36,
        1 << 36,
    ]


@pytest.mark.parametrize("number", [1, 2, 3, 44_50, 10**9, 1 << 36])
def test_a_logarithm_is_the_last_whose_power_does_not_exceed_the_number(number):
    assert find_logarithm(number) == int(log2(number) * UNIT)


def test_draws_have_the_shares_and_the_spread_that_they_promise():
    chance = Chance(5, 1)
    normal = chance.normal(200_000)
    assert abs(normal.mean()) < 0.01 * UNIT
    assert abs(normal.std() - UNIT) < 0.01 * UNIT
    assert abs((np.abs(normal) < UNIT).mean() - 0.6827) < 0.005
    picked = np.bincount(chance.pick(cumulate(np.array([1, 0, 3])), 100_000), minlength=3)
    assert picked[1] == 0
    assert abs(picked[2] / 100_000 - 0.75) < 0.01
    assert abs(chance.is_true(UNIT // 8, 100_000).mean() - 0.125) < 0.005
    below = chance.below(np.array([1, 7, 1 << 32] * 1000), 3000)
    assert (below < [1, 7, 1 << 32] * 1000).all()
    assert below.min() == 0
    assert below.max() > 1 << 31
    assert {chance.one_of(3, 5) for _ in range(100)} == {3, 4, 5}
    assert sorted(chance.sample(range(5), 9)) == [0, 1, 2, 3, 4]


def test_the_same_path_draws_the_same_and_another_one_does_not():
    assert Chance(5, 1, 2).draw(4).tolist() == Chance(5, 1, 2).draw(4).tolist()
    assert Chance(5, 1, 2).draw(4).tolist() != Chance(5, 2, 1).draw(4).tolist()
    assert Chance(0).draw(1).tolist() == [11_749_869_230_777_074_271]


def test_weights_that_cannot_be_drawn_by_are_refused():
    assert rank_weights(3).tolist() == [1_398_101, 1_048_576, 838_860]
    with pytest.raises(ValueError, match="add up"):
        cumulate(np.array([1 << 31, 1 << 32]))
    with pytest.raises(ValueError, match="add up"):
        cumulate(np.array([0, 0]))
