"""ZIP-215 from first principles: a tiny edwards25519 derives what must be accepted and refused.

Source: RFC 8032 section 5.1; ZIP-215. Slow and not constant-time, so for tests only.
"""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from hansa.kernel.crypto.signatures import (
    REFUSED_ED25519_KEYS,
    SignatureCheck,
    Suite,
    check_public_key,
    public_key_of,
    sign,
    verify_many,
)
from hansa.kernel.errors import Invalid, InvalidCode

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1)
MESSAGE = b"Hansa"


def add(a, b):
    (ax, ay), (bx, by) = a, b
    cross = D * ax * bx * ay * by % P
    x = (ax * by + bx * ay) * pow(1 + cross, -1, P)
    y = (ay * by + ax * bx) * pow(1 - cross, -1, P)
    return x % P, y % P


def multiply(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def point_of(y):
    """One of the two points with this y, or nothing."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_ONE % P
    return None if (x * x - square) % P else (x, y % P)


def encode(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def all_encodings(point):
    """Every string that ZIP-215 reads as this point: y up to 2^255, both signs of zero."""
    x, y = point
    ys = [y] if y + P >= 2**255 else [y, y + P]
    signs = [0, 1] if x == 0 else [x & 1]
    return [(y | sign << 255).to_bytes(32, "little") for y in ys for sign in signs]


def find_torsion():
    """The eight points whose order divides 8, as multiples of one of order 8."""
    y = 2
    while True:
        point = point_of(y)
        if point is not None:
            torsion = multiply(L, point)
            if multiply(4, torsion) != IDENTITY:
                return [multiply(index, torsion) for index in range(8)]
        y += 1


_BASE_X, _BASE_Y = point_of(4 * pow(5, -1, P) % P)
BASE = (_BASE_X, _BASE_Y) if _BASE_X % 2 == 0 else (P - _BASE_X, _BASE_Y)
TORSION = find_torsion()
SECRET = 0x1234567890ABCDEF << 100
PUBLIC = multiply(SECRET, BASE)
NONCE = 0xFEDCBA0987654321 << 90


def sign_with(key_encoding, commitment_encoding, nonce, secret=SECRET, message=MESSAGE):
    """S for encodings of any form; valid under ZIP-215 whatever torsion they hide."""
    digest = hashlib.sha512(commitment_encoding + key_encoding + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    return commitment_encoding + ((nonce + challenge * secret) % L).to_bytes(32, "little")


def is_accepted(key, signature, message=MESSAGE):
    (verdict,) = verify_many([SignatureCheck(Suite.ED25519, key, signature, message)])
    return verdict


def is_accepted_by_openssl(key, signature, message=MESSAGE):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_accepted_by_libsodium(key, signature, message=MESSAGE):
    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def honest_samples():
    for index in range(25):
        seed = hashlib.sha256(b"seed %d" % index).digest()
        yield seed, hashlib.shake_128(seed).digest(index * 7)


def mixed_order_samples():
    """Every torsion in the key with every torsion or small-order encoding in R."""
    commitments = [(encode(add(multiply(NONCE, BASE), torsion)), NONCE) for torsion in TORSION]
    commitments += [(text, 0) for torsion in TORSION for text in all_encodings(torsion)]
    for torsion in TORSION:
        key = encode(add(PUBLIC, torsion))
        for commitment, nonce in commitments:
            yield key, sign_with(key, commitment, nonce)


def test_the_table_of_refused_keys_is_all_small_order_and_all_y_at_or_above_the_prime():
    small_order = {text for point in TORSION for text in all_encodings(point)}
    second_forms = {
        (y | sign << 255).to_bytes(32, "little") for y in range(P, 2**255) for sign in (0, 1)
    }
    assert len(small_order) == 14
    assert len(second_forms) == 38
    assert small_order | second_forms == REFUSED_ED25519_KEYS


@pytest.mark.parametrize("key", sorted(REFUSED_ED25519_KEYS), ids=bytes.hex)
def test_a_refused_key_verifies_nothing(key):
    forged = encode(IDENTITY) + bytes(32)  # R the identity, S zero: fits any small-order key
    assert not is_accepted(key, forged)
    with pytest.raises(Invalid) as raised:
        check_public_key(Suite.ED25519, key)
    assert raised.value.code == InvalidCode.PUBLIC_KEY


def test_mixed_order_and_second_forms_of_r_are_accepted_as_zip_215_says():
    samples = list(mixed_order_samples())
    assert len(samples) == 8 * (8 + 14)
    assert all(is_accepted(key, signature) for key, signature in samples)
    for key, _ in samples:
        check_public_key(Suite.ED25519, key)


def test_the_mixed_order_samples_are_those_on_which_other_verifiers_disagree():
    samples = list(mixed_order_samples())
    for verifier in (is_accepted_by_openssl, is_accepted_by_libsodium):
        accepted = sum(verifier(key, signature) for key, signature in samples)
        assert 0 < accepted < len(samples)


KEY = encode(PUBLIC)
COMMITMENT = encode(multiply(NONCE, BASE))
HONEST = sign_with(KEY, COMMITMENT, NONCE)
CANONICAL_SMALL = [encode(torsion) for torsion in TORSION]
SECOND_FORMS = [
    text for torsion in TORSION for text in all_encodings(torsion) if text not in CANONICAL_SMALL
]
DIFFERENCES = {
    "honest": ([(KEY, HONEST)], "all", "all"),
    "R with a small-order part": (
        [
            (KEY, sign_with(KEY, encode(add(multiply(NONCE, BASE), torsion)), NONCE))
            for torsion in TORSION[1:]
        ],
        "none",
        "none",
    ),
    "R the identity": ([(KEY, sign_with(KEY, CANONICAL_SMALL[0], 0))], "all", "none"),
    "R of small order": (
        [(KEY, sign_with(KEY, text, 0)) for text in CANONICAL_SMALL[1:]],
        "none",
        "none",
    ),
    "R in a second form": ([(KEY, sign_with(KEY, t, 0)) for t in SECOND_FORMS], "none", "none"),
}
"""What is accepted here, and how much of it elsewhere: docs/reference/keys.md."""


@pytest.mark.parametrize("name", DIFFERENCES)
def test_libraries_differ_as_documented(name):
    samples, openssl, libsodium = DIFFERENCES[name]
    assert all(is_accepted(key, signature) for key, signature in samples)
    for verifier, how_many in (
        (is_accepted_by_openssl, openssl),
        (is_accepted_by_libsodium, libsodium),
    ):
        accepted = sum(verifier(key, signature) for key, signature in samples)
        assert accepted == {"all": len(samples), "none": 0}[how_many]


def test_what_is_refused_here_the_others_refuse_or_should():
    """OpenSSL lets one signature stand for any message under a key of small order; we do not."""
    s = int.from_bytes(HONEST[32:], "little") + L
    second_s = HONEST[:32] + s.to_bytes(32, "little")
    for verifier in (is_accepted, is_accepted_by_openssl, is_accepted_by_libsodium):
        assert not verifier(KEY, second_s)
    forged = encode(IDENTITY) + bytes(32)
    keys = sorted(REFUSED_ED25519_KEYS)
    messages = (b"one", b"another")
    assert not any(is_accepted(key, forged, message) for key in keys for message in messages)
    assert not any(is_accepted_by_libsodium(key, forged, m) for key in keys for m in messages)
    assert any(all(is_accepted_by_openssl(key, forged, m) for m in messages) for key in keys)


def test_libraries_agree_on_honest_signatures():
    for seed, message in honest_samples():
        key, signature = public_key_of(Suite.ED25519, seed), sign(Suite.ED25519, seed, message)
        openssl, libsodium = Ed25519PrivateKey.from_private_bytes(seed), SigningKey(seed)
        assert key == openssl.public_key().public_bytes_raw() == bytes(libsodium.verify_key)
        assert signature == openssl.sign(message) == libsodium.sign(message).signature
        verifiers = (is_accepted, is_accepted_by_openssl, is_accepted_by_libsodium)
        for verifier in verifiers:
            assert verifier(key, signature, message)
            assert not verifier(key, signature, message + b"\x00")


def test_every_flipped_bit_of_a_signature_is_refused():
    seed = bytes(range(32))
    key, signature = public_key_of(Suite.ED25519, seed), sign(Suite.ED25519, seed, MESSAGE)
    assert is_accepted(key, signature)
    for bit in range(512):
        flipped = int.from_bytes(signature, "little") ^ 1 << bit
        assert not is_accepted(key, flipped.to_bytes(64, "little"))


@pytest.mark.parametrize("factor", range(1, 16))
def test_s_at_or_above_the_order_is_refused(factor):
    key = encode(PUBLIC)
    signature = sign_with(key, encode(multiply(NONCE, BASE)), NONCE)
    s = int.from_bytes(signature[32:], "little")
    assert is_accepted(key, signature)
    assert not is_accepted(key, signature[:32] + (s + factor * L).to_bytes(32, "little"))


def test_a_y_without_a_point_verifies_nothing_and_raises_nothing():
    y = next(y for y in range(2, 100) if point_of(y) is None)
    stray = y.to_bytes(32, "little")
    key = encode(PUBLIC)
    assert not is_accepted(stray, sign_with(stray, encode(IDENTITY), 0))
    assert not is_accepted(key, sign_with(key, stray, 0))
