"""Encrypted tokens: the recipient alone reads them, and nobody talks it into less."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jwe import decrypt_jwe, encrypt_jwe
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key

KEY = load_private_key(KeyKind.P256, b"\x07" * 32)
OTHER = load_private_key(KeyKind.P256, b"\x08" * 32)


@pytest.mark.parametrize("encryption", ["A128GCM", "A256GCM"])
def test_the_recipient_reads_what_was_encrypted(encryption):
    token = encrypt_jwe(b"secret", KEY.public_key, {"kid": "1", "apu": "YQ"}, encryption)
    found = decrypt_jwe(token, KEY, "it")
    assert found.payload == b"secret"
    assert (found.header["kid"], found.header["enc"]) == ("1", encryption)
    with pytest.raises(Unsound, match="another key") as caught:
        decrypt_jwe(token, OTHER, "it")
    assert caught.value.fault is Fault.KEY


def test_a_portrait_fits_in_and_its_token_is_bounded():
    token = encrypt_jwe(b"p" * 600_000, KEY.public_key, {})
    assert len(decrypt_jwe(token, KEY, "it").payload) == 600_000
    with pytest.raises(Unsound) as caught:
        decrypt_jwe(encrypt_jwe(b"p" * 800_000, KEY.public_key, {}), KEY, "it")
    assert caught.value.fault is Fault.TOO_LARGE


def test_another_implementation_reads_and_writes_alike():
    """The library alone, with its own reading of keys, on both sides."""
    theirs = ECKey.import_key(dict(write_private_jwk(KEY)))
    token = encrypt_jwe(b"ours", KEY.public_key, {})
    assert jwe.decrypt_compact(token, theirs).plaintext == b"ours"
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "apu": "QWxpY2U", "apv": "Qm9i"}
    assert (
        decrypt_jwe(jwe.encrypt_compact(header, b"theirs", theirs), KEY, "it").payload == b"theirs"
    )


@given(place=st.integers(0, 4), at=st.integers(0, 200), letter=st.sampled_from("AQgw_-"))
def test_a_changed_token_is_refused(place, at, letter):
    parts = encrypt_jwe(b"secret", KEY.public_key, {"kid": "1"}).split(".")
    part = parts[place]
    at %= len(part) + 1
    changed = part[:at] + letter + part[at + 1 :]
    parts[place] = changed
    if changed == part:
        return
    with pytest.raises(Unsound):
        decrypt_jwe(".".join(parts), KEY, "it")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"alg": "dir"}, Fault.ALGORITHM),
        ({"alg": "RSA1_5"}, Fault.ALGORITHM),
        ({"alg": "PBES2-HS256+A128KW", "p2c": 10**9}, Fault.ALGORITHM),
        ({"alg": None}, Fault.ALGORITHM),
        ({"enc": "A128CBC-HS256"}, Fault.ALGORITHM),
        ({"enc": ["A128GCM"]}, Fault.ALGORITHM),
        ({"zip": "DEF"}, Fault.CRITICAL),
        ({"crit": ["x"]}, Fault.CRITICAL),
        ({"jku": "https://example.com"}, Fault.CRITICAL),
        ({"epk": None}, Fault.KEY),
        ({"epk": {"kty": "oct", "k": "AA"}}, Fault.KEY),
        ({"epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, Fault.KEY),
        ({"epk": "x"}, Fault.KEY),
    ],
)
def test_a_header_that_asks_for_something_else_is_refused(change, fault):
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "epk": write_jwk(OTHER.public_key)} | change
    token = ".".join([encode_base64url(json.dumps(header).encode()), "", "AAAA", "AAAA", "AAAA"])
    with pytest.raises(Unsound) as caught:
        decrypt_jwe(token, KEY, "it")
    assert caught.value.fault is fault


def test_a_token_for_a_shared_secret_is_refused():
    secret = OctKey.import_key(write_private_jwk(KEY)["d"][:16])
    token = jwe.encrypt_compact({"alg": "dir", "enc": "A128GCM"}, b"x", secret)
    with pytest.raises(Unsound) as caught:
        decrypt_jwe(token, KEY, "it")
    assert caught.value.fault is Fault.ALGORITHM


@pytest.mark.parametrize("kind", [KeyKind.ED25519, KeyKind.P384, KeyKind.SECP256K1])
def test_only_p256_keys_are_encrypted_to(kind):
    key = load_private_key(kind, b"\x07" * (48 if kind is KeyKind.P384 else 32))
    with pytest.raises(Unsound) as caught:
        encrypt_jwe(b"", key.public_key, {})
    assert caught.value.fault is Fault.KEY
    with pytest.raises(Unsound):
        decrypt_jwe("....", key, "it")


@given(st.text(max_size=40) | st.text("e30.", max_size=20))
def test_any_text_is_refused_with_words(text):
    with pytest.raises(Unsound):
        decrypt_jwe(text, KEY, "it")
