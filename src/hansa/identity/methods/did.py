"""Decentralised identifiers and the URLs that point into their documents.

Source: W3C Decentralized Identifiers 1.0, sections 3.1 and 3.2 (syntax).
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.identity.faults import Fault, Unsound

DID_LETTERS_MAX = 4_096
"""A did:jwk of a P-384 key has some 300."""
_METHOD_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_ID_LETTERS = _METHOD_LETTERS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:%")
_URL_LETTERS = _ID_LETTERS | frozenset("~!$&'()*+,;=@/?")
"""Of RFC 3986: what a path, query or fragment may hold."""


class Did(NamedTuple):
    """A DID taken apart."""

    method: str
    id: str
    """The method-specific part."""

    def __str__(self) -> str:
        return f"did:{self.method}:{self.id}"


class DidUrl(NamedTuple):
    """A DID URL taken apart: what stands behind the DID, with its `/`, `?` or `#` left out."""

    did: Did
    path: str
    query: str
    fragment: str


def read_did(text: str) -> Did:
    """Read a DID.

    Raises:
      Unsound: `TOO_LARGE` or `MALFORMED`.
    """
    if len(text) > DID_LETTERS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the DID has {len(text)} letters, over {DID_LETTERS_MAX}")
    scheme, _, rest = text.partition(":")
    method, _, specific = rest.partition(":")
    is_sound = (
        scheme == "did"
        and method != ""
        and _METHOD_LETTERS.issuperset(method)
        and specific != ""
        and not specific.endswith(":")
        and _ID_LETTERS.issuperset(specific)
        and _is_escaped(specific)
    )
    if not is_sound:
        raise Unsound(
            Fault.MALFORMED, f"this is no DID, as did:method:identifier is: {text[:120]!r}"
        )
    return Did(method, specific)


def read_did_url(text: str) -> DidUrl:
    """Read a DID URL; a plain DID is one without path, query and fragment.

    Raises:
      Unsound: `TOO_LARGE` or `MALFORMED`.
    """
    rest, _, fragment = text.partition("#")
    rest, _, query = rest.partition("?")
    rest, _, path = rest.partition("/")
    did = read_did(rest)
    behind = path + query + fragment
    if len(text) > DID_LETTERS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the DID URL has over {DID_LETTERS_MAX} letters")
    if not _URL_LETTERS.issuperset(behind) or not all(map(_is_escaped, (path, query, fragment))):
        raise Unsound(Fault.MALFORMED, f"this is no DID URL: {text[:120]!r}")
    return DidUrl(did, path, query, fragment)


def _is_escaped(text: str) -> bool:
    """Whether two hexadecimal digits follow each percent sign."""
    pieces = text.split("%")[1:]
    return all(len(each) >= 2 and _HEXADECIMAL.issuperset(each[:2]) for each in pieces)  # noqa: PLR2004 - two digits
