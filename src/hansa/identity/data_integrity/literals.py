"""Literals of RDF: how values of JSON are written in canonical N-Quads, one form for each.

A datatype fixes the kind of JSON: integers, doubles and booleans are never texts, and whatever
else has a datatype is always text. Otherwise 5 and "5" would be one statement.

Source: JSON-LD 1.1 Processing Algorithms and API, section 8.2.2 (object to RDF); RDF Dataset
Canonicalization 1.0, section 5 (canonical form of N-Quads); XML Schema 1.1, part 2, section 3.4.
"""

from __future__ import annotations

import math
import re
from typing import Any

from hansa.identity.encoding.canonical_json import SAFE_INTEGER_MAX, canonicalize
from hansa.identity.faults import Fault, Unsound

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XSD = "http://www.w3.org/2001/XMLSchema#"
_OTHER_XSD = "https://www.w3.org/2001/XMLSchema#"
"""As the context of credentials v2 has it."""
_STRING, _BOOLEAN, _INTEGER, _DOUBLE = (
    _XSD + each for each in ("string", "boolean", "integer", "double")
)
_PLAIN = {_STRING, _BOOLEAN, _INTEGER, _DOUBLE}
"""What values without a datatype get by themselves."""
_SIZES = ("long", "int", "short", "byte")
_SIGNS = ("positiveInteger", "nonNegativeInteger", "negativeInteger", "nonPositiveInteger")
_INTEGERS = {
    space + name
    for space in (_XSD, _OTHER_XSD)
    for name in ("integer", *_SIGNS, *_SIZES, *("unsigned" + each.capitalize() for each in _SIZES))
}
_DOUBLES = {space + name for space in (_XSD, _OTHER_XSD) for name in ("double", "float")}
_BOOLEANS = {_BOOLEAN, _OTHER_XSD + "boolean"}

_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,8}")
_ESCAPED = re.compile('[\x00-\x1f"\\\\\x7f\ufffe\uffff]')
_ESCAPES = {
    **{code: f"\\u{code:04X}" for code in (*range(0x20), 0x7F, 0xFFFE, 0xFFFF)},
    **{ord(letter): "\\" + name for letter, name in zip('\b\t\n\f\r"\\', 'btnfr"\\', strict=True)},
}


def write_literal(text: str, suffix: str = "") -> str:
    """Write a literal in canonical form; `suffix` is its datatype or language, in N-Quads."""
    if _ESCAPED.search(text):
        text = text.translate(_ESCAPES)
    return f'"{text}"{suffix}'


def write_json(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a value of type `@json`, which is signed as a whole.

    Raises:
      Unsound: `MALFORMED` or `TOO_LARGE`: it has no canonical form.
    """
    return write_literal(canonicalize(value).decode(), f"^^<{RDF}JSON>")


def convert_scalar(value: Any, datatype: str, where: str) -> str:  # noqa: ANN401 - any JSON
    """Write a text, number or truth value, whose term asks for `datatype` or for none.

    Raises:
      Unsound: `MALFORMED`: null, a number that RDF does not keep, or not of the datatype's kind.
    """
    if isinstance(value, bool):
        text, own, fitting = ("true" if value else "false"), _BOOLEAN, _BOOLEANS
    elif isinstance(value, int | float):
        is_double = datatype in _DOUBLES or not _is_integer(value)
        text = _write_double(float(value), where) if is_double else _write_integer(value, where)
        own, fitting = (_DOUBLE, _DOUBLES) if is_double else (_INTEGER, _INTEGERS)
    elif isinstance(value, str):
        if datatype in _INTEGERS | _DOUBLES | _BOOLEANS:
            raise Unsound(Fault.MALFORMED, f"{where} must be a number or truth value, not text")
        return write_literal(value, f"^^<{datatype}>" if datatype not in {"", _STRING} else "")
    else:
        raise Unsound(Fault.MALFORMED, f"{where} is null or no value: leave the member out")
    if datatype and datatype not in fitting:
        raise Unsound(Fault.MALFORMED, f"{where} must be of the datatype {datatype}")
    return write_literal(text, f"^^<{datatype or own}>")


def convert_language(text: Any, language: Any, where: str) -> str:  # noqa: ANN401 - any JSON
    """Write a text in a language, whose name has no case (BCP 47) and is written small.

    Raises:
      Unsound: `MALFORMED`.
    """
    if (
        not isinstance(text, str)
        or not isinstance(language, str)
        or not _LANGUAGE.fullmatch(language)
    ):
        raise Unsound(Fault.MALFORMED, f"{where} must be text, in a language as BCP 47 names it")
    return write_literal(text, f"@{language.lower()}")


def convert_typed(text: Any, datatype: str, expected: str, where: str) -> str:  # noqa: ANN401
    """Write a text with a datatype that its term does not ask for.

    Raises:
      Unsound: `MALFORMED`: no text, or a plain value would say the same.
    """
    if not isinstance(text, str) or datatype in {*_PLAIN, expected} or datatype.startswith(RDF):
        raise Unsound(Fault.MALFORMED, f"{where} must be a plain value, or text of another @type")
    return write_literal(text, f"^^<{datatype}>")


def _is_integer(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def _write_integer(value: float, where: str) -> str:
    if abs(value) > SAFE_INTEGER_MAX:
        raise Unsound(Fault.MALFORMED, f"{where} is an integer that not every reader keeps")
    return str(int(value))


def _write_double(value: float, where: str) -> str:
    """Write the canonical form of `xsd:double`, which keeps sixteen digits."""
    mantissa, _, exponent = f"{value:.15E}".partition("E")
    mantissa = mantissa.rstrip("0")
    text = f"{mantissa}{'0' if mantissa.endswith('.') else ''}E{int(exponent or 0)}"
    if not math.isfinite(value) or float(text) != value:
        raise Unsound(Fault.MALFORMED, f"{where} is a number of more digits than RDF keeps")
    return text
