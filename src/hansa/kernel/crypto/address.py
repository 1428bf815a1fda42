r"""Addresses: the hash of a suite and a public key, and its text form in bech32m.

An address is `H(b"hansa\x00address\x00" + suite byte + public key)`, 32 bytes. Its text is
`hansa1`, 52 symbols of data and 6 of checksum: 64 characters, and any four wrong ones are found.

Source: BIP-173 and BIP-350 (https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki);
docs/reference/keys.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from hansa.kernel.errors import Invalid, InvalidCode

ADDRESS_BYTES = 32
PREFIX = "hansa"
TEXT_LENGTH = 64

_CACHED_ADDRESSES_MAX = 50_000
_DOMAIN = b"hansa\x00address\x00"
_DATA_SYMBOLS = 52
_PADDING_BITS = _DATA_SYMBOLS * 5 - ADDRESS_BYTES * 8

_CHECKSUM_SYMBOLS = 6
_BECH32M_CONSTANT = 0x2BC830A3
_BECH32M_TEXT_MAX = 90
_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_TO_LOWER = str.maketrans(_UPPER, _LOWER)
_SYMBOL_OF = {letter: symbol for symbol, letter in enumerate(_ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


@lru_cache(maxsize=_CACHED_ADDRESSES_MAX)
def _cached_address(suite: int, public_key: bytes, digest: Callable[[bytes], bytes]) -> bytes:
    return digest(_DOMAIN + suite.to_bytes(1, "big") + public_key)


def address_of(suite: int, public_key: bytes, digest: Callable[[bytes], bytes]) -> bytes:
    """Compute the address that one key governs by itself; `digest` is the profile's hash.

    Neither suite nor key is checked here (`signatures.check_public_key` does that), but the
    suite must fit a byte. Recent answers are remembered.

    Raises:
      Invalid: `SUITE`.
    """
    try:
        return _cached_address(suite, public_key, digest)
    except OverflowError:
        raise Invalid(
            InvalidCode.SUITE, f"unknown signature suite {suite}", suite=str(suite)
        ) from None


def to_text(address: bytes) -> str:
    """Write an address as people see it.

    Raises:
      Invalid: `MALFORMED` if it has not 32 bytes.
    """
    if len(address) != ADDRESS_BYTES:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"an address has {ADDRESS_BYTES} bytes, this one {len(address)}",
            length=len(address),
        )
    number = int.from_bytes(address, "big") << _PADDING_BITS
    shifts = range((_DATA_SYMBOLS - 1) * 5, -1, -5)
    return _join(PREFIX, [number >> shift & 31 for shift in shifts])


def from_text(text: str) -> bytes:
    """Read an address from its text form, all in lower or all in upper case.

    Raises:
      Invalid: `MALFORMED`; the message says what is wrong.
    """
    if text[: len(PREFIX) + 1].translate(_TO_LOWER) != PREFIX + "1":
        told = ascii(text[:TEXT_LENGTH])
        raise _malformed(f"{told} is no address of Hansa: it must start with {PREFIX}1")
    if len(text) != TEXT_LENGTH:
        raise _malformed(f"an address has {TEXT_LENGTH} characters, this one {len(text)}")
    if "1" in text[len(PREFIX) + 1 :]:
        raise _malformed("an address has no second 1 after its prefix: it may be an l")
    _, symbols = decode_bech32m(text)
    number = 0
    for symbol in symbols:
        number = number << 5 | symbol
    if number & (1 << _PADDING_BITS) - 1:
        raise _malformed("the unused last bits of the address are not zero")
    return (number >> _PADDING_BITS).to_bytes(ADDRESS_BYTES, "big")


def encode_bech32m(prefix: str, symbols: Sequence[int]) -> str:
    """Write 5-bit symbols with their checksum behind a prefix, in lower case.

    Raises:
      Invalid: `MALFORMED` if prefix, symbols or length are out of range.
    """
    if not _is_prefix(prefix) or any(letter in _UPPER for letter in prefix):
        raise _malformed("a bech32m prefix has 1 or more printable ASCII characters, none upper")
    if any(not 0 <= symbol < len(_ALPHABET) for symbol in symbols):
        raise _malformed("a bech32m symbol is a number from 0 to 31")
    if len(prefix) + 1 + len(symbols) + _CHECKSUM_SYMBOLS > _BECH32M_TEXT_MAX:
        raise _malformed(f"a bech32m text has at most {_BECH32M_TEXT_MAX} characters")
    return _join(prefix, symbols)


def decode_bech32m(text: str) -> tuple[str, list[int]]:
    """Read prefix (in lower case) and 5-bit symbols (without the checksum).

    Raises:
      Invalid: `MALFORMED`; the message says what is wrong.
    """
    if len(text) > _BECH32M_TEXT_MAX:
        raise _malformed(f"a bech32m text has at most {_BECH32M_TEXT_MAX} characters")
    lowered = text.translate(_TO_LOWER)
    if lowered != text and any(letter in _LOWER for letter in text):
        raise _malformed("upper and lower case are mixed: write all of it in one case")
    prefix, separator, data = lowered.rpartition("1")
    if not separator or not _is_prefix(prefix):
        raise _malformed("there is no prefix of printable ASCII characters before a 1")
    symbols = []
    for position, letter in enumerate(data, start=len(prefix) + 2):
        symbol = _SYMBOL_OF.get(letter)
        if symbol is None:
            raise _malformed(f"character {position} is {letter!a}, which bech32m does not use")
        symbols.append(symbol)
    if len(symbols) < _CHECKSUM_SYMBOLS:
        raise _malformed(f"the checksum has fewer than {_CHECKSUM_SYMBOLS} characters")
    if _polymod(_prefix_state(prefix), symbols) != _BECH32M_CONSTANT:
        raise _malformed("the checksum does not fit: a character is mistyped, missing or swapped")
    return prefix, symbols[:-_CHECKSUM_SYMBOLS]


def _join(prefix: str, symbols: Sequence[int]) -> str:
    state = _polymod(_polymod(_prefix_state(prefix), symbols), (0,) * _CHECKSUM_SYMBOLS)
    checksum = state ^ _BECH32M_CONSTANT
    data = "".join([_ALPHABET[symbol] for symbol in symbols])
    return f"{prefix}1{data}" + "".join(
        [_ALPHABET[checksum >> shift & 31] for shift in (25, 20, 15, 10, 5, 0)]
    )


def _carry(top: int) -> int:
    """What five bits shifted out at the top add to the checksum's state."""
    state = 0
    for bit, generator in enumerate(_GENERATOR):
        if top >> bit & 1:
            state ^= generator
    return state


_CARRY = tuple(_carry(top) for top in range(32))


def _polymod(state: int, symbols: Iterable[int]) -> int:
    for symbol in symbols:
        state = (state & 0x1FFFFFF) << 5 ^ symbol ^ _CARRY[state >> 25]
    return state


@lru_cache(maxsize=16)
def _prefix_state(prefix: str) -> int:
    codes = [ord(letter) for letter in prefix]
    return _polymod(1, [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)])


def _is_prefix(prefix: str) -> bool:
    return prefix != "" and all("!" <= letter <= "~" for letter in prefix)


def _malformed(message: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message)
