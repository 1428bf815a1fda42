"""W3C credentials that are tokens: what any token may say of itself holds for them, too."""

import pytest
from tests.unit.identity.verifier.playing import ISSUER, ISSUER_KEY, NOW, STATUS, Counter

from hansa.identity.data_integrity.contexts import CREDENTIALS_V2
from hansa.identity.data_integrity.enveloped import sign_credential
from hansa.identity.faults import Fault
from hansa.identity.status.reference import write_status
from hansa.identity.verifier.findings import Check
from hansa.identity.verifier.registry import INVALID, VALID

QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "jwt_vc_json",
            "meta": {"type_values": [["Resident"]]},
            "require_cryptographic_holder_binding": False,
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
