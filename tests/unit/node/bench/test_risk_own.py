"""Laundering by our features and by snapml's: both on the same payments, in the same way."""

import subprocess
import sys

import numpy as np
import pytest

from hansa.node.bench.risk.own import City, choose_threshold, make_city, measure_f1, run_snapml
from hansa.risk.models.training import Shape

SHAPES = (Shape(trees=5, leaves=2), Shape(trees=5, leaves=4))


@pytest.fixture(scope="module")
def city():
    return make_city(20_000, persons=500, days=12)


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
    assert measure_f1(city, truth, SHAPES) == 1
    blind = City(city.edges, city.is_fraud, city.is_asked)
    assert measure_f1(blind, np.zeros((len(city.edges), 1), np.int64), SHAPES) < 0.9


def test_the_threshold_is_where_f1_is_highest():
    scores = np.array([9, 8, 7, 6, 5])
    assert choose_threshold(scores, np.array([True, False, True, False, False])) == 7
    assert choose_threshold(scores, np.array([True, False, False, False, False])) == 9
