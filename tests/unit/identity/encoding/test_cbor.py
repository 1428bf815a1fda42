"""CBOR: what is written is read back, and nothing that two readers may understand differently."""

import cbor2
import pytest
from cbor2 import CBORTag
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.cbor import (
    DEPTH_MAX,
    TAG_DATE,
    TAG_ENCODED,
    TAG_TIME,
    VALUES_MAX,
    decode_cbor,
    decode_map,
    encode_cbor,
    unwrap_encoded,
    wrap_encoded,
)
from hansa.identity.faults import Fault, Unsound

INTEGERS = st.integers(-(2**64), 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | INTEGERS
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.binary()
    | st.builds(CBORTag, st.just(TAG_ENCODED), st.binary())
    | st.builds(CBORTag, st.sampled_from([TAG_TIME, TAG_DATE]), TEXTS),
    lambda inner: st.lists(inner) | st.dictionaries(INTEGERS | TEXTS, inner),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    raw = encode_cbor(value)
    read = decode_cbor(raw, "it")
    assert read == value
    assert encode_cbor(read) == raw


@given(VALUES)
def test_the_library_reads_plain_values_alike(value):
    raw = encode_cbor(value)
    if "CBORTag" not in repr(value):  # of dates the library makes other objects
        assert decode_cbor(raw, "it") == cbor2.loads(raw)


@given(st.binary(max_size=64) | VALUES.map(encode_cbor).flatmap(st.permutations))
def test_bytes_are_read_or_unsound(raw):
    raw = bytes(raw)
    try:
        value = decode_cbor(raw, "it")
    except Unsound:
        return
    assert decode_cbor(encode_cbor(value), "it") == value


@given(VALUES, st.data())
def test_a_part_is_never_a_whole(value, data):
    raw = encode_cbor(value)
    for broken in (raw[: data.draw(st.integers(0, len(raw) - 1))], raw + b"\0"):
        with pytest.raises(Unsound):
            decode_cbor(broken, "it")


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ("", Fault.MALFORMED),
        ("1817", Fault.MALFORMED),  # 23 in two bytes
        ("190018", Fault.MALFORMED),
        ("1a0000ffff", Fault.MALFORMED),
        ("1b00000000ffffffff", Fault.MALFORMED),
        ("5801ff", Fault.MALFORMED),  # a length in two bytes that fits in one
        ("5f4101ff", Fault.MALFORMED),  # indefinite bytes
        ("7f6161ff", Fault.MALFORMED),
        ("9f01ff", Fault.MALFORMED),
        ("bf0101ff", Fault.MALFORMED),
        ("ff", Fault.MALFORMED),
        ("1c", Fault.MALFORMED),
        ("f7", Fault.MALFORMED),  # undefined
        ("f0", Fault.MALFORMED),  # simple value 16
        ("f820", Fault.MALFORMED),
        ("f814", Fault.MALFORMED),  # false in two bytes
        ("f97e00", Fault.MALFORMED),  # not a number
        ("f97c00", Fault.MALFORMED),  # infinite
        ("61ff", Fault.MALFORMED),
        ("63eda080", Fault.MALFORMED),  # a lone surrogate
        ("a1810000", Fault.TOO_LARGE),  # a list as key
        ("a1f500", Fault.MALFORMED),
        ("a1f93c0000", Fault.MALFORMED),
        ("a1410000", Fault.MALFORMED),
        ("a201000101", Fault.DUPLICATE),
        ("a2616100616101", Fault.DUPLICATE),
        ("a18201020182010201", Fault.TOO_LARGE),
        ("c24101", Fault.UNSUPPORTED),  # bignum
        ("c482010a", Fault.UNSUPPORTED),  # decimal
        ("d8236161", Fault.UNSUPPORTED),  # regular expression
        ("d8246161", Fault.UNSUPPORTED),  # message of mail
        ("d81c80", Fault.UNSUPPORTED),  # shared value
        ("d90100826361616163616161", Fault.UNSUPPORTED),  # shared texts
        ("d901028101", Fault.UNSUPPORTED),  # set
        ("d9d9f700", Fault.UNSUPPORTED),  # self-described
        ("d81801", Fault.MALFORMED),  # encoded CBOR that is no bytes
        ("c000", Fault.MALFORMED),
        ("d28101", None),  # a list behind the tag of COSE_Sign1
        ("9bffffffffffffffff", Fault.TOO_LARGE),
        ("bbffffffffffffffff", Fault.TOO_LARGE),
        (f"9a{VALUES_MAX:08x}" + "00" * VALUES_MAX, None),
        (f"9a{VALUES_MAX + 1:08x}" + "00" * (VALUES_MAX + 1), Fault.TOO_LARGE),
        ("9901f4" + ("9901f4" + "00" * 500) * 500, Fault.TOO_LARGE),
        (f"b9{VALUES_MAX // 2 + 1:04x}" + "00" * VALUES_MAX, Fault.TOO_LARGE),
        ("7bffffffffffffffff", Fault.MALFORMED),
        ("81" * DEPTH_MAX + "00", None),
        ("81" * (DEPTH_MAX + 1) + "00", Fault.TOO_LARGE),
        ("81" * 100_000 + "00", Fault.TOO_LARGE),
        ("d818" * 100_000 + "40", Fault.TOO_LARGE),
    ],
)
def test_tricks_are_refused(raw, fault):
    data = bytes.fromhex(raw)
    if fault is None:
        decode_cbor(data, "it")
        return
    with pytest.raises(Unsound) as caught:
        decode_cbor(data, "it")
    assert caught.value.fault is fault


def test_members_that_are_undefined_may_be_skipped():
    raw = bytes.fromhex("a3010204f70302")
    assert decode_cbor(raw, "it", skips_undefined=True) == {1: 2, 3: 2}
    for tricky, fault in (
        (raw, Fault.MALFORMED),
        (bytes.fromhex("a204f70402"), Fault.DUPLICATE),
        (bytes.fromhex("a204f704f7"), Fault.DUPLICATE),
        (bytes.fromhex("81f7"), Fault.MALFORMED),
        (bytes.fromhex("a104"), Fault.MALFORMED),
    ):
        with pytest.raises(Unsound) as caught:
            decode_cbor(tricky, "it", skips_undefined=tricky != raw)
        assert caught.value.fault is fault


def test_more_bytes_than_asked_for_are_refused():
    with pytest.raises(Unsound, match="has 11 bytes, over 10") as caught:
        decode_cbor(encode_cbor(bytes(10)), "it", bytes_max=10)
    assert caught.value.fault is Fault.TOO_LARGE


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**64) - 1,
        float("nan"),
        float("inf"),
        "\ud800",
        (1, 2),
        {1, 2},
        {b"key": 1},
        {True: 1},
        {(1,): 1},
        object(),
        CBORTag(2, b"\1"),
        CBORTag(24, "text"),
        cbor2.undefined,
    ],
)
def test_what_would_not_be_read_is_not_written(value):
    with pytest.raises(Unsound) as caught:
        encode_cbor([value])
    assert caught.value.fault is Fault.MALFORMED


def test_a_value_within_itself_is_not_written():
    value = []
    value.append(value)
    with pytest.raises(Unsound) as caught:
        encode_cbor(value)
    assert caught.value.fault is Fault.TOO_LARGE


def test_encoded_cbor_is_wrapped_and_unwrapped():
    assert encode_cbor(wrap_encoded(b"\1")).hex() == "d8184101"
    assert unwrap_encoded(decode_cbor(bytes.fromhex("d8184101"), "it"), "it") == b"\1"
    for other in (b"\1", CBORTag(TAG_TIME, "x"), None):
        with pytest.raises(Unsound, match="no encoded CBOR"):
            unwrap_encoded(other, "it")


def test_a_map_is_a_map():
    assert decode_map(b"\xa0", "it") == {}
    with pytest.raises(Unsound, match="it is no map"):
        decode_map(b"\x80", "it")
