import hashlib
import json
from pathlib import Path

import pytest

from hansa.kernel.crypto.address import (
    address_of,
    decode_bech32m,
    encode_bech32m,
    from_text,
    to_text,
)
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.errors import Invalid, InvalidCode

VECTORS = Path(__file__).parents[3] / "vectors" / "addresses"
TEXT = to_text(bytes(range(32)))


def load(name):
    cases = json.loads((VECTORS / name).read_text())
    return [pytest.param(case["input"], case.get("post"), id=case["name"]) for case in cases]


@pytest.mark.parametrize(("fields", "post"), load("addresses.json"))
def test_address(fields, post):
    public_key, profile = bytes.fromhex(fields["public_key"]), crypto_profile(fields["hash"])
    address = address_of(fields["suite"], public_key, profile.digest)
    assert address.hex() == post["address"]
    assert to_text(address) == post["text"]
    assert from_text(post["text"]) == address


@pytest.mark.parametrize(("fields", "post"), load("texts.json"))
def test_text(fields, post):
    if post is None:
        with pytest.raises(Invalid) as raised:
            from_text(fields["text"])
        assert raised.value.code == InvalidCode.MALFORMED
    else:
        assert from_text(fields["text"]).hex() == post["address"]


@pytest.mark.parametrize(("fields", "post"), load("bech32m.json"))
def test_bech32m(fields, post):
    if post is None:
        with pytest.raises(Invalid) as raised:
            decode_bech32m(fields["text"])
        assert raised.value.code == InvalidCode.MALFORMED
    else:
        prefix, symbols = decode_bech32m(fields["text"])
        assert (prefix, symbols) == (post["prefix"], post["symbols"])
        assert encode_bech32m(prefix, symbols) == fields["text"].lower()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bc1" + TEXT[6:], "must start with hansa1"),
        (TEXT[:-1], "64 characters, this one 63"),
        (TEXT[:50] + TEXT[50:].upper(), "mixed"),
        (TEXT[:-1] + ("q" if TEXT[-1] != "q" else "p"), "checksum"),
        (TEXT[:20] + "o" + TEXT[21:], "character 21 is 'o'"),
        (TEXT[:20] + "1" + TEXT[21:], "second 1"),
    ],
)
def test_an_error_says_what_is_wrong(text, said):
    with pytest.raises(Invalid, match=said):
        from_text(text)


def test_text_and_bytes_are_one_to_one():
    for index in range(200):
        address = hashlib.sha256(index.to_bytes(2, "big")).digest()
        text = to_text(address)
        assert len(text) == 64
        assert from_text(text) == from_text(text.upper()) == address


def test_every_wrong_character_is_found():
    for position in range(6, 64):
        for letter in "qpzry9x8gf2tvdw0s3jn54khce6mua7l":
            if letter != TEXT[position]:
                with pytest.raises(Invalid):
                    from_text(TEXT[:position] + letter + TEXT[position + 1 :])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_address_of_another_length_has_no_text(length):
    with pytest.raises(Invalid):
        to_text(bytes(length))


@pytest.mark.parametrize("suite", [-1, 256, 2**70])
def test_a_suite_beyond_a_byte_has_no_address(suite):
    with pytest.raises(Invalid) as raised:
        address_of(suite, bytes(32), crypto_profile("sha256").digest)
    assert raised.value.code == InvalidCode.SUITE


def test_the_hash_is_part_of_what_is_remembered():
    assert address_of(1, bytes(32), crypto_profile("sha256").digest) != address_of(
        1, bytes(32), crypto_profile("sm3").digest
    )


@pytest.mark.parametrize(
    ("prefix", "symbols"),
    [("", [0]), ("Hansa", [0]), ("h\x7f", [0]), ("hansa", [32]), ("hansa", [-1]), ("a", [0] * 83)],
)
def test_bech32m_refuses_to_write_what_it_could_not_read(prefix, symbols):
    with pytest.raises(Invalid):
        encode_bech32m(prefix, symbols)
