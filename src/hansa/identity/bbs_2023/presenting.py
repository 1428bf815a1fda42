"""Showing a `bbs-2023` credential to one verifier, in answer to one request.

No specification says how a derived proof is bound to a request of OpenID4VP: here its presentation
header is a hash of the verifier's name and nonce. Whoever shows the same once more shows it in
vain.

Source: W3C Data Integrity BBS Cryptosuites 1.0, section 3.4.3 (presentationHeader).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from hansa.identity.encoding.canonical_json import canonicalize


def compute_presentation_header(client_id: str, nonce: str) -> bytes:
    """Compute the presentation header of what is derived for a request."""
    return hashlib.sha256(canonicalize(["openid4vp", client_id, nonce])).digest()


def write_pointer(place: Iterable[str | int]) -> str:
    """Write the JSON pointer that leads to a place (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)
