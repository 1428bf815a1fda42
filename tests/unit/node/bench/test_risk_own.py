"""Laundering by our features and by snapml's: both on the same payments, in the same way."""

import subprocess
import sys

import numpy as np
import pytest

from hansa.node.bench.risk.own import (
    LONGER,
    PAID,
    PARTIES,
    choose_threshold,
    make_city,
    measure_f1,
    measure_share,
    part,
    run_snapml,
)
from hansa.risk.features.catalogue import NAMES
from hansa.risk.models.training import Shape

SHAPES = (Shape(trees=5, leaves=2), Shape(trees=5, leaves=4))


@pytest.fixture(scope="module")
def city():
    return make_city(3, 20_000, persons=500, days=12)


def write_interpreter(folder, program):
    """Write an interpreter that, whatever it is to run, runs a program of this test."""
    fake = folder / "python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}" "$@"\n')
    fake.chmod(0o700)
    return fake


def test_snapml_is_given_seconds_and_answers_in_whole_thousandths(city, tmp_path):
    program = (
        "import sys, numpy\n"
        "edges = numpy.load(sys.argv[3])\n"
        "assert edges[0, 3] == 0 and sys.argv[4] == '86400'\n"
        "numpy.save(sys.argv[5], edges[:, 2:] / 8)\n"
        "print('{}')\n"
    )
    told = run_snapml(write_interpreter(tmp_path, program), city.edges[:50])
    assert told[:, 0].tolist() == [amount * 125 for amount in city.edges[:50, 2].tolist()]


def test_an_interpreter_that_fails_is_an_error(city, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        run_snapml(write_interpreter(tmp_path, "raise SystemExit(1)"), city.edges[:50])


def test_who_knows_the_truth_finds_all_and_other_crimes_do_not_count(city):
    assert city.is_fraud.any()
    assert (~city.is_asked).any()
    assert not (city.is_fraud & ~city.is_asked).any()
    # Other crimes look like laundering here, and would halve the precision if they were tested.
    truth = (city.is_fraud | ~city.is_asked).astype(np.int64)[:, None]
    assert measure_f1(part([city, city], [truth, truth], PAID), SHAPES) == 1
    blind = np.zeros((len(city.edges), 1), np.int64)
    assert measure_f1(part([city], [blind], PAID), SHAPES) < 0.9


def test_a_use_has_the_payments_of_its_time_in_each_city_and_no_other_crime(city):
    number = np.arange(len(city.edges))[:, None]
    trains, chooses, tests = part([city, city], [number, number + 10**6], PAID)
    for use, first, last in ((trains, 0, 0.5), (chooses, 0.5, 0.65), (tests, 0.65, 1)):
        places = use[0][:, -1]
        here = places[: len(places) // 2]
        assert np.array_equal(places[len(here) :], here + 10**6)
        assert here.min() >= first * len(number)
        assert here.max() < last * len(number) or use is trains
        assert city.is_asked[here].all()
        assert np.array_equal(use[1][: len(here)], city.is_fraud[here])
        assert np.array_equal(use[0][: len(here), 0], city.edges[here, 2])
    is_last = number[:, 0] >= 0.65 * len(number)
    assert tests[1].sum() == 2 * city.is_fraud[is_last].sum()


def test_all_are_held_against_what_snapml_says_of_the_same_cities(city, tmp_path):
    program = (
        "import sys, numpy\nnumpy.save(sys.argv[5], numpy.load(sys.argv[3])[:, 2:3])\nprint('{}')\n"
    )
    found = measure_share(write_interpreter(tmp_path, program), [city, city], SHAPES)
    assert found["laundering"] == 2 * city.is_fraud.sum()
    assert found["ratio"] == found["hansa"] / found["snapml"]
    assert found["graph_ratio"] == found["hansa_graph"] / found["snapml"]
    broken = measure_share(write_interpreter(tmp_path, "raise ValueError(7)"), [city], SHAPES)
    assert broken["error"] == "ValueError: 7"
    assert "ratio" not in broken
    alone = measure_share(None, [city, city], SHAPES)
    assert alone["hansa"] == found["hansa"]
    assert set(alone) == {"payments", "laundering", "hansa", "hansa_graph"}


def test_what_is_known_of_parties_has_no_window_of_more_than_a_day():
    names = [NAMES[column] for column in PARTIES]
    assert names[:PAID] == ["amount_minor", "hour", "weekday", "is_night"]
    assert {"payer_count_1d", "pair_age_ms", "payee_fraud_age_ms"} < set(names)
    assert not [name for name in names if any(each in name for each in LONGER)]


def test_the_threshold_is_where_f1_is_highest():
    scores = np.array([9, 8, 7, 6, 5])
    assert choose_threshold(scores, np.array([True, False, True, False, False])) == 7
    assert choose_threshold(scores, np.array([True, False, False, False, False])) == 9
