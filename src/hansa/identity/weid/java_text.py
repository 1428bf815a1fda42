"""Values as the Java SDK writes them, byte for byte, because that is what it hashed.

As JSON (Jackson: compact, names in the order of their UTF-16 code units, nothing escaped that need
not be), and as text (`String.valueOf`: `[a, b]`, `null`).

Source: `mapToCompactJson` and `getFieldSaltHash` of WeIdentity's Java SDK; RFC 8259, section 7;
Java SE, `Double.toString` and `AbstractCollection.toString`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from hansa.identity.faults import Fault, Unsound

_PLAIN_MIN, _PLAIN_MAX = 1e-3, 1e7
"""Java writes doubles between in full, as Python does; of others it depends on its version."""
_ESCAPES = re.compile(r"\\(?:u00[0-9a-f]{2}|.)")


def write_json(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a JSON value as Jackson does.

    Raises:
      Unsound: `UNSUPPORTED`: a number that versions of Java write differently.
    """
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_quote(name)}:{write_json(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(write_json, value)) + "]"
    return _quote(value) if isinstance(value, str) else write_text(value)


def write_text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a claim's value as `String.valueOf` does.

    Raises:
      Unsound: `UNSUPPORTED`: an object within a list, whose members have no order there, or a
        number as for `write_json`.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(write_text, value)) + "]"
    if isinstance(value, float) and value and not _PLAIN_MIN <= abs(value) < _PLAIN_MAX:
        raise Unsound(
            Fault.UNSUPPORTED, f"how WeIdentity hashed the number {value!r} depends on its Java"
        )
    if isinstance(value, dict):
        raise Unsound(
            Fault.UNSUPPORTED,
            "how WeIdentity hashed a list that mixes objects with other values depends on its Java",
        )
    return repr(value)


def _quote(text: str) -> str:
    """Quote text; Jackson writes the digits of escapes in upper case."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPES.sub(_raise_digits, quoted) if "\\u" in quoted else quoted


def _raise_digits(found: re.Match[str]) -> str:
    escape = found[0]
    return escape[:2] + escape[2:].upper() if escape.startswith("\\u") else escape
