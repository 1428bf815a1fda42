"""Canonical MessagePack: one value has one encoding, and nothing else is accepted.

Allowed are arrays, byte strings, text, integers, booleans and nil, each in its shortest form.
Maps, floats, extensions, trailing bytes and longer forms are refused: a decoded value must
encode to the very bytes that came in.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md; docs/reference/wire.md.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from hansa.kernel.errors import Invalid, InvalidCode

T = TypeVar("T")

_ENCODER = msgspec.msgpack.Encoder()
encode = _ENCODER.encode

DEPTH_MAX = 8
_PLAIN_TYPES = frozenset((bytes, str, int, bool, type(None)))
_DECODE_ERRORS = (
    msgspec.DecodeError,
    msgspec.ValidationError,
    UnicodeDecodeError,
    RecursionError,
    OverflowError,
    ValueError,
    TypeError,
)


class Decoder(Generic[T]):
    """Decodes one type from canonical bytes and refuses everything else."""

    __slots__ = ("_decode", "_what")

    def __init__(self, value_type: Any, what: str) -> None:  # noqa: ANN401 - a type expression
        self._decode = msgspec.msgpack.Decoder(value_type).decode
        self._what = what

    def decode(self, raw: bytes) -> T:
        """Decode `raw`.

        Raises:
          Invalid: `MALFORMED` if it is not of this type, `NOT_CANONICAL` if another encoding
            of the same value exists.
        """
        try:
            value = self._decode(raw)
            again = encode(value)
        except _DECODE_ERRORS as error:
            raise Invalid(
                InvalidCode.MALFORMED, f"{self._what} cannot be decoded: {error}"
            ) from None
        if again != raw:
            raise Invalid(
                InvalidCode.NOT_CANONICAL,
                f"{self._what} is not in its canonical encoding: send exactly the shortest "
                "MessagePack form, without trailing bytes",
            )
        return value  # type: ignore[no-any-return]

    def decode_trusted(self, raw: bytes) -> T:
        """Decode bytes that this node has checked before (its own store, a verified batch)."""
        return self._decode(raw)  # type: ignore[no-any-return]


def check_plain(value: object, what: str, depth: int = 0) -> None:
    """Refuse values that canonical bodies never hold: maps, floats, extensions, deep nesting.

    Raises:
      Invalid: `MALFORMED`.
    """
    if depth > DEPTH_MAX:
        raise Invalid(InvalidCode.MALFORMED, f"{what} is nested deeper than {DEPTH_MAX} levels")
    kind = type(value)
    if kind is list:
        for item in value:  # type: ignore[attr-defined]
            if type(item) not in _PLAIN_TYPES:
                check_plain(item, what, depth + 1)
    elif kind not in _PLAIN_TYPES:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{what} holds a {type(value).__name__}: only arrays, bytes, text, integers, "
            "booleans and nil are allowed",
        )
