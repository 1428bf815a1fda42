"""What is wrong with the shape of JSON or TOML, in words for whoever wrote it.

The decoder's own message names types of a programming language (`object`, `array`, `null`) and
patterns; it is read here and said anew.

Source: msgspec's documentation of validation errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

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
_STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
"""Of a path: an item, whichever, or a name."""
_KIND = re.compile(r"Expected `(?P<wanted>[^`]+)`(?:, got `(?P<found>[^`]+)`)?$")


class Unread(Exception):  # noqa: N818 - for the caller, who knows what the file is called
    """A file that cannot be read, and why."""


def tell_shape(
    error: msgspec.ValidationError,
    *,
    forms: Mapping[str, str] = _NO_FORMS,
    table: str = "",
    kind: Any = None,  # noqa: ANN401 - a type expression
) -> str:
    """Tell what is wrong where.

    Args:
      error: the decoder's.
      forms: what a text must be, by the pattern that it must match.
      table: what an object is called, where it is not that.
      kind: what was to be read, so that it can be told which values there are of a few.

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
    choices = [] if kind is None or place is None else _list_choices(kind, place["path"])
    known = f": it is one of {', '.join(choices)}" if choices else ""
    return f"{where or 'it'} {_tell(what, forms, table)}{known}"


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
        raise Unread(tell_shape(error, forms=forms, table="a table", kind=kind)) from None
    except DECODE_ERRORS as error:
        raise Unread(f"not TOML: {tell_fault(error)}") from None
    for fault in find_faults(value):
        raise Unread(fault)
    return value


def _list_choices(kind: Any, path: str) -> list[str]:  # noqa: ANN401 - a type expression
    """List the values that can stand at a place; none where these are not just a few."""
    found = [inspect.type_info(kind)]
    for step in _STEP.findall(path):
        found = [inner for each in found for inner in _list_inner(each, step)]
    choices = []
    for each in found:
        if isinstance(each, inspect.EnumType):
            choices += [str(member.value) for member in each.cls]
        elif isinstance(each, inspect.LiteralType):
            choices += [str(value) for value in each.values]
    return choices


def _list_inner(outer: inspect.Type, step: str) -> list[inspect.Type]:
    """List what can stand one step within something, as its alternatives."""
    found: list[inspect.Type] = []
    if isinstance(outer, inspect.StructType):
        found = [each.type for each in outer.fields if each.encode_name == step]
    elif isinstance(outer, inspect.CollectionType):
        found = [outer.item_type]
    elif isinstance(outer, inspect.DictType):
        found = [outer.value_type]
    return [one for each in found for one in _list_alternatives(each)]


def _list_alternatives(found: inspect.Type) -> list[inspect.Type]:
    if isinstance(found, inspect.Metadata):
        found = found.type
    return list(found.types) if isinstance(found, inspect.UnionType) else [found]


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
