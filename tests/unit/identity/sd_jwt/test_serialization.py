"""The three forms of an SD-JWT carry the same, and nothing that is none passes for one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.disclosing import CHALLENGE, HOLDER, ISSUER, NOW_S, bind, digest_of, disclose, forge

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.sd_jwt.issuance import countersign
from hansa.identity.sd_jwt.serialization import (
    DISCLOSURES_MAX,
    SIGNATURES_MAX,
    decode_json_sd_jwt,
    decode_sd_jwt,
    encode_flattened,
    encode_general,
)
from hansa.identity.sd_jwt.verification import verify_sd_jwt

NAME, AGE = disclose("s1", "name", "Erika"), disclose("s2", "age", 40)
SD_JWT = forge(
    {"_sd": [digest_of(NAME), digest_of(AGE)], "cnf": {"jwk": write_jwk(HOLDER.public_key)}},
    NAME,
    AGE,
)
FLAT = encode_flattened(SD_JWT)
GENERAL = encode_general(countersign(SD_JWT, HOLDER))


@pytest.mark.parametrize("sd_jwt", [SD_JWT, SD_JWT._replace(disclosures=()), bind(SD_JWT)])
@pytest.mark.parametrize("encode", [encode_flattened, encode_general])
def test_every_form_carries_the_same(sd_jwt, encode):
    assert decode_sd_jwt(sd_jwt.encode()) == sd_jwt
    assert decode_json_sd_jwt(json.dumps(encode(sd_jwt))) == sd_jwt


def test_a_key_binding_verifies_in_the_general_form():
    bound = bind(countersign(SD_JWT, HOLDER))
    found = decode_json_sd_jwt(json.dumps(encode_general(bound)))
    assert found == bound
    for key in (ISSUER.public_key, HOLDER.public_key):
        assert verify_sd_jwt(found, key, NOW_S, challenge=CHALLENGE).claims["age"] == 40


def test_of_several_signatures_the_short_forms_hold_the_first():
    bound = countersign(SD_JWT, HOLDER)
    assert decode_sd_jwt(bound.encode()) == SD_JWT
    assert decode_json_sd_jwt(json.dumps(encode_flattened(bound))) == SD_JWT


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.MALFORMED),
        (SD_JWT.jwts[0], Fault.MALFORMED),  # a JWT without a tilde
        ("é~", Fault.MALFORMED),
        ("a.b.c~é~", Fault.MALFORMED),
        ("a.b.c~\ud800", Fault.MALFORMED),
        ("a.b.c~d", Fault.MALFORMED),  # a disclosure without a tilde
        ("a.b.c~d.e.f.g", Fault.MALFORMED),
        ("a.b.c~" + "d~" * (DISCLOSURES_MAX + 1), Fault.TOO_LARGE),
        ("~" * 2_000_000, Fault.TOO_LARGE),
    ],
)
def test_what_is_no_compact_form_is_refused(text, fault):
    with pytest.raises(Unsound) as caught:
        decode_sd_jwt(text)
    assert caught.value.fault is fault


def test_as_many_disclosures_as_are_allowed_are_read():
    assert len(decode_sd_jwt("a.b.c~" + "d~" * DISCLOSURES_MAX).disclosures) == DISCLOSURES_MAX


def without(form, name):
    return {key: value for key, value in form.items() if key != name}


SECOND = GENERAL["signatures"][1]


@pytest.mark.parametrize(
    "form",
    [
        {},
        [],
        without(FLAT, "payload"),
        without(FLAT, "protected"),
        without(FLAT, "signature"),
        FLAT | {"signatures": []},
        FLAT | {"payload": 1},
        FLAT | {"payload": FLAT["payload"] + ".x"},
        FLAT | {"protected": FLAT["protected"] + "~x"},
        FLAT | {"signature": None},
        FLAT | {"header": []},
        FLAT | {"header": {"disclosures": {}}},
        FLAT | {"header": {"disclosures": [1]}},
        FLAT | {"header": {"disclosures": NAME}},
        FLAT | {"header": {"disclosures": ["é"]}},
        FLAT | {"header": {"kb_jwt": ""}},
        FLAT | {"header": {"kb_jwt": None}},
        FLAT | {"header": {"alg": "EdDSA"}},
        FLAT | {"header": {"crit": ["exp"]}},
        FLAT | {"header": {"typ": "dc+sd-jwt"}},
        GENERAL | {"signature": "x"},
        GENERAL | {"signatures": {}},
        GENERAL | {"signatures": []},
        GENERAL | {"signatures": [1]},
        GENERAL | {"signatures": [SECOND] * (SIGNATURES_MAX + 1)},
        GENERAL | {"signatures": [SECOND, {**SECOND, "header": {"disclosures": []}}]},
        GENERAL | {"signatures": [SECOND, {**SECOND, "header": {"kb_jwt": "a.b.c"}}]},
        GENERAL | {"signatures": [SECOND, {**SECOND, "header": 1}]},
    ],
)
def test_what_is_no_json_form_is_refused(form):
    with pytest.raises(Unsound) as caught:
        decode_json_sd_jwt(json.dumps(form))
    assert caught.value.fault is Fault.MALFORMED


def test_other_members_of_a_header_that_is_not_signed_do_no_harm():
    form = FLAT | {"header": {**FLAT["header"], "kid": "issuer-key-1"}, "more": 1}
    assert decode_json_sd_jwt(json.dumps(form)) == SD_JWT


def test_a_tilde_within_a_disclosure_is_not_two_disclosures():
    form = FLAT | {"header": {"disclosures": [f"{NAME}~{AGE}"]}}
    with pytest.raises(Unsound) as caught:
        verify_sd_jwt(decode_json_sd_jwt(json.dumps(form)), ISSUER.public_key, NOW_S)
    assert caught.value.fault is Fault.DISCLOSURE


@given(st.text("eyJ.~-_A=é\ud800", max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    for decode in (decode_sd_jwt, decode_json_sd_jwt):
        try:
            sd_jwt = decode(text)
            verify_sd_jwt(sd_jwt, ISSUER.public_key, NOW_S, challenge=CHALLENGE)
        except Unsound:
            continue
        pytest.fail("nobody signed this")


FLAT_PARTS = st.sampled_from([*FLAT.values(), None, 1, [], {}, "a", [SECOND], [FLAT]])
NAMES = st.sampled_from(["payload", "protected", "signature", "signatures", "header"])


@given(st.dictionaries(NAMES, FLAT_PARTS))
def test_any_json_is_read_or_refused(form):
    try:
        sd_jwt = decode_json_sd_jwt(json.dumps(form))
        verify_sd_jwt(sd_jwt, ISSUER.public_key, NOW_S)
    except Unsound:
        return
    assert sd_jwt.jwts == SD_JWT.jwts


@given(st.integers(0, len(SD_JWT.encode()) - 1), st.sampled_from("A~.e_-"))
def test_any_changed_letter_is_noticed(place, letter):
    text = SD_JWT.encode()
    changed = text[:place] + letter + text[place + 1 :]
    if changed == text:
        return
    with pytest.raises(Unsound):
        verify_sd_jwt(decode_sd_jwt(changed), ISSUER.public_key, NOW_S)
