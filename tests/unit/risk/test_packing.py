"""Rows as bytes: what was packed comes out again, and only one way to pack it is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.errors import Corrupt
from hansa.risk.packing import pack, pack_row, unpack

NUMBERS = st.integers(-(2**62), 2**62 - 1) | st.integers(-200, 200)


@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=5))
def test_what_was_packed_comes_out_again(rows):
    packed = pack(np.array(rows, np.int64))
    assert [unpack(each).tolist() for each in packed] == rows
    assert packed == [pack_row(row) for row in rows]


def test_rows_are_those_of_protocol_buffers():
    """Its documentation: 0, -1, 1, -2 are 0 to 3; 150 is 300, 0xac 0x02 in sevens."""
    assert pack_row([0, -1, 1, -2]) == bytes([0, 1, 2, 3])
    assert pack_row([150]) == bytes([0xAC, 0x02])
    assert pack_row([]) == b""
    assert len(pack_row([2**62 - 1, -(2**62)])) == 18


@given(st.binary(max_size=24))
def test_other_bytes_are_refused_or_those_of_their_row(raw):
    try:
        row = unpack(raw)
    except Corrupt:
        return
    assert pack_row(row.tolist()) == raw


@pytest.mark.parametrize("raw", [b"\x80", b"\x80\x00", b"\xff" * 9, b"\xff" * 8 + b"\x80\x01"])
def test_what_is_cut_off_too_long_or_not_the_shortest_is_refused(raw):
    with pytest.raises(Corrupt, match="damaged"):
        unpack(raw)
