"""Verification: is it the issuer's, does it count now, and does its holder present it?

The steps stand one by one for whoever reports on each; `verify_sd_jwt` takes them all. Which key
is the issuer's, whether the issuer may issue this, and the status list are others' business.

Source: RFC 9901, sections 7.1 and 7.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import (
    LEEWAY_S,
    read_time_s,
    show_claim,
    verify_times,
    verify_type,
)
from hansa.identity.jose.jws import Jws, decode_jws, verify_jws
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.sd_jwt.disclosures import compute_digest, find_hash
from hansa.identity.sd_jwt.opening import open_claims
from hansa.identity.sd_jwt.paths import Place
from hansa.identity.sd_jwt.serialization import SdJwt

BINDING_TYPE = "kb+jwt"
_CREDENTIAL = "the credential"
_BINDING = "the key binding"


class Challenge(NamedTuple):
    """What a verifier asks a holder to sign, once, and how old the answer may be."""

    audience: str
    nonce: str
    age_max_s: int = 300


class Verified(NamedTuple):
    """What a verified SD-JWT says."""

    header: Mapping[str, Any]
    claims: dict[str, Any]
    disclosed: Mapping[Place, str]
    """Which of the claims the holder chose to show."""
    binding: Mapping[str, Any] | None
    """The claims of the key binding; none if it was not asked for."""


def verify_sd_jwt(
    sd_jwt: SdJwt,
    key: PublicKey,
    now_s: int,
    *,
    types: tuple[str, ...] = (),
    challenge: Challenge | None = None,
    leeway_s: int = LEEWAY_S,
) -> Verified:
    """Verify an SD-JWT with a key that the caller has found to be the issuer's.

    With a `challenge`, key binding is required; without, one that came is not looked at. `types`
    are those that the header's `typ` may have; none asks for no type.

    Raises:
      Unsound: the first thing that does not hold.
    """
    jws = verify_issuer(sd_jwt, key)
    if types:
        verify_type(jws.header, types, _CREDENTIAL)
    return verify_contents(jws, sd_jwt, now_s, challenge, leeway_s)


def verify_contents(
    jws: Jws,
    sd_jwt: SdJwt,
    now_s: int,
    challenge: Challenge | None = None,
    leeway_s: int = LEEWAY_S,
) -> Verified:
    """Verify all but the issuer's signature and the type, which the caller has verified in `jws`.

    Raises:
      Unsound: the first thing that does not hold.
    """
    payload = jws.decode_claims(_CREDENTIAL)
    opened = open_claims(payload, sd_jwt.disclosures)
    verify_times(opened.claims, _CREDENTIAL, now_s, leeway_s)
    verify_audience(opened.claims, challenge)
    binding = None
    if challenge is not None:
        holder = read_holder_key(opened.claims)
        binding = verify_binding(sd_jwt, holder, find_hash(payload), challenge, now_s, leeway_s)
    return Verified(jws.header, opened.claims, opened.disclosed, binding)


def verify_issuer(sd_jwt: SdJwt, key: PublicKey) -> Jws:
    """Verify that the issuer's key signed this; of several signatures, that it made one.

    Raises:
      Unsound: as `decode_jws`; `ALGORITHM` or `SIGNATURE`.
    """
    for token in sd_jwt.jwts[1:]:
        with suppress(Unsound):
            return _verify(token, key, _CREDENTIAL)
    return _verify(sd_jwt.jwts[0], key, _CREDENTIAL)


def verify_audience(claims: Mapping[str, Any], challenge: Challenge | None) -> None:
    """Verify that a credential which names who may accept it names this verifier.

    Raises:
      Unsound: `AUDIENCE`.
    """
    found = claims.get("aud", ())
    names = [found] if type(found) is str else found
    is_meant = challenge is not None and type(names) is list and challenge.audience in names
    if "aud" in claims and not is_meant:
        raise Unsound(Fault.AUDIENCE, f"{_CREDENTIAL} is meant for {show_claim(found)} alone (aud)")


def read_holder_key(claims: Mapping[str, Any]) -> PublicKey:
    """Read the key to which a credential is bound.

    Raises:
      Unsound: `BINDING`: it names none, or not as a JWK; `KEY`.
    """
    confirmation = claims.get("cnf")
    if type(confirmation) is not dict or "jwk" not in confirmation:
        raise Unsound(
            Fault.BINDING, f"{_CREDENTIAL} is bound to no key: it has no JWK in cnf (RFC 7800)"
        )
    return read_jwk(confirmation["jwk"], "the holder's key in cnf")


def verify_binding(
    sd_jwt: SdJwt,
    key: PublicKey,
    algorithm: str,
    challenge: Challenge,
    now_s: int,
    leeway_s: int = LEEWAY_S,
) -> dict[str, Any]:
    """Verify that the holder of `key` presents exactly this, here and now; return what they signed.

    `algorithm` is the hash that the credential itself uses (`find_hash`).

    Raises:
      Unsound: `BINDING`: there is none, or it covers another presentation; `TYPE`, `ALGORITHM`,
        `SIGNATURE`, `AUDIENCE`, `NONCE`, `NOT_YET_VALID`, `EXPIRED`, `MALFORMED`.
    """
    if not sd_jwt.key_binding:
        raise Unsound(Fault.BINDING, "the holder did not sign the presentation: no key binding")
    jws = _verify(sd_jwt.key_binding, key, _BINDING)
    verify_type(jws.header, (BINDING_TYPE,), _BINDING)
    claims = jws.decode_claims(_BINDING)
    if claims.get("aud") != challenge.audience:
        raise Unsound(
            Fault.AUDIENCE,
            f"{_BINDING} is for {show_claim(claims.get('aud'))}, not {challenge.audience!r}",
        )
    if claims.get("nonce") != challenge.nonce:
        raise Unsound(Fault.NONCE, f"{_BINDING} answers another challenge: its nonce differs")
    issued_s = read_time_s(claims, "iat", _BINDING)
    if issued_s is None:
        raise Unsound(Fault.MALFORMED, f"{_BINDING} does not say when it was made (iat)")
    if issued_s < now_s - challenge.age_max_s - leeway_s:
        raise Unsound(Fault.EXPIRED, f"{_BINDING} was made at {issued_s}; it is {now_s}: too old")
    verify_times(claims, _BINDING, now_s, leeway_s)
    if claims.get("sd_hash") != compute_digest(sd_jwt.bound, algorithm):
        raise Unsound(
            Fault.BINDING, f"{_BINDING} covers other disclosures than were sent (sd_hash)"
        )
    return claims


def _verify(token: str, key: PublicKey, what: str) -> Jws:
    jws = decode_jws(token, what)
    verify_jws(jws, key, what)
    return jws
