"""Work in other processes: the same parts, in the same order, whatever becomes of the workers."""

import os
import signal

import pytest

from hansa.node.bench.reconcile.camt import write_camt
from hansa.node.bench.usage import list_descendants
from hansa.reconcile.readers.camt import read_camt
from hansa.reconcile.readers.camt.reader import ALONE_BYTES


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("camt") / "large.xml"
    write_camt(path, ALONE_BYTES + 6_000_000)
    data = path.read_bytes()
    middle = data.index(b"<Ntry>", len(data) - 3_000_000)
    path.write_bytes(data[:middle] + b"<Ntry></Amt></Ntry>" + data[middle:])
    return path


def list_parts(path, processes):
    with path.open("rb") as file:
        return list(read_camt(file, processes=processes))


def list_children():
    return list_descendants([os.getpid()])[1:]


@pytest.fixture(scope="module")
def expected(large):
    return list_parts(large, 0)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_parts_are_the_same_with_any_number_of_processes(large, expected, processes):
    before = list_children()
    parts = list_parts(large, processes)
    assert [each.entries for each in parts] == [each.entries for each in expected]
    assert [each[1:] for each in parts] == [each[1:] for each in expected]
    assert len([finding for part in parts for finding in part.findings]) == 2  # and its count
    assert list_children() == before


def test_what_a_worker_that_was_killed_had_is_read_all_the_same(large, expected):
    before = list_children()
    parts = []
    with large.open("rb") as file:
        for part in read_camt(file, processes=2):
            parts.append(part)
            for process in set(list_children()) - set(before):
                os.kill(process, signal.SIGKILL)
    assert [each.entries for each in parts] == [each.entries for each in expected]
    assert list_children() == before


def test_who_stops_reading_leaves_no_process_behind(large):
    before = list_children()
    started = False
    with large.open("rb") as file:
        parts = read_camt(file, processes=2)
        for _ in parts:
            started = started or list_children() != before
            if started:
                break
        parts.close()
    assert started
    assert list_children() == before
