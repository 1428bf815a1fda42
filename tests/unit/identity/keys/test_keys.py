"""Keys in all their encodings; signatures that libraries and the RFCs made."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import (
    compute_thumbprint,
    read_jwk,
    read_private_jwk,
    write_jwk,
    write_private_jwk,
)
from hansa.identity.keys.kinds import TRAITS, KeyKind, load_public_key
from hansa.identity.keys.multikey import read_multikey, read_private_multikey, write_multikey
from hansa.identity.keys.signing import (
    generate_private_key,
    load_private_key,
    verify_signature,
)

SIGNING = [kind for kind, traits in TRAITS.items() if traits.algorithms]
CURVES = {
    KeyKind.P256: (ec.SECP256R1(), hashes.SHA256()),
    KeyKind.P384: (ec.SECP384R1(), hashes.SHA384()),
    KeyKind.SECP256K1: (ec.SECP256K1(), hashes.SHA256()),
}
ORDER_256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
RFC_8037 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_7515_A3 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}


def draw_from(seed):
    """A source of bytes that gives the same ones each time."""
    count = 0

    def draw(length):
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed} {count}".encode()).digest(length)

    return draw


def key_of(kind, seed="k"):
    return generate_private_key(kind, draw_from(seed))


@pytest.mark.parametrize("kind", SIGNING)
def test_a_key_survives_each_encoding(kind):
    key = key_of(kind)
    assert read_private_jwk(write_private_jwk(key)) == key
    assert read_jwk(write_jwk(key.public_key)) == key.public_key
    assert read_multikey(write_multikey(key.public_key)) == key.public_key
    assert load_private_key(kind, key.secret) == key
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize("kind", SIGNING)
@given(message=st.binary(max_size=100), flipped=st.integers(0, 511))
def test_only_what_was_signed_verifies(kind, message, flipped):
    key = key_of(kind)
    signature = key.sign(message)
    assert verify_signature(key.public_key, message, signature)
    assert not verify_signature(key.public_key, message + b"!", signature)
    assert not verify_signature(key_of(kind, "other").public_key, message, signature)
    damaged = bytearray(signature)
    damaged[flipped // 8] ^= 1 << flipped % 8
    assert not verify_signature(key.public_key, message, bytes(damaged))
    assert not verify_signature(key.public_key, message, signature[:-1])
    assert not verify_signature(key.public_key, message, b"")


@pytest.mark.parametrize("kind", CURVES)
def test_openssl_agrees_on_ecdsa_both_ways(kind):
    curve, digest = CURVES[kind]
    key = key_of(kind)
    theirs = ec.derive_private_key(int.from_bytes(key.secret, "big"), curve)
    r, s = decode_dss_signature(theirs.sign(b"message", ec.ECDSA(digest)))
    half = TRAITS[kind].private_bytes
    signature = r.to_bytes(half, "big") + s.to_bytes(half, "big")
    assert verify_signature(key.public_key, b"message", signature)


def test_a_high_s_is_another_form_of_the_same_signature():
    key = key_of(KeyKind.P256)
    low = key.sign(b"message")
    s = ORDER_256 - int.from_bytes(low[32:], "big")
    assert verify_signature(key.public_key, b"message", low[:32] + s.to_bytes(32, "big"))


def test_the_key_and_thumbprint_of_rfc_8037():
    key = read_private_jwk(RFC_8037)
    assert compute_thumbprint(key.public_key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    assert key.sign(signed) == decode_base64url(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        "it",
    )


def test_the_p256_key_of_rfc_7515_verifies_its_example():
    signed = (
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF"
        b"tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signature = decode_base64url(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        "it",
    )
    assert verify_signature(read_private_jwk(RFC_7515_A3).public_key, signed, signature)


@pytest.mark.parametrize(
    ("multikey", "kind"),
    [
        ("z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2", KeyKind.ED25519),
        ("zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP", KeyKind.P256),
        ("z82LkvCwHNreneWpsgPEbV3gu1C6NFJEBg4srfJ5gdxEsMGRJUz2sG9FE42shbn2xkZJh54", KeyKind.P384),
        ("zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", KeyKind.SECP256K1),
        ("z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc", KeyKind.X25519),
    ],
)
def test_multikeys_of_other_specifications_are_read(multikey, kind):
    """From W3C vc-di-eddsa, Controlled Identifiers 1.0 and the did:key method."""
    key = read_multikey(multikey)
    assert key.kind is kind
    assert write_multikey(key) == multikey


def test_a_secret_multikey_is_read():
    """W3C vc-di-eddsa, section B.1."""
    key = read_private_multikey("z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq")
    assert write_multikey(key.public_key) == "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA"},
        {"crv": "P-521"},
        {"kty": None},
        {"kty": ["EC"]},
        {"x": None},
        {"x": "AA"},
        {"x": "AB"},
        {"y": RFC_7515_A3["x"]},
        {"y": "AA" + RFC_7515_A3["y"]},
        {"d": RFC_7515_A3["d"]},
    ],
)
def test_a_public_jwk_with_anything_wrong_is_refused(change):
    jwk = {name: value for name, value in RFC_7515_A3.items() if name != "d"} | change
    with pytest.raises(Unsound) as caught:
        read_jwk(jwk)
    assert caught.value.fault is Fault.KEY


@pytest.mark.parametrize("value", [None, [], "kty", 1, {}, {str(n): n for n in range(40)}])
def test_what_is_no_jwk_is_refused(value):
    with pytest.raises(Unsound) as caught:
        read_jwk(value)
    assert caught.value.fault is Fault.KEY


def test_a_private_jwk_with_another_public_part_is_refused_without_telling_it():
    other = write_jwk(key_of(KeyKind.P256).public_key)
    with pytest.raises(Unsound, match="does not belong") as caught:
        read_private_jwk(RFC_7515_A3 | other)
    assert RFC_7515_A3["d"] not in caught.value.message


@pytest.mark.parametrize("kind", [KeyKind.X25519, KeyKind.BLS12_381_G2])
def test_kinds_that_do_not_sign_say_so(kind):
    with pytest.raises(Unsound) as caught:
        generate_private_key(kind, draw_from("x"))
    assert caught.value.fault is Fault.KEY
    key = load_public_key(kind, bytes(TRAITS[kind].public_bytes))
    assert not verify_signature(key, b"message", bytes(64))


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("number", [0, 2**400 - 1])
def test_numbers_outside_of_the_order_are_no_keys(kind, number):
    size = TRAITS[kind].private_bytes
    with pytest.raises(Unsound) as caught:
        load_private_key(kind, (number % 2 ** (8 * size)).to_bytes(size, "big"))
    assert caught.value.fault is Fault.KEY


@given(st.sampled_from(list(KeyKind)), st.binary(max_size=100))
def test_any_bytes_are_a_key_or_refused(kind, data):
    try:
        key = load_public_key(kind, data)
    except Unsound:
        return
    assert len(key.data) == TRAITS[kind].public_bytes


@given(st.text("z123abcdefghijkXYZ", max_size=60))
def test_any_text_is_a_multikey_or_refused(text):
    try:
        key = read_multikey("z" + text)
    except Unsound:
        return
    assert write_multikey(key) == "z" + text
