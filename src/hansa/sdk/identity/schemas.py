"""Texts of a type of credentials, checked before they are published: on the ledger they stay.

Source: JSON Schema 2020-12; OpenID4VCI 1.0, section 12.2.4.
"""

from __future__ import annotations

from typing import Any

import jsonschema

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.arguments import parse_json


def check_schema(text: str) -> None:
    """Check that a text is a JSON Schema of an object, by its own meta-schema.

    Raises:
      Invalid: it is none; says where.
    """
    schema = parse_json(text)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"this is no JSON Schema 2020-12: at {error.json_path}: {error.message[:200]}",
        ) from None
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Invalid(
            InvalidCode.MALFORMED, 'a schema of claims is of an object: it says "type": "object"'
        )


def check_display(text: str) -> None:
    """Check that a text is display data: an object, or an array of them, each with a name.

    Raises:
      Invalid: it is none.
    """
    found: Any = parse_json(text)
    items = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in items):
        raise Invalid(
            InvalidCode.MALFORMED,
            "display data is an object with a name, or an array of such, one a language",
        )
