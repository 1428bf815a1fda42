"""Multibase and base58: how Multikeys, `did:key` and Data Integrity proofs write bytes.

`z` stands before base58 in the Bitcoin alphabet, `u` before base64url without padding.
Source: W3C Controlled Identifiers 1.0, section 2.4; draft-msporny-base58-03.
"""

from __future__ import annotations

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Fault, Unsound

BASE58 = "z"
BASE64URL = "u"
BASE58_LETTERS_MAX = 4_096
"""Reading base58 costs the square of its length."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE_OF = {letter: value for value, letter in enumerate(_ALPHABET)}
_CHUNK = 10
"""Letters taken at a time: 58 to the tenth is below 2 to the 63."""


def encode_base58(data: bytes) -> str:
    """Write bytes in base58; each leading zero byte is a `1`."""
    number = int.from_bytes(data, "big")
    letters: list[str] = []
    while number:
        number, part = divmod(number, 58**_CHUNK)
        for _ in range(_CHUNK):
            part, value = divmod(part, 58)
            letters.append(_ALPHABET[value])
    text = "".join(reversed(letters)).lstrip("1")
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def decode_base58(text: str, what: str) -> bytes:
    """Read base58; `what` names the value in messages.

    Raises:
      Unsound: `TOO_LARGE`, or `MALFORMED`: a letter outside the alphabet.
    """
    if len(text) > BASE58_LETTERS_MAX:
        raise Unsound(
            Fault.TOO_LARGE, f"{what} has {len(text)} letters of base58, over {BASE58_LETTERS_MAX}"
        )
    number = 0
    for letter in text:
        value = _VALUE_OF.get(letter)
        if value is None:
            raise Unsound(Fault.MALFORMED, f"{what} is not base58: it contains {letter!r}")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_multibase(data: bytes, base: str = BASE58) -> str:
    """Write bytes with the letter that names their base, `z` or `u`."""
    return base + (encode_base58(data) if base == BASE58 else encode_base64url(data))


def decode_multibase(text: str, what: str) -> bytes:
    """Read bytes written in base58 (`z`) or base64url (`u`).

    Raises:
      Unsound: `TOO_LARGE` or `MALFORMED`.
    """
    base, rest = text[:1], text[1:]
    if base == BASE58:
        return decode_base58(rest, what)
    if base == BASE64URL:
        return decode_base64url(rest, what)
    raise Unsound(Fault.MALFORMED, f"{what} begins with {base!r}: z (base58) or u (base64url)")
