"""From an access token to credentials; and every way to be declined."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.unit.identity.issuer.playing import (
    HOLDER,
    ISSUER_KEY,
    NOW,
    NOW_MS,
    OTHER,
    Issuer,
    declined,
)

from hansa.identity.issuer.metadata import build_issuer_metadata
from hansa.identity.jose.jwe import decrypt_jwe, encrypt_jwe
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.local import write_did_jwk, write_did_key
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.kernel.errors import NotFound


@pytest.fixture
def issuer():
    return Issuer()


def test_several_keys_get_one_credential_each(issuer):
    nonce = issuer.nonce()
    proofs = [issuer.proof(key, nonce=nonce) for key in (HOLDER, OTHER, HOLDER)]
    answer = issuer.ask(issuer.grant(), issuer.request(*proofs))
    assert len(answer.body["credentials"]) == 2
    assert [key for _, _, key, _ in issuer.written] == [HOLDER.public_key, OTHER.public_key]


@pytest.mark.parametrize("write", [write_did_key, write_did_jwk])
@pytest.mark.parametrize("has_fragment", [False, True])
def test_a_key_may_be_named_by_a_did(issuer, write, has_fragment):
    did = write(HOLDER.public_key)
    fragment = did.removeprefix("did:key:") if did.startswith("did:key:") else "0"
    kid = f"{did}#{fragment}" if has_fragment else did
    issuer.ask(issuer.grant(), issuer.request(issuer.proof(header={"kid": kid})))
    assert issuer.written[0][2] == HOLDER.public_key


def test_a_credential_without_binding_needs_no_proof(issuer):
    grant = issuer.grant(("note", {"a": 1}))
    issuer.ask(grant, {"credential_configuration_id": "note"})
    assert issuer.written == [("note", {"a": 1}, None, NOW_MS)]


def test_a_credential_that_is_not_ready_is_fetched_later(issuer):
    offered = issuer.offer(("resident", None))
    token = issuer.token(offered)
    assert token["expires_in"] > 86_400
    grant = issuer.access(token["access_token"])
    answer = issuer.ask(grant, issuer.request())
    assert answer.status == 202
    assert answer.body["interval"] > 0
    raw = json.dumps({"transaction_id": answer.body["transaction_id"]}).encode()

    def fetch(grant=grant):
        return issuer.endpoints.give_deferred(raw, grant, issuer.now_ms, is_jwt=False)

    assert fetch() == (202, answer.body)
    issuer.desk.complete(f"{offered.issuance_id}.0", {"name": "Li"}, issuer.now_ms)
    stranger = issuer.grant()
    declined(OAuthError.INVALID_TRANSACTION, fetch, stranger)
    assert fetch().body["credentials"] == [{"credential": "credential 1"}]
    assert issuer.written == [("resident", {"name": "Li"}, HOLDER.public_key, NOW_MS)]
    declined(OAuthError.INVALID_TRANSACTION, fetch)


def test_a_declined_credential_says_so(issuer):
    offered = issuer.offer(("resident", None))
    grant = issuer.access(issuer.token(offered)["access_token"])
    identifier = f"{offered.issuance_id}.0"
    issuer.desk.decline(identifier, "no such resident", issuer.now_ms)
    message = declined(OAuthError.REQUEST_DENIED, issuer.ask, grant, issuer.request())
    assert "no such resident" in message
    for late in (issuer.desk.decline, issuer.desk.complete):
        with pytest.raises(NotFound):
            late(identifier, {} if late == issuer.desk.complete else "", issuer.now_ms)


def test_a_credential_is_not_fetched_without_end(issuer):
    grant = issuer.grant()
    for _ in range(issuer.settings.rules.issues_max):
        issuer.ask(grant, issuer.request())
    declined(OAuthError.REQUEST_DENIED, issuer.ask, grant, issuer.request())


PROOFS = [
    (lambda issuer: issuer.proof(aud="https://other.example"), "for 'https://other"),
    (lambda issuer: issuer.proof(iat=NOW - 301), "five minutes"),
    (lambda issuer: issuer.proof(iat="x"), "iat"),
    (lambda issuer: issuer.proof(iss="another"), "another client"),
    (lambda issuer: issuer.proof(header={"typ": "JWT", "jwk": {}}), "typ"),
    (lambda issuer: issuer.proof(header={"a": 1}), "one of jwk and kid"),
    (lambda issuer: issuer.proof(header={"jwk": {}, "kid": "x"}), "one of jwk and kid"),
    (lambda issuer: issuer.proof(header={"x5c": []}), "one of jwk and kid"),
    (lambda issuer: issuer.proof(header={"kid": "did:web:example.com#1"}), "did:key or did:jwk"),
    (lambda issuer: issuer.proof(header={"kid": "nonsense"}), "no DID"),
    (lambda issuer: issuer.proof(header={"jwk": write_jwk(OTHER.public_key)}), "does not verify"),
    (lambda _issuer: "x.y.z", "base64url"),
]


@pytest.mark.parametrize(("make", "words"), PROOFS)
def test_a_proof_that_does_not_hold_is_declined(issuer, make, words):
    request = issuer.request(make(issuer))
    assert words in declined(OAuthError.INVALID_PROOF, issuer.ask, issuer.grant(), request)
    assert issuer.written == []


@pytest.mark.parametrize(
    "proofs",
    [
        None,
        {},
        [],
        "x",
        {"jwt": []},
        {"jwt": "x"},
        {"jwt": [1]},
        {"di_vp": ["x"]},
        {"jwt": ["x"], "b": []},
    ],
)
def test_proofs_must_be_one_kind_of_proof(issuer, proofs):
    request = {"credential_configuration_id": "resident", "proofs": proofs}
    declined(OAuthError.INVALID_PROOF, issuer.ask, issuer.grant(), request)


def test_a_batch_is_bounded(issuer):
    proofs = [issuer.proof() for _ in range(issuer.settings.rules.batch_size + 1)]
    error = OAuthError.INVALID_CREDENTIAL_REQUEST
    declined(error, issuer.ask, issuer.grant(), issuer.request(*proofs))


def test_a_nonce_is_ours_good_once_and_for_five_minutes(issuer):
    request = issuer.request()
    grant = issuer.grant()
    issuer.ask(grant, request)
    declined(OAuthError.INVALID_NONCE, issuer.ask, grant, request)
    declined(OAuthError.INVALID_NONCE, issuer.ask, grant, issuer.request(issuer.proof(nonce="x")))
    declined(OAuthError.INVALID_NONCE, issuer.ask, grant, issuer.request(issuer.proof(nonce="")))
    late = issuer.request()
    issuer.now_ms += 300_000
    declined(OAuthError.INVALID_NONCE, issuer.ask, issuer.grant(), late)


def test_attested_keys_get_a_credential_each(issuer):
    proof = issuer.proof(
        header={"kid": "0", "key_attestation": issuer.attestation()},
    )
    request = issuer.request(proof, credential_configuration_id="attested")
    issuer.ask(issuer.grant(("attested", {})), request)
    assert [key for _, _, key, _ in issuer.written] == [HOLDER.public_key, OTHER.public_key]


def test_an_attestation_alone_will_do(issuer):
    request = {
        "credential_configuration_id": "attested",
        "proofs": {"attestation": [issuer.attestation()]},
    }
    issuer.ask(issuer.grant(("attested", {})), request)
    assert len(issuer.written) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"signer": OTHER}, "does not verify"),
        ({"exp": NOW}, "not valid now"),
        ({"iat": NOW + 400}, "not valid now"),
        ({"keys": ()}, "1 to 32 keys"),
        ({"keys": (OTHER,)}, "not attested"),
    ],
)
def test_an_attestation_that_does_not_hold_is_declined(issuer, change, words):
    header = {
        "jwk": write_jwk(HOLDER.public_key),
        "key_attestation": issuer.attestation(**change),
    }
    request = issuer.request(issuer.proof(header=header), credential_configuration_id="attested")
    grant = issuer.grant(("attested", {}))
    assert words in declined(OAuthError.INVALID_PROOF, issuer.ask, grant, request)


def test_a_key_that_must_be_attested_is_declined_without(issuer):
    request = issuer.request(credential_configuration_id="attested")
    grant = issuer.grant(("attested", {}))
    assert "attested" in declined(OAuthError.INVALID_PROOF, issuer.ask, grant, request)


def encrypted(issuer, request, **change):
    sent = request | {
        "credential_response_encryption": {
            "jwk": write_jwk(OTHER.public_key) | {"kid": "w"},
            "enc": "A256GCM",
        }
        | change
    }
    return encrypt_jwe(json.dumps(sent).encode(), ISSUER_KEY.public_key, {}).encode()


def test_request_and_answer_can_be_encrypted(issuer):
    raw = encrypted(issuer, issuer.request())
    answer = issuer.ask(issuer.grant(), raw, is_jwt=True)
    found = decrypt_jwe(answer.body, OTHER, "the answer")
    assert (found.header["kid"], found.header["enc"]) == ("w", "A256GCM")
    assert json.loads(found.payload)["credentials"] == [{"credential": "credential 1"}]


def test_an_encrypted_answer_is_asked_for_in_an_encrypted_request_alone(issuer):
    sent = issuer.request(
        credential_response_encryption={"jwk": write_jwk(OTHER.public_key), "enc": "A128GCM"}
    )
    declined(OAuthError.INVALID_ENCRYPTION, issuer.ask, issuer.grant(), sent)


@pytest.mark.parametrize(
    "change",
    [
        {"enc": "A128CBC-HS256"},
        {"enc": None},
        {"zip": "DEF"},
        {"jwk": None},
        {"jwk": {"kty": "oct"}},
        {"jwk": write_jwk(load_private_key(KeyKind.ED25519, b"\x01" * 32).public_key)},
    ],
)
def test_unsound_encryption_is_declined(issuer, change):
    raw = encrypted(issuer, issuer.request(), **change)
    declined(OAuthError.INVALID_ENCRYPTION, issuer.ask, issuer.grant(), raw, is_jwt=True)


def test_an_issuer_may_ask_for_encryption():
    issuer = Issuer(needs_encryption=True)
    declined(OAuthError.INVALID_ENCRYPTION, issuer.ask, issuer.grant(), issuer.request())
    raw = encrypt_jwe(json.dumps(issuer.request()).encode(), ISSUER_KEY.public_key, {}).encode()
    declined(OAuthError.INVALID_ENCRYPTION, issuer.ask, issuer.grant(), raw, is_jwt=True)
    metadata = build_issuer_metadata(issuer.settings, ISSUER_KEY.public_key)
    assert metadata["credential_response_encryption"]["encryption_required"] is True


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"credential_configuration_id":1}',
        b'{"credential_configuration_id":"resident","credential_identifier":"x"}',
        b'{"credential_configuration_id":"resident","credential_configuration_id":"licence"}',
        b'{"credential_identifier":"x"}',
    ],
)
def test_an_unsound_request_is_declined(issuer, request_):
    declined(OAuthError.INVALID_CREDENTIAL_REQUEST, issuer.ask, issuer.grant(), request_)


def notify(issuer, grant, **sent):
    return issuer.endpoints.take_notification(json.dumps(sent).encode(), grant, issuer.now_ms)


def test_a_wallet_says_what_became_of_a_credential(issuer):
    grant = issuer.grant()
    notification_id = issuer.ask(grant, issuer.request()).body["notification_id"]
    for _ in range(2):
        notify(issuer, grant, notification_id=notification_id, event="credential_accepted")
    notify(
        issuer,
        grant,
        notification_id=notification_id,
        event="credential_deleted",
        event_description="by hand",
    )
    issuance = issuer.desk.get(grant.issuance_id, issuer.now_ms)
    assert issuance.events == ("credential_accepted", "credential_deleted by hand")
    declined(
        OAuthError.INVALID_NOTIFICATION_ID,
        notify,
        issuer,
        issuer.grant(),
        notification_id=notification_id,
        event="credential_accepted",
    )
    declined(
        OAuthError.INVALID_NOTIFICATION, notify, issuer, grant, notification_id="x", event="other"
    )
    declined(OAuthError.INVALID_NOTIFICATION, notify, issuer, grant, event="credential_accepted")


def test_an_offer_is_bounded_and_for_what_there_is(issuer):
    with pytest.raises(NotFound, match="no credential 'x'"):
        issuer.offer(("x", {}))
    for count in (0, 17):
        with pytest.raises(Exception, match="1 to 16"):
            issuer.desk.offer([("note", {})] * count, NOW_MS, needs_tx_code=False)


@settings(max_examples=1_500 if IS_SOAK else 60)
@given(st.binary(max_size=80), st.booleans())
def test_any_request_is_answered_or_declined(raw, is_jwt):
    issuer = Issuer()
    with pytest.raises(Declined):
        issuer.ask(issuer.grant(), raw, is_jwt=is_jwt)
    grant = issuer.grant()
    with pytest.raises(Declined):
        issuer.endpoints.give_deferred(raw, grant, NOW_MS, is_jwt=is_jwt)
    with pytest.raises(Declined):
        issuer.endpoints.take_notification(raw, grant, NOW_MS)
