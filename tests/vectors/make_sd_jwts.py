"""Vectors of SD-JWTs: what a verifier accepts, and what it must refuse."""

from __future__ import annotations

import json

from tests.disclosing import (
    CHALLENGE,
    HOLDER,
    ISSUER,
    NOW_S,
    STRANGER,
    bind,
    digest_of,
    disclose,
    forge,
)

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key

VCT = "https://credentials.example.org/resident"
NAME, AGE, NATION = disclose("s1", "name", "Erika"), disclose("s2", "age", 40), disclose("s3", "DE")
NESTED = disclose("s4", "address", {"country": "DE", "_sd": [digest_of(NAME)]})
OWN = {
    "vct": VCT,
    "iss": "https://issuer.example.org",
    "exp": NOW_S + 1_000,
    "cnf": {"jwk": write_jwk(HOLDER.public_key)},
}
SHOWN = OWN | {"_sd": [digest_of(NAME), digest_of(AGE)]}
GOOD = forge(SHOWN, NAME, AGE)
NONE = ".".join(map(encode_base64url, (b'{"alg":"none","typ":"dc+sd-jwt"}', b"{}", b"")))
SYMMETRIC = ".".join(map(encode_base64url, (b'{"alg":"HS256","typ":"dc+sd-jwt"}', b"{}", b"x")))


def hidden(name, value):
    """Return a disclosure and the claims that hold its digest."""
    text = disclose("s", name, value)
    return text, OWN | {"_sd": [digest_of(text)]}


def accepted():
    """Yield name, SD-JWT, and the claims besides those of every one."""
    yield "nothing disclosed", forge(SHOWN), {}
    yield "two claims", GOOD, {"name": "Erika", "age": 40}
    array = {"nations": ["FR", {"...": digest_of(NATION)}, {"...": "decoy"}]}
    yield "an element", forge(OWN | array, NATION), {"nations": ["FR", "DE"]}
    yield "an element kept", forge(OWN | array), {"nations": ["FR"]}
    outer = OWN | {"_sd": [digest_of(NESTED)]}
    address = {"country": "DE", "name": "Erika"}
    yield "a claim within a claim", forge(outer, NAME, NESTED), {"address": address}
    yield "the outer claim alone", forge(outer, NESTED), {"address": {"country": "DE"}}
    spaced = encode_base64url(b'[\n"s" , "name","M\\u00f6bius" ]')
    yield (
        "JSON with spaces and escapes",
        forge(OWN | {"_sd": [digest_of(spaced)]}, spaced),
        {"name": "Möbius"},
    )
    longer = OWN | {"_sd": [digest_of(NAME, "sha512")], "_sd_alg": "sha-512"}
    yield "SHA-512", forge(longer, NAME), {"name": "Erika"}
    older = {"typ": "vc+sd-jwt"}
    yield "the type's earlier name", forge(SHOWN, NAME, header=older), {"name": "Erika"}


def refused_credentials():
    """Yield name, SD-JWT and fault of what no verifier may accept."""
    yield "another key", forge(SHOWN, signer=STRANGER), "SIGNATURE"
    yield (
        "another curve",
        forge(SHOWN, signer=load_private_key(KeyKind.P256, b"\1" * 32)),
        ("ALGORITHM"),
    )
    yield "no algorithm", GOOD._replace(jwts=(NONE,)), "ALGORITHM"
    yield "a symmetric algorithm", GOOD._replace(jwts=(SYMMETRIC,)), "ALGORITHM"
    yield "an unknown extension", forge(SHOWN, header={"crit": ["x"], "x": 1}), "CRITICAL"
    yield "no type", forge(SHOWN, header={}), "TYPE"
    yield "a key binding's type", forge(SHOWN, header={"typ": "kb+jwt"}), "TYPE"
    yield "no vct", forge({**OWN, "vct": None}), "TYPE"
    yield "expired", forge(OWN | {"exp": NOW_S - 1_000}), "EXPIRED"
    yield "not yet valid", forge(OWN | {"nbf": NOW_S + 1_000}), "NOT_YET_VALID"
    yield "issued in the future", forge(OWN | {"iat": NOW_S + 1_000}), "NOT_YET_VALID"
    yield "an expiry in words", forge(OWN | {"exp": "never"}), "MALFORMED"
    yield "for another audience", forge(OWN | {"aud": "https://other.example.org"}), "AUDIENCE"
    raw = json.dumps(OWN)[:-1] + ',"exp":1}'
    yield "a claim twice", forge(raw.encode()), "DUPLICATE"
    yield "nested without end", forge(b'{"a":' + b"[" * 99 + b"]" * 99 + b"}"), "TOO_LARGE"
    yield "an unknown hash", forge(OWN | {"_sd_alg": "md5"}), "ALGORITHM"
    yield "a status that is none", forge(OWN | {"status": []}), "MALFORMED"


def refused_disclosures():
    """Yield name, SD-JWT and fault of disclosures that do not belong."""
    yield "twice", forge(SHOWN, NAME, NAME), "DUPLICATE"
    yield "a digest twice", forge(OWN | {"_sd": [digest_of(NAME)] * 2}, NAME), "DUPLICATE"
    both = {"_sd": [digest_of(NAME)], "in": {"_sd": [digest_of(NAME)]}}
    yield "a digest in two places", forge(OWN | both, NAME), "DUPLICATE"
    yield "a decoy twice", forge(OWN | {"_sd": ["decoy", "decoy"]}), "DUPLICATE"
    yield "without a digest", forge(OWN, NAME), "DISCLOSURE"
    yield "a digest as a value", forge(OWN | {"name": digest_of(NAME)}, NAME), "DISCLOSURE"
    yield "an element as a member", forge(OWN | {"_sd": [digest_of(NATION)]}, NATION), "DISCLOSURE"
    yield (
        "a member as an element",
        forge(OWN | {"a": [{"...": digest_of(NAME)}]}, NAME),
        ("DISCLOSURE"),
    )
    yield "a name that is taken", forge(SHOWN | {"name": "Max"}, NAME), "DISCLOSURE"
    again = disclose("s9", "name", "Max")
    named = OWN | {"_sd": [digest_of(NAME), digest_of(again)]}
    yield "one name twice", forge(named, NAME, again), "DISCLOSURE"
    yield (
        "within a claim that is kept",
        forge(OWN | {"_sd": [digest_of(NESTED)]}, NAME),
        ("DISCLOSURE"),
    )
    for name in ("_sd", "...", "_sd_alg", "exp", "vct#integrity", "status"):
        text, claims = hidden(name, NOW_S + 1_000 if name == "exp" else {})
        claims = {key: value for key, value in claims.items() if key != name}
        yield f"the name {name}", forge(claims, text), "DISCLOSURE"
    yield (
        "another hash than _sd_alg says",
        forge(OWN | {"_sd": [digest_of(NAME, "sha512")]}, NAME),
        "DISCLOSURE",
    )
    for parts in ([], ["s"], [1, "name", 1], ["s", 1, 1], ["s", "name", 1, 1]):
        text = disclose(*parts)
        yield f"{json.dumps(parts)}", forge(OWN | {"_sd": [digest_of(text)]}, text), "DISCLOSURE"
    padded = f"{NAME}="
    yield "with padding", forge(OWN | {"_sd": [digest_of(padded)]}, padded), "MALFORMED"
    for claims in ({"_sd": "x"}, {"_sd": [1]}, {"...": "x"}, {"a": [{"...": "x", "b": 1}]}):
        yield f"digests in {json.dumps(claims)}", forge(OWN | claims), "MALFORMED"
    yield "_sd_alg below the top", forge(OWN | {"in": {"_sd_alg": "sha-256"}}), "MALFORMED"


def refused_bindings():
    """Yield name, SD-JWT and fault of key bindings that bind nothing here."""
    yield "none", GOOD, "BINDING"
    yield "by a stranger", bind(GOOD, signer=STRANGER), "SIGNATURE"
    yield "by the issuer", bind(GOOD, signer=ISSUER), "SIGNATURE"
    yield "another type", bind(GOOD, header={"typ": "JWT"}), "TYPE"
    yield "no algorithm", GOOD._replace(key_binding=NONE), "ALGORITHM"
    yield "another audience", bind(GOOD, aud="https://other.example.org"), "AUDIENCE"
    yield "an audience among others", bind(GOOD, aud=[CHALLENGE.audience]), "AUDIENCE"
    yield "another nonce", bind(GOOD, nonce="another"), "NONCE"
    yield "no nonce", bind(GOOD, nonce=None), "NONCE"
    yield "too old", bind(GOOD, iat=NOW_S - 1_000), "EXPIRED"
    yield "from the future", bind(GOOD, iat=NOW_S + 1_000), "NOT_YET_VALID"
    yield "without a time", bind(GOOD, iat=None), "MALFORMED"
    yield "a disclosure taken away", bind(GOOD)._replace(disclosures=(NAME,)), "BINDING"
    yield (
        "a disclosure added",
        bind(forge(SHOWN, NAME))._replace(disclosures=(NAME, AGE)),
        ("BINDING"),
    )
    yield "in another order", bind(GOOD)._replace(disclosures=(AGE, NAME)), "BINDING"
    unbound = {name: value for name, value in SHOWN.items() if name != "cnf"}
    yield "to no key", bind(forge(unbound, NAME)), "BINDING"
    private = {"jwk": write_jwk(HOLDER.public_key) | {"d": encode_base64url(HOLDER.secret)}}
    yield "to a private key", bind(forge(SHOWN | {"cnf": private}, NAME)), "KEY"


def make_sd_jwts() -> dict:
    cases = []
    for name, sd_jwt, claims in accepted():
        bound = bind(sd_jwt, sd_hash=digest_of(sd_jwt.bound, "sha512")) if "512" in name else None
        text = (bound or bind(sd_jwt)).encode()
        cases.append({"name": name, "input": text, "post": OWN | claims})
    for kind, refused in (
        ("credential", refused_credentials()),
        ("disclosure", refused_disclosures()),
        ("key binding", refused_bindings()),
    ):
        for name, sd_jwt, code in refused:
            is_bound = kind != "key binding"
            text = (bind(sd_jwt) if is_bound else sd_jwt).encode()
            cases.append({"name": f"{kind}: {name}", "input": text, "code": f"identity.{code}"})
    pre = {
        "key": write_jwk(ISSUER.public_key),
        "now_s": NOW_S,
        "audience": CHALLENGE.audience,
        "nonce": CHALLENGE.nonce,
    }
    return {"pre": pre, "cases": cases}
