"""Public keys as WeIdentity's documents write them: the point of secp256k1 as one number.

Up to version 1.8 the number stood in `publicKey`, in decimal. From 3.0 its decimal digits stand as
text in `publicKeyMultibase`, under the name and the code of Ed25519, which such a key is not.

Source: PublicKeyProperty and AuthenticationProperty of WeIdentity's Java SDK 1.8.2 and 3.0.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from hansa.identity.encoding.multibase import decode_multibase
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey, load_public_key
from hansa.identity.keys.points import join_point

TYPES = ("Secp256k1", "Secp256k1VerificationKey2018", "EcdsaSecp256k1VerificationKey2019")
_TYPE_OF_3 = "Ed25519VerificationKey2020"
_CODE_OF_3 = bytes.fromhex("ed0101")
_POINT_BYTES = 64
_DECIMAL_DIGITS_MAX = len(str((1 << 8 * _POINT_BYTES) - 1))
_HEXADECIMAL_DIGITS = (66, 128, 130)
"""Of a point compressed, as x and y, and with the byte that says so before them."""
_DIGITS = frozenset("0123456789")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def read_key(entry: Mapping[str, Any], what: str) -> PublicKey | None:
    """Read the key of an entry; None for kinds that are not known here, SM2 and RSA among them.

    Raises:
      Unsound: `KEY`, `MALFORMED` or `TOO_LARGE`.
    """
    kind = entry.get("type")
    if kind == _TYPE_OF_3:
        return _read_of_3(entry.get("publicKeyMultibase"), what)
    if kind not in TYPES:
        return None
    text = entry.get("publicKey", entry.get("publicKeyHex"))
    if not isinstance(text, str):
        raise Unsound(Fault.MALFORMED, f"{what} has neither publicKey nor publicKeyHex")
    return read_point(text, what)


def read_point(text: str, what: str) -> PublicKey:
    """Read a point in decimal, hexadecimal or base64; `what` names it in messages.

    Raises:
      Unsound: `KEY`.
    """
    digits = text.removeprefix("0x")
    if len(digits) in _HEXADECIMAL_DIGITS and _HEXADECIMAL.issuperset(digits):
        return _load_point(bytes.fromhex(digits), what)
    if 0 < len(text) <= _DECIMAL_DIGITS_MAX and _DIGITS.issuperset(text):
        number = int(text)
        if number < 1 << 8 * _POINT_BYTES:
            return _load_point(number.to_bytes(_POINT_BYTES, "big"), what)
    try:
        return _load_point(base64.b64decode(text, validate=True), what)
    except (binascii.Error, ValueError):
        raise Unsound(
            Fault.KEY, f"{what} is no key in decimal, hexadecimal or base64: {text:.120}"
        ) from None


def _load_point(data: bytes, what: str) -> PublicKey:
    if len(data) == _POINT_BYTES + 1 and data[0] == 4:  # noqa: PLR2004 - uncompressed, SEC 1
        data = data[1:]
    if len(data) == _POINT_BYTES:
        half = _POINT_BYTES // 2
        return join_point(KeyKind.SECP256K1, data[:half], data[half:], what)
    return load_public_key(KeyKind.SECP256K1, data)


def _read_of_3(text: object, what: str) -> PublicKey | None:
    if not isinstance(text, str):
        raise Unsound(Fault.MALFORMED, f"{what} has no publicKeyMultibase")
    data = decode_multibase(text, what)
    digits = data.removeprefix(_CODE_OF_3)
    if digits == data:
        return None
    return read_point(digits.decode("ascii", "replace"), what)
