"""Proofs that a key is held: to the byte, and never to be taken for what CometBFT signs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.crypto.possession import KeyProof, is_proven, prove_possession
from hansa.kernel.crypto.signatures import SignatureCheck, Suite, public_key_of, verify_many
from hansa.kernel.light.protobuf import write_bytes, write_delimited, write_fixed

GENESIS, MEMBER, SEED = b"g" * 32, b"m" * 32, b"s" * 32
KEY = public_key_of(Suite.ED25519, SEED)
MESSAGE = b"hansa\x00possession\x00" + GENESIS + MEMBER + KEY


def test_the_key_signs_network_member_and_itself():
    proof = prove_possession(GENESIS, MEMBER, SEED)
    assert proof.public_key == KEY
    check = SignatureCheck(Suite.ED25519, KEY, proof.signature, MESSAGE)
    assert verify_many([check]) == [True]
    assert proof.peer == hashlib.sha256(KEY).digest()[:20]
    assert is_proven(proof, GENESIS, MEMBER)


@pytest.mark.parametrize(
    ("proof", "genesis_hash", "member"),
    [
        (prove_possession(GENESIS, MEMBER, SEED), b"h" * 32, MEMBER),
        (prove_possession(GENESIS, MEMBER, SEED), GENESIS, b"n" * 32),
        (KeyProof(KEY, bytes(64)), GENESIS, MEMBER),
        (KeyProof(bytes(32), bytes(64)), GENESIS, MEMBER),
        (
            KeyProof(b"k" * 32, prove_possession(GENESIS, MEMBER, SEED).signature),
            GENESIS,
            MEMBER,
        ),
    ],
)
def test_it_is_a_proof_of_nothing_else(proof, genesis_hash, member):
    assert not is_proven(proof, genesis_hash, member)


def test_it_is_no_message_behind_its_length_nor_a_challenge():
    length, *rest = MESSAGE
    assert length < 0x80, "one byte says the whole length"
    assert length != len(rest)
    assert rest[0] >> 3 == 12, "the field that a message would begin with; votes have seven at most"
    assert len(MESSAGE) != 32, "of a peer's challenge"


@given(extension=st.binary(max_size=300), height=st.integers(1, 2**62))
def test_no_extension_of_a_vote_makes_cometbft_sign_one(extension, height):
    raw = MESSAGE + extension
    for each in (raw, raw[1:], extension):
        signed = write_delimited(write_bytes(1, each) + write_fixed(2, height))
        assert not signed.startswith(MESSAGE[:2])
