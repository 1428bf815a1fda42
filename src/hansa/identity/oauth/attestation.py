"""Wallet attestation: the maker of a wallet vouches for this instance, which proves its key.

Source: draft-ietf-oauth-attestation-based-client-auth, sections 4 to 6; HAIP 1.0, section 4.4.1;
OpenID4VCI 1.0, appendix E.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from hansa.identity.faults import Unsound
from hansa.identity.jose.jws import Jws, decode_jws, verify_jws
from hansa.identity.keys.jwk import compute_thumbprint, read_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.oauth.dpop import AGE_MS_MAX, JTI_LETTERS_MAX
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.shapes import tell_shape

ATTESTATION_TYPE = "oauth-client-attestation+jwt"
POP_TYPE = "oauth-client-attestation-pop+jwt"

FindMaker = Callable[[str, Mapping[str, Any]], PublicKey | None]
"""Finds the key of a wallet's maker by `iss` and the attestation's header; None for strangers."""


class Attested(NamedTuple):
    """A wallet instance that its maker vouches for."""

    client_id: str
    maker: str
    thumbprint: str
    jti: str
    challenge: str


class _Confirmation(msgspec.Struct, frozen=True):
    jwk: dict[str, Any]


class _Attestation(msgspec.Struct, frozen=True):
    sub: str
    exp: float
    cnf: _Confirmation
    iss: str = ""
    nbf: float = 0
    iat: float = 0


class _Pop(msgspec.Struct, frozen=True):
    aud: str
    jti: str
    iat: float
    challenge: str = ""


def verify_client(
    attestation: str, pop: str, audience: str, time_ms: int, find_maker: FindMaker
) -> Attested:
    """Verify a wallet attestation and the proof that the sender is that instance.

    Whoever asks sees to it that `jti` comes once, and that `challenge` is the server's own where
    it asks for one.

    Raises:
      Declined: `INVALID_CLIENT_ATTESTATION`.
    """
    try:
        stated = _decode(attestation, ATTESTATION_TYPE, "the wallet attestation")
        shown = _decode(pop, POP_TYPE, "the proof of the wallet attestation")
        claims = msgspec.convert(stated.decode_claims("the wallet attestation"), _Attestation)
        proof = msgspec.convert(shown.decode_claims("the proof of it"), _Pop)
        maker = find_maker(claims.iss, stated.header)
        if maker is None:
            raise _declined(f"its maker {claims.iss[:80]!r} is not trusted here")
        verify_jws(stated, maker, "the wallet attestation")
        instance = read_jwk(claims.cnf.jwk, "the key of the wallet")
        verify_jws(shown, instance, "the proof of the wallet attestation")
    except Unsound as error:
        raise _declined(error.message) from None
    except msgspec.ValidationError as error:
        raise _declined(tell_shape(error)) from None
    if claims.exp * 1_000 <= time_ms or max(claims.nbf, claims.iat) * 1_000 > time_ms + AGE_MS_MAX:
        raise _declined("it is not valid now")
    if proof.aud != audience:
        raise _declined(f"its proof is for {proof.aud[:80]!r}, not for {audience}")
    if abs(proof.iat * 1_000 - time_ms) > AGE_MS_MAX or not 0 < len(proof.jti) <= JTI_LETTERS_MAX:
        raise _declined("its proof is older or newer than five minutes, or has no jti")
    return Attested(
        claims.sub, claims.iss, compute_thumbprint(instance), proof.jti, proof.challenge
    )


def _decode(token: str, kind: str, what: str) -> Jws:
    jws = decode_jws(token, what)
    if jws.header.get("typ") != kind:
        raise _declined(f"the typ of {what} is not {kind}")
    return jws


def _declined(why: str) -> Declined:
    return Declined(OAuthError.INVALID_CLIENT_ATTESTATION, f"the wallet is not attested: {why}")
