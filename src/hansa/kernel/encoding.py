"""Canonical MessagePack: one value has one encoding, and nothing else is accepted.

Allowed are arrays, byte strings, text, integers, booleans and nil, each in its shortest form.
Maps, floats, extensions, trailing bytes and longer forms are refused: a decoded value must
encode to the very bytes that came in.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md; docs/reference/wire.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from hansa.kernel.errors import Corrupt, Invalid, InvalidCode

T = TypeVar("T")

_ENCODER = msgspec.msgpack.Encoder()
encode = _ENCODER.encode


class Document(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What travels as an array of exactly its fields."""


DEPTH_MAX = 12
"""Arrays within arrays in any document: arguments and events begin at the fourth level."""
ARGUMENTS_DEPTH_MAX = 8
"""Arrays within the array of arguments, or of an event's fields."""
_PLAIN_TYPES = frozenset((bytes, str, int, bool, type(None)))
DECODE_ERRORS = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)
"""What decoding and encoding again raise for input: msgspec's own, bad UTF-8, too deep nesting.
What they mean says `tell_fault`, which is to be asked wherever they are caught."""

_decode_anything = msgspec.msgpack.Decoder().decode
_DEEPEST = b"\x91" * (2 * DEPTH_MAX) + b"\x90"
"""Deeper than any document, also where typed decoding takes more of the stack than this does."""


def tell_fault(error: Exception) -> str:
    """Tell what is wrong with input of which decoding raised one of `DECODE_ERRORS`.

    How deep a decoder gets depends on its caller's place on the stack and on Python's version, so
    that it gave up says nothing; that it has room for all documents, and not for this one, does.

    Raises:
      RecursionError: there is no room even for what is allowed. That is no fault of the input, and
        must never become a verdict on it: other nodes would come to another.
    """
    if isinstance(error, RecursionError):
        encode(_decode_anything(_DEEPEST))
        return f"it is nested deeper than {DEPTH_MAX} levels"
    return str(error)


class Decoder(Generic[T]):
    """Decodes one type from canonical bytes and refuses everything else."""

    __slots__ = ("_check", "_decode", "_what")

    def __init__(
        self,
        value_type: Any,  # noqa: ANN401 - a type expression
        what: str,
        check: Callable[[T], None] | None = None,
    ) -> None:
        """Prepare to decode `value_type`.

        Args:
          value_type: a type that msgspec decodes.
          what: its name in messages.
          check: raises `Invalid` for what the type lets through; asked before the encoding is.
        """
        self._decode = msgspec.msgpack.Decoder(value_type).decode
        self._what = what
        self._check = check

    def decode(self, raw: bytes) -> T:
        """Decode `raw`.

        Raises:
          Invalid: `MALFORMED` if it is not of this type, `NOT_CANONICAL` if another encoding
            of the same value exists.
        """
        try:
            value: T = self._decode(raw)
        except DECODE_ERRORS as error:
            raise self._build_malformed(error) from None
        if self._check is not None:
            self._check(value)
        try:
            again = encode(value)
        except DECODE_ERRORS as error:
            raise self._build_malformed(error) from None
        if again != raw:
            raise Invalid(
                InvalidCode.NOT_CANONICAL,
                f"{self._what} is not in its canonical encoding: send exactly the shortest "
                "MessagePack form, without trailing bytes",
            )
        return value

    def decode_trusted(self, raw: bytes) -> T:
        """Decode bytes that this node has checked before (its own store, a verified batch).

        Raises:
          Corrupt: they are not what was checked.
        """
        try:
            return self._decode(raw)  # type: ignore[no-any-return]
        except DECODE_ERRORS as error:
            raise Corrupt(
                f"{self._what} was checked before, but cannot be decoded: {tell_fault(error)}"
            ) from None

    def _build_malformed(self, error: Exception) -> Invalid:
        return Invalid(
            InvalidCode.MALFORMED, f"{self._what} cannot be decoded: {tell_fault(error)}"
        )


def check_plain(value: object, what: str, depth: int = 0) -> None:
    """Refuse values that canonical bodies never hold: maps, floats, extensions, deep nesting.

    Raises:
      Invalid: `MALFORMED`.
    """
    if depth > ARGUMENTS_DEPTH_MAX:
        raise Invalid(
            InvalidCode.MALFORMED, f"{what} is nested deeper than {ARGUMENTS_DEPTH_MAX} levels"
        )
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
