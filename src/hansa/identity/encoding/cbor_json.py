"""CBOR as JSON: how people, queries and schemas see the elements of a mobile document.

Bytes become base64url, what a tag stands before is taken without it, and integers that JSON's
readers may not keep become decimal text.

Source: RFC 8949, section 6.1; OpenID4VP 1.0, section 6.3 (values of a query); RFC 7493, 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.encoding.canonical_json import SAFE_INTEGER_MAX
from hansa.identity.encoding.cbor import CBORTag
from hansa.identity.faults import Fault, Unsound


def convert_to_json(value: Any) -> Any:  # noqa: ANN401 - whatever `decode_cbor` reads
    """Convert what `decode_cbor` gave.

    Raises:
      Unsound: `DUPLICATE`: a map has a key as a number and as a text.
    """
    if isinstance(value, bytes):
        return encode_base64url(value)
    if isinstance(value, CBORTag):
        return convert_to_json(value.value)
    if isinstance(value, list):
        return [convert_to_json(each) for each in value]
    if isinstance(value, Mapping):
        found = {str(key): convert_to_json(each) for key, each in value.items()}
        if len(found) < len(value):
            raise Unsound(Fault.DUPLICATE, "a map has one key as a number and as a text")
        return found
    if isinstance(value, int) and abs(value) > SAFE_INTEGER_MAX:
        return str(value)
    return value
