"""A form for the claims of a credential, made of the JSON Schema of its type, and read again.

What a person can type well gets a field of its own: texts, dates, numbers, yes or no, choices, and
objects of them as groups. All else (arrays, alternatives, claims that the schema only allows) is
typed as JSON. What was left empty is not claimed.

Source: JSON Schema 2020-12, validation; HTML Living Standard, 4.10.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from hansa.identity.encoding.strict_json import decode_json, decode_object
from hansa.identity.faults import Unsound
from hansa.node.identity.issuer.schemas import Schema

LEVELS_MAX = 4
"""Of groups within groups; what lies deeper is typed as JSON."""
MORE = "more"
"""Name of the field for claims that the schema allows without naming them."""
PREFIX = "claim"
REFERENCES_MAX = 16
JSON_BYTES_MAX = 1 << 18


class FieldKind(StrEnum):
    """How something is typed."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    INTEGER = "integer"
    CHOICE = "choice"
    """One of the options."""
    GROUP = "group"
    JSON = "json"


class Option(NamedTuple):
    """Something to choose."""

    value: str
    """As JSON."""
    label: str


class Field(NamedTuple):
    """A claim to be typed."""

    path: tuple[str, ...]
    """Names that lead to the claim; `()` with the kind `JSON` for further claims."""
    kind: FieldKind
    label: str
    hint: str
    is_needed: bool
    options: tuple[Option, ...] = ()
    parts: tuple[Field, ...] = ()
    """Of a group."""

    @property
    def name(self) -> str:
        """Its name in the form."""
        return _name(self.path) if self.path else MORE


class Filled(NamedTuple):
    """What was typed."""

    claims: dict[str, Any]
    faults: dict[str, str]
    """By the name of the field, or "" for the form as a whole; empty if the claims may be used."""


def build_fields(schema: Schema | None) -> tuple[Field, ...]:
    """Build the fields for claims of a schema, or for any claims if there is none."""
    whole = {} if schema is None else schema.content
    fields = _build_parts(whole, whole, ())
    if whole.get("additionalProperties", True) is not False:
        label = "Further claims" if fields else "Claims"
        hint = 'A JSON object, as {"given_name": "Mei"}'
        fields = (*fields, Field((), FieldKind.JSON, label, hint, is_needed=False))
    return fields


def read_claims(fields: Sequence[Field], form: Mapping[str, str], schema: Schema | None) -> Filled:
    """Read what was typed, and check it; what is wrong is told by field, all of it."""
    faults: dict[str, str] = {}
    claims: dict[str, Any] = {}
    named = {field.path[-1] for field in fields if field.path}
    for field in fields:
        found = _read_field(field, form, faults)
        if field.path and found is not _NOTHING:
            claims[field.path[-1]] = found
        elif found is not _NOTHING:
            twice = [name for name in found if name in named]
            if twice:
                faults[field.name] = f"{twice[0]!r} has a field of its own above"
            claims |= found
    if schema is not None and not faults:
        names = {field.name for field in _flatten(fields)}
        for fault in schema.list_faults(claims):
            name = _find_name(fault.place, names)
            where = ".".join(map(str, fault.place))
            text = fault.text if name else f"{where}: {fault.text}" if where else fault.text
            faults.setdefault(name, text)
    return Filled(claims, faults)


def _name(path: tuple[str, ...]) -> str:
    """Name a field by its path; a dot within a name is told from one between two."""
    parts = (each.replace("~", "~0").replace(".", "~1") for each in path)
    return ".".join((PREFIX, *parts))


class _Nothing:
    """What an empty field says."""


_NOTHING = _Nothing()


def _flatten(fields: Sequence[Field]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from _flatten(field.parts)


def _find_name(place: Sequence[str | int], names: set[str]) -> str:
    """Find the field that holds a place, or the one around it."""
    for end in range(len(place), 0, -1):
        name = _name(tuple(map(str, place[:end])))
        if name in names:
            return name
    return MORE if MORE in names else ""


def _build_parts(
    schema: Mapping[str, Any], whole: dict[str, Any], path: tuple[str, ...]
) -> tuple[Field, ...]:
    properties = schema.get("properties", {})
    needed = schema.get("required", [])
    return tuple(
        _build_field(_follow(inner, whole), whole, (*path, name), is_needed=name in needed)
        for name, inner in properties.items()
    )


def _build_field(
    schema: Mapping[str, Any], whole: dict[str, Any], path: tuple[str, ...], *, is_needed: bool
) -> Field:
    label = str(schema.get("title") or _write_label(path[-1]))
    hint = str(schema.get("description", ""))
    kind = _choose_kind(schema, len(path))
    options = _list_options(schema) if kind is FieldKind.CHOICE else ()
    parts = _build_parts(schema, whole, path) if kind is FieldKind.GROUP else ()
    if kind is FieldKind.JSON and not hint:
        hint = "As JSON"
    elif kind is FieldKind.TEXT and schema.get("format") == "date-time" and not hint:
        hint = "As 2026-11-29T12:00:00Z"
    return Field(path, kind, label, hint, is_needed, options, parts)


def _choose_kind(schema: Mapping[str, Any], level: int) -> FieldKind:
    if "enum" in schema or "const" in schema:
        return FieldKind.CHOICE
    types = schema.get("type")
    names = [types] if isinstance(types, str) else [each for each in types or () if each != "null"]
    if len(names) != 1:
        return FieldKind.JSON
    (name,) = names
    if name == "string":
        return FieldKind.DATE if schema.get("format") == "date" else FieldKind.TEXT
    if name == "object" and _is_closed(schema) and level < LEVELS_MAX:
        return FieldKind.GROUP
    return _SIMPLE.get(name, FieldKind.JSON)


_SIMPLE = {
    "integer": FieldKind.INTEGER,
    "number": FieldKind.NUMBER,
    "boolean": FieldKind.CHOICE,
}


def _is_closed(schema: Mapping[str, Any]) -> bool:
    """Whether an object has no properties but those that its schema names."""
    return bool(schema.get("properties")) and schema.get("additionalProperties") is False


def _list_options(schema: Mapping[str, Any]) -> tuple[Option, ...]:
    values = schema.get("enum", [schema["const"]] if "const" in schema else [True, False])
    return tuple(Option(msgspec.json.encode(each).decode(), _write_value(each)) for each in values)


def _write_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _write_label(name: str) -> str:
    """Write the name of a claim as people read it: `given_name` as "Given name"."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _follow(schema: object, whole: dict[str, Any]) -> Mapping[str, Any]:
    """Follow references within the schema; one that goes in circles is anything at all."""
    for _ in range(REFERENCES_MAX):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if reference is None:
            return schema
        found: Any = whole
        for name in reference.split("/")[1:]:
            found = found[name.replace("~1", "/").replace("~0", "~")]
        schema = found
    return {}


def _read_field(field: Field, form: Mapping[str, str], faults: dict[str, str]) -> Any:  # noqa: ANN401 - a claim
    """Read the claim of a field; `_NOTHING` if it is empty, or wrong."""
    if field.kind is FieldKind.GROUP:
        parts = {part.path[-1]: _read_field(part, form, faults) for part in field.parts}
        found = {name: value for name, value in parts.items() if value is not _NOTHING}
        return found if found or field.is_needed else _NOTHING
    text = form.get(field.name, "").strip()
    if not text:
        return _NOTHING
    try:
        return _read_text(field, text)
    except Unsound as error:
        faults[field.name] = error.message
    except ValueError:
        faults[field.name] = _WRONG[field.kind]
    return _NOTHING


_WRONG = {
    FieldKind.INTEGER: "this is no whole number",
    FieldKind.NUMBER: "this is no number, as 12.5",
    FieldKind.CHOICE: "choose one of the values",
}


def _read_text(field: Field, text: str) -> Any:  # noqa: ANN401 - a claim
    """Read a text; raises `ValueError` or `Unsound`."""
    if field.kind in (FieldKind.INTEGER, FieldKind.NUMBER):
        try:
            number = decode_json(text, "the number", JSON_BYTES_MAX)
        except Unsound:
            raise ValueError from None
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or (field.kind is FieldKind.INTEGER and not isinstance(number, int)):
            raise ValueError
        return number
    if field.kind is FieldKind.CHOICE:
        if text not in {option.value for option in field.options}:
            raise ValueError
        return decode_json(text, "the value", JSON_BYTES_MAX)
    if field.kind is FieldKind.JSON:
        what = f"“{field.label}”"
        decode = decode_json if field.path else decode_object
        return decode(text, what, JSON_BYTES_MAX)
    return text
