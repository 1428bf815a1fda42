"""A document of the W3C's data model in an SD-JWT is shown in part, and decided upon as a whole."""

import pytest
from tests.disclosing import CHALLENGE, HOLDER, ISSUER, NOW_S, STRANGER, counted, digest_of, forge
from tests.disclosing import disclose as write_disclosure
from tests.secured import V2

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.methods.did import read_did
from hansa.identity.methods.local import name_did_key_method, resolve_did_key, write_did_key
from hansa.identity.sd_jwt.document import NEVER_SELECTIVE, issue_document, verify_document
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, select_disclosures
from hansa.identity.sd_jwt.serialization import decode_sd_jwt

NOW_MS = NOW_S * 1_000
OFFICE = write_did_key(ISSUER.public_key)
METHOD = name_did_key_method(OFFICE)
DOCUMENT = {
    "@context": [V2],
    "type": ["VerifiableCredential"],
    "issuer": OFFICE,
    "validFrom": "2023-01-01T00:00:00Z",
    "validUntil": "2024-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:ana", "name": "Ana", "degree": "MSc"},
    "cnf": {"jwk": write_jwk(HOLDER.public_key)},
}
PATHS = [("credentialSubject", "name"), ("credentialSubject", "degree")]
HEADER = {"typ": "vc+sd-jwt", "kid": METHOD}


def find_key(method, purpose):
    return resolve_did_key(read_did(method.partition("#")[0])).find_key(method, purpose)


def issue(document=DOCUMENT, paths=PATHS):
    return issue_document(ISSUER, METHOD, document, paths, counted(), 4)


def refuse(sd_jwt, **changes):
    arguments = {"now_ms": NOW_MS, "find_key": find_key} | changes
    with pytest.raises(Unsound) as caught:
        verify_document(sd_jwt, **arguments)
    return caught.value.fault


def test_a_document_is_issued_presented_and_verified():
    selected = select_disclosures(issue(), [("credentialSubject", "degree")])
    shown = decode_sd_jwt(bind_sd_jwt(selected, HOLDER, CHALLENGE, NOW_S).encode())
    verified = verify_document(shown, NOW_MS, find_key, CHALLENGE)
    assert verified.credential.subjects == ({"id": "did:example:ana", "degree": "MSc"},)
    assert verified.credential.issuer == OFFICE
    assert list(verified.disclosed) == [("credentialSubject", "degree")]
    assert verified.binding["nonce"] == CHALLENGE.nonce


def test_without_a_challenge_no_key_binding_is_needed():
    verified = verify_document(issue(), NOW_MS, find_key)
    assert verified.binding is None
    assert len(verified.disclosed) == 2
    assert refuse(issue(), challenge=CHALLENGE) is Fault.BINDING


@pytest.mark.parametrize("name", sorted(NEVER_SELECTIVE))
def test_what_a_verifier_decides_by_cannot_be_kept(name):
    with pytest.raises(Unsound) as caught:
        issue(paths=[(name, "any")])
    assert caught.value.fault is Fault.DISCLOSURE


@pytest.mark.parametrize("name", ["validUntil", "credentialStatus", "exp"])
def test_a_disclosure_of_what_a_verifier_decides_by_is_refused(name):
    value = {"type": "Other"} if name == "credentialStatus" else DOCUMENT["validUntil"]
    text = write_disclosure("s", name, NOW_S + 9 if name == "exp" else value)
    document = {key: each for key, each in DOCUMENT.items() if key != name}
    sd_jwt = forge(document | {"_sd": [digest_of(text)]}, text, header=HEADER)
    assert refuse(sd_jwt) is Fault.DISCLOSURE


@pytest.mark.parametrize(
    ("sd_jwt", "fault"),
    [
        (forge(DOCUMENT, header=HEADER, signer=STRANGER), Fault.SIGNATURE),
        (forge(DOCUMENT, header={"typ": "vc+sd-jwt"}), Fault.MALFORMED),
        (forge(DOCUMENT, header=HEADER | {"typ": "dc+sd-jwt"}), Fault.TYPE),
        (forge(DOCUMENT, header=HEADER | {"typ": "vc+jwt"}), Fault.TYPE),
        (forge({"vc": DOCUMENT}, header=HEADER), Fault.UNSUPPORTED),
        (forge(DOCUMENT | {"issuer": "did:example:other"}, header=HEADER), Fault.ISSUER),
        (forge(DOCUMENT | {"iss": "did:example:other"}, header=HEADER), Fault.ISSUER),
        (forge(DOCUMENT | {"issuer": 7}, header=HEADER), Fault.MALFORMED),
        (forge(DOCUMENT | {"type": ["Other"]}, header=HEADER), Fault.TYPE),
        (forge(DOCUMENT | {"exp": 1}, header=HEADER), Fault.EXPIRED),
        (forge({"a": 1}, header=HEADER), Fault.MALFORMED),
    ],
)
def test_a_document_that_does_not_hold_is_refused(sd_jwt, fault):
    assert refuse(sd_jwt) is fault


@pytest.mark.parametrize(
    ("now_ms", "fault"),
    [(NOW_MS - 10**11, Fault.NOT_YET_VALID), (NOW_MS + 10**11, Fault.EXPIRED)],
)
def test_a_document_of_another_time_is_refused(now_ms, fault):
    assert refuse(issue(), now_ms=now_ms) is fault


def test_what_is_no_credential_is_not_issued():
    with pytest.raises(Unsound) as caught:
        issue({"type": "VerifiableCredential"}, [])
    assert caught.value.fault is Fault.UNSUPPORTED
