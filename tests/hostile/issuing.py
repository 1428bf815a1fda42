"""Hostile requests to an issuer: proofs of possession and attestations of keys."""

from __future__ import annotations

import json
from typing import Any

from tests.hostile.paths import Desk
from tests.hostile.sd_jwts import sign, without
from tests.hostile.themes import Case, Sound, Theme
from tests.unit.identity.issuer.playing import (
    HOLDER,
    MAKER,
    NOW,
    NOW_MS,
    OTHER,
    PRE,
    URL,
)

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.methods.local import write_did_jwk

VCI = "OpenID4VCI 1.0, section 8.2 and appendix F"
WORLD = {"time_ms": NOW_MS, "offers": [{"credentials": ["resident"]}]}
ATTESTED = {"time_ms": NOW_MS, "offers": [{"credentials": ["attested"]}]}
HEADER = {"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": write_jwk(HOLDER.public_key)}


class Talk:
    """A wallet's talk with an issuer, noted as it goes on."""

    def __init__(self, pre: dict = WORLD) -> None:
        self.desk = Desk(pre)
        self.requests: list[dict] = []

    def send(self, to: str, **request: Any) -> Any:
        """Send a request, and note it."""
        self.requests.append({"to": to, **request})
        return self.desk.send(self.requests[-1])

    def get_token(self, **headers: str) -> str:
        """Redeem the offer."""
        code = self.desk.offered[0].offer.pre_authorized_code
        parameters = {"grant_type": PRE, "pre-authorized_code": code}
        more = {"headers": headers} if headers else {}
        token: str = self.send("token", parameters=parameters, **more)["access_token"]
        return token

    def get_nonce(self) -> str:
        """Ask for a nonce."""
        nonce: str = self.send("nonce")["c_nonce"]
        return nonce

    def end(self, to: str, **request: Any) -> list[dict]:
        """Add the last request, which is not sent."""
        return [*self.requests, {"to": to, **request}]


def ask(proofs: Any, token: str, **more: Any) -> dict:
    """A request for the credential that was offered."""
    told = {"credential_configuration_id": more.pop("id", "resident"), "proofs": proofs}
    headers = {"Authorization": f"Bearer {token}"}
    return {"headers": headers, "body": json.dumps({**told, **more})}


def prove(nonce: str, /, *, header: Any = HEADER, signer=HOLDER, **claims: Any) -> str:
    """A proof of possession."""
    told = {"aud": URL, "iat": NOW, "nonce": nonce} | claims
    return sign(signer, header, {name: each for name, each in told.items() if each is not None})


def make_possession() -> Theme:
    """Proofs that a wallet holds the key to which a credential is bound."""
    talk = Talk()
    token, nonce = talk.get_token(), talk.get_nonce()

    def request(*tokens: Any, **more: Any) -> list[dict]:
        return talk.end("credential", **ask({"jwt": list(tokens)}, token, **more))

    off = {"kty": "EC", "crv": "P-256"} | dict.fromkeys("xy", encode_base64url(b"\x01" * 32))
    headers: dict[str, Any] = {
        "of no algorithm (none)": {"alg": "none"},
        "by a shared secret": {"alg": "HS256"},
        "of another algorithm than the key's": {"alg": "EdDSA"},
        "with an extension that must be understood": {"crit": ["x"]},
        "of another type (a DPoP proof)": {"typ": "dpop+jwt"},
        "of no type": {"typ": None},
        "with a private key": {"jwk": write_private_jwk(HOLDER)},
        "with a shared secret for a key": {"jwk": {"kty": "oct", "k": "AAAA"}},
        "with a point that is on no curve": {"jwk": off},
        "with another key than signed": {"jwk": write_jwk(OTHER.public_key)},
        "with two names of the key": {"kid": write_did_jwk(HOLDER.public_key) + "#0"},
        "with certificates, which are not taken here": {"jwk": None, "x5c": ["AA"]},
        "with a key attestation that is none": {"key_attestation": "x"},
    }
    cases = [
        Case(
            f"a proof {name}",
            VCI,
            ("invalid_proof",),
            request(
                prove(
                    nonce,
                    header={
                        key: each for key, each in {**HEADER, **change}.items() if each is not None
                    },
                )
            ),
        )
        for name, change in headers.items()
    ]
    web = {"kid": "did:web:evil.example#1"} | without(HEADER, "jwk")
    cases.append(
        Case(
            "a proof whose key would have to be fetched (did:web)",
            VCI,
            ("invalid_proof",),
            request(prove(nonce, header=web)),
        )
    )
    claims: dict[str, tuple[str, dict]] = {
        "for another issuer": ("invalid_proof", {"aud": "https://evil.example"}),
        "for several issuers": ("invalid_proof", {"aud": [URL, "https://evil.example"]}),
        "an hour old": ("invalid_proof", {"iat": NOW - 3_600}),
        "of the future": ("invalid_proof", {"iat": NOW + 3_600}),
        "of a time in text": ("invalid_proof", {"iat": str(NOW)}),
        "of a time that is true": ("invalid_proof", {"iat": True}),
        "of a time of 400 digits": ("invalid_proof", {"iat": 10**400}),
        "of no time": ("invalid_proof", {"iat": None}),
        "by another client": ("invalid_proof", {"iss": "another wallet"}),
        "with a nonce that is not ours": ("invalid_nonce", {"nonce": "old"}),
        "without a nonce": ("invalid_nonce", {"nonce": None}),
        "with a nonce that is a number": ("invalid_proof", {"nonce": 7}),
    }
    cases += [
        Case(f"a proof {name}", VCI, (error,), request(prove(nonce, **change)))
        for name, (error, change) in claims.items()
    ]
    good = prove(nonce)
    used = Talk()
    second = used.get_token(), used.get_nonce()
    used.send("credential", **ask({"jwt": [prove(second[1])]}, second[0]))
    other = f"{good.rpartition('.')[0]}.{encode_base64url(bytes(64))}"
    cases += [
        Case(
            "a proof that was used before",
            VCI,
            ("invalid_nonce",),
            used.end("credential", **ask({"jwt": [prove(second[1])]}, second[0])),
        ),
        Case(
            "a proof whose nonce is older than five minutes",
            VCI,
            ("invalid_nonce",),
            [
                *talk.requests,
                {"time_ms": NOW_MS + 300_000} | request(prove(nonce, iat=NOW + 300))[-1],
            ],
        ),
        Case("a proof whose signature is zero", VCI, ("invalid_proof",), request(other)),
        Case(
            "a proof by another key", VCI, ("invalid_proof",), request(prove(nonce, signer=OTHER))
        ),
        Case("no proof", VCI, ("invalid_proof",), talk.end("credential", **ask(None, token))),
        Case("an empty list of proofs", VCI, ("invalid_proof",), request()),
        Case("a proof that is no text", VCI, ("invalid_proof",), request({"a": 1})),
        Case(
            "eleven proofs where ten are taken",
            "OpenID4VCI 1.0, section 14",
            ("invalid_credential_request",),
            request(*[good] * 11),
        ),
        Case(
            "two kinds of proofs",
            VCI,
            ("invalid_proof",),
            talk.end("credential", **ask({"jwt": [good], "attestation": []}, token)),
        ),
        Case(
            "a kind of proof that is not known",
            VCI,
            ("invalid_proof",),
            talk.end("credential", **ask({"ldp_vp": [good]}, token)),
        ),
        Case(
            "another credential than was offered",
            "OpenID4VCI 1.0, section 8.2",
            ("unknown_credential_configuration",),
            request(good, id="licence"),
        ),
        Case(
            "an identifier where the token is for a kind",
            "OpenID4VCI 1.0, section 8.2",
            ("invalid_credential_request",),
            request(good, credential_identifier="x"),
        ),
        Case(
            "another token",
            "RFC 6750, section 3.1",
            ("invalid_token",),
            talk.end("credential", **ask({"jwt": [good]}, "other")),
        ),
        Case(
            "a request that is no JSON",
            VCI,
            ("invalid_credential_request",),
            talk.end("credential", **(ask(None, token) | {"body": "{"})),
        ),
        Case(
            "a request with a name twice",
            VCI,
            ("invalid_credential_request",),
            talk.end("credential", **(ask(None, token) | {"body": '{"proofs":1,"proofs":2}'})),
        ),
        Case(
            "a request nested 1,000 levels",
            VCI,
            ("invalid_credential_request",),
            talk.end(
                "credential",
                **(
                    ask(None, token)
                    | {"body": {"$join": ['{"proofs":', {"$repeat": ["[", 1_000]}]}}
                ),
            ),
        ),
        Case(
            "an answer encrypted to a key that an open request names",
            "OpenID4VCI 1.0, section 10",
            ("invalid_encryption_parameters",),
            request(
                good,
                credential_response_encryption={
                    "jwk": write_jwk(OTHER.public_key) | {"alg": "ECDH-ES"},
                    "enc": "A128GCM",
                },
            ),
        ),
        Case(
            "an encrypted request whose algorithm is a password",
            "RFC 7516, section 4.1",
            ("invalid_credential_request",),
            talk.end(
                "credential",
                **(
                    ask(None, token)
                    | {
                        "is_jwt": True,
                        "body": encode_base64url(
                            b'{"alg":"PBES2-HS256+A128KW","p2c":1000000000,"enc":"A128GCM"}'
                        )
                        + "....",
                    }
                ),
            ),
        ),
    ]
    return Theme(
        "Proofs of possession, at an issuer",
        "requests",
        WORLD,
        {"resident": Sound(request(good))},
        cases,
    )


def make_attestations() -> Theme:
    """Key attestations, by which a wallet's maker vouches for keys."""
    where = "OpenID4VCI 1.0, appendix D"
    talk = Talk(ATTESTED)
    token, nonce = talk.get_token(), talk.get_nonce()
    header = {"alg": "ES256", "typ": "key-attestation+jwt", "kid": "maker"}

    def attest(signer=MAKER, shown: Any = header, **claims: Any) -> str:
        told = {
            "iat": NOW,
            "exp": NOW + 60,
            "nonce": nonce,
            "attested_keys": [write_jwk(HOLDER.public_key)],
        }
        return sign(signer, shown, told | claims)

    def request(attestation: str) -> list[dict]:
        return talk.end("credential", **ask({"attestation": [attestation]}, token, id="attested"))

    within = talk.end(
        "credential",
        **ask(
            {"jwt": [prove(nonce, header=HEADER | {"key_attestation": attest()})]},
            token,
            id="attested",
        ),
    )
    stranger = talk.end(
        "credential",
        **ask(
            {
                "jwt": [
                    prove(
                        nonce,
                        header=HEADER
                        | {"key_attestation": attest(), "jwk": write_jwk(OTHER.public_key)},
                        signer=OTHER,
                    )
                ]
            },
            token,
            id="attested",
        ),
    )
    bare = talk.end("credential", **ask({"jwt": [prove(nonce)]}, token, id="attested"))
    error = ("invalid_proof",)
    keys = [write_jwk(HOLDER.public_key)]
    cases = [
        Case("no attestation where one is asked for", where, error, bare),
        Case("a proof by a key that is not attested", where, error, stranger),
        Case(
            "by a maker that is not trusted",
            where,
            error,
            request(attest(shown=header | {"kid": "evil"})),
        ),
        Case("by a stranger who names the maker", where, error, request(attest(OTHER))),
        Case("of no algorithm", where, error, request(attest(shown=header | {"alg": "none"}))),
        Case("of another type", where, error, request(attest(shown=header | {"typ": "JWT"}))),
        Case("expired", where, error, request(attest(exp=NOW))),
        Case("of the future", where, error, request(attest(iat=NOW + 3_600))),
        Case("of a time in text", where, error, request(attest(exp=str(NOW + 9)))),
        Case("of no keys", where, error, request(attest(attested_keys=[]))),
        Case("of 33 keys", where, error, request(attest(attested_keys=keys * 33))),
        Case(
            "of a private key",
            where,
            error,
            request(attest(attested_keys=[write_private_jwk(HOLDER)])),
        ),
        Case("of keys that are text", where, error, request(attest(attested_keys=["x"]))),
        Case(
            "with a nonce that is not ours", where, ("invalid_nonce",), request(attest(nonce="old"))
        ),
        Case(
            "two attestations",
            where,
            error,
            talk.end(
                "credential", **ask({"attestation": [attest(), attest()]}, token, id="attested")
            ),
        ),
    ]
    sound = {"attestation": Sound(request(attest())), "proof": Sound(within)}
    return Theme("Key attestations", "requests", ATTESTED, sound, cases)
