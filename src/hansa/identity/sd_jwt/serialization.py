"""SD-JWT as text: compact with tildes, and the two JSON forms of a JWS.

| form      | disclosures and key binding                          | signatures |
|-----------|------------------------------------------------------|------------|
| compact   | `JWT~disclosure~…~` and then the key binding, if any | one        |
| flattened | `header.disclosures`, `header.kb_jwt`                | one        |
| general   | the same, in the first signature's `header`          | several    |

Source: RFC 9901, sections 4 and 8; RFC 7515, section 7.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hansa.identity.encoding.strict_json import BYTES_MAX, decode_object
from hansa.identity.faults import Fault, Unsound

DISCLOSURES_MAX = 1_024
SIGNATURES_MAX = 8

_OURS = ("disclosures", "kb_jwt")
_POINTS = 2
"""Of a compact JWS."""
_PROTECTED = ("alg", "crit", "b64", "typ")


class SdJwt(NamedTuple):
    """An SD-JWT taken apart; nothing in it is verified yet."""

    jwts: tuple[str, ...]
    """The issuer's signatures over one payload, each as a compact JWS; more than one only in the
    general form."""
    disclosures: tuple[str, ...]
    key_binding: str = ""
    """The holder's compact JWS, if this is an SD-JWT+KB."""

    @property
    def bound(self) -> str:
        """What `sd_hash` of a key binding covers."""
        return "~".join((self.jwts[0], *self.disclosures, ""))

    def encode(self) -> str:
        """Write the compact form; of several signatures only the first."""
        return self.bound + self.key_binding


def decode_sd_jwt(text: str) -> SdJwt:
    """Take the compact form apart.

    Raises:
      Unsound: `TOO_LARGE` or `MALFORMED`.
    """
    _check_size(text)
    jwt, *disclosures = text.split("~", DISCLOSURES_MAX + 2)
    if not disclosures:
        raise _malformed("it has no ~ after the issuer's JWT")
    key_binding = disclosures.pop()
    return _check(SdJwt((jwt,), tuple(disclosures), key_binding))


def decode_json_sd_jwt(text: str) -> SdJwt:
    """Take the flattened or the general form apart.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED` or `DUPLICATE`.
    """
    _check_size(text)
    form = decode_object(text, "the SD-JWT")
    payload = form.get("payload")
    signatures = form.get("signatures", [form])
    if ("signatures" in form) == ("signature" in form) or type(signatures) is not list:
        raise _malformed("it has neither one signature nor a list of signatures")
    if not 1 <= len(signatures) <= SIGNATURES_MAX:
        raise _malformed(f"it has {len(signatures)} signatures: 1 to {SIGNATURES_MAX} are read")
    jwts = tuple(_read_jwt(payload, each) for each in signatures)
    header = _read_header(signatures[0])
    if any(name in _read_header(each) for each in signatures[1:] for name in _OURS):
        raise _malformed("only the header of the first signature may hold disclosures and kb_jwt")
    disclosures, key_binding = header.get("disclosures", []), header.get("kb_jwt", "")
    if type(disclosures) is not list or not all(type(each) is str for each in disclosures):
        raise _malformed("its disclosures are no list of texts")
    if type(key_binding) is not str or ("kb_jwt" in header and not key_binding):
        raise _malformed("its kb_jwt is no JWS")
    return _check(SdJwt(jwts, tuple(disclosures), key_binding))


def encode_flattened(sd_jwt: SdJwt) -> dict[str, Any]:
    """Write the flattened form; of several signatures only the first."""
    protected, payload, signature = sd_jwt.jwts[0].split(".")
    header = _write_header(sd_jwt)
    return {"payload": payload, "protected": protected, "signature": signature, "header": header}


def encode_general(sd_jwt: SdJwt) -> dict[str, Any]:
    """Write the general form, with all signatures."""
    signatures: list[dict[str, Any]] = []
    payload = ""
    for jwt in sd_jwt.jwts:
        protected, payload, signature = jwt.split(".")
        signatures.append({"protected": protected, "signature": signature})
    signatures[0]["header"] = _write_header(sd_jwt)
    return {"payload": payload, "signatures": signatures}


def _write_header(sd_jwt: SdJwt) -> dict[str, Any]:
    header: dict[str, Any] = {"disclosures": list(sd_jwt.disclosures)}
    return header | {"kb_jwt": sd_jwt.key_binding} if sd_jwt.key_binding else header


def _read_jwt(payload: Any, signature: Any) -> str:  # noqa: ANN401 - a decode edge
    if type(signature) is not dict:
        raise _malformed("a signature is no object")
    parts = (signature.get("protected"), payload, signature.get("signature"))
    if not all(type(part) is str and "." not in part and "~" not in part for part in parts):
        raise _malformed("payload, protected and signature are not all base64url")
    return ".".join(map(str, parts))


def _read_header(signature: dict[str, Any]) -> dict[str, Any]:
    header = signature.get("header", {})
    if type(header) is not dict:
        raise _malformed("a header is no object")
    for name in _PROTECTED:
        if name in header:
            raise _malformed(f"{name} stands in a header that the signature does not cover")
    return header


def _check_size(text: str) -> None:
    if len(text) > BYTES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the SD-JWT has {len(text)} bytes, over {BYTES_MAX}")


def _check(sd_jwt: SdJwt) -> SdJwt:
    if len(sd_jwt.disclosures) > DISCLOSURES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the SD-JWT has over {DISCLOSURES_MAX} disclosures")
    if not sd_jwt.bound.isascii() or not sd_jwt.key_binding.isascii():
        raise _malformed("it holds other letters than those of base64url")
    if sd_jwt.key_binding and sd_jwt.key_binding.count(".") != _POINTS:
        raise _malformed("it ends with neither ~ nor a key binding")
    return sd_jwt


def _malformed(why: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"this is no SD-JWT (RFC 9901): {why}")
