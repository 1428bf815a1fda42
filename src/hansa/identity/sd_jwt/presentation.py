"""Presentation: what a holder does with a credential: take it, choose what to show, sign that.

Source: RFC 9901, sections 4.3 and 7.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws, sign_jws
from hansa.identity.keys.signing import Signer
from hansa.identity.sd_jwt.disclosures import compute_digest, find_hash
from hansa.identity.sd_jwt.issuance import NO_HEADER
from hansa.identity.sd_jwt.opening import Opened, open_claims
from hansa.identity.sd_jwt.paths import Path, Place, find_places, show_place
from hansa.identity.sd_jwt.serialization import SdJwt
from hansa.identity.sd_jwt.verification import BINDING_TYPE, Challenge


def open_issued(sd_jwt: SdJwt) -> Opened:
    """Read the claims of a credential as its issuer sent it; its signature is verified elsewhere.

    Raises:
      Unsound: as `decode_jws` and `open_claims`; `BINDING`: somebody has presented it already.
    """
    if sd_jwt.key_binding:
        raise Unsound(Fault.BINDING, "an issuer sends no key binding: this is a presentation")
    return open_claims(_decode_payload(sd_jwt), sd_jwt.disclosures)


def select_disclosures(sd_jwt: SdJwt, paths: Iterable[Path]) -> SdJwt:
    """Keep the fewest disclosures that show the claims on these paths, with all within them.

    Paths are those into the whole credential, so that this comes before any other selection.

    Raises:
      Unsound: as `open_issued`; `MALFORMED`: the credential has no such claim.
    """
    opened = open_issued(sd_jwt)
    wanted: set[Place] = set()
    for path in paths:
        places = find_places(opened.claims, path)
        if not places:
            raise Unsound(Fault.MALFORMED, f"the credential has no claim {show_place(path)}")
        wanted.update(places)
    above = {outer for place in wanted for outer in _list_outer(place)}
    kept = {
        text
        for place, text in opened.disclosed.items()
        if place in above or not wanted.isdisjoint(_list_outer(place))
    }
    return sd_jwt._replace(disclosures=tuple(each for each in sd_jwt.disclosures if each in kept))


def bind_sd_jwt(
    sd_jwt: SdJwt,
    signer: Signer,
    challenge: Challenge,
    issued_s: int,
    claims: Mapping[str, Any] = NO_HEADER,
) -> SdJwt:
    """Sign a selection for one verifier; `claims` go into the key binding besides its own.

    Raises:
      Unsound: as `decode_jws`; `ALGORITHM`; `KEY`.
    """
    own = {
        "aud": challenge.audience,
        "nonce": challenge.nonce,
        "iat": issued_s,
        "sd_hash": compute_digest(sd_jwt.bound, find_hash(_decode_payload(sd_jwt))),
    }
    payload = canonicalize({**claims, **own})
    return sd_jwt._replace(key_binding=sign_jws(signer, {"typ": BINDING_TYPE}, payload))


def _decode_payload(sd_jwt: SdJwt) -> dict[str, Any]:
    return decode_jws(sd_jwt.jwts[0], "the credential").decode_claims("the credential")


def _list_outer(place: Place) -> list[Place]:
    """List the claims that a claim is within, and itself."""
    return [place[:length] for length in range(1, len(place) + 1)]
