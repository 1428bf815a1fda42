"""W3C credentials that are tokens: what any token may say of itself holds for them, too."""

import pytest
from tests.unit.identity.verifier.playing import (
    HOLDER,
    ISSUER,
    ISSUER_KEY,
    NOW,
    OTHER,
    STATUS,
    Counter,
)

from hansa.identity.data_integrity.contexts import CREDENTIALS_V2
from hansa.identity.data_integrity.enveloped import sign_credential
from hansa.identity.data_integrity.presentations import make_presentation, sign_presentation
from hansa.identity.faults import Fault
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.methods.local import name_did_key_method, write_did_key
from hansa.identity.status.reference import write_status
from hansa.identity.verifier.findings import Check
from hansa.identity.verifier.registry import INVALID, VALID

BINDING = "require_cryptographic_holder_binding"
QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "jwt_vc_json",
            "meta": {"type_values": [["Resident"]]},
            BINDING: False,
        }
    ]
}


def sign(**more):
    document = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiableCredential", "Resident"],
        "issuer": ISSUER,
        "credentialSubject": {"given_name": "Mei"},
        "iat": NOW - 10,
    }
    return sign_credential(document | more, ISSUER_KEY, f"{ISSUER}#1")


def judge(token, status=VALID):
    counter = Counter()
    counter.world.status = status
    report = counter.judge(token, query=QUERY)
    (found,) = (each for each in report.findings if each.check is Check.STATUS)
    return counter, report, found


def test_what_stands_in_no_list_cannot_be_revoked():
    _, report, found = judge(sign())
    assert report.is_accepted
    assert found.text == "it cannot be revoked"


@pytest.mark.parametrize(("status", "fault"), [(VALID, None), (INVALID, Fault.REVOKED)])
def test_a_place_in_a_token_status_list_is_looked_up(status, fault):
    counter, report, found = judge(sign(status=write_status(STATUS)), status)
    assert ("status", ISSUER, STATUS) in counter.world.asked
    assert found.fault is fault
    assert report.is_accepted is (fault is None)


@pytest.mark.parametrize("status", ["x", {}, {"identifier_list": {"id": "a", "uri": "https://b"}}])
def test_a_status_of_another_kind_is_not_taken_for_none(status):
    report = Counter().judge(sign(status=status), query=QUERY)
    assert not report.is_accepted


@pytest.mark.parametrize(
    ("cnf", "faults"),
    [
        ({}, []),
        ({"cnf": {"jwk": write_jwk(HOLDER.public_key)}}, []),
        ({"cnf": {"jwk": write_jwk(OTHER.public_key)}}, [Fault.BINDING]),
        ({"cnf": {"kid": "x"}}, [Fault.BINDING]),
    ],
)
def test_a_credential_that_names_the_key_of_its_holder_is_presented_by_it(cnf, faults):
    holder = write_did_key(HOLDER.public_key)
    query = {"credentials": [QUERY["credentials"][0] | {BINDING: True}]}
    token = sign(credentialSubject={"id": holder}, **cnf)
    counter = Counter()
    asking = counter.ask(query)
    request = counter.fetch(asking)
    presentation = sign_presentation(
        make_presentation([token], holder),
        HOLDER,
        name_did_key_method(holder),
        request["client_id"],
        request["nonce"],
    )
    counter.answer(asking, request, {"resident": [presentation]})
    found = [each.fault for each in counter.report(asking).findings if each.fault]
    assert found == faults
