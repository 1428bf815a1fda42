"""Secrets under a passphrase: what is locked opens with it, and with nothing else."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.passphrases import ScryptCost, check_cost, lock, unlock

CHEAP = ScryptCost(n=16, r=1, p=1)
HEADER = b"header"
PASSPHRASE = "passphrase"


def lock_cheaply(secret=b"secret", passphrase=PASSPHRASE):
    return lock(secret, passphrase, CHEAP, lambda _: HEADER, lambda size: b"\7" * size)


@pytest.mark.parametrize("secret", [b"", b"x", bytes(1_000)])
def test_a_secret_of_any_length_comes_back(secret):
    locked = lock_cheaply(secret)
    assert unlock(locked, "passphrase", HEADER) == secret
    assert locked.is_sound()
    assert locked.is_sound(len(secret))
    assert not locked.is_sound(len(secret) + 1)


def test_it_is_scrypt_and_aes_gcm():
    locked = lock_cheaply()
    key = Scrypt(salt=b"\7" * 16, length=32, n=16, r=1, p=1).derive(b"passphrase")
    assert locked.ciphertext == AESGCM(key).encrypt(b"\7" * 12, b"secret", HEADER)


def test_a_passphrase_is_the_same_on_every_keyboard():
    locked = lock_cheaply(passphrase="Macau é")
    assert unlock(locked, "Macau e\u0301", HEADER) == b"secret"


@pytest.mark.parametrize(
    ("passphrase", "header"), [("another", HEADER), ("passphrase", b"another")]
)
def test_another_passphrase_or_header_does_not_open(passphrase, header):
    with pytest.raises(Invalid) as caught:
        unlock(lock_cheaply(), passphrase, header)
    assert caught.value.code is InvalidCode.UNAUTHENTICATED


@pytest.mark.parametrize("passphrase", ["", "\ud800"])
def test_a_passphrase_is_a_text(passphrase):
    with pytest.raises(Invalid) as caught:
        lock_cheaply(passphrase=passphrase)
    assert caught.value.code is InvalidCode.MALFORMED


@pytest.mark.parametrize("change", [{"salt": b"x"}, {"nonce": b""}, {"ciphertext": bytes(15)}])
def test_parts_have_their_lengths(change):
    assert not lock_cheaply()._replace(**change).is_sound()


@pytest.mark.parametrize(
    "cost", [(0, 1, 1), (1, 1, 1), (24, 1, 1), (16, 0, 1), (16, 1, 0), (16, 1, 65), (2**24, 8, 1)]
)
def test_costs_are_bounded(cost):
    with pytest.raises(Invalid, match="scrypt cannot run"):
        check_cost(ScryptCost(*cost))
