"""The made camt.053: the same every time, and read as it was meant."""

import pytest

from hansa.node.bench.reconcile.camt import ACCOUNT, OPENING_MINOR, measure_camt, write_camt
from hansa.reconcile.readers.camt import read_camt
from hansa.reconcile.readers.camt.reader import ALONE_BYTES

SIZE = 300_000


def test_a_seed_makes_the_same_file(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        write_camt(path, SIZE, seed)
    same, again, other = (path.read_bytes() for path in paths)
    assert same == again != other
    assert SIZE <= len(same) < SIZE * 2


def test_it_is_read_without_findings_and_adds_up(tmp_path):
    written = write_camt(tmp_path / "made.xml", SIZE)
    with (tmp_path / "made.xml").open("rb") as file:
        parts = list(read_camt(file, processes=0))
    assert [finding for part in parts for finding in part.findings] == []
    (statement,) = [each for part in parts for each in part.statements]
    assert (statement.account, statement.entries) == (ACCOUNT, written.rows)
    assert (statement.opening_minor, statement.booked_minor) == (
        OPENING_MINOR,
        written.booked_minor,
    )
    assert statement.closing_minor == OPENING_MINOR + written.booked_minor
    assert 650 < written.size / written.entries < 790


@pytest.mark.parametrize("size", [SIZE, ALONE_BYTES * 3 // 2])
def test_reading_it_is_measured_in_all_processes(tmp_path, size):
    written = write_camt(tmp_path / "made.xml", size)
    measured = measure_camt(tmp_path / "made.xml")
    assert measured.rows == written.rows
    assert measured.seconds > 0
    assert measured.processor_s > 0
    assert measured.peak_mb > 10
