"""Keys at rest: they come back with their passphrase, and tell nothing without it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS
from hansa.identity.keys.signing import load_private_key
from hansa.identity.keys.store import STORE_BYTES_MAX, lock_keys, unlock_keys
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.passphrases import ScryptCost, lock

CHEAP = ScryptCost(n=2, r=1, p=1)
SIGNING = [kind for kind, traits in TRAITS.items() if traits.algorithms]
KEYS = {
    f"key of {kind.value}": load_private_key(kind, b"\x07" * TRAITS[kind].private_bytes)
    for kind in SIGNING
}


def draw(size):
    return b"\x05" * size


STORE = lock_keys(KEYS, "passphrase", draw, CHEAP)


def fault_of(content):
    with pytest.raises(Unsound) as caught:
        unlock_keys(content, "passphrase")
    return caught.value.fault


def change(**members):
    return json.dumps(json.loads(STORE) | members).encode()


def lock_anything(value):
    """A store that holds something else than keys."""
    header = encode(["hansa-identity-keys", 1, *CHEAP, draw(16)])
    locked = lock(value, "passphrase", CHEAP, lambda _: header, draw)
    return change(
        ciphertext=locked.ciphertext.hex(), checksum=locked.compute_checksum(header).hex()
    )


def test_keys_come_back():
    assert unlock_keys(STORE, "passphrase") == KEYS
    assert unlock_keys(lock_keys({}, "passphrase", draw, CHEAP), "passphrase") == {}


def test_nothing_is_told_without_the_passphrase():
    for name, key in KEYS.items():
        for part in (name.encode(), key.secret, key.public_key.data):
            assert part not in STORE
            assert part.hex().encode() not in STORE


def test_another_passphrase_does_not_open():
    with pytest.raises(Invalid, match="wrong passphrase") as caught:
        unlock_keys(STORE, "another")
    assert caught.value.code is InvalidCode.UNAUTHENTICATED


def test_the_usual_cost_is_not_cheap():
    store = json.loads(lock_keys({}, "passphrase", draw))
    assert (store["n"], store["r"], store["p"]) == (2**15, 8, 3)


@pytest.mark.parametrize(
    "members",
    [
        {"format": "hansa-key"},
        {"version": 2},
        {"kdf": "argon2id"},
        {"n": 3},
        {"n": 4},
        {"n": 2**40},
        {"r": 2},
        {"p": 10**30},
        {"salt": "05" * 15},
        {"salt": "06" * 16},
        {"salt": "no hex"},
        {"nonce": ""},
        {"nonce": "06" * 12},
        {"ciphertext": ""},
        {"ciphertext": "00" * 64},
        {"checksum": "00" * 32},
        {"more": 1},
    ],
)
def test_a_damaged_store_is_told_from_a_wrong_passphrase(members):
    assert fault_of(change(**members)) is Fault.MALFORMED


@given(st.binary(max_size=200) | st.integers(0, len(STORE) - 1).map(lambda end: STORE[:end]))
def test_bytes_are_unsound(content):
    if content.strip() != STORE.strip():
        assert fault_of(content) is Fault.MALFORMED


@settings(max_examples=300)
@given(st.integers(0, len(STORE) * 8 - 1))
def test_a_flipped_bit_is_unsound(place):
    raw = bytearray(STORE)
    raw[place // 8] ^= 1 << place % 8
    try:
        assert unlock_keys(bytes(raw), "passphrase") == KEYS  # of white space
    except Unsound as error:
        assert error.fault is Fault.MALFORMED  # noqa: PT017 - only what is sound may be read


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"", Fault.MALFORMED),
        (encode([["a", "p256"]]), Fault.MALFORMED),
        (encode([["a", "rsa", b"x"]]), Fault.MALFORMED),
        (encode([["a", "p256", b"short"]]), Fault.KEY),
        (encode([["a", "x25519", bytes(32)]]), Fault.KEY),
    ],
)
def test_what_holds_something_else_is_unsound(value, fault):
    assert fault_of(lock_anything(value)) is fault


def test_a_store_is_bounded():
    key = next(iter(KEYS.values()))
    with pytest.raises(Unsound) as caught:
        lock_keys({"x" * (STORE_BYTES_MAX // 2): key}, "passphrase", draw, CHEAP)
    assert caught.value.fault is Fault.TOO_LARGE
    assert fault_of(bytes(STORE_BYTES_MAX + 1)) is Fault.TOO_LARGE
