"""Credentials of the data model: what a document must be to be one, and who must have signed it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mutated import NAMES, put
from tests.secured import CONTEXTS, CREDENTIAL, V1, V2, find_key, name_method

from hansa.identity.data_integrity.credentials import (
    PARTS_MAX,
    check_validity,
    read_credential,
    verify_credential,
)
from hansa.identity.data_integrity.proofs import Proof, add_proof
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.local import write_did_key

ISSUER, OTHER = (load_private_key(KeyKind.ED25519, bytes([seed]) * 32) for seed in (1, 2))
FROM_MS, UNTIL_MS = 1_767_225_600_000, 1_893_456_000_000
"""validFrom and validUntil of the credential."""
MINE = put(("issuer",), {"id": write_did_key(ISSUER.public_key), "name": "We"})
OLD = {
    "@context": [V1, "https://w3id.org/security/data-integrity/v2"],
    "type": ["VerifiableCredential"],
    "issuer": write_did_key(ISSUER.public_key),
    "issuanceDate": "2026-01-01T00:00:00Z",
    "expirationDate": "2030-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:1"},
}


def sign(document, signer=ISSUER, suite="eddsa-rdfc-2022"):
    return add_proof(document, signer, Proof(suite, name_method(signer)), CONTEXTS)


def test_a_credential_says_what_it_is():
    credential = read_credential(CREDENTIAL)
    assert credential.version == "2.0"
    assert credential.id == CREDENTIAL["id"]
    assert credential.types == ("VerifiableCredential", "TrainingCredential")
    assert credential.issuer == "https://centre.example/issuers/14"
    assert credential.subjects == (CREDENTIAL["credentialSubject"],)
    assert (credential.valid_from_ms, credential.valid_until_ms) == (FROM_MS, UNTIL_MS)
    assert credential.statuses == (CREDENTIAL["credentialStatus"],)
    assert credential.schemas == ()


def test_a_credential_of_the_older_model_is_read_too():
    credential = verify_credential(sign(OLD), CONTEXTS, FROM_MS, find_key)
    assert credential.version == "1.1"
    assert (credential.valid_from_ms, credential.valid_until_ms) == (FROM_MS, UNTIL_MS)


@pytest.mark.parametrize("suite", ["eddsa-jcs-2022", "eddsa-rdfc-2022"])
def test_a_credential_that_its_issuer_signed_verifies(suite):
    signed = sign(MINE, suite=suite)
    assert verify_credential(signed, CONTEXTS, FROM_MS, find_key).document is signed
    both = sign(signed, OTHER, suite)
    assert verify_credential(both, CONTEXTS, UNTIL_MS, find_key).issuer == MINE["issuer"]["id"]


def test_a_credential_that_another_signed_does_not():
    with pytest.raises(Unsound, match="no proof of the credential is by did:key") as caught:
        verify_credential(sign(MINE, OTHER), CONTEXTS, FROM_MS, find_key)
    assert caught.value.fault is Fault.ISSUER


@pytest.mark.parametrize(
    ("now_ms", "fault"), [(FROM_MS - 1, Fault.NOT_YET_VALID), (UNTIL_MS + 1, Fault.EXPIRED)]
)
def test_a_credential_is_valid_in_its_time(now_ms, fault):
    with pytest.raises(Unsound) as caught:
        verify_credential(sign(MINE), CONTEXTS, now_ms, find_key)
    assert caught.value.fault is fault
    for edge_ms in (FROM_MS, UNTIL_MS):
        check_validity(read_credential(MINE), edge_ms)


WRONG = {
    "no object": ((), None, Fault.MALFORMED),
    "no type": (("type",), [], Fault.TYPE),
    "another type": (("type",), "TrainingCredential", Fault.TYPE),
    "a type that is no text": (("type",), ["VerifiableCredential", 5], Fault.TYPE),
    "another first context": (("@context",), [CREDENTIAL["@context"][1], V2], Fault.UNSUPPORTED),
    "an inline context first": (("@context",), [{}], Fault.UNSUPPORTED),
    "no context": (("@context",), [], Fault.UNSUPPORTED),
    "several ids": (("id",), ["urn:a", "urn:b"], Fault.MALFORMED),
    "an id that is no URL": (("id",), "a", Fault.MALFORMED),
    "no issuer": (("issuer",), None, Fault.MALFORMED),
    "an issuer that is no URL": (("issuer",), "issuer", Fault.MALFORMED),
    "an issuer without id": (("issuer",), {"name": "a"}, Fault.MALFORMED),
    "several issuers": (("issuer",), ["urn:a", "urn:b"], Fault.MALFORMED),
    "no subject": (("credentialSubject",), [], Fault.MALFORMED),
    "a subject that says nothing": (("credentialSubject",), {}, Fault.MALFORMED),
    "a subject that is no object": (("credentialSubject",), "did:example:1", Fault.MALFORMED),
    "a subject that is no URL": (("credentialSubject", "id"), "a b", Fault.MALFORMED),
    "many subjects": (("credentialSubject",), [{"name": "a"}] * (PARTS_MAX + 1), Fault.TOO_LARGE),
    "no moment": (("validFrom",), "2026-01-01", Fault.MALFORMED),
    "no time zone": (("validUntil",), "2026-01-01T00:00:00", Fault.MALFORMED),
    "an end before the beginning": (("validUntil",), "2025-12-31T23:59:59Z", Fault.MALFORMED),
    "a status without type": (("credentialStatus",), {"id": "urn:a"}, Fault.MALFORMED),
    "a status that is text": (("credentialStatus",), ["urn:a"], Fault.MALFORMED),
    "a schema without id": (("credentialSchema",), {"type": "JsonSchema"}, Fault.MALFORMED),
    "evidence without type": (("evidence",), [{"id": "urn:a"}], Fault.MALFORMED),
    "terms without type": (("termsOfUse",), {"id": "urn:a"}, Fault.MALFORMED),
    "a refresh without type": (("refreshService",), {"id": "urn:a"}, Fault.MALFORMED),
    "a resource without digest": (("relatedResource",), {"id": "urn:a"}, Fault.MALFORMED),
    "a resource twice": (
        ("relatedResource",),
        [{"id": "urn:a", "digestSRI": "sha256-a"}] * 2,
        Fault.DUPLICATE,
    ),
    "a name that is no text": (("name",), 5, Fault.MALFORMED),
    "a description without text": (("description",), [{"@language": "en"}], Fault.MALFORMED),
}


@pytest.mark.parametrize(("path", "value", "fault"), WRONG.values(), ids=WRONG)
def test_what_is_no_credential_is_refused(path, value, fault):
    with pytest.raises(Unsound) as caught:
        read_credential(put(path, value) if path else value)
    assert caught.value.fault is fault


def test_the_older_model_needs_a_date():
    with pytest.raises(Unsound, match="no issuanceDate"):
        read_credential({name: value for name, value in OLD.items() if name != "issuanceDate"})


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([V1, V2, "VerifiableCredential", "urn:a", "2026-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(ANYTHING, st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3))
def test_whatever_comes_is_refused_in_our_words(value, members):
    for document in (value, {**sign(MINE), **members}, {**sign(MINE), "proof": value}):
        with suppress(Unsound):
            verify_credential(document, CONTEXTS, FROM_MS, find_key)
