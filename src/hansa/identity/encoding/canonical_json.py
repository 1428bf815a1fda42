"""The JSON Canonicalization Scheme: one text for one value, fit to be hashed and signed.

Numbers are doubles, written as ECMAScript writes them; names stand in the order of their UTF-16
code units. Nearly all JSON that is signed has neither broken numbers nor names beyond the basic
plane, and for that the standard library's writer gives the same bytes.

Source: RFC 8785; ECMA-262, Number::toString.
"""

from __future__ import annotations

import json
from typing import Any

from hansa.identity.faults import Fault, Unsound

SAFE_INTEGER_MAX = 2**53 - 1
_FIRST_SURROGATE = "\ud800"
"""Names with letters from here on may stand in another order in UTF-16."""
_EXPONENT_MIN, _EXPONENT_MAX = -7, 21
"""ECMAScript writes the numbers between in full."""

_PLAIN_MIN, _PLAIN_MAX = 1e-4, 1e16
"""Python writes doubles between in full, as ECMAScript does, but for `.0` after whole ones."""
_DOUBLE_BITS_MAX = 1_023

_write_plain = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


def canonicalize(value: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Write a JSON value in canonical form.

    Raises:
      Unsound: `MALFORMED`: an integer that doubles do not keep, an infinite number, a lone
        surrogate, or something that is not JSON; `TOO_LARGE`: nested too deep.
    """
    try:
        text = _write_plain(value) if _is_plain(value) else _write(value)
        return text.encode()
    except RecursionError:
        raise Unsound(Fault.TOO_LARGE, "the JSON is nested too deep") from None
    except (ValueError, TypeError) as error:
        raise Unsound(Fault.MALFORMED, f"this has no canonical JSON: {error}") from None


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether the standard library's writer does what RFC 8785 asks."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return abs(int(value)) <= SAFE_INTEGER_MAX
    if kind is float:
        return _PLAIN_MIN <= abs(value) < _PLAIN_MAX and not value.is_integer()
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        return all(type(name) is str and name < _FIRST_SURROGATE for name in value) and all(
            map(_is_plain, value.values())
        )
    return False


def _write(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name that is no text")
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_write_plain(each)}:{_write(value[each])}" for each in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, float):
        return write_number(value)
    if type(value) is int and abs(value) > SAFE_INTEGER_MAX:
        return _write_large(value)
    return _write_plain(value)


def write_number(number: float) -> str:
    """Write a double as ECMAScript does: the shortest digits that give it back.

    Raises:
      ValueError: it is infinite or not a number.
    """
    if number == 0:
        return "0"
    sign, digits, exponent = _take_apart(number)
    if 0 < exponent <= _EXPONENT_MAX:
        if len(digits) <= exponent:
            return sign + digits.ljust(exponent, "0")
        return f"{sign}{digits[:exponent]}.{digits[exponent:]}"
    if _EXPONENT_MIN < exponent - 1 <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{exponent - 1:+d}"


def _write_large(number: int) -> str:
    """Write an integer beyond the safe ones, if a reader of doubles sees the same digits."""
    text = str(number) if number.bit_length() <= _DOUBLE_BITS_MAX else ""
    if not text or write_number(float(number)) != text:
        raise ValueError("an integer that doubles do not keep")
    return text


def _take_apart(number: float) -> tuple[str, str, int]:
    """Return sign, digits without zeros at either end, and the place of the point before them."""
    text = repr(abs(number))
    if "n" in text:
        raise ValueError(f"{number} is no number of JSON")
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    exponent = len(whole) - leading + int(power or 0)
    return ("-" if number < 0 else ""), digits.rstrip("0"), exponent
