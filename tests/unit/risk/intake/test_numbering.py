"""Keys are numbered as they first appear, and are found again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.kernel.errors import Corrupt, Invalid
from hansa.risk.intake.numbering import Numbering, load_numbering

keys = st.integers(0, 40).map(lambda each: each.to_bytes(32, "big"))


@settings(max_examples=50)
@given(st.lists(st.lists(keys)))
def test_a_key_keeps_the_number_of_its_first_appearance(blocks):
    numbering, expected = Numbering(), {}
    for told in blocks:
        numbers = [expected.setdefault(key, len(expected)) for key in told]
        assert numbering.number(told) == numbers
    again = load_numbering(numbering.save())
    for each in (numbering, again):
        assert len(each) == len(expected)
        assert each.number(list(expected)) == list(range(len(expected)))
    assert again.save() == b"".join(expected)


@settings(max_examples=50)
@given(st.lists(keys), st.lists(keys), st.lists(keys))
def test_numbers_that_are_taken_back_are_given_again(kept, lost, others):
    numbering, never_lost = Numbering(), Numbering()
    for each in (numbering, never_lost):
        each.number(kept)
    numbering.number(lost)
    numbering.forget(len(never_lost))
    assert numbering.number(others) == never_lost.number(others)
    assert numbering.save() == never_lost.save()


def test_many_keys_take_about_forty_bytes_each():
    numbering = Numbering()
    told = [each.to_bytes(32, "little") for each in range(5_000)]
    numbers = [numbering.number([key]) for key in told]
    assert numbers == [[number] for number in range(5_000)]
    assert numbering.number(told) == list(range(5_000))
    for size in (numbering.size_bytes, load_numbering(numbering.save()).size_bytes):
        assert 37 * 5_000 < size < 43 * 5_000


def test_odd_keys_and_damaged_bytes_are_told():
    numbering = Numbering()
    with pytest.raises(Invalid, match="a key of 31 bytes cannot be numbered"):
        numbering.number([bytes(31)])
    with pytest.raises(Invalid, match="bytes cannot be numbered"):
        numbering.number([bytes(32), bytes(33), bytes(31)])
    assert len(numbering) == 0
    for kept in (bytes(33), bytes(64)):
        with pytest.raises(Corrupt):
            load_numbering(kept)
