"""DPoP, PKCE and wallet attestation: a proof holds for one request, one key and one moment."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import compute_thumbprint, write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.oauth.attestation import verify_client
from hansa.identity.oauth.dpop import ProvenRequest, hash_token, make_dpop, verify_dpop
from hansa.identity.oauth.pkce import (
    check_challenge,
    check_verifier,
    compute_challenge,
    make_verifier,
)
from hansa.identity.oauth.refusals import Declined, OAuthError

KEY = load_private_key(KeyKind.P256, b"\x07" * 32)
MAKER = load_private_key(KeyKind.P256, b"\x08" * 32)
NOW_MS = 1_795_953_600_000
NOW = NOW_MS // 1_000
URL = "https://issuer.example/token"
REQUEST = ProvenRequest("POST", URL)
BEARING = ProvenRequest("POST", URL, "the token")


def declined(error, call, *arguments):
    with pytest.raises(Declined) as caught:
        call(*arguments)
    assert caught.value.error is error
    return caught.value.message


def dpop_of(header=(), key=KEY, **claims):
    told = {"jti": "1", "htm": "POST", "htu": URL, "iat": NOW} | claims
    told = {name: value for name, value in told.items() if value is not None}
    shown = {"typ": "dpop+jwt", "jwk": write_jwk(KEY.public_key)} | dict(header)
    return sign_jws(key, shown, msgspec.json.encode(told))


@pytest.mark.parametrize("request_", [REQUEST, BEARING])
def test_a_proof_holds_for_its_request(request_):
    token = make_dpop(KEY, request_, "jti", NOW_MS, nonce="n")
    found = verify_dpop(token, request_, NOW_MS + 1_000)
    assert found == (compute_thumbprint(KEY.public_key), "jti", "n")


def test_query_and_fragment_do_not_count():
    token = make_dpop(KEY, ProvenRequest("GET", URL + "?a=b#c"), "jti", NOW_MS)
    verify_dpop(token, ProvenRequest("GET", URL), NOW_MS)
    verify_dpop(token, ProvenRequest("GET", URL + "?other"), NOW_MS)


def test_the_hash_of_a_token_is_that_of_rfc_9449():
    """Section 7.1, figure 12."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    assert hash_token(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (dpop_of(htm="GET"), "for GET"),
        (dpop_of(htu=URL + "/other"), "/other"),
        (dpop_of(htu="https://issuer.example.evil/token"), "evil"),
        (dpop_of(iat=NOW - 301), "five minutes"),
        (dpop_of(iat=NOW + 301), "five minutes"),
        (dpop_of(iat=None), "iat"),
        (dpop_of(iat="now"), "iat"),
        (dpop_of(jti=""), "jti"),
        (dpop_of(jti="x" * 300), "jti"),
        (dpop_of(jti=None), "jti"),
        (dpop_of(ath=hash_token("the token")), "access token"),
        (dpop_of({"typ": "JWT"}), "typ"),
        (dpop_of({"jwk": None}), "JWK"),
        (dpop_of({"jwk": write_jwk(MAKER.public_key)}), "does not verify"),
        (dpop_of({"jwk": write_private_jwk(KEY)}), "private key"),
        (dpop_of(key=MAKER), "does not verify"),
        ("", "no JWS"),
        ("a.b.c", "base64url"),
    ],
)
def test_a_proof_for_something_else_is_declined(token, words):
    assert words in declined(OAuthError.INVALID_DPOP_PROOF, verify_dpop, token, REQUEST, NOW_MS)


@pytest.mark.parametrize("ath", ["", hash_token("another")])
def test_a_proof_must_name_the_token_that_it_comes_with(ath):
    token = dpop_of(ath=ath or None)
    declined(OAuthError.INVALID_DPOP_PROOF, verify_dpop, token, BEARING, NOW_MS)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


@given(st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce"]), JSON)
def test_any_claim_is_taken_or_declined(name, value):
    raw = json.dumps({"jti": "1", "htm": "POST", "htu": URL, "iat": NOW} | {name: value}).encode()
    token = sign_jws(KEY, {"typ": "dpop+jwt", "jwk": write_jwk(KEY.public_key)}, raw)
    try:
        verify_dpop(token, REQUEST, NOW_MS)
    except Declined:
        return


def test_the_verifier_of_rfc_7636_belongs_to_its_challenge():
    """Appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert compute_challenge(verifier) == challenge
    check_challenge(challenge, "S256")
    check_verifier(verifier, challenge)


def test_a_new_verifier_can_be_checked():
    verifier = make_verifier(bytes)
    check_verifier(verifier, compute_challenge(verifier))


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "a" * 42 + "!", "b" * 43])
def test_another_verifier_is_declined(verifier):
    declined(OAuthError.INVALID_GRANT, check_verifier, verifier, compute_challenge("a" * 43))


@pytest.mark.parametrize(
    ("challenge", "method"),
    [("a" * 43, "plain"), ("a" * 43, ""), ("a" * 42, "S256"), ("a" * 42 + "=", "S256")],
)
def test_a_challenge_must_be_a_hash(challenge, method):
    declined(OAuthError.INVALID_REQUEST, check_challenge, challenge, method)


def attest(header=(), key=MAKER, **claims):
    told = {
        "iss": "maker",
        "sub": "wallet",
        "exp": NOW + 60,
        "cnf": {"jwk": write_jwk(KEY.public_key)},
    } | claims
    shown = {"typ": "oauth-client-attestation+jwt"} | dict(header)
    return sign_jws(key, shown, msgspec.json.encode(told))


def pop_of(header=(), key=KEY, **claims):
    told = {"aud": "https://issuer.example", "jti": "1", "iat": NOW, "challenge": "c"} | claims
    shown = {"typ": "oauth-client-attestation-pop+jwt"} | dict(header)
    return sign_jws(key, shown, msgspec.json.encode(told))


def find_maker(iss, header):
    return MAKER.public_key if iss == "maker" else None


def check_client(attestation, pop):
    return verify_client(attestation, pop, "https://issuer.example", NOW_MS, find_maker)


def test_an_attested_wallet_is_known_by_its_maker_and_key():
    found = check_client(attest(), pop_of())
    assert found == ("wallet", "maker", compute_thumbprint(KEY.public_key), "1", "c")


@pytest.mark.parametrize(
    ("attestation", "pop", "words"),
    [
        (attest(exp=NOW), pop_of(), "not valid now"),
        (attest(nbf=NOW + 400), pop_of(), "not valid now"),
        (attest(iss="stranger"), pop_of(), "not trusted"),
        (attest(key=KEY), pop_of(), "does not verify"),
        (attest({"typ": "JWT"}), pop_of(), "typ"),
        (attest(cnf={}), pop_of(), "jwk"),
        (attest(cnf={"jwk": {}}), pop_of(), "curve"),
        (attest(), pop_of(key=MAKER), "does not verify"),
        (attest(), pop_of(aud="https://other.example"), "other.example"),
        (attest(), pop_of(iat=NOW - 400), "five minutes"),
        (attest(), pop_of(jti=""), "jti"),
        (attest(), pop_of({"typ": "JWT"}), "typ"),
        (attest(), "", "no JWS"),
        ("x", pop_of(), "no JWS"),
    ],
)
def test_a_wallet_that_is_not_attested_is_declined(attestation, pop, words):
    error = OAuthError.INVALID_CLIENT_ATTESTATION
    assert words in declined(error, check_client, attestation, pop)


def test_a_refusal_has_its_status():
    assert Declined(OAuthError.INVALID_GRANT, "x").status == 400
    assert Declined(OAuthError.INVALID_TOKEN, "x").status == 401
    assert Declined(OAuthError.INSUFFICIENT_SCOPE, "x").status == 403
