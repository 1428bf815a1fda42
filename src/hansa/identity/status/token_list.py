"""Token Status Lists as signed tokens: in JSON (JWT) and in CBOR (CWT).

Source: draft-ietf-oauth-status-list, sections 4, 5 and 8.3; RFC 8392; RFC 9596 (type in COSE).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from hansa.identity.cose.sign1 import read_sign1, sign_sign1, verify_sign1
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.encoding.cbor import TAG_SIGN1, CBORTag, decode_cbor, decode_map, encode_cbor
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import (
    LEEWAY_S,
    read_time_s,
    show_claim,
    verify_times,
    verify_type,
)
from hansa.identity.jose.jws import decode_jws, sign_jws, verify_jws
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import Signer
from hansa.identity.status.entries import ZLIB, Entries, compress, expand, read_bits

JWT_TYPE = "statuslist+jwt"
CWT_TYPE = "statuslist+cwt"
COSE_TYPE = 16
"""Label of the header that holds the type."""

_LIST = "the status list"
_LABELS = {"sub": 2, "exp": 4, "iat": 6, "ttl": 65_534, "status_list": 65_533}
"""How CWT calls the claims."""
_NO_HEADER: Mapping[Any, Any] = MappingProxyType({})


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """Where and for how long a list is published; times are seconds since 1970."""

    uri: str
    """Under which it is served, and which credentials name."""
    issued_s: int
    expires_s: int | None = None
    ttl_s: int | None = None
    """After how long whoever keeps it should ask again."""


class TokenList(NamedTuple):
    """A verified list."""

    entries: Entries
    issued_s: float
    expires_s: float | None
    ttl_s: float | None


def sign_jwt_list(
    signer: Signer,
    entries: Entries,
    publication: Publication,
    header: Mapping[str, Any] = _NO_HEADER,
) -> str:
    """Sign a list as a JWT; `header` says where the key is found, by `kid` or `x5c`.

    Raises:
      Unsound: `KEY` or `MALFORMED`.
    """
    lst = encode_base64url(compress(entries.content, ZLIB))
    claims = _write_claims(publication, {"bits": int(entries.bits), "lst": lst})
    return sign_jws(signer, {**header, "typ": JWT_TYPE}, canonicalize(claims))


def sign_cwt_list(
    signer: Signer,
    entries: Entries,
    publication: Publication,
    header: Mapping[int | str, Any] = _NO_HEADER,
) -> bytes:
    """Sign a list as a CWT; `header` is not signed and says where the key is found.

    Raises:
      Unsound: `KEY` or `MALFORMED`.
    """
    found = {"bits": int(entries.bits), "lst": compress(entries.content, ZLIB)}
    claims = _write_claims(publication, found)
    payload = encode_cbor({_LABELS[name]: value for name, value in claims.items()})
    protected: dict[int | str, Any] = {COSE_TYPE: f"application/{CWT_TYPE}"}
    signed = sign_sign1(signer, payload, protected=protected, unprotected=header)
    return encode_cbor(CBORTag(TAG_SIGN1, signed))


def verify_jwt_list(
    token: str, key: PublicKey, uri: str, now_s: int, leeway_s: int = LEEWAY_S
) -> TokenList:
    """Verify a list with a key that the caller has found to be the issuer's.

    `uri` is what the credential names.

    Raises:
      Unsound: as `decode_jws`; `SIGNATURE`, `TYPE`, `MALFORMED`, `TOO_LARGE`, `NOT_YET_VALID`,
        `EXPIRED`, or `STATUS`: it is another list.
    """
    jws = decode_jws(token, _LIST)
    verify_jws(jws, key, _LIST)
    verify_type(jws.header, (JWT_TYPE,), _LIST)
    return _read_claims(jws.decode_claims(_LIST), uri, now_s, leeway_s)


def verify_cwt_list(
    raw: bytes, key: PublicKey, uri: str, now_s: int, leeway_s: int = LEEWAY_S
) -> TokenList:
    """Verify a list with a key that the caller has found to be the issuer's.

    Raises:
      Unsound: as `decode_cbor` and `read_sign1`; else as `verify_jwt_list`.
    """
    tagged = decode_cbor(raw, _LIST)
    if not isinstance(tagged, CBORTag):
        raise Unsound(Fault.MALFORMED, f"{_LIST} has no tag {TAG_SIGN1} (COSE_Sign1)")
    sign1 = read_sign1(tagged, _LIST)
    payload = verify_sign1(sign1, key, _LIST)
    verify_type({"typ": sign1.protected.get(COSE_TYPE)}, (CWT_TYPE,), _LIST)
    found = decode_map(payload, _LIST)
    claims = {name: found[label] for name, label in _LABELS.items() if label in found}
    return _read_claims(claims, uri, now_s, leeway_s)


def _write_claims(publication: Publication, status_list: dict[str, Any]) -> dict[str, Any]:
    found = {
        "sub": publication.uri,
        "iat": publication.issued_s,
        "exp": publication.expires_s,
        "ttl": publication.ttl_s,
        "status_list": status_list,
    }
    return {name: value for name, value in found.items() if value is not None}


def _read_claims(claims: Mapping[str, Any], uri: str, now_s: int, leeway_s: int) -> TokenList:
    subject = claims.get("sub")
    if subject != uri:
        raise Unsound(Fault.STATUS, f"{_LIST} is that of {show_claim(subject)}, not of {uri}")
    verify_times(claims, _LIST, now_s, leeway_s)
    issued_s, ttl_s = read_time_s(claims, "iat", _LIST), read_time_s(claims, "ttl", _LIST)
    if issued_s is None:
        raise Unsound(Fault.MALFORMED, f"{_LIST} does not say when it was issued (iat)")
    if ttl_s is not None and ttl_s <= 0:
        raise Unsound(Fault.MALFORMED, f"ttl of {_LIST} is not positive")
    entries = _read_entries(claims.get("status_list"))
    return TokenList(entries, issued_s, read_time_s(claims, "exp", _LIST), ttl_s)


def _read_entries(found: Any) -> Entries:  # noqa: ANN401 - a decode edge
    if type(found) is not dict:
        raise Unsound(Fault.MALFORMED, f"{_LIST} has no status_list")
    bits, lst = read_bits(found.get("bits")), found.get("lst")
    if type(lst) is str:
        lst = decode_base64url(lst, f"lst of {_LIST}")
    if type(lst) is not bytes:
        raise Unsound(Fault.MALFORMED, f"{_LIST} has no lst")
    return Entries(bits, expand(lst, ZLIB))
