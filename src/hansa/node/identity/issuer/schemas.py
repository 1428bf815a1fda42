"""What the claims of a credential may be: the JSON Schema of its type, read once.

Nothing is ever fetched: references lead into the schema itself.

Source: JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match

from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.files import read_file

SCHEMA_BYTES_MAX = 1 << 18
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABROAD = ("$dynamicRef", "$dynamicAnchor", "$anchor", "$id", "$schema", "$vocabulary")
"""Words by which a part of a schema means something else than what stands in it."""
_OUTSIDE = frozenset({"$id", "$schema"})
"""Words of a schema as a whole, by which nothing is looked up."""


class ClaimFault(NamedTuple):
    """What a schema does not allow of some claims."""

    place: tuple[str | int, ...]
    """Names and numbers that lead to the claim."""
    text: str


class Schema:
    """A schema of claims; called with some, raises `Unsound`, `SCHEMA`, for what it forbids."""

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        self.content = content
        """As it was written."""
        self._name = name
        inner = {name: value for name, value in content.items() if name not in _OUTSIDE}
        self._validator = Draft202012Validator(
            inner, format_checker=Draft202012Validator.FORMAT_CHECKER
        )

    def __call__(self, claims: Mapping[str, Any]) -> None:
        """Check claims; raises `Unsound`."""
        error = best_match(self._iterate(claims))
        if error is not None:
            place = ".".join(map(str, error.absolute_path))
            text = f"{place}: {error.message[:200]}" if place else error.message[:200]
            raise Unsound(Fault.SCHEMA, f"the claims do not fit {self._name}: {text}")

    def list_faults(self, claims: Mapping[str, Any]) -> list[ClaimFault]:
        """List all that the schema does not allow, each where it stands; what is missing, too."""
        found = []
        for error in self._iterate(claims):
            place = tuple(error.absolute_path)
            wanted, there = error.validator_value, error.instance
            if (
                error.validator == "required"
                and isinstance(wanted, list)
                and isinstance(there, dict)
            ):
                missing = [each for each in wanted if each not in there]
                found += [ClaimFault((*place, each), "it is needed") for each in missing]
            else:
                found.append(ClaimFault(place, _describe(error)))
        return list(dict.fromkeys(found))

    def _iterate(self, claims: Mapping[str, Any]) -> list[ValidationError]:
        try:
            return list(self._validator.iter_errors(dict(claims)))
        except RecursionError:
            why = f"the claims, or {self._name}, go in circles"
            raise Unsound(Fault.SCHEMA, why) from None


def load_schema(path: Path) -> Schema:
    """Load a schema.

    Raises:
      Invalid: it is no JSON Schema 2020-12, or refers to something outside.
      NotFound: there is no such file.
      Unavailable: it cannot be read.
    """
    try:
        schema = decode_object(read_file(path, SCHEMA_BYTES_MAX), "the schema", SCHEMA_BYTES_MAX)
        if schema.get("$schema", DIALECT) != DIALECT:
            raise _wrong(path, f"$schema must be {DIALECT}")
        inner = {name: value for name, value in schema.items() if name not in _OUTSIDE}
        _check_references(inner, inner, path)
        Draft202012Validator.check_schema(inner)
    except Unsound as error:
        raise _wrong(path, error.message) from None
    except SchemaError as error:
        raise _wrong(path, error.message[:200]) from None
    return Schema(path.name, schema)


def _describe(error: ValidationError) -> str:
    if error.validator == "pattern":
        return f"it must match {str(error.validator_value)[:200]}"
    return error.message[:200]


def _check_references(part: object, whole: dict[str, Any], path: Path) -> None:
    """Refuse what leads out of a schema, or nowhere."""
    if isinstance(part, list):
        for each in part:
            _check_references(each, whole, path)
    if not isinstance(part, dict):
        return
    for name, value in part.items():
        if name in _ABROAD and isinstance(value, str):
            raise _wrong(path, f"{name} cannot be used within a schema: write what it stands for")
        if name == "$ref" and isinstance(value, str):
            _require_target(value, whole, path)
        _check_references(value, whole, path)


def _require_target(reference: str, whole: dict[str, Any], path: Path) -> None:
    found: Any = whole
    if reference != "#":
        names = reference.split("/")
        if names[0] != "#" or "%" in reference:
            raise _wrong(path, f"$ref {reference[:80]!r} leads outside: nothing is fetched")
        for name in names[1:]:
            key = name.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict | bool):
        raise _wrong(path, f"$ref {reference[:80]!r} leads nowhere")


def _wrong(path: Path, why: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED, f"{path} is no JSON Schema that can be used: {why}", path=str(path)
    )
