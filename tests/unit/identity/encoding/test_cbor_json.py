"""CBOR as JSON."""

import json

import msgspec
import pytest
from cbor2 import CBORTag
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.cbor import TAG_DATE, TAG_ENCODED, decode_cbor
from hansa.identity.encoding.cbor_json import convert_to_json
from hansa.identity.faults import Fault, Unsound


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (-1, -1),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**64), "-18446744073709551616"),
        (1.5, 1.5),
        ("text", "text"),
        (b"\xff\xd8\xff", "_9j_"),
        (CBORTag(TAG_DATE, "1999-01-01"), "1999-01-01"),
        (CBORTag(TAG_ENCODED, b"\1"), "AQ"),
        ([b"", {"a": [b"\0"]}], ["", {"a": ["AA"]}]),
        ({1: b"", "x": CBORTag(TAG_DATE, "d")}, {"1": "", "x": "d"}),
    ],
)
def test_values_become_json(value, expected):
    assert convert_to_json(value) == expected


def test_a_key_stands_there_once():
    with pytest.raises(Unsound) as caught:
        convert_to_json([{1: "a", "1": "b"}])
    assert caught.value.fault is Fault.DUPLICATE


@given(st.binary(max_size=64))
def test_whatever_is_read_becomes_json(raw):
    try:
        value = convert_to_json(decode_cbor(raw, "it"))
    except Unsound:
        return
    assert json.loads(msgspec.json.encode(value)) == value
