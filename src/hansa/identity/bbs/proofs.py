"""BBS proofs: showing some of the messages of a signature, and hiding the rest and itself.

A proof is a signature blinded by chance (`a_bar`, `b_bar`, `d`) and a proof by Fiat and Shamir
that whoever made it knows the blinding, the signature and the hidden messages.

Source: draft-irtf-cfrg-bbs-signatures-08, sections 3.5.3, 3.5.4, 3.6.3, 3.6.4 and 3.7.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from py_arkworks_bls12381 import GT, G1Point, Scalar

from hansa.identity.bbs.ciphersuites import SCALAR_HASH_BYTES, Ciphersuite
from hansa.identity.bbs.encoding import (
    POINT_BYTES,
    SCALAR_BYTES,
    decode_point,
    decode_public_key,
    decode_scalar,
    sum_multiples,
)
from hansa.identity.bbs.generators import MESSAGES_MAX, get_generators
from hansa.identity.bbs.signatures import (
    BASE_POINT_2,
    Signed,
    compute_commitment,
    compute_domain,
    decode_signature,
)
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey

_POINT_NAMES = ("a_bar", "b_bar", "d")
PROOF_BYTES_MIN = 3 * POINT_BYTES + 4 * SCALAR_BYTES
"""A proof that hides no message; each hidden one adds a scalar."""


class Proof(NamedTuple):
    """A proof taken apart: three points, then answers to the challenge, then the challenge."""

    a_bar: G1Point
    b_bar: G1Point
    d: G1Point
    e_answer: Scalar
    r1_answer: Scalar
    r3_answer: Scalar
    hidden_answers: Sequence[Scalar]
    challenge: Scalar


class Shown(NamedTuple):
    """What a verifier sees beside the proof, and what the challenge covers."""

    public_key: PublicKey
    header: bytes
    presentation_header: bytes
    disclosed: Mapping[int, bytes]
    """Messages by their place among all of the signature, from 0."""


def create_proof(
    suite: Ciphersuite,
    signed: Signed,
    disclosed_indexes: Collection[int],
    presentation_header: bytes,
    draw: Callable[[int], bytes],
) -> bytes:
    """Prove a signature, showing only the messages at the given places.

    `presentation_header` is bound into the proof: a verifier's nonce, so that nobody shows it
    again. `draw` gives random bytes; two proofs from the same ones give the hidden messages away.
    A proof of a signature that does not verify does not verify either.

    Raises:
      Unsound: `KEY`, `MALFORMED` or `TOO_LARGE`; `DISCLOSURE`: there is no such place.
    """
    decode_public_key(signed.public_key)
    a, e = decode_signature(signed.signature)
    messages = signed.messages
    if not all(0 <= index < len(messages) for index in disclosed_indexes):
        raise Unsound(Fault.DISCLOSURE, f"only messages 0 to {len(messages) - 1} can be disclosed")
    disclosed = {index: messages[index] for index in sorted(set(disclosed_indexes))}
    hidden = [index for index in range(len(messages)) if index not in disclosed]
    generators = get_generators(suite, len(messages))
    domain = compute_domain(suite, signed.public_key, generators, signed.header)
    scalars = [suite.map_message(message) for message in messages]
    r1, r2, e_blind, r1_blind, r3_blind, *blinds = _draw_scalars(5 + len(hidden), draw)

    d = compute_commitment(suite, generators, [domain, *scalars]) * r2
    a_bar = a * (r1 * r2)
    b_bar = sum_multiples([d, a_bar], [r1, -e])
    t1 = sum_multiples([a_bar, d], [e_blind, r1_blind])
    points = [generators.points[1 + index] for index in hidden]
    t2 = sum_multiples([d, *points], [r3_blind, *blinds])

    shown = Shown(signed.public_key, signed.header, presentation_header, disclosed)
    challenge = _compute_challenge(suite, shown, (a_bar, b_bar, d, t1, t2), domain)
    answers = [blind + scalars[i] * challenge for i, blind in zip(hidden, blinds, strict=True)]
    proof = Proof(
        *(a_bar, b_bar, d),
        e_blind + e * challenge,
        r1_blind - r1 * challenge,
        r3_blind - r2.inverse() * challenge,
        answers,
        challenge,
    )
    return encode_proof(proof)


def verify_proof(suite: Ciphersuite, shown: Shown, proof: bytes) -> None:
    """Verify that whoever made the proof holds the key's signature over what is shown.

    Raises:
      Unsound: `KEY`, `MALFORMED`, `TOO_LARGE`; `SIGNATURE`: something was changed.
    """
    key = decode_public_key(shown.public_key)
    parts = decode_proof(proof)
    count = len(shown.disclosed) + len(parts.hidden_answers)
    if not all(0 <= index < count for index in shown.disclosed):
        raise _refuse("it does not hide as many messages as the disclosed places ask for")
    generators = get_generators(suite, count)
    domain = compute_domain(suite, shown.public_key, generators, shown.header)
    challenge = parts.challenge
    hidden_answers = iter(parts.hidden_answers)
    factors = [domain * challenge]
    for index in range(count):
        message = shown.disclosed.get(index)
        known = None if message is None else suite.map_message(message) * challenge
        factors.append(next(hidden_answers) if known is None else known)

    a_bar, b_bar, d = parts.a_bar, parts.b_bar, parts.d
    t1 = sum_multiples([b_bar, a_bar, d], [challenge, parts.e_answer, parts.r1_answer])
    t2 = sum_multiples(
        [suite.base_point, d, *generators.points], [challenge, parts.r3_answer, *factors]
    )
    if _compute_challenge(suite, shown, (a_bar, b_bar, d, t1, t2), domain) != challenge:
        raise _refuse("a disclosed message, its place, a header, the key or the proof was changed")
    if not GT.pairing_check([a_bar, -b_bar], [key, BASE_POINT_2]):
        raise _refuse("it is not of a signature by this key")


def encode_proof(proof: Proof) -> bytes:
    """Write a proof as bytes."""
    scalars = [proof.e_answer, proof.r1_answer, proof.r3_answer]
    scalars += [*proof.hidden_answers, proof.challenge]
    return _encode_points(proof[:3]) + b"".join(each.to_be_bytes() for each in scalars)


def decode_proof(data: bytes) -> Proof:
    """Take a proof apart.

    Raises:
      Unsound: `MALFORMED` or `TOO_LARGE`.
    """
    hidden_count, rest = divmod(len(data) - PROOF_BYTES_MIN, SCALAR_BYTES)
    if hidden_count < 0 or rest:
        raise Unsound(
            Fault.MALFORMED,
            f"a BBS proof has {PROOF_BYTES_MIN} bytes and {SCALAR_BYTES} more for each hidden"
            f" message, this one {len(data)}",
        )
    if hidden_count > MESSAGES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the BBS proof hides {hidden_count}, over {MESSAGES_MAX}")
    a_bar, b_bar, d = (
        decode_point(data[i * POINT_BYTES : (i + 1) * POINT_BYTES], f"{name} of the BBS proof")
        for i, name in enumerate(_POINT_NAMES)
    )
    e_answer, r1_answer, r3_answer, *hidden_answers, challenge = (
        decode_scalar(data[i : i + SCALAR_BYTES], "a scalar of the BBS proof")
        for i in range(3 * POINT_BYTES, len(data), SCALAR_BYTES)
    )
    return Proof(a_bar, b_bar, d, e_answer, r1_answer, r3_answer, hidden_answers, challenge)


def _compute_challenge(
    suite: Ciphersuite, shown: Shown, points: Sequence[G1Point], domain: Scalar
) -> Scalar:
    parts = [len(shown.disclosed).to_bytes(8, "big")]
    for index, message in sorted(shown.disclosed.items()):
        parts += index.to_bytes(8, "big"), suite.map_message(message).to_be_bytes()
    parts += _encode_points(points), domain.to_be_bytes()
    parts += len(shown.presentation_header).to_bytes(8, "big"), shown.presentation_header
    return suite.hash_to_scalar(b"".join(parts), b"H2S_")


def _draw_scalars(count: int, draw: Callable[[int], bytes]) -> list[Scalar]:
    scalars: list[Scalar] = []
    while len(scalars) < count:
        scalar = Scalar.from_be_bytes_mod_order(draw(SCALAR_HASH_BYTES))
        if not scalar.is_zero():
            scalars.append(scalar)
    return scalars


def _encode_points(points: Sequence[G1Point]) -> bytes:
    return b"".join(point.to_compressed_bytes() for point in points)


def _refuse(why: str) -> Unsound:
    return Unsound(Fault.SIGNATURE, f"the BBS proof does not verify: {why}")
