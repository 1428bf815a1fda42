"""JSON Web Encryption to one P-256 key, as issuers and verifiers ask for it.

Only direct agreement (ECDH-ES) with AES-GCM: what OpenID4VCI, OpenID4VP and HAIP require. Nothing
is ever decompressed, so no token can be larger inside than outside.

Source: RFC 7516; RFC 7518, section 4.6; OpenID4VP 1.0, section 8.3; HAIP 1.0, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import HEADER_BYTES_MAX, TOKEN_BYTES_MAX
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.keys.signing import PrivateKey

AGREEMENT = "ECDH-ES"
ENCRYPTIONS = ("A128GCM", "A256GCM")
_HEADER_NAMES = frozenset({"alg", "enc", "kid", "epk", "apu", "apv", "typ", "cty"})
_PARTS = 5


class _Limits(JWERegistry):
    """Our bounds for the library's: it stops at 64 KiB, and a portrait alone may have more."""

    max_protected_header_length = 2 * HEADER_BYTES_MAX
    max_ciphertext_length = TOKEN_BYTES_MAX


class Decrypted(NamedTuple):
    """What an encrypted token held; who sent it is not known by that."""

    header: Mapping[str, Any]
    payload: bytes


def encrypt_jwe(
    payload: bytes, recipient: PublicKey, header: Mapping[str, str], encryption: str = "A128GCM"
) -> str:
    """Encrypt to a P-256 key; `header` adds `kid`, `typ`, `apu` and the like.

    Raises:
      Unsound: `KEY` or `ALGORITHM`: not a P-256 key, or an encryption that is not known here.
    """
    _check_kind(recipient.kind)
    if encryption not in ENCRYPTIONS:
        raise _unknown_encryption("the token", encryption)
    protected = {"alg": AGREEMENT, "enc": encryption, **header}
    key = ECKey.import_key(dict(write_jwk(recipient)))
    return jwe.encrypt_compact(protected, payload, key, algorithms=[AGREEMENT, encryption])


def decrypt_jwe(token: str, key: PrivateKey, what: str) -> Decrypted:
    """Decrypt a token that was encrypted to a P-256 key.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `ALGORITHM`, `CRITICAL` or `KEY`; it was
        encrypted to another key, or changed.
    """
    _check_kind(key.kind)
    header = read_jwe_header(token, what)
    private = ECKey.import_key(dict(write_private_jwk(key)))
    try:
        limits = _Limits(algorithms=[AGREEMENT, header["enc"]])
        found = jwe.decrypt_compact(token, private, registry=limits)
    except (JoseError, ValueError, TypeError, KeyError):
        raise Unsound(
            Fault.KEY, f"{what} cannot be decrypted: it is for another key, or was changed"
        ) from None
    return Decrypted(header, found.plaintext or b"")


def read_jwe_header(token: str, what: str) -> dict[str, Any]:
    """Read the header of a token, for the key that it names; nothing in it is proven.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `ALGORITHM` or `CRITICAL`.
    """
    if len(token) > TOKEN_BYTES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{what} has {len(token)} bytes, over {TOKEN_BYTES_MAX}")
    parts = token.split(".", _PARTS)
    if len(parts) != _PARTS or not token.isascii():
        raise Unsound(Fault.MALFORMED, f"{what} is no JWE: five parts with points between")
    raw = decode_base64url(parts[0], f"the header of {what}")
    header = decode_object(raw, f"the header of {what}", HEADER_BYTES_MAX)
    if header.get("alg") != AGREEMENT:
        raise Unsound(
            Fault.ALGORITHM, f"{what} is encrypted by {header.get('alg')!r}: use {AGREEMENT}"
        )
    if header.get("enc") not in ENCRYPTIONS:
        raise _unknown_encryption(what, header.get("enc"))
    unknown = sorted(header.keys() - _HEADER_NAMES)
    if unknown:
        raise Unsound(Fault.CRITICAL, f"the header of {what} has {unknown[0]!r}, not taken here")
    return header


def _check_kind(kind: KeyKind) -> None:
    if kind is not KeyKind.P256:
        raise Unsound(Fault.KEY, f"tokens are encrypted to P-256 keys alone, not to {kind.value}")


def _unknown_encryption(what: str, encryption: object) -> Unsound:
    known = " or ".join(ENCRYPTIONS)
    return Unsound(Fault.ALGORITHM, f"{what} is encrypted with {encryption!r}: use {known}")
