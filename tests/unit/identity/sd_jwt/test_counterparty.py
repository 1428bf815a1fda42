"""The working group's own implementation (sd-jwt 0.10.4) reads ours, and we read its."""

import json

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier
from tests.disclosing import CHALLENGE, NOW_S, counted

from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.sd_jwt.issuance import issue_sd_jwt
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, open_issued, select_disclosures
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.sd_jwt.verification import Challenge, verify_sd_jwt

ISSUER = load_private_key(KeyKind.P256, b"\x01" * 32)
HOLDER = load_private_key(KeyKind.P256, b"\x02" * 32)
THEIR_ISSUER = JWK.from_json(json.dumps(write_private_jwk(ISSUER)))
THEIR_HOLDER = JWK.from_json(json.dumps(write_private_jwk(HOLDER)))
CLAIMS = {
    "iss": "https://issuer.example.org",
    "name": "Þóra",
    "address": {"country": "IS", "locality": "Þykkvabæjarklaustur"},
    "nationalities": ["IS", "DE"],
}
BOUND = CLAIMS | {"cnf": {"jwk": write_jwk(HOLDER.public_key)}}
SHOWN = {
    "iss": CLAIMS["iss"],
    "cnf": BOUND["cnf"],
    "address": {"country": "IS"},
    "nationalities": ["DE"],
}
PATHS = [("name",), ("address",), ("address", "country"), ("address", "locality"),
         ("nationalities", None)]  # fmt: skip
WANTED = [("address", "country"), ("nationalities", 1)]


@pytest.mark.parametrize("pad_to", [1, 4])
def test_they_verify_what_we_issue_and_present(pad_to):
    issued = issue_sd_jwt(ISSUER, BOUND, PATHS, counted(), pad_to=pad_to)
    shown = bind_sd_jwt(select_disclosures(issued, WANTED), HOLDER, CHALLENGE, NOW_S)
    theirs = SDJWTVerifier(
        shown.encode(), lambda _issuer, _header: THEIR_ISSUER, CHALLENGE.audience, CHALLENGE.nonce
    )
    assert theirs.get_verified_payload() == SHOWN


def test_they_hold_what_we_issue():
    issued = issue_sd_jwt(ISSUER, BOUND, PATHS, counted())
    holder = SDJWTHolder(issued.encode())
    wanted = {"address": {"country": True}, "nationalities": [False, True]}
    holder.create_presentation(wanted, CHALLENGE.nonce, CHALLENGE.audience, THEIR_HOLDER)
    verify_theirs(holder)


@pytest.mark.parametrize("has_decoys", [False, True])
def test_we_verify_and_hold_what_they_issue(has_decoys):
    marked = {
        "iss": CLAIMS["iss"],
        SDObj("name"): CLAIMS["name"],
        SDObj("address"): {SDObj(name): value for name, value in CLAIMS["address"].items()},
        "nationalities": [SDObj(each) for each in CLAIMS["nationalities"]],
    }
    issued = SDJWTIssuer(marked, THEIR_ISSUER, THEIR_HOLDER, add_decoy_claims=has_decoys)
    held = decode_sd_jwt(issued.sd_jwt_issuance)
    assert open_issued(held).claims.items() >= CLAIMS.items()
    ours = bind_sd_jwt(select_disclosures(held, WANTED), HOLDER, CHALLENGE, NOW_S)
    verified = verify_sd_jwt(ours, ISSUER.public_key, NOW_S, challenge=CHALLENGE)
    assert verified.claims["address"] == SHOWN["address"]

    holder = SDJWTHolder(issued.sd_jwt_issuance)
    wanted = {"address": {"country": True}, "nationalities": [False, True]}
    holder.create_presentation(wanted, CHALLENGE.nonce, CHALLENGE.audience, THEIR_HOLDER)
    verify_theirs(holder)


def verify_theirs(holder):
    """Verify a presentation that says itself when it was made: their library calls the clock."""
    sd_jwt = decode_sd_jwt(holder.sd_jwt_presentation)
    now_s = holder.key_binding_jwt_payload["iat"]
    challenge = Challenge(CHALLENGE.audience, CHALLENGE.nonce)
    claims = verify_sd_jwt(sd_jwt, ISSUER.public_key, now_s, challenge=challenge).claims
    assert claims["address"] == SHOWN["address"]
    assert claims["nationalities"] == SHOWN["nationalities"]
