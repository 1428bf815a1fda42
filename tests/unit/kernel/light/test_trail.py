"""Headers, commits and hand-overs: a real chain of CometBFT's, and one whose keys we hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from hansa.engine.cometbft.rpc.light import read_signed_header, read_validators
from hansa.kernel.crypto.signatures import Suite, public_key_of, sign
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.light.commit import (
    CommitSignature,
    SignedHeader,
    Tally,
    decode_signed_header,
    verify_commit,
)
from hansa.kernel.light.header import BlockId, ConsensusHeader, Moment, Parts, build_vote
from hansa.kernel.light.trail import (
    Checkpoint,
    HandOver,
    decode_checkpoint,
    decode_hand_over,
    encode_checkpoint,
    follow,
    verify_header,
)
from hansa.kernel.light.validators import POWER_MAX, Validator, ValidatorSet, check_validators

replace = msgspec.structs.replace
GENESIS_HASH = bytes.fromhex("0123456789abcdef0123456789abcdef01234567") + bytes(12)
CASES = json.loads(
    (Path(__file__).resolve().parents[3] / "vectors" / "light" / "recorded.json").read_text()
)
HEIGHTS = {
    int(case["name"].split()[1]): (
        read_signed_header(case["input"]["commit"]),
        read_validators(case["input"]["validators"]),
    )
    for case in CASES
}
BEGUN = Moment(1_700_000_000, 0)
REAL_START = Checkpoint(GENESIS_HASH, 1, BEGUN, HEIGHTS[1][1])
REAL_HAND_OVERS = [HandOver(HEIGHTS[last][0], HEIGHTS[last + 1][1]) for last in (103, 112, 118)]
PARTS = Parts(1, hashlib.sha256(b"parts").digest())
CHAIN_ID = REAL_START.chain_id


def code_of(function, *arguments) -> InvalidCode:
    with pytest.raises(Invalid) as error:
        function(*arguments)
    assert error.value.message
    return error.value.code


# --- a chain whose keys we hold -----------------------------------------------------------------

SEEDS = [hashlib.sha256(b"validator %d" % number).digest() for number in range(6)]
KEYS = {public_key_of(Suite.ED25519, seed): seed for seed in SEEDS}


def make_set(*powers: int, first: int = 0) -> ValidatorSet:
    return ValidatorSet.of(zip(list(KEYS)[first:], powers, strict=False))


def make_signed(
    height: int, now: ValidatorSet, then: ValidatorSet, *, signers=None, chain_id: str = CHAIN_ID
) -> SignedHeader:
    zero, moment = hashlib.sha256(b"").digest(), Moment(1_700_000_000 + height, 5)
    last = BlockId(hashlib.sha256(b"last").digest(), PARTS)
    header = ConsensusHeader(
        11, 1, chain_id, height, moment, last, zero, zero, now.compute_hash(),
        then.compute_hash(), zero, hashlib.sha256(b"app").digest(), zero, zero,
        now.validators[0].address,
    )  # fmt: skip
    signed = SignedHeader(header, 2, PARTS, ())
    indexes = range(len(now.validators)) if signers is None else signers
    return replace(signed, signatures=tuple(sign_vote(signed, now, at) for at in indexes))


def sign_vote(signed: SignedHeader, now: ValidatorSet, index: int, **changes) -> CommitSignature:
    time = Moment(1_700_000_100, index)
    block = changes.get("block", signed.block)
    message = build_vote(signed.header, changes.get("round_", signed.round), block, time)
    seed = KEYS[now.validators[index].public_key]
    return CommitSignature(index, time, sign(Suite.ED25519, seed, message))


FIRST, SECOND, THIRD = make_set(3, 2, 2, 2), make_set(3, 2, 2, 9), make_set(5, 5, 5, first=2)
START = Checkpoint(GENESIS_HASH, 1, BEGUN, FIRST)
HAND_OVERS = [
    HandOver(make_signed(10, FIRST, SECOND), SECOND),
    HandOver(make_signed(20, SECOND, THIRD), THIRD),
]


# --- a real chain -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_cometbft_hashed_and_signed(case):
    signed = read_signed_header(case["input"]["commit"])
    validators = read_validators(case["input"]["validators"])
    check_validators(validators)
    assert signed.block.hash.hex() == case["post"]["block_hash"]
    assert ValidatorSet.of(msgspec.structs.astuple(each) for each in validators.validators) == (
        validators
    )
    assert 3 * verify_commit(signed, validators, CHAIN_ID).power_signed > 2 * validators.power
    assert decode_signed_header(encode(signed)) == signed


def test_a_real_chain_is_followed_through_three_hand_overs():
    trail = verify_header(REAL_START, REAL_HAND_OVERS, HEIGHTS[121][0])
    assert (trail.hand_overs, trail.end.height) == (3, 121)
    assert trail.end.validators == HEIGHTS[121][1]
    assert trail.end.time == HEIGHTS[121][0].header.time
    assert trail.tally == Tally(3, 4, 75, 79)


def test_a_kept_checkpoint_needs_only_what_came_later():
    kept = verify_header(REAL_START, REAL_HAND_OVERS[:2], HEIGHTS[114][0]).end
    again = decode_checkpoint(encode_checkpoint(kept))
    assert again == kept
    for given in (REAL_HAND_OVERS, REAL_HAND_OVERS[2:]):
        trail = verify_header(again, given, HEIGHTS[121][0])
        assert (trail.start, trail.hand_overs) == (kept, 1)
    assert code_of(verify_header, kept, (), HEIGHTS[105][0]) is InvalidCode.MALFORMED


def test_any_flipped_byte_of_a_real_header_fails():
    raw = encode(HEIGHTS[103][0])
    for at in range(len(raw)):
        bad = bytearray(raw)
        bad[at] ^= 0x01
        with pytest.raises(Invalid):
            verify_commit(decode_signed_header(bytes(bad)), HEIGHTS[103][1], CHAIN_ID)


def test_any_flipped_byte_of_a_hand_over_fails():
    raw = encode(REAL_HAND_OVERS[0])
    for at in range(len(raw)):
        bad = bytearray(raw)
        bad[at] ^= 0x80
        with pytest.raises(Invalid):
            follow(REAL_START, [decode_hand_over(bytes(bad))])


# --- what must be refused -----------------------------------------------------------------------


def test_two_thirds_exactly_are_not_enough():
    signed = make_signed(5, FIRST, FIRST, signers=(1, 2, 3))  # 6 of 9
    assert code_of(verify_commit, signed, FIRST, CHAIN_ID) is InvalidCode.SIGNATURE
    assert verify_commit(make_signed(5, FIRST, FIRST, signers=(0, 1, 3)), FIRST, CHAIN_ID) == (
        Tally(3, 4, 7, 9)
    )
    assert code_of(verify_commit, make_signed(5, FIRST, FIRST, signers=()), FIRST, CHAIN_ID)


def test_forged_commits_are_refused():
    signed = make_signed(5, FIRST, FIRST)
    votes = signed.signatures

    def swap(**changes) -> SignedHeader:
        return replace(signed, signatures=(sign_vote(signed, FIRST, 0, **changes), *votes[1:]))

    later = replace(votes[0], time=Moment(1_700_000_100, 77))
    other = BlockId(hashlib.sha256(b"other").digest(), PARTS)
    outside = replace(votes[3], index=4)
    forgeries = {
        "another block": (swap(block=other), InvalidCode.SIGNATURE),
        "no block": (swap(block=BlockId(b"", Parts(0, b""))), InvalidCode.SIGNATURE),
        "another round": (swap(round_=3), InvalidCode.SIGNATURE),
        "another time": (
            replace(signed, signatures=(later, *votes[1:])), InvalidCode.SIGNATURE,
        ),
        "other parts": (replace(signed, parts=Parts(2, PARTS.hash)), InvalidCode.SIGNATURE),
        "a validator twice": (
            replace(signed, signatures=(votes[0], *votes)), InvalidCode.MALFORMED,
        ),
        "out of order": (replace(signed, signatures=votes[::-1]), InvalidCode.MALFORMED),
        "outside the set": (
            replace(signed, signatures=(*votes[:3], outside)), InvalidCode.MALFORMED,
        ),
        "another chain": (
            make_signed(5, FIRST, FIRST, chain_id="hansa-" + "ab" * 20), InvalidCode.SIGNATURE,
        ),
        "another set": (make_signed(5, SECOND, FIRST), InvalidCode.SIGNATURE),
        "a version to come": (
            replace(signed, header=replace(signed.header, block_version=12)),
            InvalidCode.UNSUPPORTED_VERSION,
        ),
    }  # fmt: skip
    for name, (forged, code) in forgeries.items():
        assert code_of(verify_commit, forged, FIRST, CHAIN_ID) is code, name


def test_hand_overs_are_whole_in_order_and_signed():
    last = make_signed(30, THIRD, THIRD)
    assert verify_header(START, HAND_OVERS, last).tally == Tally(3, 3, 15, 15)
    one, two = HAND_OVERS
    to_nobody = HandOver(make_signed(10, FIRST, FIRST), SECOND)
    to_others = replace(one, validators=THIRD)
    by_few = HandOver(make_signed(10, FIRST, SECOND, signers=(0, 1)), SECOND)
    for given, code in (
        ([], InvalidCode.SIGNATURE),
        ([two], InvalidCode.SIGNATURE),
        ([one], InvalidCode.SIGNATURE),
        ([two, one], InvalidCode.SIGNATURE),
        ([one, one, two], InvalidCode.MALFORMED),
        ([to_nobody, one, two], InvalidCode.MALFORMED),
        ([to_others, two], InvalidCode.MALFORMED),
        ([by_few, two], InvalidCode.SIGNATURE),
    ):
        assert code_of(verify_header, START, given, last) is code
    early = make_signed(10, SECOND, SECOND)
    assert code_of(verify_header, START, [one], early) is InvalidCode.MALFORMED


def test_sets_that_cometbft_does_not_make():
    ordered = FIRST.validators
    twice = ValidatorSet((*ordered, replace(ordered[-1], power=1)))
    heavy = ValidatorSet((Validator(ordered[0].public_key, POWER_MAX), ordered[1]))
    for bad in (ValidatorSet(ordered[::-1]), ValidatorSet(ordered[:1] * 2), twice, heavy):
        assert code_of(check_validators, bad) is InvalidCode.MALFORMED
        assert code_of(decode_hand_over, encode(HandOver(HEIGHTS[1][0], bad)))
        assert code_of(
            decode_checkpoint, encode_checkpoint(Checkpoint(GENESIS_HASH, 1, BEGUN, bad))
        )
    assert code_of(ValidatorSet.of, []) is InvalidCode.TOO_MANY


def test_what_is_no_checkpoint():
    raw = encode_checkpoint(START)
    fields = msgspec.msgpack.decode(raw)
    assert code_of(decode_checkpoint, encode(["hansa-receipt", *fields[1:]])) is (
        InvalidCode.MALFORMED
    )
    assert code_of(decode_checkpoint, encode([fields[0], 2, *fields[2:]])) is (
        InvalidCode.UNSUPPORTED_VERSION
    )
    for bit in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        assert code_of(decode_checkpoint, bytes(flipped)) in (
            InvalidCode.MALFORMED,
            InvalidCode.UNSUPPORTED_VERSION,
            InvalidCode.NOT_CANONICAL,
        )
    assert code_of(decode_checkpoint, bytes(20_000)) is InvalidCode.TOO_LARGE
