"""JSON of strangers is read strictly, and written in one canonical form."""

import json
import struct
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.canonical_json import canonicalize, write_number
from hansa.identity.encoding.strict_json import DEPTH_MAX, decode_json, decode_object
from hansa.identity.faults import Fault, Unsound

VECTORS = Path(__file__).parents[3] / "vectors" / "jcs"
NAMES = sorted(path.name for path in (VECTORS / "input").iterdir())

# RFC 8785, appendix B: the bits of a double, and how it is written.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]
SAFE = st.integers(-(2**53) + 1, 2**53 - 1)
LEAVES = st.none() | st.booleans() | SAFE | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("name", NAMES)
def test_canonical_form_is_that_of_the_vectors(name):
    value = decode_json((VECTORS / "input" / name).read_bytes(), name)
    assert canonicalize(value) == (VECTORS / "output" / name).read_bytes()


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_the_rfc_writes_them(bits, text):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert write_number(number) == text


@pytest.mark.parametrize(
    "number", [1e-4, 9.9e-5, 0.5, -0.5, 8.0, 1e16, 9_007_199_254_740_991.5, 4_503_599_627_370_497.5]
)
def test_the_fast_way_ends_where_python_writes_numbers_otherwise(number):
    assert canonicalize([number, "a"]) == rfc8785.dumps([number, "a"])


@given(VALUES)
def test_canonical_form_agrees_with_another_implementation(value):
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        with pytest.raises(Unsound):
            canonicalize(value)
        return
    found = canonicalize(value)
    assert found == expected
    assert canonicalize(decode_json(found, "it")) == found


@pytest.mark.parametrize(
    "value",
    [
        2**53 + 1,
        -(2**60) - 1,
        10**400,
        float("inf"),
        float("nan"),
        {1: 2},
        {"a": 2**53 + 1},
        b"",
        {"a": object()},
        "\ud800",
    ],
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(Unsound) as caught:
        canonicalize(value)
    assert caught.value.fault is Fault.MALFORMED


def test_nesting_without_end_has_no_canonical_form():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(Unsound) as caught:
        canonicalize(value)
    assert caught.value.fault is Fault.TOO_LARGE
    while value:
        value = value.pop()


@pytest.mark.parametrize(
    ("raw", "fault", "words"),
    [
        (b'{"a":1,"a":2}', Fault.DUPLICATE, "'a' twice"),
        (b'{"b":{"a":1,"\\u0061":2}}', Fault.DUPLICATE, "'a' twice"),
        (b'{"a":NaN}', Fault.MALFORMED, "NaN is no number"),
        (b'{"a":-Infinity}', Fault.MALFORMED, "no number"),
        (b'{"a":1e999}', Fault.MALFORMED, "too large"),
        (b'{"a":' + b"9" * 5_000 + b"}", Fault.MALFORMED, "no sound JSON"),
        (b'"\\ud800"', Fault.MALFORMED, "no sound JSON"),
        ('"\ud800"', Fault.MALFORMED, "no sound JSON"),
        (b"\xff", Fault.MALFORMED, "no sound JSON"),
        (b"", Fault.MALFORMED, "no sound JSON"),
        (b"{} {}", Fault.MALFORMED, "no sound JSON"),
        (b"\xef\xbb\xbf{}", Fault.MALFORMED, "no sound JSON"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), Fault.TOO_LARGE, "deeper than"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, Fault.TOO_LARGE, "deeper than"),
        (b" " * 2_000_000, Fault.TOO_LARGE, "over 1048576"),
    ],
)
def test_what_two_readers_could_take_differently_is_refused(raw, fault, words):
    with pytest.raises(Unsound, match=words) as caught:
        decode_json(raw, "the document")
    assert caught.value.fault is fault


def test_the_deepest_allowed_document_is_read():
    raw = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert json.dumps(decode_json(raw, "it")).encode() == raw


def test_only_an_object_is_an_object():
    assert decode_object('{"a": [1]}', "it") == {"a": [1]}
    with pytest.raises(Unsound, match="it is no JSON object"):
        decode_object("[1]", "it")


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0a1eE.-d8', max_size=60))
def test_any_bytes_are_read_or_refused(raw):
    try:
        value = decode_json(raw, "it")
    except Unsound:
        return
    assert value == json.loads(raw)
