"""DPoP: a client proves with each request that it holds the key its token belongs to.

Source: RFC 9449, sections 4.2, 4.3 and 7.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Unsound
from hansa.identity.jose.jws import decode_jws, sign_jws, verify_jws
from hansa.identity.keys.jwk import compute_thumbprint, read_jwk, write_jwk
from hansa.identity.keys.signing import Signer
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.shapes import tell_shape

PROOF_TYPE = "dpop+jwt"
AGE_MS_MAX = 300_000
"""How old a proof may be, and how far ahead its clock."""
JTI_LETTERS_MAX = 256
_WHAT = "the DPoP proof"


class DpopProof(NamedTuple):
    """A proof that holds: the key's thumbprint, and what makes this proof the only one."""

    thumbprint: str
    jti: str
    nonce: str


class ProvenRequest(NamedTuple):
    """The request that a proof is for."""

    method: str
    url: str
    """As the client sees it; query and fragment do not count."""
    access_token: str = ""
    """The one that it is sent with, if any."""


class _Claims(msgspec.Struct, frozen=True):
    jti: str
    htm: str
    htu: str
    iat: float
    ath: str = ""
    nonce: str = ""


def make_dpop(
    signer: Signer, request: ProvenRequest, jti: str, time_ms: int, nonce: str = ""
) -> str:
    """Make the proof that goes with one request, as a client."""
    claims: dict[str, str | int] = {
        "jti": jti,
        "htm": request.method,
        "htu": _cut(request.url),
        "iat": time_ms // 1_000,
    }
    if request.access_token:
        claims["ath"] = hash_token(request.access_token)
    if nonce:
        claims["nonce"] = nonce
    header = {"typ": PROOF_TYPE, "jwk": write_jwk(signer.public_key)}
    return sign_jws(signer, header, msgspec.json.encode(claims))


def verify_dpop(token: str, request: ProvenRequest, time_ms: int) -> DpopProof:
    """Verify a proof for a request; whoever asks sees to it that its `jti` comes once.

    Raises:
      Declined: `INVALID_DPOP_PROOF`.
    """
    try:
        jws = decode_jws(token, _WHAT)
        if jws.header.get("typ") != PROOF_TYPE:
            raise _declined(f"its typ is not {PROOF_TYPE}")
        key = read_jwk(jws.header.get("jwk"), f"the key of {_WHAT}")
        verify_jws(jws, key, _WHAT)
        claims = msgspec.convert(jws.decode_claims(_WHAT), _Claims)
    except Unsound as error:
        raise _declined(error.message) from None
    except msgspec.ValidationError as error:
        raise _declined(tell_shape(error)) from None
    expected = (request.method, _cut(request.url))
    if (claims.htm, claims.htu) != expected:
        raise _declined(f"it is for {claims.htm} {claims.htu}, not for {' '.join(expected)}")
    if abs(claims.iat * 1_000 - time_ms) > AGE_MS_MAX:
        raise _declined("it is older or newer than five minutes: check the clock")
    if claims.ath != (hash_token(request.access_token) if request.access_token else ""):
        raise _declined("it does not name the access token that it came with")
    if not 0 < len(claims.jti) <= JTI_LETTERS_MAX:
        raise _declined(f"its jti must have 1 to {JTI_LETTERS_MAX} letters")
    return DpopProof(compute_thumbprint(key), claims.jti, claims.nonce)


def hash_token(access_token: str) -> str:
    """Compute `ath`: the hash of an access token."""
    return encode_base64url(hashlib.sha256(access_token.encode()).digest())


def _cut(url: str) -> str:
    """A proof names the URL without query and fragment."""
    return url.partition("#")[0].partition("?")[0]


def _declined(why: str) -> Declined:
    return Declined(OAuthError.INVALID_DPOP_PROOF, f"the DPoP proof does not hold: {why}")
