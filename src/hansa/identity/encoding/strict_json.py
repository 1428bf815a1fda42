"""JSON as strangers send it: every name once, bounded, and only what Unicode and I-JSON know.

What two readers could understand differently is refused: names that stand twice, numbers that
are infinite or not numbers at all, lone surrogates.

Source: RFC 8259; RFC 7493 (I-JSON), section 2; RFC 7515, section 4 (unique header names).
"""

from __future__ import annotations

import json
import math
from typing import Any

from hansa.identity.faults import Fault, Unsound

BYTES_MAX = 1 << 20
DEPTH_MAX = 32
"""Objects and arrays within one another."""

_SPACES = " \t\n\r"


class _DuplicateError(ValueError):
    """A name that stands twice in one object."""


def decode_json(raw: bytes | str, what: str, bytes_max: int = BYTES_MAX) -> Any:  # noqa: ANN401 - a decode edge
    """Read JSON; `what` names it in messages.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED` or `DUPLICATE`.
    """
    if len(raw) > bytes_max:
        raise Unsound(Fault.TOO_LARGE, f"{what} has {len(raw)} bytes, over {bytes_max}")
    try:
        text = (raw if isinstance(raw, str) else raw.decode()).strip(_SPACES)
        value, end = _DECODER.raw_decode(text)
        if end != len(text):
            raise ValueError(f"more follows after letter {end}")
        if "\\u" in text or isinstance(raw, str):
            json.dumps(value, ensure_ascii=False).encode()
    except _DuplicateError as error:
        raise Unsound(Fault.DUPLICATE, f"{what} has the name {error} twice") from None
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError as error:
        raise Unsound(Fault.MALFORMED, f"{what} is no sound JSON: {_tell(error)}") from None
    if text.count("{") + text.count("[") > DEPTH_MAX and _is_deeper(value, DEPTH_MAX):
        raise _too_deep(what)
    return value


def decode_object(raw: bytes | str, what: str, bytes_max: int = BYTES_MAX) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED` or `DUPLICATE`.
    """
    value = decode_json(raw, what, bytes_max)
    if not isinstance(value, dict):
        raise Unsound(Fault.MALFORMED, f"{what} is no JSON object")
    return value


def _tell(error: ValueError) -> str:
    """Tell what is wrong in words that are for people, where the library's are for programs."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "it holds half a letter (a lone surrogate)"
    text = str(error)
    return "a number has over 4,300 digits" if "set_int_max_str_digits" in text else text


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _DuplicateError(repr(name[:64]))
            seen.add(name)
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:32]} is too large for a number")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_pairs, parse_constant=_refuse_constant, parse_float=_read_float
)


def _is_deeper(value: Any, depth_max: int) -> bool:  # noqa: ANN401 - any JSON
    level = [value]
    for _ in range(depth_max):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _too_deep(what: str) -> Unsound:
    return Unsound(Fault.TOO_LARGE, f"{what} is nested deeper than {DEPTH_MAX} levels")
