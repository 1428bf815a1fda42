"""Keys in a token of SoftHSM2: what they sign verifies, and they never come out."""

import os
import subprocess
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from hansa.identity.cose.sign1 import read_sign1, sign_sign1, verify_sign1
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws, sign_jws, verify_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.pkcs11 import Token, open_token
from hansa.identity.keys.signing import verify_signature
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
SIGNING = [KeyKind.ED25519, KeyKind.P256, KeyKind.P384, KeyKind.SECP256K1]
LABEL, PIN = "issuer", "5678"


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory):
    """A token for all tests: a process loads a PKCS#11 library and its settings once."""
    if not LIBRARY.exists():
        pytest.skip("there is no SoftHSM2: run make softhsm")
    folder = tmp_path_factory.mktemp("tokens")
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(settings)  # which the library reads with getenv
    words = ["softhsm2-util", "--init-token", "--free", "--label", LABEL]
    subprocess.run([*words, "--so-pin", "1234", "--pin", PIN], check=True, capture_output=True)
    return folder


@pytest.fixture
def token(softhsm):
    with open_token(LIBRARY, LABEL, PIN) as token:
        yield token


@pytest.mark.parametrize("kind", SIGNING)
def test_a_key_in_the_token_signs(token, kind):
    made = token.generate_key(kind, f"signs {kind}")
    found = token.find_key(f"signs {kind}")
    assert found.public_key == made.public_key
    assert found.public_key.kind is kind
    for message in (b"", b"message", bytes(100_000)):
        assert verify_signature(found.public_key, message, found.sign(message))
        assert not verify_signature(found.public_key, message + b"!", found.sign(message))


@pytest.mark.parametrize("kind", SIGNING)
def test_a_key_in_the_token_signs_tokens_and_documents(token, kind):
    key = token.generate_key(kind, f"tokens {kind}")
    jws = decode_jws(sign_jws(key, {"typ": "test"}, b"{}"), "it")
    verify_jws(jws, key.public_key, "it")
    sign1 = read_sign1(sign_sign1(key, b"content"), "it")
    assert verify_sign1(sign1, key.public_key, "it") == b"content"


def test_keys_stay_in_the_token(softhsm):
    with open_token(LIBRARY, LABEL, PIN) as token:
        first = token.generate_key(KeyKind.P256, "stays")
    with open_token(LIBRARY, LABEL, PIN) as token:
        again = token.find_key("stays")
        assert again.public_key == first.public_key
        assert verify_signature(first.public_key, b"message", again.sign(b"message"))
    with pytest.raises(Unavailable):
        again.sign(b"message")


def test_a_label_names_one_key(token):
    token.generate_key(KeyKind.P256, "one")
    with pytest.raises(Unsound, match="already") as caught:
        token.generate_key(KeyKind.ED25519, "one")
    assert caught.value.fault is Fault.KEY
    with pytest.raises(NotFound, match="no key 'none'"):
        token.find_key("none")


@pytest.fixture
def session(softhsm):
    """The same token, opened as another program would."""
    with pkcs11.lib(str(LIBRARY)).get_token(token_label=LABEL).open(rw=True, user_pin=PIN) as found:
        yield found


@pytest.mark.parametrize("kind", SIGNING)
def test_the_private_half_never_comes_out(session, kind):
    Token(session).generate_key(kind, f"hidden {kind}")
    private = session.get_key(ObjectClass.PRIVATE_KEY, label=f"hidden {kind}")
    assert (private[Attribute.SENSITIVE], private[Attribute.EXTRACTABLE]) == (True, False)
    with pytest.raises(pkcs11.exceptions.AttributeSensitive):
        private[Attribute.VALUE]


def generate(session, curve, label):
    names = {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
    parameters = session.create_domain_parameters(KeyType.EC, names, local=True)
    return parameters.generate_keypair(store=True, label=label)


def test_keys_that_others_made_are_looked_at(session):
    generate(session, "secp384r1", "from elsewhere")
    assert Token(session).find_key("from elsewhere").public_key.kind is KeyKind.P384
    generate(session, "secp521r1", "too long")
    for curve in ("secp256r1", "secp384r1"):
        generate(session, curve, "twice")
    for label, why in (("too long", "no curve that is known"), ("twice", "several keys")):
        with pytest.raises(Unsound, match=why) as caught:
            Token(session).find_key(label)
        assert caught.value.fault is Fault.KEY
    generate(session, "secp256r1", "half")
    session.get_key(ObjectClass.PUBLIC_KEY, label="half").destroy()
    with pytest.raises(NotFound, match="no key 'half' with its public half"):
        Token(session).find_key("half")


@pytest.mark.parametrize("kind", [KeyKind.X25519, KeyKind.BLS12_381_G2])
def test_other_kinds_do_not_sign_in_a_token(token, kind):
    with pytest.raises(Unsound) as caught:
        token.generate_key(kind, "other")
    assert caught.value.fault is Fault.KEY


@pytest.mark.parametrize("pin", ["0000", "1", ""])
def test_a_wrong_pin_does_not_open(softhsm, pin):
    with pytest.raises(Invalid) as caught, open_token(LIBRARY, LABEL, pin):
        pass
    assert caught.value.code is InvalidCode.UNAUTHENTICATED


def test_a_token_or_library_that_is_not_there(softhsm, tmp_path):
    with pytest.raises(NotFound, match="no token 'another'"), open_token(LIBRARY, "another", PIN):
        pass
    with pytest.raises(Unavailable), open_token(tmp_path / "none.so", LABEL, PIN):
        pass
