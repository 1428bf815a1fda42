"""Showing a `bbs-2023` credential to one verifier, in answer to one request.

No specification says how a derived proof is bound to a request of OpenID4VP: here its presentation
header is a hash of the verifier's name and nonce. Whoever shows the same once more shows it in
vain.

Source: W3C Data Integrity BBS Cryptosuites 1.0, section 3.4.3 (presentationHeader).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from hansa.identity.encoding.canonical_json import canonicalize


def compute_presentation_header(client_id: str, nonce: str) -> bytes:
    """Compute the presentation header of what is derived for a request."""
    return hashlib.sha256(canonicalize(["openid4vp", client_id, nonce])).digest()


def write_pointer(place: Iterable[str | int]) -> str:
    """Write the JSON pointer that leads to a place (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)


def read_pointer(pointer: str, document: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Read to which place a sound JSON pointer leads: a step into an array is a number.

    >>> read_pointer("/cards/0/a~1b", {"cards": [{"a/b": 1}]})
    ('cards', 0, 'a/b')
    """
    place: list[str | int] = []
    value: Any = document
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        part: str | int = int(name) if isinstance(value, list) else name
        value = value[part]
        place.append(part)
    return tuple(place)
