"""Multikeys: a public key as one text, its kind in front, in base58.

Source: W3C Controlled Identifiers 1.0, section 2.2.2; unsigned-varint and multicodec tables.
"""

from __future__ import annotations

from hansa.identity.encoding.multibase import decode_multibase, encode_multibase
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind, PublicKey, load_public_key
from hansa.identity.keys.signing import PrivateKey, load_private_key

_SEVEN_BITS = 0x7F


def _write_varint(number: int) -> bytes:
    data = bytearray()
    while number > _SEVEN_BITS:
        data.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    return bytes([*data, number])


_PREFIXES = {kind: _write_varint(each.codec) for kind, each in TRAITS.items()}
_PRIVATE_PREFIXES = {kind: _write_varint(each.private_codec) for kind, each in TRAITS.items()}


def write_multikey(key: PublicKey) -> str:
    """Write a public key as a Multikey."""
    return encode_multibase(_PREFIXES[key.kind] + key.data)


def read_multikey(text: str, what: str = "the key") -> PublicKey:
    """Read a public key of a Multikey.

    Raises:
      Unsound: `KEY`, `MALFORMED` or `TOO_LARGE`.
    """
    kind, data = _read(text, what, _PREFIXES)
    return load_public_key(kind, data)


def read_private_multikey(text: str, what: str = "the key") -> PrivateKey:
    """Read a signing key of a Multikey (`secretKeyMultibase`).

    Raises:
      Unsound: `KEY`, `MALFORMED` or `TOO_LARGE`; the message never holds the secret.
    """
    kind, data = _read(text, what, _PRIVATE_PREFIXES)
    return load_private_key(kind, data)


def _read(text: str, what: str, prefixes: dict[KeyKind, bytes]) -> tuple[KeyKind, bytes]:
    data = decode_multibase(text, what)
    for kind, prefix in prefixes.items():
        if data.startswith(prefix):
            return kind, data[len(prefix) :]
    raise Unsound(Fault.KEY, f"{what} is a Multikey of no kind that is known here")
