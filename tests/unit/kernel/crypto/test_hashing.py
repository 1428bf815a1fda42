"""The hashes of the crypto profiles against their standards, and one another's libraries."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes

from hansa.kernel.crypto.hashing import Domain, crypto_profile, signing_prefix
from hansa.kernel.errors import Invalid, InvalidCode

STANDARD = {
    # GB/T 32905-2016 annex A: examples 1 and 2.
    ("sm3", b"abc"): "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    ("sm3", b"abcd" * 16): "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
    # FIPS 180-2 appendix B, and the empty message.
    ("sha256", b"abc"): "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    (
        "sha256",
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    ): "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ("sha256", b""): "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


@pytest.mark.parametrize(("name", "data"), STANDARD)
def test_standard(name, data):
    assert crypto_profile(name).digest(data).hex() == STANDARD[name, data]


def _rotate(x: int, n: int) -> int:
    n %= 32
    return (x << n | x >> (32 - n)) & 0xFFFFFFFF


def sm3(data: bytes) -> bytes:
    """SM3 written from GB/T 32905-2016, clause 5, in plain Python."""
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "big")
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600]
    state += [0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    for start in range(0, len(padded), 64):
        block = padded[start : start + 64]
        words = [int.from_bytes(block[at : at + 4], "big") for at in range(0, 64, 4)]
        for j in range(16, 68):
            x = words[j - 16] ^ words[j - 9] ^ _rotate(words[j - 3], 15)
            x ^= _rotate(x, 15) ^ _rotate(x, 23)
            words.append(x ^ _rotate(words[j - 13], 7) ^ words[j - 6])
        a, b, c, d, e, f, g, h = state
        for j in range(64):
            constant = 0x79CC4519 if j < 16 else 0x7A879D8A
            ss1 = _rotate(_rotate(a, 12) + e + _rotate(constant, j) & 0xFFFFFFFF, 7)
            ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
            gg = e ^ f ^ g if j < 16 else e & f | ~e & g
            tt1 = ff + d + (ss1 ^ _rotate(a, 12)) + (words[j] ^ words[j + 4]) & 0xFFFFFFFF
            tt2 = gg + h + ss1 + words[j] & 0xFFFFFFFF
            a, b, c, d = tt1, a, _rotate(b, 9), c
            e, f, g, h = tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17), e, _rotate(f, 19), g
        state = [s ^ v for s, v in zip(state, (a, b, c, d, e, f, g, h), strict=True)]
    return b"".join(value.to_bytes(4, "big") for value in state)


@pytest.mark.parametrize("length", [*range(0, 131, 7), 55, 56, 63, 64, 65, 1_000])
def test_libraries_agree_at_every_edge_of_a_block(length):
    data = hashlib.shake_128(b"%d" % length).digest(length)
    for name, algorithm, other in (
        ("sm3", hashes.SM3(), sm3),
        ("sha256", hashes.SHA256(), lambda raw: hashlib.new("sha256", raw).digest()),
    ):
        context = hashes.Hash(algorithm)
        context.update(data)
        assert crypto_profile(name).digest(data) == context.finalize() == other(data)


@pytest.mark.parametrize("name", ["", "sha1", "SHA256", "sha3_256", "md5"])
def test_other_hashes_are_refused(name):
    with pytest.raises(Invalid) as raised:
        crypto_profile(name)
    assert raised.value.code == InvalidCode.MALFORMED


def test_no_prefix_begins_another():
    prefixes = [
        signing_prefix(domain, genesis_hash)
        for domain in Domain
        for genesis_hash in (bytes(32), b"\xff" * 32)
    ]
    assert len(set(prefixes)) == 2 * len(Domain)
    for one in prefixes:
        assert [each for each in prefixes if each.startswith(one)] == [one]
