import json
import os
import pickle
import re
from itertools import count
from pathlib import Path

import pytest

from hansa.kernel.crypto.address import address_of, from_text
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.crypto.signatures import SignatureCheck, Suite, public_key_of, verify_many
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.sdk.keys import (
    DEFAULT_COST,
    ChannelKey,
    KeyPair,
    ScryptCost,
    load_channel_key,
    load_key,
    save_channel_key,
    save_key,
)

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "keys.md"
CHEAP = ScryptCost(n=16, r=1, p=1)
PASSPHRASE = "nine ships for Bergen"
KEY = KeyPair.from_seed(b"Bergen")


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "key.json"
    save_key(path, KEY, PASSPHRASE, cost=CHEAP)
    return path


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("hash_name", ["sha256", "sm3"])
@pytest.mark.parametrize("suite", Suite)
def test_a_pair_holds_what_follows_from_its_private_key(suite, hash_name):
    key = KeyPair.generate(suite, hash_name=hash_name)
    assert key.public_key == public_key_of(suite, key.private_key)
    assert key.address == address_of(suite, key.public_key, crypto_profile(hash_name).digest)
    assert from_text(key.address_text) == key.address
    check = SignatureCheck(suite, key.public_key, key.sign(b"message"), b"message")
    assert verify_many([check]) == [True]


def test_keys_differ_and_seeds_do_not():
    assert KeyPair.generate() != KeyPair.generate()
    assert KeyPair.from_seed(b"a") == KeyPair.from_seed(b"a") != KeyPair.from_seed(b"b")
    assert len({KeyPair.from_seed(b"a", suite).private_key for suite in Suite}) == 3


def test_the_derivation_from_a_seed_never_changes():
    assert KeyPair.from_seed(b"hansa").address_text == (
        "hansa1r7a4dlrw8wlj3dg5zs3trc2xl60fn26smlmj9w9lstzezjdfgs5qcxu4s4"
    )


def test_entropy_out_of_the_curve_s_range_is_drawn_again():
    draws = count()
    key = KeyPair.generate(
        Suite.P256, lambda size: b"\xff" * size if next(draws) < 3 else b"\x01" * size
    )
    assert key.private_key == b"\x01" * 32
    assert next(draws) == 4


def test_entropy_that_yields_nothing_usable_is_invalid():
    with pytest.raises(Invalid):
        KeyPair.generate(Suite.P256, bytes)


@pytest.mark.parametrize(("suite", "private_key"), [(9, b"\x01" * 32), (1, b""), (2, bytes(32))])
def test_a_pair_of_nonsense_is_invalid(suite, private_key):
    with pytest.raises(Invalid):
        KeyPair(suite, private_key)


def test_nothing_shown_holds_the_private_key(saved):
    private_key = KEY.private_key
    for shown in (repr(KEY), str(KEY), f"{KEY}", saved.read_text()):
        assert repr(private_key)[2:-1] not in shown
        assert private_key.hex() not in shown


def test_a_pair_can_be_sent_to_another_process():
    assert pickle.loads(pickle.dumps(KEY)) == KEY  # noqa: S301 - our own bytes


@pytest.mark.parametrize("suite", Suite)
def test_save_and_load(tmp_path, suite):
    path, key = tmp_path / "key.json", KeyPair.generate(suite, hash_name="sm3")
    save_key(path, key, PASSPHRASE, cost=CHEAP)
    assert load_key(path, PASSPHRASE) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.json"]


def test_the_default_cost_is_that_of_owasp(tmp_path):
    path = tmp_path / "key.json"
    save_key(str(path), KEY, PASSPHRASE)
    assert load_key(str(path), PASSPHRASE) == KEY
    assert DEFAULT_COST == (2**15, 8, 3)


def test_a_passphrase_is_the_same_however_its_accents_are_typed(tmp_path):
    path = tmp_path / "key.json"
    save_key(path, KEY, "L\u00fcbeck", cost=CHEAP)
    assert load_key(path, "Lu\u0308beck") == KEY


def test_salt_and_nonce_are_fresh(tmp_path, saved):
    other = tmp_path / "other.json"
    save_key(other, KEY, PASSPHRASE, cost=CHEAP)
    first, second = json.loads(saved.read_text()), json.loads(other.read_text())
    for name in ("salt", "nonce", "ciphertext"):
        assert first[name] != second[name]


def test_a_wrong_passphrase_is_told_apart(saved):
    with pytest.raises(Invalid, match="wrong passphrase") as raised:
        load_key(saved, "wrong")
    assert raised.value.code == InvalidCode.UNAUTHENTICATED


@pytest.mark.parametrize("passphrase", ["", "\ud800"])
def test_an_unusable_passphrase_is_invalid(tmp_path, passphrase):
    with pytest.raises(Invalid, match="passphrase"):
        save_key(tmp_path / "key.json", KEY, passphrase, cost=CHEAP)
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_byte_is_damage(saved):
    content = saved.read_bytes()
    for position in range(len(content)):
        for mask in (0x01, 0x20):
            flipped = bytearray(content)
            flipped[position] ^= mask
            saved.write_bytes(flipped)
            with pytest.raises(Invalid, match="damaged") as raised:
                load_key(saved, PASSPHRASE)
            assert raised.value.code == InvalidCode.MALFORMED


def test_every_cut_is_damage(saved):
    content = saved.read_bytes()
    for length in range(len(content) - 2):
        saved.write_bytes(content[:length])
        with pytest.raises(Invalid, match="damaged"):
            load_key(saved, PASSPHRASE)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2},
        {"suite": "sm2"},
        {"hash": "md5"},
        {"n": 2**40},
        {"n": 15},
        {"r": 0},
        {"p": 10**6},
        {"p": -1},
        {"p": 10**30},
        {"salt": ""},
        {"nonce": "00" * 16},
        {"ciphertext": "zz"},
        {"extra": 1},
        {"address": KeyPair.from_seed(b"other").address_text},
        {"public_key": KeyPair.from_seed(b"other").public_key.hex()},
    ],
    ids=str,
)
def test_a_changed_field_is_damage(saved, fields):
    change(saved, **fields)
    with pytest.raises(Invalid, match="damaged"):
        load_key(saved, PASSPHRASE)


@pytest.mark.parametrize("load", [load_key, load_channel_key])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"format": "\xc1"}',
        b"[" * 10_000,
        b'{"x": ' + b"[" * 10_000,
        b" " * 20_000,
    ],
    ids=lambda content: str(content[:18]),
)
def test_what_is_no_key_file_is_damage(saved, load, content):
    saved.write_bytes(content)
    with pytest.raises(Invalid, match="damaged") as raised:
        load(saved, PASSPHRASE)
    assert "recursion" not in raised.value.message


def test_a_key_of_another_kind_is_told_as_such(saved, tmp_path):
    path = tmp_path / "channel.json"
    save_channel_key(path, ChannelKey.generate(), PASSPHRASE, cost=DEFAULT_COST)
    with pytest.raises(Invalid, match="holds a channel key, which opens messages"):
        load_key(path, PASSPHRASE)
    with pytest.raises(Invalid, match="holds a key that signs: name the file of a channel key"):
        load_channel_key(saved, PASSPHRASE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_open_is_refused(saved, mode):
    saved.chmod(mode)
    with pytest.raises(Invalid, match="chmod 600"):
        load_key(saved, PASSPHRASE)


@pytest.mark.parametrize("load", [load_key, load_channel_key])
@pytest.mark.parametrize("content", [b"\x01\x92 a receipt", b'{"format": "hansa-checkpoint"}'])
def test_a_file_of_something_else_that_all_may_read_is_no_key_file(tmp_path, load, content):
    path = tmp_path / "invoice-7.receipt"
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(Invalid, match=r"invoice-7\.receipt is no key file") as raised:
        load(path, PASSPHRASE)
    assert "chmod" not in raised.value.message


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(NotFound):
        load_key(tmp_path / "none.json", PASSPHRASE)
    with pytest.raises(NotFound, match="there is no folder"):
        save_key(tmp_path / "none" / "key.json", KEY, PASSPHRASE, cost=CHEAP)


def test_what_is_not_a_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Invalid, match="is not a file"):
            load_key(path, PASSPHRASE)


def test_a_key_file_is_replaced_only_on_request(saved):
    other = KeyPair.generate()
    with pytest.raises(Invalid, match="exists already"):
        save_key(saved, other, PASSPHRASE, cost=CHEAP)
    assert load_key(saved, PASSPHRASE) == KEY
    save_key(saved, other, "new", replace=True, cost=CHEAP)
    assert load_key(saved, "new") == other


def test_the_file_in_the_reference_can_be_read(tmp_path):
    example = re.search(r"```json\n(.*?)```", REFERENCE.read_text(), re.DOTALL)[1]
    path = tmp_path / "key.json"
    path.touch(0o600)
    path.write_text(example)
    assert load_key(path, "correct horse battery staple") == KeyPair.from_seed(b"hansa")
