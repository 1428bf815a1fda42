"""What an issuer wants hidden is hidden, and nobody can count what is."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.disclosing import ISSUER, NOW_S, counted

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws
from hansa.identity.sd_jwt.disclosures import SALT_LETTERS
from hansa.identity.sd_jwt.issuance import issue_sd_jwt
from hansa.identity.sd_jwt.presentation import open_issued
from hansa.identity.sd_jwt.serialization import DISCLOSURES_MAX
from hansa.identity.sd_jwt.verification import verify_sd_jwt

CLAIMS = {
    "sub": "user_42",
    "address": {"country": "DE", "locality": "Köln"},
    "nationalities": ["DE", "FR"],
    "degrees": [{"type": "BSc", "year": 1999}, {"type": "MSc", "year": 2001}],
}


def issue(claims, *selective, **options):
    return issue_sd_jwt(ISSUER, claims, selective, counted(), **options)


def payload_of(sd_jwt):
    return decode_jws(sd_jwt.jwts[0], "it").decode_claims("it")


def test_without_paths_all_stands_open():
    sd_jwt = issue(CLAIMS)
    assert sd_jwt.disclosures == ()
    assert payload_of(sd_jwt) == CLAIMS | {"_sd_alg": "sha-256"}


@pytest.mark.parametrize(
    ("paths", "hidden"),
    [
        ([("sub",)], [("sub",)]),
        ([("address",)], [("address",)]),
        ([("address", "country")], [("address", "country")]),
        ([("address", "country"), ("address",)], [("address",), ("address", "country")]),
        ([("nationalities", 1)], [("nationalities", 1)]),
        ([("nationalities", None)], [("nationalities", 0), ("nationalities", 1)]),
        ([("degrees", None, "year")], [("degrees", 0, "year"), ("degrees", 1, "year")]),
        ([("degrees", 0), ("degrees", 0, "type")], [("degrees", 0), ("degrees", 0, "type")]),
        ([("sub",), ("sub",)], [("sub",)]),
    ],
)
def test_a_path_makes_disclosures(paths, hidden):
    sd_jwt = issue(CLAIMS, *paths)
    opened = open_issued(sd_jwt)
    assert opened.claims == CLAIMS
    assert sorted(opened.disclosed, key=repr) == sorted(hidden, key=repr)
    assert len(sd_jwt.disclosures) == len(hidden)


def test_a_hidden_value_is_nowhere_in_what_is_signed():
    sd_jwt = issue(CLAIMS, ("address",), ("nationalities", None), ("degrees", None, "year"))
    text = json.dumps(payload_of(sd_jwt), ensure_ascii=False)
    assert not any(word in text for word in ("Köln", "address", "FR", "1999", "year"))


def test_digests_do_not_stand_in_the_order_of_the_claims():
    names = [f"claim {number}" for number in range(40)]
    digests = payload_of(issue(dict.fromkeys(names, 1), *((name,) for name in names)))["_sd"]
    assert digests == sorted(digests)


def test_every_salt_is_another():
    sd_jwt = issue({"list": [1] * 50}, ("list", None))
    digests = {each["..."] for each in payload_of(sd_jwt)["list"]}
    assert len(digests) == len(set(sd_jwt.disclosures)) == 50


def test_salts_have_the_letters_that_144_bits_have():
    drawn = []

    def draw(size):
        drawn.append(size)
        return b"\xff" * size

    sd_jwt = issue_sd_jwt(ISSUER, CLAIMS, [("sub",), ("address",)], draw)
    assert sum(drawn) == 36
    for disclosure in sd_jwt.disclosures:
        assert json.loads(decode_base64url(disclosure, "it"))[0] == "_" * SALT_LETTERS


@pytest.mark.parametrize(
    ("count", "pad_to", "total"), [(1, 8, 8), (8, 8, 8), (9, 8, 16), (5, 1, 5)]
)
def test_decoys_hide_how_many_claims_there_are(count, pad_to, total):
    names = [f"claim {number}" for number in range(count)]
    claims = dict.fromkeys(names, 1) | {"list": [2] * count, "open": 1}
    paths = [(name,) for name in names] + [("list", None)]
    sd_jwt = issue(claims, *paths, pad_to=pad_to)
    payload = payload_of(sd_jwt)
    assert len(payload["_sd"]) == len(payload["list"]) == total
    assert len(sd_jwt.disclosures) == 2 * count
    assert open_issued(sd_jwt).claims == claims


@pytest.mark.parametrize(("chance", "place"), [(0, 1), (1, 0), (2, 0)])
def test_decoys_stand_anywhere_among_the_elements(chance, place):
    """Not only behind them: else the first hidden ones would be known to be true ones."""

    def draw(size):
        return chance.to_bytes(size, "big")

    sd_jwt = issue_sd_jwt(ISSUER, {"list": ["open", 1]}, [("list", 1)], draw, pad_to=2)
    assert payload_of(sd_jwt)["list"].index("open") == place


def test_nothing_selective_gets_no_decoys():
    assert payload_of(issue({"a": [1], "b": {}}, pad_to=8)) == {
        "a": [1],
        "b": {},
        "_sd_alg": "sha-256",
    }


def test_the_header_says_what_the_issuer_gave():
    sd_jwt = issue(CLAIMS, header={"typ": "example+sd-jwt", "kid": "1"})
    header = dict(decode_jws(sd_jwt.jwts[0], "it").header)
    assert header == {"alg": "EdDSA", "typ": "example+sd-jwt", "kid": "1"}


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    ("claims", "path", "fault"),
    [
        (CLAIMS, ("adress",), Fault.MALFORMED),
        (CLAIMS, ("address", "street"), Fault.MALFORMED),
        (CLAIMS, ("nationalities", 2), Fault.MALFORMED),
        (CLAIMS, ("sub", "inner"), Fault.MALFORMED),
        (CLAIMS, (), Fault.MALFORMED),
        ({"_sd": []}, None, Fault.MALFORMED),
        ({"a": {"_sd": []}}, None, Fault.MALFORMED),
        ({"a": [{"...": 1}]}, None, Fault.MALFORMED),
        ({"_sd_alg": "md5"}, None, Fault.MALFORMED),
        ({1: 1}, None, Fault.MALFORMED),
        ({"a": b"bytes"}, None, Fault.MALFORMED),
        ({"a": (1,)}, None, Fault.MALFORMED),
        ({"a": math.nan}, None, Fault.MALFORMED),
        ({"a": 2**53}, None, Fault.MALFORMED),
        ({"a": "\ud800"}, None, Fault.MALFORMED),
        ({"a": "\ud800"}, ("a",), Fault.MALFORMED),
        ({"\ud800": 1}, None, Fault.MALFORMED),
        (deep(40), None, Fault.TOO_LARGE),
        ({"a": [1] * (DISCLOSURES_MAX + 1)}, ("a", None), Fault.TOO_LARGE),
    ],
)
def test_what_cannot_be_issued_is_refused(claims, path, fault):
    with pytest.raises(Unsound) as caught:
        issue(claims, *([] if path is None else [path]))
    assert caught.value.fault is fault


def test_the_deepest_claims_can_be_issued_and_read():
    sd_jwt = issue(deep(31))
    assert open_issued(sd_jwt).claims == deep(31)


LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(max_size=4).filter(lambda name: name not in {"_sd", "...", "_sd_alg"})
OUTER = NAMES.filter(lambda name: name not in {"iat", "nbf", "exp", "aud"})
VALUES = st.recursive(
    LEAVES | FLOATS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


def list_paths(value, path=()):
    if not isinstance(value, dict | list):
        return
    for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, step)
        yield from list_paths(inner, (*path, step))


@given(st.dictionaries(OUTER, VALUES, max_size=4), st.data(), st.integers(1, 5))
def test_whatever_is_hidden_comes_back(claims, data, pad_to):
    paths = list(list_paths(claims))
    hidden = [path for path in paths if data.draw(st.booleans())]
    sd_jwt = issue(claims, *hidden, pad_to=pad_to)
    verified = verify_sd_jwt(sd_jwt, ISSUER.public_key, NOW_S)
    assert verified.claims == claims
    assert set(verified.disclosed) == set(hidden)
