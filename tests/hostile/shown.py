"""Hostile tokens of credentials, presentations by their holders, and credentials with BBS."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import cbor2
from tests.hostile.documents import (
    DOCUMENT,
    HOLDER,
    HOLDER_DID,
    ISSUER,
    METHOD,
    NOW,
    NOW_MS,
    P256,
    STATED,
    STRANGER,
    change,
)
from tests.hostile.paths import draw_from
from tests.hostile.sd_jwts import sign, without
from tests.hostile.themes import Case, Sound, Theme
from tests.secured import CONTEXTS, OURS, V2, name_method

from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.secret_keys import generate_secret_key
from hansa.identity.bbs_2023.suite import add_base_proof, derive
from hansa.identity.data_integrity.presentations import make_presentation
from hansa.identity.data_integrity.proofs import Proof, add_proof
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.methods.documents import Relationship

JOSE = "Securing Verifiable Credentials using JOSE and COSE, section 3"
HEADER = {"alg": "EdDSA", "typ": "vc+jwt", "cty": "vc", "kid": METHOD}
DOMAIN, CHALLENGE = "https://cinema.example", "n-0S6_WzA2Mj"
ASKED = {"time_ms": NOW_MS, "domain": DOMAIN, "challenge": CHALLENGE}
BBS_KEY = generate_secret_key(BBS_SHA_256, draw_from(77))
BBS_METHOD = "did:web:city.example#bbs"
BBS_HEADER = "cinema.example, nonce"


def make_tokens() -> Theme:
    """Credentials as tokens."""
    told = DOCUMENT
    headers: dict[str, tuple[str, dict]] = {
        "no algorithm (none)": ("ALGORITHM", {"alg": "none"}),
        "a shared secret": ("ALGORITHM", {"alg": "HS256"}),
        "another algorithm than the key's": ("ALGORITHM", {"alg": "ES256"}),
        "an extension that must be understood": ("CRITICAL", {"crit": ["exp"]}),
        "a payload that is not encoded": ("CRITICAL", {"b64": False}),
        "the type of a presentation": ("TYPE", {"typ": "vp+jwt"}),
        "the type of any token": ("TYPE", {"typ": "JWT"}),
        "a key that nobody knows": ("ISSUER", {"kid": "did:web:evil.example#1"}),
        "a key that is no text": ("MALFORMED", {"kid": 7}),
        "no key": ("MALFORMED", {"kid": None}),
        "a key of somebody else": ("ISSUER", {"kid": name_method(STRANGER)}),
    }
    cases = [
        Case(name, JOSE, (fault,), sign(ISSUER, {**HEADER, **each}, told))
        for name, (fault, each) in headers.items()
    ]
    claims: dict[str, tuple[str, dict]] = {
        "another issuer in iss": ("ISSUER", {"iss": "did:web:evil.example"}),
        "another subject in sub": ("MALFORMED", {"sub": "did:example:eve"}),
        "another id in jti": ("MALFORMED", {"jti": "urn:uuid:1"}),
        "over by exp": ("EXPIRED", {"exp": NOW - 600}),
        "of tomorrow by nbf": ("NOT_YET_VALID", {"nbf": NOW + 86_400}),
        "of a time in text": ("MALFORMED", {"exp": "9999999999"}),
        "over by validUntil": ("EXPIRED", {"validUntil": "2026-01-02T00:00:00Z"}),
        "a credential within (vc)": ("UNSUPPORTED", {"vc": dict(DOCUMENT)}),
    }
    cases += [
        Case(name, JOSE, (fault,), sign(ISSUER, HEADER, {**told, **each}))
        for name, (fault, each) in claims.items()
    ]
    good = sign(ISSUER, HEADER, told)
    cases += [
        Case("signed by a stranger", JOSE, ("SIGNATURE",), sign(STRANGER, HEADER, told)),
        Case("two parts", JOSE, ("MALFORMED",), good.rpartition(".")[0]),
        Case("a name twice", JOSE, ("DUPLICATE",), sign(ISSUER, HEADER, '{"type":1,"type":2}')),
    ]
    return Theme(
        "Credentials as tokens (vc+jwt)",
        "token",
        {"time_ms": NOW_MS},
        {"token": Sound(good)},
        cases,
    )


def present(*, signer=HOLDER, document: Any = None, **options: Any) -> dict:
    """Make a presentation with its proof."""
    told = {"domain": (DOMAIN,), "challenge": CHALLENGE} | options
    proof = Proof(
        "eddsa-jcs-2022",
        name_method(signer),
        told.pop("purpose", Relationship.AUTHENTICATION),
        **told,
    )
    return add_proof(document or make_presentation([STATED], HOLDER_DID), signer, proof, CONTEXTS)


def make_presentations() -> Theme:
    """Presentations: replayed, of others, with other credentials."""
    where = "VC Data Integrity 1.0, sections 2.1 and 4.4"
    good = present()
    expired = json.loads(change(STATED, "validUntil", to="2026-01-02T00:00:00Z"))
    forged = json.loads(change(STATED, "credentialSubject", "name", to="Eve"))
    cases: list[tuple[str, str, Any]] = [
        ("another challenge: shown before, to another request", "NONCE", present(challenge="old")),
        ("no challenge", "NONCE", present(challenge="")),
        (
            "another challenge written over it",
            "NONCE",
            json.loads(change(good, "proof", "challenge", to="x")),
        ),
        ("for another verifier", "AUDIENCE", present(domain=("https://evil.example",))),
        ("for several verifiers", "AUDIENCE", present(domain=(DOMAIN, "https://evil.example"))),
        ("for nobody", "AUDIENCE", present(domain=())),
        ("for another purpose", "KEY", present(purpose=Relationship.ASSERTION)),
        ("signed by somebody else than its holder", "BINDING", present(signer=STRANGER)),
        (
            "a second proof by somebody else",
            "BINDING",
            add_proof(
                good,
                STRANGER,
                Proof(
                    "eddsa-jcs-2022",
                    name_method(STRANGER),
                    Relationship.AUTHENTICATION,
                    domain=(DOMAIN,),
                    challenge=CHALLENGE,
                ),
                CONTEXTS,
            ),
        ),
        ("no proof", "MALFORMED", without(good, "proof")),
        (
            "a credential taken away after it was signed",
            "SIGNATURE",
            good | {"verifiableCredential": []},
        ),
        (
            "a credential that was changed",
            "SIGNATURE",
            present(document=make_presentation([forged], HOLDER_DID)),
        ),
        (
            "a credential that has expired",
            "EXPIRED",
            present(document=make_presentation([expired], HOLDER_DID)),
        ),
        (
            "33 credentials",
            "TOO_LARGE",
            present(document=make_presentation([{"type": "x"}] * 33, HOLDER_DID)),
        ),
        (
            "an envelope that is fetched",
            "UNSUPPORTED",
            present(
                document=make_presentation([], HOLDER_DID)
                | {
                    "verifiableCredential": [
                        {
                            "@context": V2,
                            "type": "EnvelopedVerifiableCredential",
                            "id": "https://evil.example/credential",
                        }
                    ]
                }
            ),
        ),
        ("a credential in the presentation's place", "TYPE", STATED),
        ("no presentation", "TYPE", {}),
    ]
    found = [Case(name, where, (fault,), json.dumps(each)) for name, fault, each in cases]
    document = make_presentation([STATED], HOLDER_DID)
    header = {"alg": "EdDSA", "typ": "vp+jwt", "kid": name_method(HOLDER)}
    told = document | {"aud": DOMAIN, "nonce": CHALLENGE}
    token = sign(HOLDER, header, told)
    tokens: list[tuple[str, str, str]] = [
        ("a token with another nonce", "NONCE", sign(HOLDER, header, told | {"nonce": "old"})),
        ("a token for another verifier", "AUDIENCE", sign(HOLDER, header, told | {"aud": "x"})),
        (
            "a token for several verifiers",
            "AUDIENCE",
            sign(HOLDER, header, told | {"aud": [DOMAIN, "x"]}),
        ),
        ("a token without a holder", "MALFORMED", sign(HOLDER, header, without(told, "holder"))),
        (
            "a token of a stranger",
            "ISSUER",
            sign(STRANGER, header | {"kid": name_method(STRANGER)}, told),
        ),
        ("a credential's token", "TYPE", sign(HOLDER, header | {"typ": "vc+jwt"}, told)),
        ("a token whose key is P-256", "ALGORITHM", sign(P256, header | {"alg": "ES256"}, told)),
        ("a token that is over", "EXPIRED", sign(HOLDER, header, told | {"exp": NOW - 600})),
    ]
    found += [Case(name, JOSE, (fault,), each, sound="token") for name, fault, each in tokens]
    sound = {"presentation": Sound(json.dumps(good)), "token": Sound(token)}
    return Theme("Presentations by their holders", "shown documents", ASKED, sound, found)


def make_bbs() -> Theme:
    """Credentials with bbs-2023, as holders show them."""
    document = {
        "@context": [V2, OURS],
        "type": ["VerifiableCredential", "TrainingCredential"],
        "issuer": "did:web:city.example",
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"type": "Trainee", "name": "Mei", "grade": 8.25, "passed": True},
    }
    proof = Proof("bbs-2023", BBS_METHOD)
    mandatory = ["/issuer", "/validFrom"]
    base = add_base_proof(document, BBS_KEY, proof, mandatory, CONTEXTS, draw_from(500))
    pointers = ["/credentialSubject/passed", "/credentialSubject/grade"]
    shown = derive(base, pointers, BBS_HEADER.encode(), CONTEXTS, draw_from(900))
    other = derive(base, pointers, b"another verifier", CONTEXTS, draw_from(900))
    raw = decode_base64url(shown["proof"]["proofValue"][1:], "it")
    head, parts = raw[:3], cbor2.loads(raw[3:])
    value: bytes
    value, labels, mandatory_indexes, selective_indexes, header = parts

    def rewrite(*changed: Any, start: bytes = head) -> str:
        text = "u" + encode_base64url(start + cbor2.dumps(list(changed)))
        return change(shown, "proof", "proofValue", to=text)

    def subject(**values: Any) -> str:
        return json.dumps(shown | {"credentialSubject": shown["credentialSubject"] | values})

    forged = deepcopy(shown)
    forged["proof"] = [shown["proof"], STATED["proof"]]
    where = "Data Integrity BBS Cryptosuites 1.0, section 3.3"
    cases: list[tuple[str, str, str]] = [
        ("a disclosed claim with another value", "SIGNATURE", subject(passed=False)),
        ("a claim that was hidden, made up", "MALFORMED", subject(name="Eve")),
        ("a claim that no context defines", "CONTEXT", subject(mayor=True)),
        (
            "a mandatory claim with another value",
            "SIGNATURE",
            change(shown, "validFrom", to="2020-01-01T00:00:00Z"),
        ),
        ("a mandatory claim left out", "MALFORMED", json.dumps(without(shown, "validFrom"))),
        ("the issuer changed", "ISSUER", change(shown, "issuer", to="did:web:evil.example")),
        ("shown before, to another request", "NONCE", json.dumps(other)),
        (
            "shown before, with this request's header written in",
            "SIGNATURE",
            json.dumps(
                other | {"proof": other["proof"] | {"proofValue": _rewrite_header(other, header)}}
            ),
        ),
        (
            "disclosures in another order",
            "MALFORMED",
            rewrite(value, labels, mandatory_indexes, selective_indexes[::-1], header),
        ),
        (
            "another disclosure's place",
            "SIGNATURE",
            rewrite(
                value, labels, mandatory_indexes, [each + 1 for each in selective_indexes], header
            ),
        ),
        (
            "a mandatory statement told as a disclosure",
            "MALFORMED",
            rewrite(value, labels, mandatory_indexes[1:], selective_indexes, header),
        ),
        (
            "mandatory statements in another place",
            "SIGNATURE",
            rewrite(
                value, labels, [each + 1 for each in mandatory_indexes], selective_indexes, header
            ),
        ),
        (
            "a place twice",
            "MALFORMED",
            rewrite(
                value,
                labels,
                mandatory_indexes,
                selective_indexes[:1] * len(selective_indexes),
                header,
            ),
        ),
        (
            "a place below 0",
            "MALFORMED",
            rewrite(value, labels, mandatory_indexes, [-1, *selective_indexes[1:]], header),
        ),
        (
            "a place beyond 2^63",
            "SIGNATURE",
            rewrite(value, labels, mandatory_indexes, [*selective_indexes[:-1], 2**63], header),
        ),
        (
            "a proof cut off",
            "MALFORMED",
            rewrite(value[:-1], labels, mandatory_indexes, selective_indexes, header),
        ),
        (
            "a proof whose points are zero",
            "MALFORMED",
            rewrite(
                b"\xc0" + bytes(len(value) - 1),
                labels,
                mandatory_indexes,
                selective_indexes,
                header,
            ),
        ),
        (
            "a proof changed by one bit",
            "SIGNATURE",
            rewrite(
                value[:-1] + bytes([value[-1] ^ 1]),
                labels,
                mandatory_indexes,
                selective_indexes,
                header,
            ),
        ),
        (
            "names of nameless things changed",
            "MALFORMED",
            rewrite(value, {0: 9}, mandatory_indexes, selective_indexes, header),
        ),
        ("a part too many", "MALFORMED", rewrite(*parts, 0)),
        ("the credential as its issuer handed it out", "UNSUPPORTED", json.dumps(base)),
        (
            "a proof with holder binding, which is not settled",
            "UNSUPPORTED",
            rewrite(*parts, start=b"\xd9\x5d\x05"),
        ),
        ("a value in base58", "MALFORMED", change(shown, "proof", "proofValue", to="zAAAA")),
        ("a second proof beside it", "UNSUPPORTED", json.dumps(forged)),
        ("for another purpose", "KEY", change(shown, "proof", "proofPurpose", to="authentication")),
        (
            "of another suite",
            "UNSUPPORTED",
            change(shown, "proof", "cryptosuite", to="eddsa-rdfc-2022"),
        ),
        ("a member of the proof added", "CONTEXT", change(shown, "proof", "mayor", to=True)),
        ("a nonce of the proof added", "SIGNATURE", change(shown, "proof", "nonce", to="x")),
    ]
    pre = {
        "time_ms": NOW_MS,
        "presentation_header": BBS_HEADER,
        "keys": {
            BBS_METHOD: {
                "bls12381g2": BBS_KEY.public_key.data.hex(),
                "purposes": ["assertionMethod"],
            }
        },
    }
    found = [Case(name, where, (fault,), given) for name, fault, given in cases]
    return Theme("bbs-2023", "shown", pre, {"shown": Sound(json.dumps(shown))}, found)


def _rewrite_header(shown: dict, header: bytes) -> str:
    raw = decode_base64url(shown["proof"]["proofValue"][1:], "it")
    parts = cbor2.loads(raw[3:])
    return "u" + encode_base64url(raw[:3] + cbor2.dumps([*parts[:-1], header]))
