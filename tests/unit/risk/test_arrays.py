"""Arrays come back from their bytes as they were, or not at all."""

import numpy as np
import pytest

from hansa.kernel.errors import Corrupt
from hansa.risk.arrays import lengthen, read_arrays, write_arrays

ONE, TWO = np.arange(6).reshape(3, 2), np.zeros(0, np.int32)


def test_a_byte_that_is_damaged_anywhere_is_told_or_changes_nothing():
    kept = write_arrays("test 1", one=ONE, two=TWO)
    assert write_arrays("test 1", one=ONE, two=TWO) == kept
    told = 0
    for at in range(len(kept)):
        damaged = bytearray(kept)
        damaged[at] ^= 1 << at % 8
        try:
            read = read_arrays(bytes(damaged), "test 1", "tests")
        except Corrupt:
            told += 1
            continue
        assert write_arrays("test 1", **read) == kept, at
    assert told > 600  # others are dates and permissions in the archive


@pytest.mark.parametrize("cut", [0, 1, 200, -1])
def test_bytes_that_are_cut_off_are_told(cut):
    with pytest.raises(Corrupt, match="of tests"):
        read_arrays(write_arrays("test 1", one=ONE)[:cut], "test 1", "tests")


def test_another_stamp_is_told():
    with pytest.raises(Corrupt, match="another version"):
        read_arrays(write_arrays("test 2", one=ONE), "test 1", "tests")


@pytest.mark.parametrize(("needed", "length"), [(2, 3), (3, 3), (4, 6), (13, 24)])
def test_arrays_double_and_keep_what_they_hold(needed, length):
    longer = lengthen(ONE, needed, lambda rows: np.full((rows, 2), -1))
    assert longer.shape == (length, 2)
    assert np.array_equal(longer[:3], ONE)
    assert (longer[3:] == -1).all()
