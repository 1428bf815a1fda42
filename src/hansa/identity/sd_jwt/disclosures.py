"""Disclosures: a claim with its salt, and the digest that stands for it in what was signed.

A disclosure is the base64url of a JSON array: salt, name and value of an object's member, or salt
and value of an array's element. Its digest covers the text as it stands, so that nobody ever has
to write the JSON the same way again.

Source: RFC 9901, section 4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.strict_json import decode_json
from hansa.identity.faults import Fault, Unsound

SALT_BYTES, SALT_LETTERS = 18, 24
"""144 random bits, so that base64url has no remainder."""
DIGESTS = "_sd"
"""Member of an object that lists digests of members."""
ELEMENT = "..."
"""The one member of an object that stands for an element of an array."""
HASH = "_sd_alg"
RESERVED = frozenset({DIGESTS, ELEMENT, HASH})
DEFAULT_HASH = "sha-256"
HASHES = {
    DEFAULT_HASH: hashlib.sha256,
    "sha-384": hashlib.sha384,
    "sha-512": hashlib.sha512,
    "sha3-256": hashlib.sha3_256,
    "sha3-384": hashlib.sha3_384,
    "sha3-512": hashlib.sha3_512,
}
"""Names of the IANA registry "Named Information Hash Algorithm" that still count as secure."""

_MEMBER_PARTS, _ELEMENT_PARTS = 3, 2


class Disclosure(NamedTuple):
    """A disclosure as its holder wrote it, and what it says."""

    text: str
    name: str | None
    """None of an array's element."""
    value: Any


def write_disclosure(salt: str, name: str | None, value: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a disclosure of a claim that is known to be JSON."""
    parts = (salt, value) if name is None else (salt, name, value)
    return encode_base64url(msgspec.json.encode(parts))


def read_disclosure(text: str) -> Disclosure:
    """Read a disclosure of a stranger.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, or `DISCLOSURE`: it is no such array.
    """
    parts = decode_json(decode_base64url(text, "a disclosure"), "a disclosure")
    if type(parts) is list and parts and type(parts[0]) is str:
        if len(parts) == _MEMBER_PARTS and type(parts[1]) is str:
            return Disclosure(text, parts[1], parts[2])
        if len(parts) == _ELEMENT_PARTS:
            return Disclosure(text, None, parts[1])
    raise Unsound(
        Fault.DISCLOSURE,
        f"the disclosure {text[:24]} is neither [salt, name, value] nor [salt, value]",
    )


def compute_digest(text: str, algorithm: str) -> str:
    """Compute the digest of a text by a name of `HASHES`, base64url."""
    raw = text.encode(errors="surrogatepass")
    return encode_base64url(HASHES[algorithm](raw).digest())


def find_hash(payload: Mapping[str, Any]) -> str:
    """Find the hash that the issuer chose.

    Raises:
      Unsound: `ALGORITHM`: one that is not known, or does not count as secure.
    """
    algorithm = payload.get(HASH, DEFAULT_HASH)
    if type(algorithm) is not str or algorithm not in HASHES:
        raise Unsound(
            Fault.ALGORITHM,
            f"the credential's digests are by {algorithm!r}: only {', '.join(HASHES)} are accepted",
        )
    return algorithm
