"""A holder shows what was asked and nothing else, and signs exactly that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.disclosing import CHALLENGE, HOLDER, ISSUER, NOW_S, bind, counted, disclose, forge

from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.sd_jwt.issuance import issue_sd_jwt
from hansa.identity.sd_jwt.paths import find_places
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, open_issued, select_disclosures
from hansa.identity.sd_jwt.verification import verify_sd_jwt

CLAIMS = {
    "sub": "user_42",
    "address": {"country": "DE", "locality": "Köln", "lines": ["a", "b"]},
    "nationalities": ["DE", "FR", "UK"],
    "degrees": [{"type": "BSc", "year": 1999}, {"type": "MSc", "year": 2001}],
    "cnf": {"jwk": write_jwk(HOLDER.public_key)},
}
PATHS = (
    ("sub",),
    ("address",),
    ("address", "country"),
    ("address", "locality"),
    ("address", "lines", None),
    ("nationalities",),
    ("nationalities", None),
    ("degrees", None),
    ("degrees", None, "year"),
)
HELD = issue_sd_jwt(ISSUER, CLAIMS, PATHS, counted(), pad_to=4)


def show(*paths):
    """Return what a verifier sees of a selection, without the holder's key."""
    shown = verify_sd_jwt(select_disclosures(HELD, paths), ISSUER.public_key, NOW_S).claims
    return {name: value for name, value in shown.items() if name != "cnf"}


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        ([], {"degrees": []}),
        ([("sub",)], {"sub": "user_42", "degrees": []}),
        ([("address", "country")], {"address": {"country": "DE", "lines": []}, "degrees": []}),
        ([("address", "lines", 1)], {"address": {"lines": ["b"]}, "degrees": []}),
        ([("address",)], {"address": CLAIMS["address"], "degrees": []}),
        ([("nationalities", 2)], {"nationalities": ["UK"], "degrees": []}),
        (
            [("nationalities", 2), ("nationalities", 0)],
            {"nationalities": ["DE", "UK"], "degrees": []},
        ),
        ([("degrees", None, "type")], {"degrees": [{"type": "BSc"}, {"type": "MSc"}]}),
        ([("degrees", 1, "year")], {"degrees": [{"type": "MSc", "year": 2001}]}),
        ([("cnf",)], {"degrees": []}),
    ],
)
def test_the_least_is_shown(paths, shown):
    assert show(*paths) == shown


@pytest.mark.parametrize(
    "path",
    [("name",), ("nationalities", 3), ("address", "street"), ("sub", 0), (), ("degrees", "type")],
)
def test_a_claim_that_is_not_there_cannot_be_shown(path):
    with pytest.raises(Unsound) as caught:
        select_disclosures(HELD, [path])
    assert caught.value.fault is Fault.MALFORMED


@given(
    st.sets(st.sampled_from([*(place for path in PATHS for place in find_places(CLAIMS, path))]))
)
def test_no_disclosure_could_be_left_out(wanted):
    """Each lies on the way to a claim that was asked for, or within it."""
    places = {text: place for place, text in open_issued(HELD).disclosed.items()}
    shown = select_disclosures(HELD, wanted)
    verify_sd_jwt(shown, ISSUER.public_key, NOW_S)
    for place in map(places.get, shown.disclosures):
        is_above = any(each[: len(place)] == place for each in wanted)
        is_within = any(place[: len(each)] == each for each in wanted)
        assert is_above or is_within, f"{place} was shown for nothing"


def test_a_selection_is_bound_to_its_verifier():
    shown = bind_sd_jwt(select_disclosures(HELD, [("sub",)]), HOLDER, CHALLENGE, NOW_S, {"more": 1})
    verified = verify_sd_jwt(shown, ISSUER.public_key, NOW_S, challenge=CHALLENGE)
    assert verified.claims["sub"] == "user_42"
    assert verified.binding["more"] == 1
    assert decode_jws(shown.key_binding, "it").header["typ"] == "kb+jwt"


def test_what_goes_into_a_binding_besides_does_not_change_its_own_claims():
    shown = bind_sd_jwt(HELD, HOLDER, CHALLENGE, NOW_S, {"nonce": "another", "aud": "x"})
    assert shown == bind_sd_jwt(HELD, HOLDER, CHALLENGE, NOW_S)


def test_a_holder_takes_no_presentation_for_a_credential():
    with pytest.raises(Unsound) as caught:
        open_issued(bind(HELD))
    assert caught.value.fault is Fault.BINDING


def test_a_holder_refuses_disclosures_that_the_issuer_did_not_sign():
    stray = disclose("s", "name", "Eve")
    for use in (open_issued, lambda sd_jwt: select_disclosures(sd_jwt, [])):
        with pytest.raises(Unsound) as caught:
            use(forge({"a": 1}, stray))
        assert caught.value.fault is Fault.DISCLOSURE
