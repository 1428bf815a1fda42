"""SD-JWT VC: an SD-JWT that is a credential: with a type, dates, a holder's key and a status.

What decides whether a credential counts is never selectively disclosable: a holder who could keep
`exp` or `status` back would.

Source: draft-ietf-oauth-sd-jwt-vc, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import LEEWAY_S
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer
from hansa.identity.sd_jwt.issuance import NO_HEADER, issue_sd_jwt
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.sd_jwt.serialization import SdJwt
from hansa.identity.sd_jwt.verification import Challenge, Verified, verify_sd_jwt
from hansa.identity.status.reference import StatusReference, read_status, write_status

TYPE = "dc+sd-jwt"
TYPES = (TYPE, "vc+sd-jwt")
"""The second is what the first was called until November 2024."""
TYPES_MAX = 8
NEVER_SELECTIVE = frozenset(
    {"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"}
)


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be issued; times are seconds since 1970."""

    vct: str
    """Its type."""
    type_integrity: str | None = None
    """Hash of the type's metadata, as Subresource Integrity writes it."""
    claims: dict[str, Any]
    """What it says of its subject."""
    selective: tuple[Path, ...] | None = None
    """Paths of claims that the holder may keep; None means every one at the top."""
    issuer: str | None = None
    """None where a certificate in the header says it."""
    holder_key: PublicKey | None = None
    issued_s: int | None = None
    not_before_s: int | None = None
    expires_s: int | None = None
    status: StatusReference | None = None
    pad_to: int = 1
    """Decoys fill each list of digests up to a multiple of this."""


def issue_credential(
    signer: Signer,
    credential: Credential,
    draw: Callable[[int], bytes],
    header: Mapping[str, Any] = NO_HEADER,
) -> SdJwt:
    """Sign a credential; `header` says where the key is found, by `kid` or `x5c`.

    Raises:
      Unsound: as `issue_sd_jwt`; `MALFORMED`: a claim that the credential itself sets, or one that
        must not be selectively disclosable.
    """
    own = _write_own(credential)
    taken = [name for name in credential.claims if name in own or name in NEVER_SELECTIVE]
    if taken:
        raise Unsound(Fault.MALFORMED, f"{taken[0]} is not a claim of the subject")
    selective = credential.selective
    if selective is None:
        selective = tuple((name,) for name in credential.claims)
    check_open(selective, NEVER_SELECTIVE)
    return issue_sd_jwt(
        signer,
        own | credential.claims,
        selective,
        draw,
        header={**header, "typ": TYPE},
        pad_to=credential.pad_to,
    )


def verify_credential(
    sd_jwt: SdJwt,
    key: PublicKey,
    now_s: int,
    challenge: Challenge | None = None,
    leeway_s: int = LEEWAY_S,
) -> Verified:
    """Verify an SD-JWT VC with a key that the caller has found to be the issuer's.

    Raises:
      Unsound: as `verify_sd_jwt`; `TYPE`: it has no `vct`; `MALFORMED`; `DISCLOSURE`: a claim was
        selectively disclosable that must not be.
    """
    verified = verify_sd_jwt(
        sd_jwt, key, now_s, types=TYPES, challenge=challenge, leeway_s=leeway_s
    )
    check_claims(verified.claims, verified.disclosed)
    return verified


def check_claims(claims: Mapping[str, Any], disclosed: Iterable[Path]) -> None:
    """Check that the claims of an SD-JWT, opened with what was disclosed, are a credential's.

    Raises:
      Unsound: `DISCLOSURE`, `TYPE`, `MALFORMED`, `TOO_LARGE` or `UNSUPPORTED`.
    """
    check_open(disclosed, NEVER_SELECTIVE)
    if type(claims.get("vct")) is not str or not claims["vct"]:
        raise Unsound(Fault.TYPE, "the credential does not say of what type it is (vct)")
    if type(claims.get("iss", "")) is not str:
        raise Unsound(Fault.MALFORMED, "iss of the credential is no text")
    read_status(claims)
    read_types(claims)


def read_types(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Read all types of a verified credential, `vct` first and then those of `aka_vcts`.

    Raises:
      Unsound: `TOO_LARGE` or `MALFORMED`.
    """
    others = claims.get("aka_vcts", [])
    is_list = type(others) is list and all(type(each) is str for each in others)
    if is_list and len(others) >= TYPES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the credential has over {TYPES_MAX} types (aka_vcts)")
    if not is_list or claims["vct"] in others or ("aka_vcts" in claims and not others):
        raise Unsound(Fault.MALFORMED, "aka_vcts of the credential is no list of other types")
    return (claims["vct"], *others)


def check_open(places: Iterable[Path], names: frozenset[str]) -> None:
    """Check that no claim of these names, nor what is in one, is selectively disclosable.

    Raises:
      Unsound: `DISCLOSURE`.
    """
    for place in places:
        if place and type(place[0]) is str and place[0] in names:
            raise Unsound(
                Fault.DISCLOSURE, f"{place[0]} of a credential must not be selectively disclosable"
            )


def _write_own(credential: Credential) -> dict[str, Any]:
    found = {
        "vct": credential.vct,
        "vct#integrity": credential.type_integrity,
        "iss": credential.issuer,
        "iat": credential.issued_s,
        "nbf": credential.not_before_s,
        "exp": credential.expires_s,
        "cnf": credential.holder_key and {"jwk": write_jwk(credential.holder_key)},
        "status": credential.status and write_status(credential.status),
    }
    return {name: value for name, value in found.items() if value is not None}
