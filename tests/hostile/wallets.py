"""Hostile verifiers, to a wallet: who asks, for what, and where the answer would go."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import quote

from tests.hostile.sd_jwts import QUERY, sign, without
from tests.hostile.themes import Case, Sound, Theme
from tests.unit.identity.wallet import certifying

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.keys.jwk import write_jwk, write_private_jwk

NOW_MS = 1_795_953_600_000
NOW = NOW_MS // 1_000
BANK, STRANGER = certifying.LEAF, certifying.STRANGER
DID = "did:hansa:city:bank"
CLIENT_ID = f"decentralized_identifier:{DID}"
HOST_ID = "x509_san_dns:bank.example"
HASH_ID = f"x509_hash:{encode_base64url(hashlib.sha256(certifying.LEAF_DER).digest())}"
PLACE = "https://bank.example/requests/1"
HEADER = {"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": f"{DID}#1"}
CERTIFIED = without(HEADER, "kid") | {"x5c": [base64.b64encode(certifying.LEAF_DER).decode()]}
KEY = write_jwk(STRANGER.public_key) | {"use": "enc", "alg": "ECDH-ES", "kid": "1"}
REQUEST = {
    "client_id": CLIENT_ID,
    "aud": "https://self-issued.me/v2",
    "response_type": "vp_token",
    "response_mode": "direct_post.jwt",
    "response_uri": "https://bank.example/answers/1",
    "dcql_query": QUERY,
    "nonce": "n-0S6_WzA2Mj",
    "state": "s",
    "wallet_nonce": "mine",
    "iat": NOW,
    "exp": NOW + 600,
    "client_metadata": {"jwks": {"keys": [KEY]}},
}
VP = "OpenID4VP 1.0, section 5"
HOSTED, HASHED = REQUEST | {"client_id": HOST_ID}, REQUEST | {"client_id": HASH_ID}


def invite(client_id: str = CLIENT_ID, place: str = PLACE) -> str:
    """Write what a QR code holds."""
    return f"openid4vp://?client_id={quote(client_id, safe='')}&request_uri={quote(place, safe='')}"


PRE = {
    "time_ms": NOW_MS,
    "invitation": invite(),
    "wallet_nonce": "mine",
    "keys": {f"{DID}#1": write_jwk(BANK.public_key)},
    "roots": [base64.b64encode(certifying.ROOT_DER).decode()],
}


def make_requests() -> Theme:
    """Requests."""
    return Theme(
        "Requests, at a wallet",
        "request",
        PRE,
        {
            "by its DID": Sound(sign(BANK, HEADER, REQUEST)),
            "by its domain": Sound(sign(BANK, CERTIFIED, HOSTED), {"invitation": invite(HOST_ID)}),
            "by its certificate": Sound(
                sign(BANK, CERTIFIED, HASHED), {"invitation": invite(HASH_ID)}
            ),
        },
        [*_list_headers(), *_list_contents(), *_list_queries(), *_list_certificates()],
    )


def _list_headers() -> list[Case]:
    headers: dict[str, tuple[str, dict]] = {
        "unsigned (none)": ("ALGORITHM", {"alg": "none"}),
        "signed by a shared secret": ("ALGORITHM", {"alg": "HS256"}),
        "signed by another algorithm than the key's": ("ALGORITHM", {"alg": "EdDSA"}),
        "an extension that must be understood": ("CRITICAL", {"crit": ["x"]}),
        "another type": ("TYPE", {"typ": "JWT"}),
        "no type": ("TYPE", {"typ": None}),
        "a key of another DID": ("ISSUER", {"kid": "did:hansa:city:evil#1"}),
        "a key of a DID that only begins like it": ("ISSUER", {"kid": f"{DID}.evil#1"}),
        "no key": ("ISSUER", {"kid": None}),
        "a key that its document does not have": ("UNRESOLVED", {"kid": f"{DID}#2"}),
        "a certificate where the client is known by its DID": (
            "ISSUER",
            {"kid": None, "x5c": CERTIFIED["x5c"]},
        ),
    }
    cases = [
        Case(name, f"{VP}.9.3", (fault,), sign(BANK, {**HEADER, **each}, REQUEST))
        for name, (fault, each) in headers.items()
    ]
    good = sign(BANK, HEADER, REQUEST)
    cases += [
        Case("signed by a stranger", VP, ("SIGNATURE",), sign(STRANGER, HEADER, REQUEST)),
        Case("two parts", "RFC 9101, section 6.2", ("MALFORMED",), good.rpartition(".")[0]),
        Case("plain parameters", f"{VP}.9.1", ("MALFORMED",), "client_id=x&nonce=y"),
        Case("nothing", VP, ("MALFORMED",), ""),
        Case(
            "over 256 KiB",
            "RFC 9101, section 10",
            ("TOO_LARGE",),
            {"$join": [good, {"$repeat": ["A", 1 << 18]}]},
        ),
    ]
    return cases


def _list_contents() -> list[Case]:
    claims: dict[str, tuple[str, str, dict]] = {
        "another client than invited": (f"{VP}.2", "ISSUER", {"client_id": HOST_ID}),
        "a client id without a prefix": (f"{VP}.9", "ISSUER", {"client_id": DID}),
        "another wallet's nonce": (f"{VP}.10", "NONCE", {"wallet_nonce": "another's"}),
        "no wallet's nonce": (f"{VP}.10", "NONCE", {"wallet_nonce": None}),
        "no nonce": (f"{VP}.2", "MALFORMED", {"nonce": None}),
        "an empty nonce": (f"{VP}.2", "NONCE", {"nonce": ""}),
        "over": ("RFC 9101, section 10.2", "EXPIRED", {"exp": NOW - 1}),
        "over at a time in text": ("RFC 7519, section 4.1.4", "MALFORMED", {"exp": "9999999999"}),
        "over at a time of 400 digits": ("RFC 7519, section 4.1.4", "MALFORMED", {"exp": 10**400}),
        "an answer by redirect": (f"{VP}.6", "UNSUPPORTED", {"response_mode": "fragment"}),
        "a code besides": (f"{VP}.4", "UNSUPPORTED", {"response_type": "code vp_token"}),
        "a redirect_uri besides": (
            "OpenID4VP 1.0, section 8.2",
            "MALFORMED",
            {"redirect_uri": "https://evil.example"},
        ),
        "an answer over http": (VP, "MALFORMED", {"response_uri": "http://bank.example/"}),
        "an answer to this machine": (VP, "MALFORMED", {"response_uri": "http://127.0.0.1/"}),
        "an answer to a file": (VP, "MALFORMED", {"response_uri": "file:///etc/passwd"}),
        "an answer to a host behind a user": (
            VP,
            "MALFORMED",
            {"response_uri": "https://bank.example@evil.example/"},
        ),
        "an answer to an address with a line break": (
            VP,
            "MALFORMED",
            {"response_uri": "https://bank.example/\r\nx: y"},
        ),
        "an answer to a host in look-alike letters": (
            VP,
            "MALFORMED",
            {"response_uri": "https://b\u0430nk.example/"},
        ),
        "no key for the answer": (
            "OpenID4VP 1.0, section 8.3",
            "UNSUPPORTED",
            {"client_metadata": {}},
        ),
        "a private key for the answer": (
            "OpenID4VP 1.0, section 8.3",
            "KEY",
            {"client_metadata": {"jwks": {"keys": [KEY | write_private_jwk(STRANGER)]}}},
        ),
        "an encryption that is broken": (
            "OpenID4VP 1.0, section 8.3",
            "UNSUPPORTED",
            {
                "client_metadata": REQUEST["client_metadata"]
                | {"encrypted_response_enc_values_supported": ["none"]}
            },
        ),
        "nine transactions": (
            "OpenID4VP 1.0, section 8.4",
            "TOO_LARGE",
            {"transaction_data": [encode_base64url(b"{}")] * 9},
        ),
        "a transaction for nothing that is asked for": (
            "OpenID4VP 1.0, section 8.4",
            "MALFORMED",
            {"transaction_data": [encode_base64url(b'{"type":"x","credential_ids":["mayor"]}')]},
        ),
        "a transaction with an amount twice": (
            "OpenID4VP 1.0, section 8.4",
            "DUPLICATE",
            {
                "transaction_data": [
                    encode_base64url(b'{"type":"x","credential_ids":["resident"],"a":1,"a":2}')
                ]
            },
        ),
        "a transaction that is no base64url": (
            "OpenID4VP 1.0, section 8.4",
            "MALFORMED",
            {"transaction_data": ["*"]},
        ),
    }
    cases = [
        Case(
            name,
            where,
            (fault,),
            sign(
                BANK,
                HEADER,
                {key: each for key, each in {**REQUEST, **change}.items() if each is not None},
            ),
        )
        for name, (where, fault, change) in claims.items()
    ]
    twice = json.dumps(REQUEST)[:-1] + ',"response_uri":"https://evil.example/"}'
    where = f"{VP}.2"
    links = {
        "a link with two clients": invite() + "&client_id=evil",
        "a link to http": invite(place="http://bank.example/requests/1"),
        "a link to the network within, by number": invite(place="https://user@169.254.169.254/"),
        "a link without an address": "openid4vp://?client_id=x",
        "a link that is none": "openid4vp",
    }
    cases += [
        Case(
            "an address for the answer twice",
            "RFC 7519, section 4",
            ("DUPLICATE",),
            sign(BANK, HEADER, twice),
        ),
        *(
            Case(name, where, ("MALFORMED",), pre={"invitation": each})
            for name, each in links.items()
        ),
    ]
    return cases


def _list_queries() -> list[Case]:
    (one,) = QUERY["credentials"]
    claim = {"path": ["given_name"]}

    def of(**changes: Any) -> dict:
        return {"credentials": [one | changes]}

    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    queries: dict[str, tuple[str, dict]] = {
        "none": ("MALFORMED", {}),
        "no credential": ("MALFORMED", {"credentials": []}),
        "17 credentials": (
            "MALFORMED",
            {"credentials": [one | {"id": f"a{each}"} for each in range(17)]},
        ),
        "one id twice": ("DUPLICATE", {"credentials": [one, one]}),
        "an id with a path": ("MALFORMED", of(id="../a")),
        "65 claims": ("MALFORMED", of(claims=[{"path": [f"a{each}"]} for each in range(65)])),
        "one claim twice": ("DUPLICATE", of(claims=[claim, claim])),
        "a path of 17 steps": ("MALFORMED", of(claims=[{"path": ["a"] * 17}])),
        "a path of no steps": ("MALFORMED", of(claims=[{"path": []}])),
        "a path with a step below 0": ("MALFORMED", of(claims=[{"path": [-1]}])),
        "a path with a step of 400 digits": ("MALFORMED", of(claims=[{"path": [10**400]}])),
        "a path with a fraction": ("MALFORMED", of(claims=[{"path": [1.5]}])),
        "257 values": (
            "MALFORMED",
            of(claims=[claim | {"values": [str(each) for each in range(257)]}]),
        ),
        "a value that is an object": ("MALFORMED", of(claims=[claim | {"values": [{}]}])),
        "33 sets of claims": (
            "MALFORMED",
            of(claims=[claim | {"id": "a"}], claim_sets=[["a"]] * 33),
        ),
        "a set of claims that it does not have": (
            "MALFORMED",
            of(claims=[claim | {"id": "a"}], claim_sets=[["b"]]),
        ),
        "a set of credentials that it does not have": (
            "MALFORMED",
            QUERY | {"credential_sets": [{"options": [["mayor"]]}]},
        ),
        "a set within a set, as if it could recur": (
            "MALFORMED",
            QUERY | {"credential_sets": [{"options": [[["resident"]]]}]},
        ),
        "objects nested 40 levels": ("TOO_LARGE", of(meta={"a": deep})),
    }
    return [
        Case(
            f"a query: {name}",
            "OpenID4VP 1.0, section 6",
            (fault,),
            sign(BANK, HEADER, REQUEST | {"dcql_query": query}),
        )
        for name, (fault, query) in queries.items()
    ]


def _list_certificates() -> list[Case]:
    where = f"{VP}.9.3; RFC 5280, section 6.1"

    def of(*chain: bytes, signer=BANK, client_id: str = HOST_ID, **changes: Any) -> str:
        listed = [base64.b64encode(each).decode() for each in chain]
        return sign(
            signer, CERTIFIED | {"x5c": listed}, HOSTED | {"client_id": client_id} | changes
        )

    leaf = certifying.LEAF_DER
    requests: dict[str, tuple[str, str]] = {
        "expired": ("ISSUER", of(certifying.OLD_DER)),
        "of an authority": ("ISSUER", of(certifying.AUTHORITY_DER)),
        "of a root": ("ISSUER", of(certifying.ROOT_DER, signer=certifying.ROOT)),
        "under an authority that may not issue for this domain": (
            "ISSUER",
            of(certifying.LIMITED_LEAF_DER, certifying.LIMITED_DER),
        ),
        "signed by another key": ("SIGNATURE", of(leaf, signer=STRANGER)),
        "an answer to another host": ("ISSUER", of(leaf, response_uri="https://evil.example/")),
        "an answer to a host below it": (
            "ISSUER",
            of(leaf, response_uri="https://a.bank.example/"),
        ),
        "none": ("KEY", of()),
        "seven": ("KEY", of(*[leaf] * 7)),
        "one that is none": ("KEY", of(b"x")),
        "one that is no base64": ("KEY", sign(BANK, CERTIFIED | {"x5c": ["*"]}, HOSTED)),
        "a number": ("KEY", sign(BANK, CERTIFIED | {"x5c": [7]}, HOSTED)),
        "a DID's key instead": ("KEY", sign(BANK, HEADER, HOSTED)),
        "unsigned": ("ALGORITHM", sign(BANK, CERTIFIED | {"alg": "none"}, HOSTED)),
    }
    cases = [
        Case(f"a certificate: {name}", where, (fault,), given, sound="by its domain")
        for name, (fault, given) in requests.items()
    ]
    cases += [
        Case(
            "a certificate: under another root",
            where,
            ("ISSUER",),
            pre={"roots": [base64.b64encode(certifying.OTHER_ROOT_DER).decode()]},
            sound="by its domain",
        ),
        Case(
            "a certificate: for another domain",
            where,
            ("ISSUER",),
            of(leaf, client_id="x509_san_dns:evil.example"),
            {"invitation": invite("x509_san_dns:evil.example")},
            "by its domain",
        ),
        Case(
            "a certificate: another than its hash says",
            where,
            ("ISSUER",),
            of(certifying.OLD_DER, client_id=HASH_ID),
            sound="by its certificate",
        ),
        Case(
            "a prefix that is not known (redirect_uri, which signs nothing)",
            f"{VP}.9.3",
            ("UNSUPPORTED",),
            of(leaf, client_id="redirect_uri:https://bank.example/answers/1"),
            {"invitation": invite("redirect_uri:https://bank.example/answers/1")},
            "by its domain",
        ),
        Case(
            "a prefix in capitals",
            f"{VP}.9.3",
            ("UNSUPPORTED",),
            of(leaf, client_id=HOST_ID.upper()),
            {"invitation": invite(HOST_ID.upper())},
            "by its domain",
        ),
    ]
    return cases
