"""Base64url, base58 and multibase: one text for one value, and nothing else is read."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.multibase import (
    BASE58_LETTERS_MAX,
    decode_base58,
    decode_multibase,
    encode_base58,
    encode_multibase,
)
from hansa.identity.faults import Fault, Unsound


@given(st.binary(max_size=200))
def test_base64url_is_that_of_the_standard_library(data):
    text = encode_base64url(data)
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert decode_base64url(text, "it") == data


@given(st.text(max_size=40) | st.text("AQgwIE-_=+/ \n", max_size=12))
def test_base64url_reads_only_what_it_writes(text):
    try:
        data = decode_base64url(text, "it")
    except Unsound:
        return
    assert encode_base64url(data) == text


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+/A", "AA A", "AAA\n", "Ä", "~~~~"])
def test_base64url_refuses_what_another_reader_might_take(text):
    with pytest.raises(Unsound, match="it is not base64url") as caught:
        decode_base64url(text, "it")
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    ("hexadecimal", "text"),
    [
        ("", ""),
        ("61", "2g"),
        ("626262", "a3gV"),
        ("636363", "aPEr"),
        ("73696d706c792061206c6f6e6720737472696e67", "2cFupjhnEsSn59qHXstmK2ffpLv2"),
        (
            "00eb15231dfceb60925886b67d065299925915aeb172c06647",
            "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L",
        ),
        ("516b6fcd0f", "ABnLTmg"),
        ("00000000000000000000", "1111111111"),
    ],
)
def test_base58_agrees_with_bitcoin(hexadecimal, text):
    """The cases of Bitcoin Core, src/test/data/base58_encode_decode.json."""
    assert encode_base58(bytes.fromhex(hexadecimal)) == text
    assert decode_base58(text, "it").hex() == hexadecimal


@given(st.binary(max_size=120), st.sampled_from("zu"))
def test_multibase_gives_back_what_it_wrote(data, base):
    text = encode_multibase(data, base)
    assert text[0] == base
    assert decode_multibase(text, "it") == data


@pytest.mark.parametrize("text", ["", "m", "z0", "zO", "zI", "zl", "Z2g", "f61", "u=", "z ä"])
def test_multibase_refuses_other_bases_and_letters(text):
    with pytest.raises(Unsound) as caught:
        decode_multibase(text, "it")
    assert caught.value.fault is Fault.MALFORMED


def test_base58_is_bounded_because_reading_it_costs_the_square():
    with pytest.raises(Unsound) as caught:
        decode_multibase("z" + "2" * (BASE58_LETTERS_MAX + 1), "it")
    assert caught.value.fault is Fault.TOO_LARGE
