"""Keys are numbered as they first appear, and are found again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.kernel.errors import Corrupt, Invalid
from hansa.risk.intake.numbering import Numbering, load_numbering

keys = st.integers(0, 40).map(lambda each: each.to_bytes(32, "big"))


@settings(max_examples=50)
@given(st.lists(keys))
def test_a_key_keeps_the_number_of_its_first_appearance(told):
    numbering, expected = Numbering(), {}
    for key in told:
        assert numbering.find(key) == expected.get(key, -1)
        assert numbering.number(key) == expected.setdefault(key, len(expected))
    again = load_numbering(numbering.save())
    for each in (numbering, again):
        assert len(each) == len(expected)
        assert {key: each.find(key) for key in expected} == expected
        assert [each.get_key(number) for number in range(len(each))] == list(expected)


def test_many_keys_take_about_forty_bytes_each():
    numbering = Numbering()
    told = [each.to_bytes(32, "little") for each in range(5_000)]
    assert [numbering.number(key) for key in told] == list(range(5_000))
    assert [numbering.find(key) for key in told] == list(range(5_000))
    assert 37 * 5_000 < numbering.size_bytes < 43 * 5_000


def test_odd_keys_and_damaged_bytes_are_told():
    numbering = Numbering()
    with pytest.raises(Invalid, match="a key of 31 bytes cannot be numbered"):
        numbering.number(bytes(31))
    assert numbering.find(bytes(31)) == -1
    for kept in (bytes(33), bytes(64)):
        with pytest.raises(Corrupt):
            load_numbering(kept)
    with pytest.raises(IndexError):
        numbering.get_key(0)
