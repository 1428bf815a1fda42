"""CBOR as strangers send it: bounded, every key once, one form for each value, few tags.

The library writes; reading is done here. It would make dates, decimals, regular expressions and
messages of mail of what it reads, share values within them, take lists as keys, whose hashes
anybody can make collide, and stop silently before what follows.

Read are integers of 64 bits, bytes, text, lists, maps with keys of integers or text, finite
floats, true, false and null. Numbers and lengths must be as short as they can be, and lengths
must stand before what they measure. Members of maps that are undefined may be skipped: what is
written in JavaScript has such where another has none.

Source: RFC 8949, sections 3 and 4.1; RFC 8943 (tag 1004); ISO/IEC 18013-5, section 8.1.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, cast

import cbor2
from cbor2 import CBORTag as CBORTag

from hansa.identity.faults import Fault, Unsound

BYTES_MAX = 1 << 20
DEPTH_MAX = 16
"""Lists, maps and tags within one another."""
VALUES_MAX = 65_536
"""Values in lists and maps, keys included: a mebibyte of the shortest takes a second to read."""

TAG_TIME = 0
TAG_MAC0 = 17
TAG_SIGN1 = 18
TAG_ENCODED = 24
"""Bytes that are themselves CBOR."""
TAG_DATE = 1004

TAGS: Mapping[int, type] = MappingProxyType(
    {TAG_TIME: str, TAG_MAC0: list, TAG_SIGN1: list, TAG_ENCODED: bytes, TAG_DATE: str}
)
"""The tags that are read, and what each may stand before."""

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE_OR_FLOAT = range(8)
"""The major types, which the first three bits of a value tell."""
_DIRECT_MAX = 23
"""The greatest number that the other five bits hold themselves."""
_UNDEFINED = 0xF7
_SIMPLE = {20: False, 21: True, 22: None}
_FLOATS = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_LEAST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
"""The least number that needs as many bytes."""
_INTEGER_END = 1 << 64


def decode_cbor(
    raw: bytes, what: str, bytes_max: int = BYTES_MAX, *, skips_undefined: bool = False
) -> Any:  # noqa: ANN401 - a decode edge
    """Read one value, which must fill `raw`; `what` names it in messages.

    Tagged values are `cbor2.CBORTag`.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, or `UNSUPPORTED`: a tag that is not read.
    """
    if len(raw) > bytes_max:
        raise Unsound(Fault.TOO_LARGE, f"{what} has {len(raw)} bytes, over {bytes_max}")
    reader = _Reader(raw, what, skips_undefined=skips_undefined)
    try:
        value = reader.read(DEPTH_MAX)
    except (IndexError, struct.error):
        raise _malformed(what, "it ends too early") from None
    except UnicodeDecodeError:
        raise _malformed(what, "a text is not UTF-8") from None
    if reader.at != len(raw):
        raise _malformed(what, "it ends too early, or something follows it")
    return value


def decode_map(
    raw: bytes, what: str, bytes_max: int = BYTES_MAX, *, skips_undefined: bool = False
) -> dict[Any, Any]:
    """Read a map.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE` or `UNSUPPORTED`.
    """
    value = decode_cbor(raw, what, bytes_max, skips_undefined=skips_undefined)
    if not isinstance(value, dict):
        raise _malformed(what, "it is no map")
    return value


def encode_cbor(value: Any) -> bytes:  # noqa: ANN401 - whatever `decode_cbor` reads
    """Write a value that `decode_cbor` reads; maps keep their order.

    Raises:
      Unsound: `MALFORMED`: something that it does not read; `TOO_LARGE`: nested too deep.
    """
    _check(value, DEPTH_MAX)
    try:
        return cbor2.dumps(value)
    except UnicodeEncodeError:
        raise _unwritable("a text with a lone surrogate") from None


def wrap_encoded(raw: bytes) -> CBORTag:
    """Put the tag of encoded CBOR before bytes."""
    return CBORTag(TAG_ENCODED, raw)


def encode_wrapped(raw: bytes) -> bytes:
    """Write bytes behind the tag of encoded CBOR."""
    return cbor2.dumps(wrap_encoded(raw))


def unwrap_encoded(value: Any, what: str) -> bytes:  # noqa: ANN401 - a decode edge
    """Take the bytes of a value with the tag of encoded CBOR.

    Raises:
      Unsound: `MALFORMED`.
    """
    if not isinstance(value, CBORTag) or value.tag != TAG_ENCODED:
        raise _malformed(what, f"it is no encoded CBOR (tag {TAG_ENCODED})")
    data: bytes = value.value
    return data


class _Reader:
    """Reads value after value; `at` is where the next one begins.

    A slice beyond the end is short and moves `at` beyond it, so that the next look at a byte, or
    the last comparison with the length, finds out.
    """

    __slots__ = ("at", "left", "raw", "skips_undefined", "what")

    def __init__(self, raw: bytes, what: str, *, skips_undefined: bool) -> None:
        self.raw = raw
        self.at = 0
        self.left = VALUES_MAX
        self.what = what
        self.skips_undefined = skips_undefined

    def read(self, depth: int) -> Any:  # noqa: ANN401 - a decode edge
        first = self.raw[self.at]
        self.at += 1
        major, number = first >> 5, first & 31
        if number > _DIRECT_MAX and major != _SIMPLE_OR_FLOAT:
            number = self._read_number(number)
        if major in (_TEXT, _BYTES):
            begin, self.at = self.at, self.at + number
            data = self.raw[begin : self.at]
            return data.decode() if major == _TEXT else data
        if major == _UNSIGNED:
            return number
        if major == _NEGATIVE:
            return ~number
        if major == _SIMPLE_OR_FLOAT:
            return self._read_simple(number)
        if depth == 0:
            raise Unsound(Fault.TOO_LARGE, f"{self.what} is nested deeper than {DEPTH_MAX} levels")
        if major == _MAP:
            self._count(2 * number)
            return self._read_map(number, depth)
        if major == _LIST:
            self._count(number)
            return [self.read(depth - 1) for _ in range(number)]
        return self._read_tag(number, depth)

    def _count(self, values: int) -> None:
        self.left -= values
        if self.left < 0:
            raise Unsound(Fault.TOO_LARGE, f"{self.what} has more than {VALUES_MAX} values")

    def _read_number(self, info: int) -> int:
        if info not in _LEAST:
            raise _malformed(self.what, "a length is missing, or comes after what it measures")
        begin, self.at = self.at, self.at + (1 << (info - _DIRECT_MAX - 1))
        number = int.from_bytes(self.raw[begin : self.at], "big")
        if number < _LEAST[info]:
            raise _malformed(self.what, "a number or length is cut off, or longer than it must be")
        return number

    def _read_simple(self, info: int) -> Any:  # noqa: ANN401
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info not in _FLOATS:
            raise _malformed(self.what, "a simple value is neither true, false nor null")
        (number,) = _FLOATS[info].unpack_from(self.raw, self.at)
        self.at += _FLOATS[info].size
        if not math.isfinite(number):
            raise _malformed(self.what, "a number is infinite, or none at all")
        return number

    def _read_map(self, size: int, depth: int) -> dict[int | str, Any]:
        found: dict[int | str, Any] = {}
        undefined = []
        for _ in range(size):
            key = self.read(0)
            if type(key) is not str and type(key) is not int:
                raise _malformed(self.what, "a key of a map is neither an integer nor a text")
            if key in found:
                name = repr(key)[:64]
                raise Unsound(Fault.DUPLICATE, f"{self.what} has the key {name} twice")
            if self.skips_undefined and self.raw[self.at] == _UNDEFINED:
                self.at += 1
                undefined.append(key)
                found[key] = None
            else:
                found[key] = self.read(depth - 1)
        for key in undefined:
            del found[key]
        return found

    def _read_tag(self, number: int, depth: int) -> CBORTag:
        if number not in TAGS:
            raise Unsound(Fault.UNSUPPORTED, f"{self.what} has the tag {number}, not known here")
        value = self.read(depth - 1)
        if not isinstance(value, TAGS[number]):
            raise _malformed(self.what, f"what follows the tag {number} is of the wrong type")
        return CBORTag(number, value)


def _check(value: Any, depth: int) -> None:  # noqa: ANN401
    """Refuse what the library would write, but the reader here would not read."""
    kind = type(value)
    if kind is str or kind is bytes or kind is bool or value is None:
        return
    if kind is int:
        if not -_INTEGER_END <= value < _INTEGER_END:
            raise _unwritable("an integer of more than 64 bits")
    elif kind is float:
        if not math.isfinite(value):
            raise _unwritable("a number that is infinite, or none at all")
    elif depth == 0:
        raise Unsound(Fault.TOO_LARGE, f"the value is nested deeper than {DEPTH_MAX} levels")
    else:
        for each in _list_inner(value, kind):
            _check(each, depth - 1)


def _list_inner(value: Any, kind: type) -> Iterable[Any]:  # noqa: ANN401
    if kind is list:
        return cast("list[Any]", value)
    if kind is dict:
        if not all(type(key) is str or type(key) is int for key in value):
            raise _unwritable("a key of a map that is neither an integer nor a text")
        return itertools.chain(value, value.values())
    if kind is CBORTag and isinstance(value.value, TAGS.get(value.tag, ())):
        return [value.value]
    raise _unwritable(f"a {kind.__name__}")


def _unwritable(why: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"this cannot be written as CBOR here: {why}")


def _malformed(what: str, why: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"{what} is no sound CBOR: {why}")
