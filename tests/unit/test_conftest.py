"""What all tests share: how a report is made."""

from __future__ import annotations

import ast
import gc

import pytest
from tests.conftest import pytest_runtest_makereport, without_collections

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
    was_enabled = gc.isenabled()
    gc.enable()
    yield
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
