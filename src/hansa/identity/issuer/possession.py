"""Proofs of possession: to which keys of the holder a credential is bound.

Source: OpenID4VCI 1.0, section 8.2 and appendices D and F.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.configurations import BATCH_MAX
from hansa.identity.jose.jws import Jws, decode_jws, verify_jws
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.did import read_did_url
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import resolve_did_jwk, resolve_did_key
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.shapes import tell_shape

PROOF_TYPE = "openid4vci-proof+jwt"
ATTESTATION_TYPE = "key-attestation+jwt"
AGE_MS_MAX = 300_000
_NAMES = ("jwk", "kid", "x5c")

FindMaker = Callable[[Mapping[str, Any]], PublicKey | None]
"""Finds the key of a wallet's maker by the header of a key attestation; None for strangers."""


class Proven(NamedTuple):
    """The keys that a wallet has, and the nonces by which it said so just now."""

    keys: tuple[PublicKey, ...]
    nonces: frozenset[str]


class _Claims(msgspec.Struct, frozen=True):
    aud: str
    iat: float
    nonce: str = ""
    iss: str = ""


class _Attestation(msgspec.Struct, frozen=True):
    iat: float
    attested_keys: tuple[dict[str, Any], ...]
    nonce: str = ""
    exp: float | None = None


class Expected(NamedTuple):
    """What a proof must say."""

    issuer: str
    """The issuer's identifier."""
    client_id: str
    """Empty where the wallet is not known by name."""
    time_ms: int
    needs_attestation: bool
    find_maker: FindMaker


def verify_proofs(proofs: object, expected: Expected, count_max: int) -> Proven:
    """Verify the `proofs` of a credential request. Whether its nonces are ours is asked elsewhere.

    Raises:
      Declined: `INVALID_PROOF` or `INVALID_CREDENTIAL_REQUEST`.
    """
    if not isinstance(proofs, dict) or len(proofs) != 1:
        raise _declined("proofs must be an object with one kind of proof, jwt or attestation")
    ((kind, tokens),) = proofs.items()
    if not isinstance(tokens, list) or not tokens or not all(isinstance(x, str) for x in tokens):
        raise _declined(f"proofs.{kind} must be a list of tokens")
    if len(tokens) > min(count_max, BATCH_MAX):
        raise Declined(
            OAuthError.INVALID_CREDENTIAL_REQUEST,
            f"{len(tokens)} proofs: at most {min(count_max, BATCH_MAX)} credentials at a time",
        )
    try:
        if kind == "jwt":
            found = [_verify_jwt(token, expected) for token in tokens]
        elif kind == "attestation" and len(tokens) == 1:
            found = [_verify_attestation(tokens[0], expected)]
        else:
            raise _declined("proofs must be jwt, or one attestation")
    except Unsound as error:
        raise _declined(error.message) from None
    except msgspec.ValidationError as error:
        raise _declined(tell_shape(error)) from None
    keys = tuple(dict.fromkeys(key for each in found for key in each.keys))
    if len(keys) > min(count_max, BATCH_MAX):
        raise _declined(f"{len(keys)} keys: at most {min(count_max, BATCH_MAX)} at a time")
    return Proven(keys, frozenset(nonce for each in found for nonce in each.nonces))


def _verify_jwt(token: str, expected: Expected) -> Proven:
    what = "the proof of possession"
    jws = decode_jws(token, what)
    if jws.header.get("typ") != PROOF_TYPE:
        raise Unsound(Fault.TYPE, f"the typ of {what} is not {PROOF_TYPE}")
    attested = _read_attested(jws, expected)
    key = _find_key(jws.header, attested, what)
    verify_jws(jws, key, what)
    claims = msgspec.convert(jws.decode_claims(what), _Claims)
    if claims.aud != expected.issuer:
        raise Unsound(Fault.AUDIENCE, f"{what} is for {claims.aud[:120]!r}, not {expected.issuer}")
    if claims.iss and claims.iss != expected.client_id:
        raise Unsound(Fault.ISSUER, f"{what} names another client than the access token")
    if abs(claims.iat * 1_000 - expected.time_ms) > AGE_MS_MAX:
        raise Unsound(Fault.EXPIRED, f"{what} is older or newer than five minutes")
    if attested is None:
        return Proven((key,), frozenset((claims.nonce,)))
    if key not in attested.keys:
        raise Unsound(Fault.BINDING, f"{what} is signed by a key that is not attested")
    return Proven(attested.keys, attested.nonces | {claims.nonce})


def _read_attested(jws: Jws, expected: Expected) -> Proven | None:
    token = jws.header.get("key_attestation")
    if token is None and not expected.needs_attestation:
        return None
    if not isinstance(token, str):
        raise Unsound(Fault.BINDING, "the key must be attested: send key_attestation in the header")
    return _verify_attestation(token, expected)


def _verify_attestation(token: str, expected: Expected) -> Proven:
    what = "the key attestation"
    jws = decode_jws(token, what)
    if jws.header.get("typ") != ATTESTATION_TYPE:
        raise Unsound(Fault.TYPE, f"the typ of {what} is not {ATTESTATION_TYPE}")
    maker = expected.find_maker(jws.header)
    if maker is None:
        raise Unsound(Fault.ISSUER, f"{what} is by a maker that is not trusted here")
    verify_jws(jws, maker, what)
    claims = msgspec.convert(jws.decode_claims(what), _Attestation)
    is_over = claims.exp is not None and claims.exp * 1_000 <= expected.time_ms
    if is_over or claims.iat * 1_000 > expected.time_ms + AGE_MS_MAX:
        raise Unsound(Fault.EXPIRED, f"{what} is not valid now")
    if not 0 < len(claims.attested_keys) <= BATCH_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{what} must hold 1 to {BATCH_MAX} keys")
    keys = tuple(read_jwk(each, f"a key of {what}") for each in claims.attested_keys)
    return Proven(keys, frozenset((claims.nonce,)))


def _find_key(header: Mapping[str, Any], attested: Proven | None, what: str) -> PublicKey:
    """Find the key that a proof names by exactly one of `jwk`, `kid` and `x5c`."""
    named = [name for name in _NAMES if name in header]
    if named == ["jwk"]:
        return read_jwk(header["jwk"], f"the key of {what}")
    kid = header.get("kid")
    if named != ["kid"] or not isinstance(kid, str):
        raise Unsound(Fault.KEY, f"{what} must name its key by one of jwk and kid")
    if attested is not None and kid in map(str, range(len(attested.keys))):
        return attested.keys[int(kid)]
    url = read_did_url(kid)
    resolve = _METHODS.get(url.did.method)
    if resolve is None:
        raise Unsound(Fault.UNSUPPORTED, f"{what} names {kid[:120]!r}: use did:key or did:jwk")
    document = resolve(url.did)
    if url.fragment:
        return document.find_key(kid, Relationship.AUTHENTICATION)
    for _, key in document.list_keys(Relationship.AUTHENTICATION):
        return key
    raise Unsound(Fault.KEY, f"the key of {what} does not sign")


_METHODS = {"key": resolve_did_key, "jwk": resolve_did_jwk}


def _declined(why: str) -> Declined:
    return Declined(OAuthError.INVALID_PROOF, f"no possession of a key is proven: {why}")
