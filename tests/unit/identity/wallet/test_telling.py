"""What pages and commands tell of a credential: nothing that a verifier sees is left out."""

import pytest

from hansa.identity.wallet.telling import list_claims

W3C = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    "type": ["VerifiableCredential", "Residence"],
    "issuer": "did:key:z6Mk",
    "validFrom": "2026-01-01T00:00:00Z",
}


def test_what_a_w3c_credential_holds_beside_its_subject_is_told():
    told = list_claims(
        W3C
        | {
            "id": "urn:uuid:7",
            "evidence": [{"type": "Passport", "documentNumber": "P1234567"}],
            "credentialSubject": {"id": "did:key:z2", "given_name": "Mei"},
        }
    )
    assert told == {
        "id": "did:key:z2",
        "given_name": "Mei",
        "credential id": "urn:uuid:7",
        "credential evidence": [{"type": "Passport", "documentNumber": "P1234567"}],
    }


@pytest.mark.parametrize("name", ["status", "exp", "iss", "cnf", "vct"])
def test_a_claim_of_a_subject_is_told_whatever_its_name_means_elsewhere(name):
    told = list_claims(W3C | {"credentialSubject": {name: "refugee"}})
    assert told == {name: "refugee"}


def test_several_subjects_are_told():
    subjects = [{"given_name": "Mei"}, {"given_name": "Ana"}]
    assert list_claims(W3C | {"credentialSubject": subjects}) == {"credentialSubject": subjects}


def test_a_subject_in_an_sd_jwt_hides_nothing_beside_it():
    claims = {"vct": "urn:city:resident", "iss": "did:key:z6Mk", "exp": 1, "ssn": "123"}
    subject = {"credentialSubject": {"given_name": "Mei"}}
    assert list_claims(claims | subject) == {"ssn": "123"} | subject


def test_a_namespace_of_a_document_is_told_whatever_its_name():
    claims = {"status": {"given_name": "Mei"}, "credentialSubject.1": {"age": 18}}
    assert list_claims(claims) == claims
