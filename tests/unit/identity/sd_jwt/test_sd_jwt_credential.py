"""An SD-JWT VC has a type, and hides nothing by which it could be refused."""

from secrets import token_bytes

import pytest
from msgspec import structs
from tests.disclosing import (
    CHALLENGE,
    HOLDER,
    ISSUER,
    NOW_S,
    counted,
    digest_of,
    disclose,
    forge,
)

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.strict_json import decode_json
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.sd_jwt.credential import (
    NEVER_SELECTIVE,
    Credential,
    issue_credential,
    read_types,
    verify_credential,
)
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, select_disclosures
from hansa.identity.status.reference import StatusReference, read_status, write_status

VCT = "https://credentials.example.org/resident"
STATUS = StatusReference("https://issuer.example.org/status/7", 42)
RESIDENT = Credential(
    vct=VCT,
    claims={"given_name": "Erika", "address": {"country": "DE"}, "sub": "did:example:1"},
    issuer="https://issuer.example.org",
    holder_key=HOLDER.public_key,
    issued_s=NOW_S,
    not_before_s=NOW_S - 10,
    expires_s=NOW_S + 10,
    status=STATUS,
    pad_to=4,
)


def issue(credential):
    return issue_credential(ISSUER, credential, counted(), {"kid": "did:example:issuer#1"})


def refuse(sd_jwt):
    with pytest.raises(Unsound) as caught:
        verify_credential(sd_jwt, ISSUER.public_key, NOW_S)
    return caught.value.fault


def test_a_credential_is_issued_presented_and_verified():
    held = issue(RESIDENT)
    assert dict(decode_jws(held.jwts[0], "it").header) == {
        "alg": "EdDSA",
        "kid": "did:example:issuer#1",
        "typ": "dc+sd-jwt",
    }
    shown = bind_sd_jwt(select_disclosures(held, [("given_name",)]), HOLDER, CHALLENGE, NOW_S)
    verified = verify_credential(shown, ISSUER.public_key, NOW_S, CHALLENGE)
    assert list(verified.disclosed) == [("given_name",)]
    assert read_types(verified.claims) == (VCT,)
    assert read_status(verified.claims) == STATUS
    assert sorted(verified.claims) == sorted(
        ["given_name", "vct", "iss", "iat", "nbf", "exp", "cnf", "status"]
    )


def test_by_default_every_claim_of_the_subject_can_be_kept():
    verified = verify_credential(select_disclosures(issue(RESIDENT), []), ISSUER.public_key, NOW_S)
    assert not {"given_name", "address", "sub"} & set(verified.claims)


def test_a_credential_may_hide_nothing_and_say_little():
    sd_jwt = issue(Credential(vct=VCT, claims={"a": 1}, selective=()))
    assert verify_credential(sd_jwt, ISSUER.public_key, NOW_S).claims == {"vct": VCT, "a": 1}


@pytest.mark.parametrize("name", sorted(NEVER_SELECTIVE))
def test_a_subject_has_no_claim_that_decides_about_the_credential(name):
    with pytest.raises(Unsound) as caught:
        issue(Credential(vct=VCT, claims={name: 1}))
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize("path", [("exp",), ("cnf", "jwk"), ("vct",), ("status", "status_list")])
def test_what_decides_about_a_credential_cannot_be_issued_hidden(path):
    with pytest.raises(Unsound) as caught:
        issue(Credential(vct=VCT, claims={"a": 1}, selective=(path,), expires_s=NOW_S))
    assert caught.value.fault is Fault.DISCLOSURE


@pytest.mark.parametrize("name", sorted(NEVER_SELECTIVE))
def test_what_decides_about_a_credential_is_refused_in_a_disclosure(name):
    value = {"exp": NOW_S + 99, "nbf": 0}.get(name, {})
    hidden = disclose("s", name, value)
    sd_jwt = forge(
        {"vct": VCT, "_sd": [digest_of(hidden)]} if name != "vct" else {"_sd": [digest_of(hidden)]},
        hidden,
    )
    assert refuse(sd_jwt) is Fault.DISCLOSURE


def test_nor_may_a_part_of_it_be_hidden():
    hidden = disclose("s", "status_list", {"idx": 1, "uri": "x"})
    sd_jwt = forge({"vct": VCT, "status": {"_sd": [digest_of(hidden)]}}, hidden)
    assert refuse(sd_jwt) is Fault.DISCLOSURE


@pytest.mark.parametrize("typ", ["dc+sd-jwt", "vc+sd-jwt", "application/vc+sd-jwt"])
def test_both_names_of_the_format_are_known(typ):
    verify_credential(forge({"vct": VCT}, header={"typ": typ}), ISSUER.public_key, NOW_S)


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "statuslist+jwt"}])
def test_another_token_is_no_credential(header):
    assert refuse(forge({"vct": VCT}, header=header)) is Fault.TYPE


@pytest.mark.parametrize("vct", [None, "", 1, [VCT], {}])
def test_a_credential_without_a_type_is_refused(vct):
    assert refuse(forge({"vct": vct})) is Fault.TYPE


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": 1},
        {"iss": None},
        {"status": []},
        {"status": {"status_list": None}},
        {"status": {"status_list": {"uri": "x"}}},
        {"status": {"status_list": {"idx": 1}}},
        {"status": {"status_list": {"idx": -1, "uri": "x"}}},
        {"status": {"status_list": {"idx": True, "uri": "x"}}},
        {"status": {"status_list": {"idx": "1", "uri": "x"}}},
        {"status": {"status_list": {"idx": 1, "uri": ""}}},
        {"aka_vcts": []},
        {"aka_vcts": "x"},
        {"aka_vcts": [1]},
        {"aka_vcts": [VCT]},
    ],
)
def test_claims_that_are_not_as_the_format_says_are_refused(claims):
    assert refuse(forge({"vct": VCT} | claims)) is Fault.MALFORMED


@pytest.mark.parametrize("value", [1e308, -1e308, 10**20, 10**400])
def test_a_time_beyond_all_clocks_is_refused(value):
    assert refuse(forge({"vct": VCT, "iat": value})) is Fault.MALFORMED


def test_a_credential_with_very_many_types_is_refused():
    others = [f"urn:{number}" for number in range(8)]
    assert refuse(forge({"vct": VCT, "aka_vcts": others})) is Fault.TOO_LARGE


def test_a_credential_can_have_more_than_one_type():
    verified = verify_credential(
        forge({"vct": VCT, "aka_vcts": ["urn:person"]}), ISSUER.public_key, NOW_S
    )
    assert read_types(verified.claims) == (VCT, "urn:person")


def test_a_status_by_another_mechanism_is_not_taken_for_none():
    for status in ({"other": 1}, {}):
        assert refuse(forge({"vct": VCT, "status": status})) is Fault.UNSUPPORTED
    assert read_status({}) is None
    assert read_status({"status": write_status(STATUS)}) == STATUS


def test_two_credentials_of_one_person_share_nothing_that_is_random():
    """Whoever sees both, with other claims shown and other keys, cannot tell by them."""
    other = load_private_key(KeyKind.ED25519, b"\x09" * 32)
    first = issue_credential(ISSUER, RESIDENT, token_bytes)
    again = structs.replace(RESIDENT, holder_key=other.public_key, status=None)
    second = issue_credential(ISSUER, again, token_bytes)
    digests = [
        set(decode_jws(each.jwts[0], "it").decode_claims("it")["_sd"]) for each in (first, second)
    ]
    assert len(digests[0]) == len(digests[1]) == 4
    assert not digests[0] & digests[1]
    assert not set(first.disclosures) & set(second.disclosures)
    salts = [read_salt(text) for each in (first, second) for text in each.disclosures]
    assert len(set(salts)) == len(salts) == 6


def read_salt(text):
    return decode_json(decode_base64url(text, "it"), "it")[0]
