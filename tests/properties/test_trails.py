"""Whatever validators there are and however they change: more than two thirds, hand by hand."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hansa.kernel.crypto.signatures import Suite, public_key_of, sign
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.light.commit import CommitSignature, SignedHeader, verify_commit
from hansa.kernel.light.header import BlockId, ConsensusHeader, Moment, Parts, build_vote
from hansa.kernel.light.route import Route
from hansa.kernel.light.trail import (
    Checkpoint,
    HandOver,
    compute_chain_id,
    decode_checkpoint,
    encode_checkpoint,
    verify_header,
)
from hansa.kernel.light.validators import ValidatorSet
from hansa.kernel.light.votes import Votes, decode_votes

GENESIS_HASH = hashlib.sha256(b"trails").digest()
CHAIN_ID = compute_chain_id(GENESIS_HASH)
SEEDS = [hashlib.sha256(b"trails %d" % number).digest() for number in range(6)]
KEYS = {public_key_of(Suite.ED25519, seed): seed for seed in SEEDS}
PARTS = Parts(1, hashlib.sha256(b"parts").digest())
NOTHING = hashlib.sha256(b"").digest()

SETS = st.dictionaries(st.sampled_from(list(KEYS)), st.integers(1, 2**40), min_size=1).map(
    lambda powers: ValidatorSet.of(powers.items())
)


def sign_header(
    height: int, now: ValidatorSet, then: ValidatorSet, signers: set[int] | None = None
) -> SignedHeader:
    time = Moment(1_700_000_000 + height, 0)
    last = BlockId(NOTHING, PARTS)
    header = ConsensusHeader(
        11, 1, CHAIN_ID, height, time, last, NOTHING, NOTHING, now.compute_hash(),
        then.compute_hash(), NOTHING, NOTHING, NOTHING, NOTHING, now.validators[0].address,
    )  # fmt: skip
    signed = SignedHeader(header, 0, PARTS, ())
    votes = []
    for index, validator in enumerate(now.validators):
        if signers is None or index in signers:
            message = build_vote(header, 0, signed.block, time)
            signature = sign(Suite.ED25519, KEYS[validator.public_key], message)
            votes.append(CommitSignature(index, time, signature))
    return replace(signed, signatures=tuple(votes))


@settings(max_examples=60)
@given(SETS, st.sets(st.integers(0, 5)))
def test_a_header_counts_if_more_than_two_thirds_of_the_power_signed_it(validators, signers):
    signed = sign_header(7, validators, validators, signers)
    powers = [each.power for each in validators.validators]
    power = sum(powers[index] for index in signers if index < len(powers))
    if 3 * power > 2 * sum(powers):
        assert verify_commit(signed, validators, CHAIN_ID).power_signed == power
        return
    with pytest.raises(Invalid) as error:
        verify_commit(signed, validators, CHAIN_ID)
    assert error.value.code is InvalidCode.SIGNATURE


@settings(max_examples=40)
@given(st.lists(SETS, min_size=1, max_size=5), st.lists(st.integers(1, 9), min_size=5, max_size=5))
def test_every_change_is_followed_from_wherever_one_starts_and_none_can_be_left_out(sets, steps):
    changed = [
        each
        for at, each in enumerate(sets)
        if at == 0 or each.compute_hash() != sets[at - 1].compute_hash()
    ]
    start = Checkpoint(GENESIS_HASH, 1, Moment(1_700_000_000, 0), changed[0])
    height, hand_overs, checkpoints = 0, [], [start]
    for now, then, step in zip(changed, changed[1:], steps, strict=False):
        height += step
        hand_overs.append(HandOver(sign_header(height, now, then), then))
        trail = verify_header(start, hand_overs, sign_header(height + 1, then, then))
        checkpoints.append(decode_checkpoint(encode_checkpoint(trail.end)))
    newest = sign_header(height + steps[-1] + 1, changed[-1], changed[-1])
    votes = decode_votes(encode(Votes(tuple(hand_overs), newest)))
    for passed, checkpoint in enumerate(checkpoints):
        trail = verify_header(checkpoint, votes.hand_overs, votes.signed_header)
        assert trail.end.validators == changed[-1]
        assert trail.hand_overs <= len(hand_overs) - passed
    links = Route.of(start.validators, hand_overs).lead_to(newest)
    assert verify_header(start, links, newest).hand_overs <= len(hand_overs)
    for at in range(len(hand_overs)):
        with pytest.raises(Invalid):
            verify_header(start, hand_overs[:at] + hand_overs[at + 1 :], newest)
