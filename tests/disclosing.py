"""Issuers, holders and forgers of SD-JWTs, for tests: what an honest library would never write."""

import hashlib
import itertools
import json

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.sd_jwt.serialization import SdJwt
from hansa.identity.sd_jwt.verification import Challenge

ISSUER = load_private_key(KeyKind.ED25519, b"\x01" * 32)
HOLDER = load_private_key(KeyKind.ED25519, b"\x02" * 32)
STRANGER = load_private_key(KeyKind.ED25519, b"\x03" * 32)
NOW_S = 1_700_000_000
CHALLENGE = Challenge("https://verifier.example.org", "n-0S6_WzA2Mj")


def counted():
    """Make a `draw` whose bytes never repeat, and are the same in every run."""
    numbers = itertools.count()

    def draw(size):
        return hashlib.shake_256(next(numbers).to_bytes(8, "big")).digest(size)

    return draw


def disclose(*parts):
    """Write a disclosure of any parts."""
    return encode_base64url(json.dumps(parts).encode())


def digest_of(text, name="sha256"):
    return encode_base64url(hashlib.new(name, text.encode()).digest())


def forge(payload, *disclosures, header=None, signer=ISSUER, key_binding=""):
    """Sign any payload with any disclosures beside it."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    jwt = sign_jws(signer, {"typ": "dc+sd-jwt"} if header is None else header, raw)
    return SdJwt((jwt,), disclosures, key_binding)


def bind(sd_jwt, signer=HOLDER, header=None, **changes):
    """Sign a key binding, with claims changed; None leaves one out."""
    claims = {
        "aud": CHALLENGE.audience,
        "nonce": CHALLENGE.nonce,
        "iat": NOW_S,
        "sd_hash": digest_of(sd_jwt.bound),
    } | changes
    raw = json.dumps({name: value for name, value in claims.items() if value is not None})
    token = sign_jws(signer, {"typ": "kb+jwt"} if header is None else header, raw.encode())
    return sd_jwt._replace(key_binding=token)
