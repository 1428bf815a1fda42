"""Disclosures go where the issuer's digests stand, once each, and nowhere else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.disclosing import digest_of, disclose

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.sd_jwt.disclosures import HASHES, read_disclosure
from hansa.identity.sd_jwt.opening import open_claims

NAME = disclose("s1", "name", "Erika")
AGAIN = disclose("s2", "name", "Max")
ELEMENT = disclose("s3", "DE")


def refuse(payload, *disclosures):
    with pytest.raises(Unsound) as caught:
        open_claims(payload, disclosures)
    return caught.value.fault


def test_members_and_elements_come_to_their_places():
    payload = {
        "a": 1,
        "_sd": [digest_of(NAME), "decoy"],
        "list": ["FR", {"...": "another decoy"}, {"...": digest_of(ELEMENT)}],
        "_sd_alg": "sha-256",
    }
    opened = open_claims(payload, [ELEMENT, NAME])
    assert opened.claims == {"a": 1, "name": "Erika", "list": ["FR", "DE"]}
    assert opened.disclosed == {("list", 1): ELEMENT, ("name",): NAME}


def test_what_stays_hidden_leaves_empty_objects_and_lists():
    payload = {"address": {"_sd": [digest_of(NAME)]}, "list": [{"...": digest_of(ELEMENT)}]}
    assert open_claims(payload, []).claims == {"address": {}, "list": []}


def test_the_payload_is_left_as_it_was():
    payload = {"address": {"_sd": [digest_of(NAME)]}, "_sd_alg": "sha-256"}
    before = json.dumps(payload)
    open_claims(payload, [NAME])
    assert json.dumps(payload) == before


def test_disclosures_within_disclosures_are_opened():
    outer = disclose("s", "person", {"_sd": [digest_of(NAME)], "age": 40})
    opened = open_claims({"_sd": [digest_of(outer)]}, [NAME, outer])
    assert opened.claims == {"person": {"age": 40, "name": "Erika"}}
    assert list(opened.disclosed) == [("person",), ("person", "name")]


@pytest.mark.parametrize("name", HASHES)
def test_every_secure_hash_is_understood(name):
    digest = digest_of(NAME, name.replace("sha-", "sha").replace("-", "_"))
    assert open_claims({"_sd": [digest], "_sd_alg": name}, [NAME]).claims == {"name": "Erika"}


@pytest.mark.parametrize("name", ["md5", "sha-1", "SHA-256", "sha-256-32", "", 256, None, ["a"]])
def test_another_hash_is_refused(name):
    assert refuse({"_sd": [digest_of(NAME)], "_sd_alg": name}, NAME) is Fault.ALGORITHM


def test_digests_of_another_hash_open_nothing():
    digest = digest_of(NAME, "sha512")
    assert refuse({"_sd": [digest], "_sd_alg": "sha-256"}, NAME) is Fault.DISCLOSURE


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        ({"_sd": [digest_of(NAME)]}, [NAME, NAME]),
        ({"_sd": [digest_of(NAME), digest_of(NAME)]}, [NAME]),
        ({"_sd": [digest_of(NAME)], "in": {"_sd": [digest_of(NAME)]}}, [NAME]),
        ({"_sd": [digest_of(ELEMENT)], "in": [{"...": digest_of(ELEMENT)}]}, [ELEMENT]),
        ({"_sd": ["decoy", "decoy"]}, []),
        ({"a": [{"...": "decoy"}, {"...": "decoy"}]}, []),
    ],
)
def test_what_stands_twice_is_refused(payload, disclosures):
    assert refuse(payload, *disclosures) is Fault.DUPLICATE


def test_a_digest_that_stands_twice_within_a_disclosure_is_refused():
    outer = disclose("s", "in", {"_sd": [digest_of(NAME)]})
    assert refuse({"_sd": [digest_of(outer), digest_of(NAME)]}, outer, NAME) is Fault.DUPLICATE


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        ({}, [NAME]),  # that nobody signed
        ({"_sd": [digest_of(NAME)]}, [NAME, ELEMENT]),
        ({"name": digest_of(NAME)}, [NAME]),  # a digest that stands as a value
        ({"list": [digest_of(ELEMENT)]}, [ELEMENT]),
        ({"_sd": [digest_of(ELEMENT)]}, [ELEMENT]),  # in the wrong kind of place
        ({"list": [{"...": digest_of(NAME)}]}, [NAME]),
        ({"_sd": [digest_of(NAME)], "name": "Eve"}, [NAME]),  # a name that is taken
        ({"_sd": [digest_of(NAME), digest_of(AGAIN)]}, [NAME, AGAIN]),
        ({"_sd": [digest_of(disclose("s", "_sd", []))]}, [disclose("s", "_sd", [])]),
        ({"_sd": [digest_of(disclose("s", "...", 1))]}, [disclose("s", "...", 1)]),
        ({"_sd": [digest_of(disclose("s", "_sd_alg", "md5"))]}, [disclose("s", "_sd_alg", "md5")]),
    ],
)
def test_a_disclosure_in_the_wrong_place_is_refused(payload, disclosures):
    assert refuse(payload, *disclosures) is Fault.DISCLOSURE


def test_an_inner_disclosure_needs_its_outer_one():
    outer = disclose("s", "person", {"_sd": [digest_of(NAME)]})
    assert refuse({"_sd": [digest_of(outer)]}, NAME) is Fault.DISCLOSURE


@pytest.mark.parametrize(
    "payload",
    [
        {"_sd": "decoy"},
        {"_sd": {"decoy": 1}},
        {"_sd": [1]},
        {"_sd": [None]},
        {"_sd": [["decoy"]]},
        {"in": {"_sd": 1}},
        {"...": "decoy"},
        {"in": {"...": "decoy"}},
        {"list": [{"...": 1}]},
        {"list": [{"...": "decoy", "more": 1}]},
        {"list": [{"...": "decoy", "_sd": []}]},
        {"in": {"_sd_alg": "sha-256"}},
        {"list": [{"_sd_alg": "sha-256"}]},
    ],
)
def test_a_reserved_name_for_something_else_is_refused(payload):
    assert refuse(payload) is Fault.MALFORMED


def test_a_reserved_name_within_a_disclosure_is_refused():
    outer = disclose("s", "in", {"_sd_alg": "md5"})
    assert refuse({"_sd": [digest_of(outer)]}, outer) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.MALFORMED),
        ("%", Fault.MALFORMED),
        (NAME + "=", Fault.MALFORMED),
        (encode_base64url(b'["s",'), Fault.MALFORMED),
        (encode_base64url(b'["s","name",{"a":1,"a":2}]'), Fault.DUPLICATE),
        (encode_base64url(b"[" * 100 + b"]" * 100), Fault.TOO_LARGE),
        (disclose(), Fault.DISCLOSURE),
        (disclose("s"), Fault.DISCLOSURE),
        (disclose(1, "name", 1), Fault.DISCLOSURE),
        (disclose(None, 1), Fault.DISCLOSURE),
        (disclose("s", 1, 1), Fault.DISCLOSURE),
        (disclose("s", "name", 1, 1), Fault.DISCLOSURE),
        (encode_base64url(b'{"0":"s","1":1}'), Fault.DISCLOSURE),
        (encode_base64url(b'"abc"'), Fault.DISCLOSURE),
    ],
)
def test_what_is_no_disclosure_is_refused(text, fault):
    with pytest.raises(Unsound) as caught:
        read_disclosure(text)
    assert caught.value.fault is fault


def test_disclosures_without_end_within_one_another_are_refused():
    texts = [disclose("s0", "name", 1)]
    for index in range(1, 100):
        texts.append(disclose(f"s{index}", "name", {"_sd": [digest_of(texts[-1])]}))
    assert refuse({"_sd": [digest_of(texts[-1])]}, *texts) is Fault.TOO_LARGE


JSON = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from([NAME, ELEMENT, digest_of(NAME), "decoy"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_sd", "...", "_sd_alg", "name", "a"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "name", "a"]), JSON),
    st.lists(st.sampled_from([NAME, AGAIN, ELEMENT]) | st.text(max_size=8), max_size=3),
)
def test_any_payload_is_opened_or_refused(payload, disclosures):
    try:
        opened = open_claims(payload, disclosures)
    except Unsound:
        return
    assert sorted(opened.disclosed.values()) == sorted(disclosures)
    assert not {"_sd", "...", "_sd_alg"} & set(opened.claims)
