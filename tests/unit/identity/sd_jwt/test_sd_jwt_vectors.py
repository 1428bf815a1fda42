"""What the SD-JWT working group published is read as it says, and its examples can be issued."""

import json
from pathlib import Path

import pytest
from tests.disclosing import counted

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import read_jwk, read_private_jwk, write_jwk
from hansa.identity.sd_jwt.credential import verify_credential
from hansa.identity.sd_jwt.issuance import countersign, issue_sd_jwt
from hansa.identity.sd_jwt.paths import find_places
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, open_issued, select_disclosures
from hansa.identity.sd_jwt.serialization import (
    decode_json_sd_jwt,
    decode_sd_jwt,
    encode_flattened,
    encode_general,
)
from hansa.identity.sd_jwt.verification import Challenge, verify_sd_jwt

VECTORS = Path(__file__).parents[3] / "vectors" / "sd_jwt"
PUBLISHED = json.loads((VECTORS / "published.json").read_text())
SPECIFIED = json.loads((VECTORS / "specifications.json").read_text())
CHALLENGE = Challenge(SPECIFIED["audience"], SPECIFIED["nonce"])
HOLDER = read_private_jwk(SPECIFIED["holder_key"])
ISSUER = read_private_jwk(SPECIFIED["cases"][0]["issuer_keys"][0]).public_key
NOW_S = 1_748_537_243
"""When the published key bindings were made."""


OWN = json.loads((VECTORS / "vectors.json").read_text())


def read(text):
    return decode_sd_jwt(text) if isinstance(text, str) else decode_json_sd_jwt(json.dumps(text))


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case["name"])


@named(PUBLISHED["compact"] + PUBLISHED["json"])
def test_what_was_published_verifies(case):
    sd_jwt = read(case["text"])
    challenge = CHALLENGE if case.get("is_bound") else None
    verified = verify_sd_jwt(sd_jwt, ISSUER, NOW_S, challenge=challenge)
    if "claims" in case:
        assert verified.claims == case["claims"]
    assert len(verified.disclosed) == len(sd_jwt.disclosures)
    assert (verified.binding is None) == (challenge is None)


@named(PUBLISHED["compact"])
def test_what_was_published_is_written_again(case):
    assert read(case["text"]).encode() == case["text"]


@named(PUBLISHED["compact"] + PUBLISHED["json"])
def test_what_was_published_does_not_verify_with_another_key(case):
    with pytest.raises(Unsound) as caught:
        verify_sd_jwt(read(case["text"]), HOLDER.public_key, NOW_S)
    assert caught.value.fault is Fault.SIGNATURE


def test_the_other_signature_of_the_general_form_verifies_too():
    (case,) = [case for case in PUBLISHED["json"] if case["name"].startswith("8.3")]
    (specified,) = [each for each in SPECIFIED["cases"] if len(each["issuer_keys"]) > 1]
    keys = [read_private_jwk(jwk).public_key for jwk in specified["issuer_keys"]]
    for key in keys:
        verify_sd_jwt(read(case["text"]), key, NOW_S, challenge=CHALLENGE)


def is_shown(place, case):
    """Whether a claim is to be seen: it is open, or on the way to a disclosed one, or within it."""
    if list(place) not in case["selective"]:
        return True
    return any(each[: len(place)] == list(place)[: len(each)] for each in case["disclosed"])


def see(value, place, case):
    """Return what a verifier is to see of a value."""
    if isinstance(value, dict):
        return {
            name: see(inner, (*place, name), case)
            for name, inner in value.items()
            if is_shown((*place, name), case)
        }
    if isinstance(value, list):
        return [
            see(inner, (*place, index), case)
            for index, inner in enumerate(value)
            if is_shown((*place, index), case)
        ]
    return value


def issue(case):
    claims = case["claims"]
    if case["is_bound"]:
        claims = claims | {"cnf": {"jwk": write_jwk(HOLDER.public_key)}}
    first, *others = map(read_private_jwk, case["issuer_keys"])
    selective = [tuple(path) for path in case["selective"]]
    pad_to = 4 if case["has_decoys"] else 1
    issued = issue_sd_jwt(first, claims, selective, counted(), header=case["header"], pad_to=pad_to)
    for other in others:
        issued = countersign(issued, other, {"kid": "another"})
    return claims, issued


def carry(sd_jwt, case):
    """Write an SD-JWT in the form of the case, and read it again."""
    if case["form"] == "compact":
        return decode_sd_jwt(sd_jwt.encode())
    encode = encode_flattened if len(sd_jwt.jwts) == 1 else encode_general
    return decode_json_sd_jwt(json.dumps(encode(sd_jwt)))


@named(SPECIFIED["cases"])
def test_a_specified_example_is_issued_presented_and_verified(case):
    claims, issued = issue(case)
    held = carry(issued, case)
    assert len(held.disclosures) == len(case["selective"])
    assert open_issued(held).claims == claims

    # One example, made for slides, asks for claims that it does not have.
    wanted = [path for path in map(tuple, case["disclosed"]) if find_places(claims, path)]
    shown = select_disclosures(held, wanted)
    if case["is_bound"]:
        shown = bind_sd_jwt(shown, HOLDER, CHALLENGE, NOW_S)
    challenge = CHALLENGE if case["is_bound"] else None
    for jwk in case["issuer_keys"]:
        key = read_private_jwk(jwk).public_key
        verified = verify_sd_jwt(carry(shown, case), key, NOW_S, challenge=challenge)
        assert verified.claims == see(claims, (), case)
        assert len(verified.disclosed) == len(shown.disclosures)


def verify_own(case):
    pre = OWN["pre"]
    key, challenge = read_jwk(pre["key"]), Challenge(pre["audience"], pre["nonce"])
    return verify_credential(decode_sd_jwt(case["input"]), key, pre["now_s"], challenge)


@named([case for case in OWN["cases"] if "post" in case])
def test_what_holds_is_accepted(case):
    assert verify_own(case).claims == case["post"]


@named([case for case in OWN["cases"] if "post" not in case])
def test_what_does_not_hold_is_refused_with_its_fault(case):
    with pytest.raises(Unsound) as caught:
        verify_own(case)
    assert caught.value.fault == case["code"]
