"""What all tests share: how a report is made, and that what `make soak` is for is in it."""

from __future__ import annotations

import ast
import gc
import re

import pytest
from tests.conftest import ROOT, pytest_runtest_makereport, without_collections

LONG_SOURCE = "x = [1, 2, (3, 4)]\n" * 2_000
"""Parsing it makes enough objects that garbage would be collected meanwhile."""


class Parsing:
    """Garbage that parses when it is collected, as a traceback does that is logged then."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        ast.parse("1 + 1")


@pytest.fixture
def collecting():
    """Collect garbage as the test has it, and leave none that parses amid what others parse."""
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    gc.collect()
    (gc.enable if was_enabled else gc.disable)()


def test_a_report_parses_sources_beside_garbage_that_parses(collecting):
    making = pytest_runtest_makereport(item=None)
    next(making)
    for _ in range(50):
        Parsing()
    ast.parse(LONG_SOURCE)
    report = pytest.TestReport("test_it", ("it.py", 1, "it"), {}, "passed", None, "call")
    with pytest.raises(StopIteration) as done:
        making.send(report)
    assert done.value.value is report
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off(collecting):
    gc.disable()
    with without_collections():
        assert not gc.isenabled()
    assert not gc.isenabled()
    gc.enable()
    with pytest.raises(ZeroDivisionError), without_collections():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_make_soak_runs_every_file_that_tries_more_in_it():
    recipe = (ROOT / "Makefile").read_text().split("\nsoak:")[1].split("\n\n")[0]
    run = {
        path
        for pattern in re.findall(r"tests/[\w/*.]+", recipe)
        for place in ROOT.glob(pattern)
        for path in ([place] if place.is_file() else place.rglob("*.py"))
    }
    asks = re.compile(r"mark\.soak\b|\bIS_SOAK\b else|^def test_\w+\([^)]*\bsoak\b", re.MULTILINE)
    left_out = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if asks.search(path.read_text()) and path not in run
    }
    assert left_out == set()
