"""Hostile clients of an issuer: stolen tokens and codes, DPoP and PKCE."""

from __future__ import annotations

import json
from typing import Any

from tests.hostile.issuing import WORLD, Talk, ask, prove
from tests.hostile.sd_jwts import sign, without
from tests.hostile.themes import Case, Sound, Theme
from tests.unit.identity.issuer.playing import (
    HOLDER,
    MAKER,
    NOW,
    OTHER,
    PRE,
    REDIRECT,
    URL,
    VERIFIER,
)

from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.oauth.dpop import hash_token
from hansa.identity.oauth.pkce import compute_challenge

DPOP = "RFC 9449, section 4.3"


def make_clients() -> Theme:
    """DPoP, PKCE and wallet attestation: who may use codes and tokens."""
    place = f"{URL}/credential"
    shown = {"alg": "ES256", "typ": "dpop+jwt", "jwk": write_jwk(HOLDER.public_key)}

    def dpop(url: str, jti: str, /, *, header: Any = shown, signer=HOLDER, **claims: Any) -> str:
        told = {"jti": jti, "htm": "POST", "htu": url, "iat": NOW} | claims
        return sign(signer, header, {name: each for name, each in told.items() if each is not None})

    talk = Talk()
    token = talk.get_token(DPoP=dpop(f"{URL}/token", "1"))
    nonce = talk.get_nonce()
    ath = hash_token(token)

    def request(proof: str | None, scheme: str = "DPoP") -> list[dict]:
        asked = ask({"jwt": [prove(nonce)]}, token)
        asked["headers"] = {"Authorization": f"{scheme} {token}"}
        if proof is not None:
            asked["headers"]["DPoP"] = proof
        return talk.end("credential", **asked)

    bad = ("invalid_dpop_proof",)
    changes: dict[str, dict] = {
        "for another address": {"htu": "https://evil.example/credential"},
        "for another endpoint": {"htu": f"{URL}/token"},
        "for another method": {"htm": "GET"},
        "for another token": {"ath": hash_token("other")},
        "for no token": {"ath": None},
        "an hour old": {"iat": NOW - 3_600},
        "of the future": {"iat": NOW + 3_600},
        "of a time in text": {"iat": str(NOW)},
        "of a time of 400 digits": {"iat": 10**400},
        "without a number of its own (jti)": {"jti": None},
        "with a number of 257 letters (jti)": {"jti": "x" * 257},
    }
    cases = [
        Case(f"DPoP: {name}", DPOP, bad, request(dpop(place, "2", **({"ath": ath} | change))))
        for name, change in changes.items()
    ]
    headers: dict[str, dict] = {
        "of no algorithm": {"alg": "none"},
        "by a shared secret": {"alg": "HS256"},
        "of another type": {"typ": "openid4vci-proof+jwt"},
        "with a private key": {"jwk": write_private_jwk(HOLDER)},
        "without a key": {"jwk": None},
        "with an extension that must be understood": {"crit": ["x"]},
    }
    cases += [
        Case(f"DPoP: {name}", DPOP, bad, request(dpop(place, "2", header=shown | change, ath=ath)))
        for name, change in headers.items()
    ]
    stolen = shown | {"jwk": write_jwk(OTHER.public_key)}
    cases += [
        Case(
            "DPoP: a proof that was used before",
            DPOP,
            bad,
            _replay(talk, dpop(place, "2", ath=ath), token, nonce),
        ),
        Case(
            "DPoP: a stolen token with another key",
            "RFC 9449, section 7.1",
            ("invalid_token",),
            request(dpop(place, "2", header=stolen, signer=OTHER, ath=ath)),
        ),
        Case(
            "DPoP: a stolen token as a bearer's",
            "RFC 9449, section 7.2",
            ("invalid_token",),
            request(None, "Bearer"),
        ),
        Case("DPoP: no proof", "RFC 9449, section 7.1", bad, request(None)),
        Case(
            "DPoP: signed by another key than it shows",
            DPOP,
            bad,
            request(dpop(place, "2", signer=OTHER, ath=ath)),
        ),
    ]
    cases += _list_codes()
    sound = {"bound token": Sound(request(dpop(place, "2", ath=ath))), "code": Sound(_redeem())}
    return Theme("Clients of an issuer: DPoP and PKCE", "requests", WORLD, sound, cases)


def make_wallets() -> Theme:
    """Wallet attestation: a maker vouches for a wallet, which proves its key."""
    where = "draft-ietf-oauth-attestation-based-client-auth, sections 4 to 6"
    pre = WORLD | {"rules": {"needs_attested_wallet": True}}
    stated = {"alg": "ES256", "typ": "oauth-client-attestation+jwt"}
    shown = {"alg": "ES256", "typ": "oauth-client-attestation-pop+jwt"}
    claims = {
        "iss": "maker",
        "sub": "wallet",
        "exp": NOW + 60,
        "cnf": {"jwk": write_jwk(HOLDER.public_key)},
    }
    told = {"aud": URL, "jti": "1", "iat": NOW}

    def of(attestation: str = "", pop: str = "") -> list[dict]:
        talk = Talk(pre)
        code = talk.desk.offered[0].offer.pre_authorized_code
        headers = {
            "OAuth-Client-Attestation": attestation or sign(MAKER, stated, claims),
            "OAuth-Client-Attestation-PoP": pop or sign(HOLDER, shown, told),
        }
        parameters = {"grant_type": PRE, "pre-authorized_code": code}
        return talk.end("token", parameters=parameters, headers=headers)

    attestations: dict[str, str] = {
        "by a maker that is not trusted": sign(MAKER, stated, claims | {"iss": "evil"}),
        "by a stranger who names the maker": sign(OTHER, stated, claims),
        "of no algorithm": sign(MAKER, stated | {"alg": "none"}, claims),
        "by a shared secret": sign(MAKER, stated | {"alg": "HS256"}, claims),
        "of another type": sign(MAKER, stated | {"typ": "JWT"}, claims),
        "expired": sign(MAKER, stated, claims | {"exp": NOW}),
        "of the future": sign(MAKER, stated, claims | {"iat": NOW + 3_600}),
        "over at a time in text": sign(MAKER, stated, claims | {"exp": str(NOW + 60)}),
        "over at a time of 400 digits": sign(MAKER, stated, claims | {"exp": 10**400}),
        "without an end": sign(MAKER, stated, without(claims, "exp")),
        "of no key": sign(MAKER, stated, without(claims, "cnf")),
        "of a private key": sign(
            MAKER, stated, claims | {"cnf": {"jwk": write_private_jwk(HOLDER)}}
        ),
        "with a name twice": sign(MAKER, stated, json.dumps(claims)[:-1] + ',"sub":"evil"}'),
        "that is none": "x",
    }
    proofs: dict[str, str] = {
        "by another key": sign(OTHER, shown, told),
        "for another server": sign(HOLDER, shown, told | {"aud": "https://evil.example"}),
        "an hour old": sign(HOLDER, shown, told | {"iat": NOW - 3_600}),
        "without a number of its own (jti)": sign(HOLDER, shown, told | {"jti": ""}),
        "of another type": sign(HOLDER, shown | {"typ": "dpop+jwt"}, told),
        "that is none": "x",
    }
    error = ("invalid_client_attestation",)
    cases = [
        Case(f"an attestation {name}", where, error, of(each))
        for name, each in attestations.items()
    ]
    cases += [Case(f"a proof {name}", where, error, of(pop=each)) for name, each in proofs.items()]
    twice = of()
    bare = {name: each for name, each in twice[0].items() if name != "headers"}
    cases += [
        Case("none where one is asked for", where, error, [bare]),
        Case("a proof that was used before", where, error, [twice[0], twice[0]]),
        Case(
            "an attestation of another client than the request names",
            where,
            ("invalid_client",),
            [twice[0] | {"parameters": twice[0]["parameters"] | {"client_id": "other"}}],
        ),
    ]
    return Theme("Wallet attestation", "requests", pre, {"attested wallet": Sound(of())}, cases)


def _replay(talk: Talk, proof: str, token: str, nonce: str) -> list[dict]:
    """Send the same proof twice; the second time with another proof of possession."""
    again = Talk()
    again.requests = []
    for request in talk.requests:
        again.send(**request)
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    again.send("credential", **(ask({"jwt": [prove(nonce)]}, token) | {"headers": headers}))
    return again.end("credential", **(ask({"jwt": [prove(nonce)]}, token) | {"headers": headers}))


PUSHED = {
    "client_id": "wallet",
    "response_type": "code",
    "redirect_uri": REDIRECT,
    "code_challenge": compute_challenge(VERIFIER),
    "code_challenge_method": "S256",
    "scope": "resident",
}


def _redeem(push: dict = PUSHED, **changes: str | None) -> list[dict]:
    """Push a request, have it approved, and redeem the code."""
    talk = Talk()
    uri = talk.send("par", parameters=push)["request_uri"]
    code = talk.send("approve", parameters={"request_uri": uri})["code"]
    told = {
        "grant_type": "authorization_code",
        "client_id": "wallet",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": REDIRECT,
    } | changes
    parameters = {name: each for name, each in told.items() if each is not None}
    return talk.end("token", parameters=parameters)


def _push(**changes: str | None) -> list[dict]:
    told = {name: each for name, each in {**PUSHED, **changes}.items() if each is not None}
    return [{"to": "par", "parameters": told}]


def _list_codes() -> list[Case]:
    pkce = "RFC 7636, section 4; RFC 9700, section 2.1.1"
    plain = {"code_challenge": VERIFIER, "code_challenge_method": "plain"}
    invalid, grant = ("invalid_request",), ("invalid_grant",)
    twice = _redeem()
    cases = [
        ("PKCE: plain in the place of S256", pkce, invalid, _push(**plain)),
        (
            "PKCE: no method, which would mean plain",
            pkce,
            invalid,
            _push(code_challenge_method=None),
        ),
        ("PKCE: none", pkce, invalid, _push(code_challenge=None, code_challenge_method=None)),
        ("PKCE: a challenge that is no hash", pkce, invalid, _push(code_challenge="x")),
        ("PKCE: another verifier", pkce, grant, _redeem(code_verifier="w" * 43)),
        ("PKCE: no verifier", pkce, grant, _redeem(code_verifier=None)),
        (
            "PKCE: the challenge for a verifier",
            pkce,
            grant,
            _redeem(code_verifier=compute_challenge(VERIFIER)),
        ),
        ("PKCE: a verifier of 42 letters", pkce, grant, _redeem(code_verifier="v" * 42)),
        ("a code that was used before", "RFC 6749, section 4.1.2", grant, [*twice, twice[-1]]),
        (
            "a code of another client",
            "RFC 6749, section 4.1.3",
            ("invalid_client",),
            _redeem(client_id="evil"),
        ),
        (
            "another redirect_uri than before",
            "RFC 6749, section 4.1.3",
            grant,
            _redeem(redirect_uri="https://evil.example"),
        ),
        (
            "a redirect_uri that is not registered",
            "RFC 9700, section 2.1",
            invalid,
            _push(redirect_uri="https://evil.example"),
        ),
        (
            "a redirect_uri that begins like a registered one",
            "RFC 9700, section 2.1",
            invalid,
            _push(redirect_uri=REDIRECT + "@evil.example"),
        ),
        (
            "a request within a request",
            "RFC 9126, section 2.1",
            invalid,
            _push(request_uri="https://evil.example"),
        ),
        (
            "a client that nobody knows",
            "RFC 9126, section 2.3",
            ("invalid_client",),
            _push(client_id="evil"),
        ),
        (
            "a scope that is not there",
            "RFC 6749, section 4.1.2.1",
            ("invalid_scope",),
            _push(scope="mayor"),
        ),
        (
            "details nested 1,000 levels",
            "RFC 9396, section 5",
            invalid,
            _push(authorization_details="[" * 1_000),
        ),
        (
            "a parameter of 16,385 letters",
            "RFC 6749, section 3.1",
            invalid,
            _push(state="x" * 16_385),
        ),
        (
            "a grant that is not known",
            "RFC 6749, section 5.2",
            ("unsupported_grant_type",),
            _redeem(grant_type="password"),
        ),
    ]
    return [Case(name, where, faults, given, sound="code") for name, where, faults, given in cases]
