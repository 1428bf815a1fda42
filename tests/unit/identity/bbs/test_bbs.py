"""BBS: what was signed verifies, nothing that was changed does, and no input breaks the reader."""

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_arkworks_bls12381 import G1Point, Scalar

from hansa.identity.bbs.ciphersuites import BBS_SHA_256, BBS_SHAKE_256
from hansa.identity.bbs.encoding import ORDER, decode_point, decode_scalar, sum_multiples
from hansa.identity.bbs.generators import MESSAGES_MAX, get_generators
from hansa.identity.bbs.proofs import (
    PROOF_BYTES_MIN,
    Shown,
    create_proof,
    decode_proof,
    verify_proof,
)
from hansa.identity.bbs.secret_keys import (
    derive_secret_key,
    generate_secret_key,
    load_secret_key,
)
from hansa.identity.bbs.signatures import SIGNATURE_BYTES, Signed, sign, verify_signed
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey

SUITE = BBS_SHA_256
KEY = derive_secret_key(SUITE, b"\x07" * 32)
OTHER = derive_secret_key(SUITE, b"\x08" * 32)
MESSAGES = [b"name", b"", b"born", b"city", b"city"]
SIGNATURE = sign(SUITE, KEY, b"header", MESSAGES)
SIGNED = Signed(KEY.public_key, b"header", MESSAGES, SIGNATURE)
SHOWN = Shown(KEY.public_key, b"header", b"nonce", {0: b"name", 3: b"city"})
PROOF = create_proof(SUITE, SIGNED, [3, 0], b"nonce", secrets.token_bytes)
POINT = SIGNATURE[:48]

INFINITY = bytes([0xC0]) + bytes(47)
OUTSIDE = bytes([0x80]) + bytes(46) + b"\x04"
"""On the curve, but not of the group."""


def refuse(call, *arguments):
    with pytest.raises(Unsound) as caught:
        call(*arguments)
    return caught.value.fault


def flip(data, bit):
    """Change one bit."""
    number = int.from_bytes(data, "big") ^ (1 << bit % (8 * len(data)))
    return number.to_bytes(len(data), "big")


@pytest.mark.parametrize("suite", [BBS_SHA_256, BBS_SHAKE_256], ids=lambda suite: suite.name)
@settings(max_examples=15)
@given(data=st.data())
def test_whatever_is_signed_can_be_shown_in_part(suite, data):
    key = generate_secret_key(suite, secrets.token_bytes)
    messages = data.draw(st.lists(st.binary(max_size=40), max_size=8))
    header, presented = data.draw(st.binary(max_size=40)), data.draw(st.binary(max_size=40))
    places = data.draw(st.sets(st.sampled_from(range(len(messages))))) if messages else set()
    signed = Signed(key.public_key, header, messages, sign(suite, key, header, messages))
    verify_signed(suite, signed)
    proof = create_proof(suite, signed, places, presented, secrets.token_bytes)
    shown = Shown(key.public_key, header, presented, {i: messages[i] for i in places})
    verify_proof(suite, shown, proof)


@settings(max_examples=60)
@given(bit=st.integers(min_value=0))
def test_no_changed_bit_of_a_signature_verifies(bit):
    changed = SIGNED._replace(signature=flip(SIGNATURE, bit))
    assert refuse(verify_signed, SUITE, changed) in {Fault.MALFORMED, Fault.SIGNATURE}


@settings(max_examples=100)
@given(bit=st.integers(min_value=0, max_value=8 * len(PROOF) - 1))
def test_no_changed_bit_of_a_proof_verifies(bit):
    assert refuse(verify_proof, SUITE, SHOWN, flip(PROOF, bit)) in {
        Fault.MALFORMED,
        Fault.SIGNATURE,
    }


@pytest.mark.parametrize(
    "changed",
    [
        SIGNED._replace(header=b"headers"),
        SIGNED._replace(header=b""),
        SIGNED._replace(public_key=OTHER.public_key),
        SIGNED._replace(messages=[*MESSAGES, b""]),
        SIGNED._replace(messages=MESSAGES[:-1]),
        SIGNED._replace(messages=[*reversed(MESSAGES)]),
        SIGNED._replace(messages=[b"names", *MESSAGES[1:]]),
    ],
)
def test_other_messages_headers_and_keys_do_not_verify(changed):
    assert refuse(verify_signed, SUITE, changed) is Fault.SIGNATURE
    proof = create_proof(SUITE, changed, [0], b"nonce", secrets.token_bytes)
    shown = Shown(changed.public_key, changed.header, b"nonce", {0: changed.messages[0]})
    assert refuse(verify_proof, SUITE, shown, proof) is Fault.SIGNATURE


@pytest.mark.parametrize(
    "changed",
    [
        SHOWN._replace(header=b"heade"),
        SHOWN._replace(presentation_header=b"nonces"),
        SHOWN._replace(public_key=OTHER.public_key),
        SHOWN._replace(disclosed={0: b"name"}),
        SHOWN._replace(disclosed={0: b"name", 3: b"city", 4: b"city"}),
        SHOWN._replace(disclosed={0: b"name", 4: b"city"}),
        SHOWN._replace(disclosed={0: b"city", 3: b"name"}),
        SHOWN._replace(disclosed={0: b"name", 3: b"City"}),
        SHOWN._replace(disclosed={0: b"name", 5: b"city"}),
        SHOWN._replace(disclosed={0: b"name", -2: b"city"}),
        SHOWN._replace(disclosed={}),
    ],
)
def test_a_proof_shows_nothing_else_than_it_was_made_for(changed):
    verify_proof(SUITE, SHOWN, PROOF)
    assert refuse(verify_proof, SUITE, changed, PROOF) is Fault.SIGNATURE


def test_a_proof_of_the_other_suite_does_not_verify():
    assert refuse(verify_proof, BBS_SHAKE_256, SHOWN, PROOF) is Fault.SIGNATURE


@given(data=st.binary(max_size=400))
def test_random_bytes_are_unsound_and_nothing_else(data):
    assert refuse(verify_signed, SUITE, SIGNED._replace(signature=data)) is Fault.MALFORMED
    assert refuse(verify_proof, SUITE, SHOWN, data) in {Fault.MALFORMED, Fault.SIGNATURE}
    key = PublicKey(KeyKind.BLS12_381_G2, data)
    assert refuse(verify_proof, SUITE, SHOWN._replace(public_key=key), PROOF) is Fault.KEY
    if len(data) != 32:
        assert refuse(load_secret_key, data) is Fault.KEY


@given(data=st.binary(min_size=SIGNATURE_BYTES, max_size=SIGNATURE_BYTES), hidden=st.integers(0, 4))
def test_random_bytes_of_the_right_length_are_unsound_too(data, hidden):
    assert refuse(verify_signed, SUITE, SIGNED._replace(signature=data)) is Fault.MALFORMED
    raw = (data * 8)[: PROOF_BYTES_MIN + 32 * hidden]
    assert refuse(verify_proof, SUITE, SHOWN, raw) is Fault.MALFORMED


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "point",
    [
        INFINITY,
        b"\xff" * 48,
        bytes([0xE0]) + bytes(47),
        bytes([0xC0]) + bytes(46) + b"\1",
        OUTSIDE,
        bytes(48),
        bytes([POINT[0] & 0x7F]) + POINT[1:],
    ],
)
def test_points_of_no_use_are_refused(place, point):
    """The library takes the first four for the point at infinity; the fifth is outside it."""
    raw = PROOF[: 48 * place] + point + PROOF[48 * (place + 1) :]
    assert refuse(decode_proof, raw) is Fault.MALFORMED
    assert refuse(decode_point, point, "it") is Fault.MALFORMED
    changed = SIGNED._replace(signature=point + SIGNATURE[48:])
    assert refuse(verify_signed, SUITE, changed) is Fault.MALFORMED


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_each_scalar_has_one_encoding_and_is_not_zero(number):
    raw = number.to_bytes(32, "big")
    assert refuse(decode_scalar, raw, "it") is Fault.MALFORMED
    assert refuse(load_secret_key, raw) is Fault.KEY
    for start in range(3 * 48, len(PROOF), 32):
        changed = PROOF[:start] + raw + PROOF[start + 32 :]
        assert refuse(decode_proof, changed) is Fault.MALFORMED


@pytest.mark.parametrize(
    "key",
    [
        PublicKey(KeyKind.BLS12_381_G2, bytes([0xC0]) + bytes(95)),
        PublicKey(KeyKind.BLS12_381_G2, b"\xff" * 96),
        PublicKey(KeyKind.BLS12_381_G2, bytes([0x80]) + bytes(94) + b"\x02"),
        PublicKey(KeyKind.ED25519, bytes(32)),
    ],
)
def test_keys_that_anybody_could_sign_for_are_refused(key):
    assert refuse(verify_signed, SUITE, SIGNED._replace(public_key=key)) is Fault.KEY
    assert refuse(verify_proof, SUITE, SHOWN._replace(public_key=key), PROOF) is Fault.KEY
    signed = SIGNED._replace(public_key=key)
    assert refuse(create_proof, SUITE, signed, [0], b"", secrets.token_bytes) is Fault.KEY


def test_what_is_asked_for_must_be_there():
    for place in (-1, len(MESSAGES)):
        fault = refuse(create_proof, SUITE, SIGNED, [place], b"", secrets.token_bytes)
        assert fault is Fault.DISCLOSURE


def test_there_are_bounds():
    many = [b""] * (MESSAGES_MAX + 1)
    assert refuse(sign, SUITE, KEY, b"", many) is Fault.TOO_LARGE
    assert refuse(get_generators, SUITE, len(many)) is Fault.TOO_LARGE
    scalar = (1).to_bytes(32, "big")
    assert refuse(decode_proof, PROOF[:144] + scalar * (4 + len(many))) is Fault.TOO_LARGE
    assert refuse(derive_secret_key, SUITE, bytes(31)) is Fault.KEY
    assert refuse(derive_secret_key, SUITE, bytes(32), bytes(65_536)) is Fault.KEY


def test_a_secret_key_shows_only_its_public_half():
    assert KEY.secret.hex() not in repr(KEY)
    assert load_secret_key(KEY.secret) == KEY


def test_a_zero_from_the_random_source_is_drawn_again():
    drawn = iter([bytes(48)])
    proof = create_proof(
        SUITE, SIGNED, [0, 3], b"nonce", lambda size: next(drawn, None) or secrets.token_bytes(size)
    )
    verify_proof(SUITE, SHOWN, proof)


def test_proofs_of_one_signature_share_nothing():
    """Not one of the windows of 8 bytes of a proof stands in another, or in the signature."""
    others = [create_proof(SUITE, SIGNED, [3, 0], b"nonce", secrets.token_bytes) for _ in range(4)]
    windows = {PROOF[i : i + 8] for i in range(len(PROOF) - 7)}
    for other in [*others, SIGNATURE]:
        assert not windows & {other[i : i + 8] for i in range(len(other) - 7)}


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_sums_of_multiples_are_those_of_their_terms(count):
    points = get_generators(SUITE, count).points[:count]
    scalars = [Scalar(index + 2) for index in range(count)]
    terms = [point * scalar for point, scalar in zip(points, scalars, strict=True)]
    assert sum_multiples(points, scalars) == sum(terms, G1Point.identity())
