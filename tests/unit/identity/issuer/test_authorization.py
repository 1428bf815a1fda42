"""From an offer, or a person’s consent, to an access token; and every way to be declined."""

import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.unit.identity.issuer.playing import (
    HOLDER,
    MAKER,
    NO_PROOF,
    NOW,
    NOW_MS,
    OTHER,
    PRE,
    REDIRECT,
    URL,
    Issuer,
    declined,
)

from hansa.identity.issuer.authorization import ClientProof
from hansa.identity.issuer.configurations import (
    Rules,
)
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import compute_thumbprint, write_jwk
from hansa.identity.oauth.dpop import ProvenRequest, make_dpop
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.kernel.errors import NotFound


@pytest.fixture
def issuer():
    return Issuer()


def test_an_offer_leads_to_a_credential_bound_to_the_holders_key(issuer):
    grant = issuer.grant()
    answer = issuer.ask(grant, issuer.request())
    assert answer.status == 200
    assert answer.body["credentials"] == [{"credential": "credential 1"}]
    assert issuer.written == [("resident", {"name": "Mei"}, HOLDER.public_key, NOW_MS)]


def test_a_transaction_code_must_come_with_the_code_and_may_be_guessed_thrice(issuer):
    offered = issuer.offer(needs_tx_code=True)
    assert offered.offer.tx_code["length"] == len(offered.tx_code) == 6
    wrong = f"{(int(offered.tx_code) + 1) % 10**6:06}"
    declined(OAuthError.INVALID_REQUEST, issuer.token, offered)
    assert "2 more" in declined(OAuthError.INVALID_GRANT, issuer.token, offered, tx_code=wrong)
    assert issuer.token(offered, tx_code=offered.tx_code)["token_type"] == "Bearer"
    offered = issuer.offer(needs_tx_code=True)
    wrong = f"{(int(offered.tx_code) + 1) % 10**6:06}"
    for _ in range(2):
        declined(OAuthError.INVALID_GRANT, issuer.token, offered, tx_code=wrong)
    assert "too often" in declined(OAuthError.INVALID_GRANT, issuer.token, offered, tx_code=wrong)
    declined(OAuthError.INVALID_GRANT, issuer.token, offered, tx_code=offered.tx_code)


def test_a_wrong_code_does_not_make_the_offer_last_longer(issuer):
    offered = issuer.offer(needs_tx_code=True)
    issuer.now_ms += issuer.settings.rules.code_ms - 1
    declined(OAuthError.INVALID_GRANT, issuer.token, offered, tx_code="x")
    issuer.now_ms += 1
    message = declined(OAuthError.INVALID_GRANT, issuer.token, offered, tx_code=offered.tx_code)
    assert "over" in message


def test_a_transaction_code_that_was_not_asked_for_is_declined(issuer):
    declined(OAuthError.INVALID_REQUEST, issuer.token, issuer.offer(), tx_code="1")


def test_a_code_is_good_once_and_for_its_time(issuer):
    offered = issuer.offer()
    issuer.token(offered)
    declined(OAuthError.INVALID_GRANT, issuer.token, offered)
    offered = issuer.offer()
    issuer.now_ms += issuer.settings.rules.code_ms
    declined(OAuthError.INVALID_GRANT, issuer.token, offered)
    with pytest.raises(NotFound):
        issuer.desk.get_offer(offered.offer_id, issuer.now_ms)


def test_details_ask_for_credentials_by_identifier(issuer):
    offered = issuer.offer(("resident", {"n": 1}), ("resident", {"n": 2}), ("licence", {"n": 3}))
    details = [{"type": "openid_credential", "credential_configuration_id": "resident"}]
    token = issuer.token(offered, authorization_details=json.dumps(details))
    (found,) = token["authorization_details"]
    first, second = found["credential_identifiers"]
    grant = issuer.access(token["access_token"])
    request = {"credential_identifier": second, "proofs": {"jwt": [issuer.proof()]}}
    issuer.ask(grant, request)
    assert issuer.written[0][1] == {"n": 2}
    declined(OAuthError.INVALID_CREDENTIAL_REQUEST, issuer.ask, grant, issuer.request())
    other = first[:-1] + "2"
    declined(
        OAuthError.UNKNOWN_IDENTIFIER, issuer.ask, grant, request | {"credential_identifier": other}
    )


@pytest.mark.parametrize(
    ("details", "error"),
    [
        ("", OAuthError.INVALID_REQUEST),
        ("[]", OAuthError.INVALID_REQUEST),
        ("{}", OAuthError.INVALID_REQUEST),
        ('[{"type":"other","credential_configuration_id":"resident"}]', OAuthError.INVALID_REQUEST),
        (
            '[{"type":"openid_credential","credential_configuration_id":"x"}]',
            OAuthError.INVALID_REQUEST,
        ),
        (
            '[{"type":"openid_credential","credential_configuration_id":"licence"}]',
            OAuthError.INVALID_SCOPE,
        ),
        ("[" * 20_000, OAuthError.INVALID_REQUEST),
    ],
)
def test_details_that_are_not_offered_are_declined(issuer, details, error):
    declined(error, issuer.token, issuer.offer(), authorization_details=details)


def test_a_scope_narrows_what_a_token_is_for(issuer):
    offered = issuer.offer(("resident", {}), ("licence", {}))
    grant = issuer.access(issuer.token(offered, scope="licence")["access_token"])
    declined(OAuthError.UNKNOWN_CONFIGURATION, issuer.ask, grant, issuer.request())
    declined(OAuthError.INVALID_SCOPE, issuer.token, issuer.offer(), scope="nothing")
    declined(OAuthError.INVALID_SCOPE, issuer.token, issuer.offer(), scope="licence")


def test_the_flow_with_a_persons_consent(issuer):
    redirect = issuer.approve(issuer.push())
    query = parse_qs(urlsplit(redirect).query)
    assert redirect.startswith(REDIRECT + "?code=")
    assert (query["iss"], query["state"]) == ([URL], ["s t"])
    grant = issuer.access(issuer.redeem(redirect)["access_token"])
    assert issuer.ask(grant, issuer.request(issuer.proof(iss="wallet"))).status == 200
    declined(OAuthError.INVALID_GRANT, issuer.redeem, redirect)


def test_a_person_may_refuse(issuer):
    request_uri = issuer.push()
    redirect = issuer.server.refuse(request_uri, "wallet", issuer.now_ms)
    assert parse_qs(urlsplit(redirect).query)["error"] == ["access_denied"]
    declined(OAuthError.INVALID_REQUEST, issuer.approve, request_uri)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "stranger"}, OAuthError.INVALID_CLIENT),
        ({"client_id": None}, OAuthError.INVALID_CLIENT),
        ({"redirect_uri": "https://evil.example"}, OAuthError.INVALID_REQUEST),
        ({"redirect_uri": REDIRECT + "/more"}, OAuthError.INVALID_REQUEST),
        ({"redirect_uri": None}, OAuthError.INVALID_REQUEST),
        ({"response_type": "token"}, OAuthError.INVALID_REQUEST),
        ({"request_uri": "urn:x"}, OAuthError.INVALID_REQUEST),
        ({"code_challenge_method": "plain"}, OAuthError.INVALID_REQUEST),
        ({"code_challenge": None}, OAuthError.INVALID_REQUEST),
        ({"scope": "openid"}, OAuthError.INVALID_SCOPE),
        ({"scope": None}, OAuthError.INVALID_SCOPE),
        ({"state": "s" * 20_000}, OAuthError.INVALID_REQUEST),
    ],
)
def test_an_unsound_pushed_request_is_declined(issuer, change, error):
    declined(error, issuer.push, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"code": "other"},
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "https://evil.example"},
    ],
)
def test_a_code_is_redeemed_only_by_who_asked_for_it(issuer, change):
    declined(OAuthError.INVALID_GRANT, issuer.redeem, issuer.approve(issuer.push()), **change)


def test_a_pushed_request_is_its_clients_own_and_lasts_five_minutes(issuer):
    request_uri = issuer.push()
    find = issuer.server.find_pushed
    declined(OAuthError.INVALID_REQUEST, find, request_uri, "another", issuer.now_ms)
    declined(OAuthError.INVALID_REQUEST, find, request_uri, "wallet", issuer.now_ms + 300_000)
    assert find(request_uri, "wallet", issuer.now_ms).configuration_ids == ("resident",)


def test_what_an_issuance_does_not_hold_cannot_be_approved(issuer):
    declined(OAuthError.INVALID_SCOPE, issuer.approve, issuer.push(scope="licence"))


def test_an_unknown_grant_type_is_declined(issuer):
    for kind in ("password", "", None):
        sent = {} if kind is None else {"grant_type": kind}
        give = issuer.server.give_token
        declined(OAuthError.UNSUPPORTED_GRANT_TYPE, give, sent, NO_PROOF, NOW_MS)


def dpop(url, jti="1", key=HOLDER, token=""):
    return ClientProof(dpop=make_dpop(key, ProvenRequest("POST", url, token), jti, NOW_MS))


def test_a_pushed_request_names_one_key(issuer):
    wrong = {"dpop_jkt": "another"}
    declined(OAuthError.INVALID_DPOP_PROOF, issuer.push, dpop(f"{URL}/par"), **wrong)
    issuer.push(dpop(f"{URL}/par", "2"), dpop_jkt=compute_thumbprint(HOLDER.public_key))


def test_a_token_can_be_bound_to_the_wallets_key(issuer):
    token = issuer.token(issuer.offer(), dpop(f"{URL}/token"))
    assert token["token_type"] == "DPoP"
    secret = token["access_token"]
    url = f"{URL}/credential"
    assert issuer.access(secret, "DPoP", dpop(url, "2", token=secret))
    invalid, proof_error = OAuthError.INVALID_TOKEN, OAuthError.INVALID_DPOP_PROOF
    declined(invalid, issuer.access, secret)
    declined(proof_error, issuer.access, secret, "DPoP")
    declined(proof_error, issuer.access, secret, "DPoP", dpop(url, "2", token=secret))
    declined(proof_error, issuer.access, secret, "DPoP", dpop(url, "3"))
    declined(proof_error, issuer.access, secret, "DPoP", dpop(f"{URL}/other", "4", token=secret))
    declined(invalid, issuer.access, secret, "DPoP", dpop(url, "5", OTHER, secret))


def test_a_proof_is_good_once_at_the_token_endpoint(issuer):
    proof = dpop(f"{URL}/token")
    issuer.token(issuer.offer(), proof)
    declined(OAuthError.INVALID_DPOP_PROOF, issuer.token, issuer.offer(), proof)


def test_a_code_bound_to_a_key_is_redeemed_by_it_alone(issuer):
    redirect = issuer.approve(issuer.push(dpop(f"{URL}/par")))
    other = dpop(f"{URL}/token", key=OTHER)
    declined(OAuthError.INVALID_GRANT, issuer.redeem, redirect, other)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 10_000, "ä"])
def test_an_unknown_token_is_declined(issuer, token):
    declined(OAuthError.INVALID_TOKEN, issuer.access, token)


def test_a_token_ends(issuer):
    token = issuer.token(issuer.offer())
    issuer.now_ms += token["expires_in"] * 1_000
    declined(OAuthError.INVALID_TOKEN, issuer.access, token["access_token"])


def wallet_proof(issuer, jti="1", **changes):
    attestation = {
        "iss": "maker",
        "sub": "wallet",
        "exp": NOW + 60,
        "cnf": {"jwk": write_jwk(HOLDER.public_key)},
    } | changes
    pop = {"aud": URL, "jti": jti, "iat": NOW}
    return ClientProof(
        dpop=make_dpop(HOLDER, ProvenRequest("POST", f"{URL}/token"), jti, NOW_MS),
        attestation=sign_jws(
            MAKER, {"typ": "oauth-client-attestation+jwt"}, msgspec.json.encode(attestation)
        ),
        attestation_pop=sign_jws(
            HOLDER, {"typ": "oauth-client-attestation-pop+jwt"}, msgspec.json.encode(pop)
        ),
    )


def test_the_high_assurance_profile_asks_for_attested_wallets_and_bound_tokens():
    issuer = Issuer(**msgspec.to_builtins(Rules.high_assurance()))
    attested = OAuthError.INVALID_CLIENT_ATTESTATION
    declined(attested, issuer.token, issuer.offer())
    proof = wallet_proof(issuer)
    declined(OAuthError.INVALID_DPOP_PROOF, issuer.token, issuer.offer(), proof._replace(dpop=""))
    token = issuer.token(issuer.offer(), wallet_proof(issuer, "2"))
    assert token["token_type"] == "DPoP"
    declined(attested, issuer.token, issuer.offer(), wallet_proof(issuer, "2"))
    declined(attested, issuer.token, issuer.offer(), wallet_proof(issuer, "3", iss="stranger"))
    declined(
        OAuthError.INVALID_CLIENT,
        issuer.token,
        issuer.offer(),
        wallet_proof(issuer, "4"),
        client_id="another",
    )


NAMES = st.sampled_from(
    [
        "grant_type",
        "pre-authorized_code",
        "tx_code",
        "scope",
        "authorization_details",
        "code",
        "client_id",
        "redirect_uri",
        "code_verifier",
        "code_challenge",
        "response_type",
    ]
)
VALUES = (
    st.sampled_from([PRE, "authorization_code", "wallet", "code", "resident", "[]"]) | st.text()
)


@settings(max_examples=1_500 if IS_SOAK else 60)
@given(st.dictionaries(NAMES, VALUES))
def test_any_parameters_are_answered_or_declined(parameters):
    issuer = Issuer()
    for call in (issuer.server.give_token, issuer.server.push):
        with pytest.raises(Declined):
            call(parameters, NO_PROOF, NOW_MS)
