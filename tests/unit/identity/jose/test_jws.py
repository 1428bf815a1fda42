"""Tokens: what is signed verifies; whatever tries to talk the reader into less is refused."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws, sign_jws, verify_jws
from hansa.identity.keys.kinds import TRAITS, KeyKind
from hansa.identity.keys.signing import load_private_key

SIGNING = [kind for kind, traits in TRAITS.items() if traits.algorithms]
KEYS = {kind: load_private_key(kind, b"\x07" * TRAITS[kind].private_bytes) for kind in SIGNING}
KEY = KEYS[KeyKind.ED25519]


def token_of(header, payload=b"{}", signature=b"s"):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return ".".join(encode_base64url(part) for part in (raw, payload, signature))


@pytest.mark.parametrize("kind", SIGNING)
def test_a_signed_token_verifies(kind):
    token = sign_jws(KEYS[kind], {"typ": "test"}, b'{"a":1}')
    jws = decode_jws(token, "the token")
    verify_jws(jws, KEYS[kind].public_key, "the token")
    assert jws.header["typ"] == "test"
    assert jws.decode_claims("the token") == {"a": 1}


def test_the_name_of_rfc_9864_is_accepted_too():
    header = encode_base64url(b'{"alg":"Ed25519"}')
    signed = f"{header}.{encode_base64url(b'{}')}"
    token = f"{signed}.{encode_base64url(KEY.sign(signed.encode()))}"
    verify_jws(decode_jws(token, "it"), KEY.public_key, "it")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_part_does_not_verify(place):
    parts = sign_jws(KEY, {"typ": "test"}, b'{"a":1}').split(".")
    other = sign_jws(KEY, {"typ": "tesT"}, b'{"a":2}').split(".")
    parts[place] = other[place]
    with pytest.raises(Unsound, match="does not verify") as caught:
        verify_jws(decode_jws(".".join(parts), "it"), KEY.public_key, "it")
    assert caught.value.fault is Fault.SIGNATURE


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ({"alg": "none"}, Fault.ALGORITHM),
        ({"alg": "None"}, Fault.ALGORITHM),
        ({"alg": "HS256"}, Fault.ALGORITHM),
        ({"alg": "RS256"}, Fault.ALGORITHM),
        ({"alg": ["EdDSA"]}, Fault.ALGORITHM),
        ({"alg": {"a": 1}}, Fault.ALGORITHM),
        ({}, Fault.ALGORITHM),
        ({"alg": "EdDSA", "crit": ["exp"], "exp": 1}, Fault.CRITICAL),
        ({"alg": "EdDSA", "crit": []}, Fault.CRITICAL),
        ({"alg": "EdDSA", "b64": False}, Fault.CRITICAL),
        (b'{"alg":"EdDSA","alg":"none"}', Fault.DUPLICATE),
        (b'["EdDSA"]', Fault.MALFORMED),
        (b"\xff", Fault.MALFORMED),
        (b'{"alg":"EdDSA","x":"' + b"x" * 40_000 + b'"}', Fault.TOO_LARGE),
        (b'{"alg":"EdDSA","x":' + b"[" * 1_000 + b"]" * 1_000 + b"}", Fault.TOO_LARGE),
    ],
)
def test_a_header_that_asks_for_less_is_refused(header, fault):
    with pytest.raises(Unsound) as caught:
        decode_jws(token_of(header), "it")
    assert caught.value.fault is fault


@pytest.mark.parametrize("token", ["", ".", "a.b", "a.b.c.d", "....", "e30.e30.%", "e30.e30.AA=="])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(Unsound) as caught:
        decode_jws(token, "it")
    assert caught.value.fault in {Fault.MALFORMED, Fault.ALGORITHM}


@pytest.mark.parametrize("signed_by", SIGNING)
@pytest.mark.parametrize("kind", SIGNING)
def test_the_key_says_the_algorithm(signed_by, kind):
    jws = decode_jws(sign_jws(KEYS[signed_by], {}, b"{}"), "it")
    if kind is signed_by:
        verify_jws(jws, KEYS[kind].public_key, "it")
        return
    with pytest.raises(Unsound) as caught:
        verify_jws(jws, KEYS[kind].public_key, "it")
    assert caught.value.fault is Fault.ALGORITHM


def test_a_token_over_the_bound_is_refused_before_it_is_read():
    with pytest.raises(Unsound) as caught:
        decode_jws("." * 2_000_000, "it")
    assert caught.value.fault is Fault.TOO_LARGE


def test_the_header_cannot_be_changed_by_who_reads_it():
    jws = decode_jws(sign_jws(KEY, {}, b"{}"), "it")
    with pytest.raises(TypeError):
        jws.header["alg"] = "none"


@given(st.text("eyJhbGciOiJFZERTQSJ9.-_=A", max_size=60) | st.text(max_size=20))
def test_any_text_is_a_token_or_refused(text):
    try:
        jws = decode_jws(text, "it")
    except Unsound:
        return
    assert jws.signed.decode() + "." + encode_base64url(jws.signature) == text


def test_long_headers_of_strangers_are_not_kept_in_memory():
    tracemalloc.start()
    try:
        for number in range(40):
            decode_jws(token_of({"alg": "EdDSA", "n": number, "x": [{}] * 8_000}), "it")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000
