"""Hostile answers to a verifier: their form, encryption, transactions, number and size."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.hostile.paths import read_nonce
from tests.hostile.sd_jwts import (
    CLAIMS,
    GONE,
    HOLDER,
    PRE,
    QUERY,
    REQUEST,
    Binding,
    answer,
    present,
    sign,
)
from tests.hostile.themes import Case, Sound, Theme

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key

VP = "OpenID4VP 1.0, section 8"
SEALED = PRE | {"encrypted": True}
SEALED_REQUEST = read_nonce(SEALED)
SENDER = load_private_key(KeyKind.P256, b"\x71" * 32)
PAYMENT = {"type": "payment", "credential_ids": ["resident"], "amount": "100.00", "currency": "MOP"}
PAID = PRE | {"transactions": [PAYMENT]}
DATA = read_nonce(PAID)["transaction_data"]


def make_answers() -> Theme:
    """Form, number and size."""
    state = {"state": REQUEST["state"]}
    forms: dict[str, tuple[str, tuple[str, ...], dict]] = {
        "another state": (VP, ("NONCE",), answer() | {"state": "other"}),
        "no state": (VP, ("NONCE",), {"vp_token": answer()["vp_token"]}),
        "no vp_token": (VP, ("MALFORMED",), state),
        "a vp_token that is a list": (VP, ("MALFORMED",), state | {"vp_token": "[]"}),
        "a presentation that is in no list": (
            VP,
            ("MALFORMED",),
            state | {"vp_token": json.dumps({"resident": present()})},
        ),
        "a presentation that is an object": (VP, ("format MALFORMED", GONE), answer({"a": 1})),
        "an empty list": (VP, (GONE,), state | {"vp_token": '{"resident":[]}'}),
        "nothing for the query": (VP, (GONE,), state | {"vp_token": "{}"}),
        "a query twice, once honest": (
            VP,
            ("DUPLICATE",),
            state | {"vp_token": f'{{"resident":[],{answer()["vp_token"][1:]}'},
        ),
        "a query that nobody asked": (
            VP,
            ("request TYPE", "request TYPE"),
            state | {"vp_token": json.dumps({"\u001b[2Jmayor": [present()]})},
        ),
        "two credentials where one was asked for": (
            "OpenID4VP 1.0, section 6.1",
            (GONE,),
            answer(present(), present()),
        ),
        "seventeen queries": (
            VP,
            ("TOO_LARGE",),
            state | {"vp_token": json.dumps({str(each): [] for each in range(17)})},
        ),
        "seventeen credentials": (VP, ("TOO_LARGE",), answer(*[""] * 17)),
        "an object nested 100,000 levels": (
            "RFC 8259, section 9",
            ("TOO_LARGE",),
            state | {"vp_token": {"$join": ['{"a":', {"$repeat": ["[", 100_000]}]}},
        ),
        "a presentation of over a mebibyte": (
            "RFC 8259, section 9",
            ("TOO_LARGE",),
            state | {"vp_token": {"$join": ['{"resident":["', {"$repeat": ["a", 1 << 20]}, '"]}']}},
        ),
        "one query 60,000 times": (
            "RFC 8259, section 9",
            ("DUPLICATE",),
            state | {"vp_token": {"$join": ["{", {"$repeat": ['"a":[],', 60_000]}, '"b":[]}']}},
        ),
        "a refusal in letters that move the cursor": (
            "OpenID4VP 1.0, section 8.5",
            ("request UNRESOLVED",),
            state | {"error": "\u001b[2Jaccess_denied", "error_description": "\u202esorry"},
        ),
        "a mobile document where an SD-JWT was asked for": (
            VP,
            ("format MALFORMED", GONE),
            answer("o2d2ZXJzaW9uYzEuMA"),
        ),
        "a credential in JSON-LD where an SD-JWT was asked for": (
            VP,
            ("format MALFORMED", GONE),
            answer({"@context": ["https://www.w3.org/ns/credentials/v2"]}),
        ),
    }
    cases = [Case(name, where, found, given) for name, (where, found, given) in forms.items()]
    cases += [
        Case(
            f"claims nested {levels} levels",
            "RFC 8259, section 9",
            ("format TOO_LARGE", GONE),
            answer(present(CLAIMS | {"a": _nest(levels)})),
        )
        for levels in (33, 900)
    ]
    return Theme("Answers as a whole", "presentation", PRE, {"resident": Sound(answer())}, cases)


def _nest(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def seal(header: dict | None = None, payload: Any = None, **changes: Any) -> dict:
    """Encrypt an answer as RFC 7518, section 4.6 says, apart from the library that decrypts it."""
    told = {
        "alg": "ECDH-ES",
        "enc": "A128GCM",
        "epk": write_jwk(SENDER.public_key),
        **(header or {}),
    }
    protected = encode_base64url(json.dumps(told).encode())
    raw = payload if isinstance(payload, str) else json.dumps(payload or _answer_sealed())
    algorithm = b"A128GCM"
    shared = _load(SENDER.secret).exchange(ec.ECDH(), _read_recipient())
    other = b"".join(len(each).to_bytes(4, "big") + each for each in (algorithm, b"", b"")) + (
        128
    ).to_bytes(4, "big")
    key = hashlib.sha256((1).to_bytes(4, "big") + shared + other).digest()[:16]
    sealed = AESGCM(key).encrypt(bytes(12), raw.encode(), protected.encode())
    parts = [
        protected,
        "",
        encode_base64url(bytes(12)),
        *map(encode_base64url, (sealed[:-16], sealed[-16:])),
    ]
    for place, text in changes.items():
        parts[int(place[1:])] = text
    return {"response": ".".join(parts)}


def _answer_sealed() -> dict:
    token = present(binding=Binding(changes={"nonce": SEALED_REQUEST["nonce"]}))
    return {"vp_token": {"resident": [token]}, "state": SEALED_REQUEST["state"]}


def _load(secret: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def _read_recipient() -> ec.EllipticCurvePublicKey:
    (jwk,) = SEALED_REQUEST["client_metadata"]["jwks"]["keys"]
    x, y = (int.from_bytes(decode_base64url(jwk[name], name), "big") for name in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def make_encryption() -> Theme:
    """Encrypted answers."""
    where = "RFC 7516, section 4.1; RFC 8725, section 3"
    off = {"kty": "EC", "crv": "P-256"} | dict.fromkeys("xy", encode_base64url(b"\x01" * 32))
    headers: dict[str, tuple[dict, str]] = {
        "a password with a billion rounds (p2c)": (
            {"alg": "PBES2-HS256+A128KW", "p2c": 10**9, "p2s": "AA"},
            "ALGORITHM",
        ),
        "a shared key (dir)": ({"alg": "dir"}, "ALGORITHM"),
        "RSA with PKCS 1.5": ({"alg": "RSA1_5"}, "ALGORITHM"),
        "no algorithm": ({"alg": None}, "ALGORITHM"),
        "an algorithm that is a list": ({"alg": ["ECDH-ES"]}, "ALGORITHM"),
        "CBC": ({"enc": "A128CBC-HS256"}, "ALGORITHM"),
        "an encryption that is an object": ({"enc": {}}, "ALGORITHM"),
        "compressed (zip)": ({"zip": "DEF"}, "CRITICAL"),
        "an extension that must be understood": ({"crit": ["exp"]}, "CRITICAL"),
        "a key that is to be fetched": ({"jku": "https://evil.example"}, "CRITICAL"),
        "a point that is on no curve (invalid curve attack)": ({"epk": off}, "KEY"),
        "a point of another curve": (
            {"epk": {"kty": "OKP", "crv": "X25519", "x": encode_base64url(b"\x09" * 32)}},
            "KEY",
        ),
        "a key that is text": ({"epk": "x"}, "KEY"),
        "no key": ({"epk": None}, "KEY"),
        "a party's name that is a number": ({"apu": 5}, "KEY"),
        "another header than was encrypted with": ({"kid": "other", "apv": "AA"}, "KEY"),
    }
    cases = [Case(name, where, (fault,), seal(header)) for name, (header, fault) in headers.items()]
    good = seal()["response"].split(".")
    cases += [
        Case("a changed tag", where, ("KEY",), seal(_4="A" * 22)),
        Case("a tag of four bytes", where, ("KEY",), seal(_4=good[4][:6])),
        Case("no tag", where, ("KEY",), seal(_4="")),
        Case("a nonce of eight bytes", where, ("KEY",), seal(_2=encode_base64url(bytes(8)))),
        Case("an encrypted key where there is none", where, ("KEY",), seal(_1="AAAA")),
        Case("four parts", where, ("MALFORMED",), {"response": ".".join(good[:4])}),
        Case("six parts", where, ("MALFORMED",), {"response": ".".join([*good, ""])}),
        Case(
            "a header with alg twice",
            where,
            ("DUPLICATE",),
            seal(_0=encode_base64url(b'{"alg":"ECDH-ES","alg":"dir"}')),
        ),
        Case("a payload that is no JSON", where, ("MALFORMED",), seal(payload="vp_token")),
        Case(
            "a payload with a name twice",
            where,
            ("DUPLICATE",),
            seal(payload='{"vp_token":{},"vp_token":{}}'),
        ),
        Case(
            "another state within",
            VP,
            ("NONCE",),
            seal(payload=_answer_sealed() | {"state": "other"}),
        ),
        Case("an open answer where an encrypted one was asked for", VP, ("MALFORMED",), answer()),
        Case(
            "a signed token in the place of an encrypted one",
            VP,
            ("MALFORMED",),
            {"response": sign(HOLDER, {"alg": "EdDSA", "typ": "JWT"}, _answer_sealed())},
        ),
        Case("nothing", VP, ("MALFORMED",), {"response": ""}),
        Case(
            "over a mebibyte",
            where,
            ("TOO_LARGE",),
            {"response": {"$join": [".".join(good[:3]) + ".", {"$repeat": ["A", 1 << 20]}, ".A"]}},
        ),
    ]
    return Theme("Encrypted answers", "presentation", SEALED, {"resident": Sound(seal())}, cases)


def make_transactions() -> Theme:
    """Transaction data, which the holder authorises."""
    where = "OpenID4VP 1.0, sections 8.4 and B.3.3"
    digest = _digest(DATA[0])

    def agree(**changes: Any) -> dict:
        told = {"transaction_data_hashes": [digest]} | changes
        nonce = {"nonce": read_nonce(PAID)["nonce"]}
        return answer(present(binding=Binding(changes=nonce | told)))

    other = encode_base64url(json.dumps(PAYMENT | {"amount": "100000.00"}).encode())
    found = ("transaction BINDING",)
    bearer = json.loads(json.dumps(QUERY))
    bearer["credentials"][0]["require_cryptographic_holder_binding"] = False
    cases = [
        Case("another amount", where, found, agree(transaction_data_hashes=[_digest(other)])),
        Case("nothing signed", where, found, agree(transaction_data_hashes=None)),
        Case("an empty list signed", where, found, agree(transaction_data_hashes=[])),
        Case("signed twice", where, found, agree(transaction_data_hashes=[digest, digest])),
        Case("signed as text", where, found, agree(transaction_data_hashes=digest)),
        Case("by a broken hash", where, found, agree(transaction_data_hashes_alg="md5")),
        Case(
            "by a hash that is a list", where, found, agree(transaction_data_hashes_alg=["sha-256"])
        ),
        Case(
            "no key binding where the query asks for none",
            where,
            ("binding BINDING", "transaction BINDING"),
            answer(present(binding=None)),
            {"query": bearer},
        ),
        Case(
            "no credential",
            where,
            ("transaction BINDING", GONE),
            {"state": REQUEST["state"], "vp_token": '{"resident":[]}'},
        ),
    ]
    return Theme("Transactions", "presentation", PAID, {"payment": Sound(agree())}, cases)


def _digest(text: str) -> str:
    return encode_base64url(hashlib.sha256(text.encode()).digest())
