"""A presentation counts only if each of its parts does, for this verifier, now."""

import pytest
from tests.disclosing import (
    CHALLENGE,
    HOLDER,
    ISSUER,
    NOW_S,
    STRANGER,
    bind,
    digest_of,
    disclose,
    forge,
)

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import LEEWAY_S
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.sd_jwt.issuance import countersign
from hansa.identity.sd_jwt.verification import read_holder_key, verify_sd_jwt

NAME = disclose("s1", "name", "Erika")
CNF = {"jwk": write_jwk(HOLDER.public_key)}
PAYLOAD = {"_sd": [digest_of(NAME)], "iss": "https://issuer.example.org", "cnf": CNF}


def verify(sd_jwt, **changes):
    return verify_sd_jwt(sd_jwt, **{"key": ISSUER.public_key, "now_s": NOW_S} | changes)


def refuse(sd_jwt, **changes):
    with pytest.raises(Unsound) as caught:
        verify(sd_jwt, **changes)
    return caught.value.fault


def refuse_bound(sd_jwt):
    return refuse(sd_jwt, challenge=CHALLENGE)


def test_a_presentation_verifies():
    verified = verify(bind(forge(PAYLOAD, NAME)), challenge=CHALLENGE)
    assert verified.claims["name"] == "Erika"
    assert verified.disclosed == {("name",): NAME}
    assert verified.header["typ"] == "dc+sd-jwt"
    assert verified.binding["nonce"] == CHALLENGE.nonce


def test_without_a_challenge_no_key_binding_is_needed_or_looked_at():
    assert verify(forge(PAYLOAD, NAME)).binding is None
    assert verify(bind(forge(PAYLOAD, NAME), signer=STRANGER)).binding is None


def test_another_key_is_refused():
    assert refuse(forge(PAYLOAD, signer=STRANGER)) is Fault.SIGNATURE


def test_an_unsigned_credential_is_refused():
    none = ".".join(map(encode_base64url, (b'{"alg":"none"}', b"{}", b"")))
    assert refuse(forge(PAYLOAD)._replace(jwts=(none,))) is Fault.ALGORITHM


def test_a_payload_with_a_name_twice_is_refused():
    assert refuse(forge(b'{"exp":1,"exp":9999999999}')) is Fault.DUPLICATE


def test_a_payload_that_is_no_object_is_refused():
    assert refuse(forge(b'["iss"]')) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"exp": NOW_S - LEEWAY_S + 1}, None),
        ({"exp": NOW_S - LEEWAY_S}, Fault.EXPIRED),
        ({"exp": NOW_S - LEEWAY_S - 0.5}, Fault.EXPIRED),
        ({"exp": -1}, Fault.EXPIRED),
        ({"nbf": NOW_S + LEEWAY_S}, None),
        ({"nbf": NOW_S + LEEWAY_S + 1}, Fault.NOT_YET_VALID),
        ({"iat": NOW_S + LEEWAY_S + 1}, Fault.NOT_YET_VALID),
        ({"exp": str(NOW_S + 1)}, Fault.MALFORMED),
        ({"exp": None}, Fault.MALFORMED),
        ({"exp": True}, Fault.MALFORMED),
        ({"nbf": [1]}, Fault.MALFORMED),
        ({"exp": 2**53}, None),
        ({"exp": 10**400}, Fault.MALFORMED),
    ],
)
def test_a_credential_counts_between_its_times(claims, fault):
    sd_jwt = forge(PAYLOAD | claims)
    if fault is None:
        assert verify(sd_jwt).claims.items() >= claims.items()
    else:
        assert refuse(sd_jwt) is fault


def test_the_leeway_can_be_taken_away():
    assert refuse(forge(PAYLOAD | {"exp": NOW_S}), leeway_s=0) is Fault.EXPIRED


def test_a_disclosed_expiry_counts():
    expiry = disclose("s", "exp", 1)
    assert refuse(forge({"_sd": [digest_of(expiry)]}, expiry)) is Fault.EXPIRED


@pytest.mark.parametrize("typ", ["dc+sd-jwt", "DC+SD-JWT", "application/dc+sd-jwt"])
def test_the_type_is_one_of_those_asked(typ):
    verify(forge(PAYLOAD, header={"typ": typ}), types=("dc+sd-jwt",))


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "kb+jwt"}, {"typ": ["dc+sd-jwt"]}])
def test_another_type_is_refused(header):
    assert refuse(forge(PAYLOAD, header=header), types=("dc+sd-jwt",)) is Fault.TYPE


@pytest.mark.parametrize("audience", [CHALLENGE.audience, ["other", CHALLENGE.audience]])
def test_a_credential_for_this_verifier_verifies(audience):
    verify(bind(forge(PAYLOAD | {"aud": audience}, NAME)), challenge=CHALLENGE)


@pytest.mark.parametrize("audience", ["other", [], ["other"], None, {"a": 1}, 7])
def test_a_credential_for_another_verifier_is_refused(audience):
    sd_jwt = bind(forge(PAYLOAD | {"aud": audience}, NAME))
    assert refuse_bound(sd_jwt) is Fault.AUDIENCE
    assert refuse(sd_jwt) is Fault.AUDIENCE


# --- key binding --------------------------------------------------------------------------------


def test_a_key_binding_that_is_asked_for_must_be_there():
    assert refuse_bound(forge(PAYLOAD, NAME)) is Fault.BINDING


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"aud": "https://other.example.org"}, Fault.AUDIENCE),
        ({"aud": [CHALLENGE.audience]}, Fault.AUDIENCE),
        ({"aud": None}, Fault.AUDIENCE),
        ({"nonce": "another"}, Fault.NONCE),
        ({"nonce": None}, Fault.NONCE),
        ({"nonce": [CHALLENGE.nonce]}, Fault.NONCE),
        ({"iat": None}, Fault.MALFORMED),
        ({"iat": str(NOW_S)}, Fault.MALFORMED),
        ({"iat": NOW_S - CHALLENGE.age_max_s - LEEWAY_S - 1}, Fault.EXPIRED),
        ({"iat": NOW_S + LEEWAY_S + 1}, Fault.NOT_YET_VALID),
        ({"exp": NOW_S - LEEWAY_S}, Fault.EXPIRED),
        ({"nbf": NOW_S + LEEWAY_S + 1}, Fault.NOT_YET_VALID),
        ({"sd_hash": digest_of("another")}, Fault.BINDING),
        ({"sd_hash": None}, Fault.BINDING),
    ],
)
def test_a_key_binding_for_another_time_place_or_thing_is_refused(changes, fault):
    assert refuse_bound(bind(forge(PAYLOAD, NAME), **changes)) is fault


@pytest.mark.parametrize("age_s", [0, CHALLENGE.age_max_s + LEEWAY_S])
def test_a_key_binding_may_be_as_old_as_the_challenge_says(age_s):
    verify(bind(forge(PAYLOAD, NAME), iat=NOW_S - age_s), challenge=CHALLENGE)


def test_a_key_binding_covers_the_disclosures_that_were_sent():
    both = forge({**PAYLOAD, "_sd": [digest_of(NAME), digest_of(NAME + "A")]}, NAME)
    assert refuse_bound(bind(both)._replace(disclosures=())) is Fault.BINDING


def test_a_key_binding_by_another_key_is_refused():
    assert refuse_bound(bind(forge(PAYLOAD, NAME), signer=STRANGER)) is Fault.SIGNATURE


def test_a_key_binding_by_the_issuer_is_refused():
    assert refuse_bound(bind(forge(PAYLOAD, NAME), signer=ISSUER)) is Fault.SIGNATURE


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "dc+sd-jwt"}])
def test_a_token_of_another_type_is_no_key_binding(header):
    assert refuse_bound(bind(forge(PAYLOAD, NAME), header=header)) is Fault.TYPE


def test_a_key_binding_of_another_algorithm_is_refused():
    other = load_private_key(KeyKind.P256, b"\x02" * 32)
    assert refuse_bound(bind(forge(PAYLOAD, NAME), signer=other)) is Fault.ALGORITHM


@pytest.mark.parametrize("token", ["x", "a.b.c", "~", "é"])
def test_what_is_no_token_is_no_key_binding(token):
    assert refuse_bound(forge(PAYLOAD, NAME, key_binding=token)) is Fault.MALFORMED


def test_an_unsigned_key_binding_is_refused():
    none = ".".join(map(encode_base64url, (b'{"alg":"none","typ":"kb+jwt"}', b"{}", b"")))
    assert refuse_bound(forge(PAYLOAD, NAME, key_binding=none)) is Fault.ALGORITHM


def test_a_key_binding_uses_the_hash_of_the_credential():
    payload = PAYLOAD | {"_sd_alg": "sha-512", "_sd": [digest_of(NAME, "sha512")]}
    sd_jwt = forge(payload, NAME)
    assert refuse_bound(bind(sd_jwt)) is Fault.BINDING
    verify(bind(sd_jwt, sd_hash=digest_of(sd_jwt.bound, "sha512")), challenge=CHALLENGE)


@pytest.mark.parametrize(
    ("confirmation", "fault"),
    [
        (None, Fault.BINDING),
        ({}, Fault.BINDING),
        ([], Fault.BINDING),
        ({"kid": "did:example:1#0"}, Fault.BINDING),
        ({"jwk": None}, Fault.KEY),
        ({"jwk": {"kty": "RSA"}}, Fault.KEY),
        ({"jwk": write_jwk(HOLDER.public_key) | {"x": "AAAA"}}, Fault.KEY),
        ({"jwk": write_private_jwk(HOLDER)}, Fault.KEY),
    ],
)
def test_a_credential_that_names_no_sound_key_is_bound_to_none(confirmation, fault):
    with pytest.raises(Unsound) as caught:
        read_holder_key({"cnf": confirmation})
    assert caught.value.fault is fault


# --- several signatures -------------------------------------------------------------------------


def test_one_of_several_signatures_suffices():
    sd_jwt = countersign(forge(PAYLOAD, NAME, signer=STRANGER), ISSUER)
    verify(bind(sd_jwt), challenge=CHALLENGE)
    verify(bind(sd_jwt), key=STRANGER.public_key, challenge=CHALLENGE)
    assert refuse(sd_jwt, key=HOLDER.public_key) is Fault.SIGNATURE


def test_the_type_is_that_of_the_signature_which_verified():
    sd_jwt = countersign(forge(PAYLOAD, NAME, signer=STRANGER), ISSUER, {"typ": "other"})
    assert refuse(sd_jwt, types=("dc+sd-jwt",)) is Fault.TYPE


def test_a_signature_of_an_unknown_algorithm_does_not_hide_another():
    unknown = ".".join(map(encode_base64url, (b'{"alg":"PS256"}', b"{}", b"s")))
    sd_jwt = forge(PAYLOAD, NAME, signer=ISSUER)
    verify(sd_jwt._replace(jwts=(unknown, *sd_jwt.jwts)))


def test_messages_do_not_repeat_what_a_stranger_sent_at_length():
    with pytest.raises(Unsound) as caught:
        verify(forge(PAYLOAD | {"aud": "x" * 10_000}))
    assert len(str(caught.value)) < 300


def test_the_binding_of_a_disclosed_key_counts():
    confirmation = disclose("s", "cnf", CNF)
    sd_jwt = forge({"_sd": [digest_of(confirmation)]}, confirmation)
    verify(bind(sd_jwt), challenge=CHALLENGE)
    token = sign_jws(HOLDER, {"typ": "kb+jwt"}, b"[]")
    assert refuse_bound(sd_jwt._replace(key_binding=token)) is Fault.MALFORMED
