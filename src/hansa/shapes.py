"""What is wrong with the shape of JSON or TOML, in words for whoever wrote it.

The decoder's own message names types of a programming language (`object`, `array`, `null`) and
patterns; it is read here and said anew.

Source: msgspec's documentation of validation errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from hansa.kernel.encoding import DECODE_ERRORS, tell_fault

T = TypeVar("T")

DOTS_MAX = 100
"""On one line of TOML: reading a name of very many parts takes the square of their number."""
LETTERS_TOLD = 80
"""Of what somebody else wrote."""
_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
    "bytes": "bytes",
}
_PARTS = {"str": "characters", "array": "items", "object": "members", "bytes": "bytes"}
_BOUNDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
_NO_FORMS: Mapping[str, str] = MappingProxyType({})
_WHERE = re.compile(r" - at (?:`key` in )?`\$?(?P<path>.*?)`$", re.DOTALL)
_LENGTH = re.compile(
    r"Expected `(?P<kind>\w+)` of (?:(?P<least>at least|at most) )?length "
    r"(?:(?P<bound>[<>]=) )?(?P<count>\d+(?: to \d+)?)(?:, got (?P<found>\d+))?$"
)
_BOUND = re.compile(r"Expected `(?:int|float)` (?P<bound>[<>]=?) (?P<limit>\S+)$")
_FIELD = re.compile(
    r"Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`$", re.DOTALL
)
_KIND = re.compile(r"Expected `(?P<wanted>[^`]+)`(?:, got `(?P<found>[^`]+)`)?$")


class Unread(Exception):  # noqa: N818 - for the caller, who knows what the file is called
    """A file that cannot be read, and why."""


def tell_shape(
    error: msgspec.ValidationError, *, forms: Mapping[str, str] = _NO_FORMS, table: str = ""
) -> str:
    """Tell what is wrong where.

    Args:
      error: the decoder's.
      forms: what a text must be, by the pattern that it must match.
      table: what an object is called, where it is not that.

    >>> from typing import Annotated
    >>> try:
    ...     msgspec.convert({"n": ["a"]}, dict[str, list[int]])
    ... except msgspec.ValidationError as error:
    ...     tell_shape(error)
    '[…][0] must be a whole number, not a text'
    """
    told = str(error)
    place = _WHERE.search(told)
    what = told if place is None else told[: place.start()]
    where = "" if place is None else place["path"].lstrip(".").replace("[...]", "[…]")
    if " - at `key`" in told:
        where = f"a name in {where}" if where else "a name"
    field = _FIELD.match(what)
    if field is not None:
        named = field["name"][:LETTERS_TOLD]
        name = f"{where}.{named}" if where else named
        is_missing = field["fault"].startswith("missing")
        return f"{name} is missing" if is_missing else f"{name} is no name that is known here"
    return f"{where or 'it'} {_tell(what, forms, table)}"


def tell_unread(error: Exception) -> str:
    """Tell why decoding raised one of `DECODE_ERRORS`, in our words where it is the shape."""
    if isinstance(error, msgspec.ValidationError):
        return tell_shape(error)
    return tell_fault(error)


def read_toml(
    raw: bytes,
    kind: type[T],
    *,
    bytes_max: int,
    forms: Mapping[str, str] = _NO_FORMS,
    find_faults: Callable[[T], Iterable[str]],
) -> T:
    """Read a TOML file into a value class; `find_faults` tells what is wrong beyond single values.

    Raises:
      Unread: too long, no TOML, an unknown key, or a value that cannot be.
    """
    if len(raw) > bytes_max:
        raise Unread(f"it has more than {bytes_max} bytes")
    for number, line in enumerate(raw.splitlines(), 1):
        if line.count(b".") > DOTS_MAX:
            raise Unread(f"line {number} has more than {DOTS_MAX} dots: break it")
    try:
        value = msgspec.toml.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise Unread(tell_shape(error, forms=forms, table="a table")) from None
    except DECODE_ERRORS as error:
        raise Unread(f"not TOML: {tell_fault(error)}") from None
    for fault in find_faults(value):
        raise Unread(fault)
    return value


def _tell(what: str, forms: Mapping[str, str], table: str) -> str:
    """Tell what something must be, and what it is instead where that is known."""
    if (length := _LENGTH.match(what)) is not None:
        return _tell_length(length)
    if (bound := _BOUND.match(what)) is not None:
        return f"must be {_BOUNDS[bound['bound']]} {bound['limit']}"
    if what.startswith("Expected `str` matching regex "):
        return f"must be {_find_form(what, forms)}"
    if (kind := _KIND.match(what)) is not None:
        found = kind["found"]
        instead = f", not {_name(found, table)}" if found else ""
        return f"must be {_name(kind['wanted'], table)}{instead}"
    if what.startswith(("Invalid enum value ", "Invalid value ")):
        return f"cannot be {what.partition('value ')[2][:LETTERS_TOLD]}"
    if what.endswith("out of range"):
        return "is a number that is too large"
    if what == "Invalid base64 encoded string":
        return "must be in Base64"
    return f"cannot be read: {what.replace('`', '')}"


def _tell_length(found: re.Match[str]) -> str:
    parts, count = _PARTS.get(found["kind"], "items"), found["count"]
    instead = f", not {found['found']}" if found["found"] else ""
    least = found["least"] or _BOUNDS.get(found["bound"] or "", "")
    if least == "at least" and count == "1":
        return "must not be empty"
    return f"must have {f'{least} ' if least else ''}{count} {parts}{instead}"


def _find_form(what: str, forms: Mapping[str, str]) -> str:
    pattern = what.partition(" regex ")[2]
    return next((form for each, form in forms.items() if repr(each) == pattern), "of another form")


def _name(kinds: str, table: str) -> str:
    """Name kinds of values, as `str | null`."""
    named = {**_KINDS, "object": table or _KINDS["object"]}
    return " or ".join(named.get(each, each) for each in kinds.split(" | "))
