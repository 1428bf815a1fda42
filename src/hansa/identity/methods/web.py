"""`did:web`: a DID whose document lies on the web server of a domain.

Whoever can write on that server, or can lead others to another one, speaks for the DID: it is as
good as the domain's certificate, and has no history. The identifier is the sender's text, so where
it leads is computed strictly: a name of letters, digits and hyphens, no address, no user, no query.

Source: did:web method specification (W3C CCG), sections 2.5.2 and 3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import Did
from hansa.identity.methods.documents import DidDocument, read_document

DOCUMENT_BYTES_MAX = 256 * 1024
_LABEL_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_LABEL_LETTERS_MAX = 63
_HOST_LETTERS_MAX = 253
_PORT_MAX = 65_535

Fetch = Callable[[str, int], Awaitable[bytes]]
"""Fetches an https URL, at most so many bytes; raises `Unsound` UNRESOLVED or `Unavailable`.
Which hosts and addresses it may ask is the caller's to bound."""


def locate_did_web(did: Did) -> str:
    """Compute where the document of a did:web lies.

    Raises:
      Unsound: `MALFORMED`.
    """
    return locate_folder(did, did.id) + "did.json"


def locate_folder(did: Did, place: str) -> str:
    """Compute the folder of a web server that a part of a DID names: `domain%3Aport:folder`.

    Raises:
      Unsound: `MALFORMED`.
    """
    host, *folders = place.split(":")
    name, has_port, port = host.replace("%3a", "%3A").partition("%3A")
    if not is_host_name(name) or (has_port and not _is_port(port)):
        raise Unsound(
            Fault.MALFORMED,
            f"{did} names no domain: letters, digits, hyphens and points, and %3A before a port",
        )
    if any(each in {"", ".", ".."} or "%" in each for each in folders):
        raise Unsound(Fault.MALFORMED, f"{did} has a folder that is empty, escaped or a way up")
    authority = f"{name}:{port}" if has_port else name
    return f"https://{authority}/{'/'.join(folders) if folders else '.well-known'}/"


def is_host_name(text: str) -> bool:
    """Whether this is a domain name in small letters, and no address in disguise."""
    labels = text.split(".")
    return (
        len(text) <= _HOST_LETTERS_MAX
        and not labels[-1].isdigit()
        and all(
            0 < len(label) <= _LABEL_LETTERS_MAX
            and _LABEL_LETTERS.issuperset(label)
            and not label.startswith("-")
            and not label.endswith("-")
            and not label.startswith("0x")
            for label in labels
        )
    )


async def resolve_did_web(did: Did, fetch: Fetch) -> DidDocument:
    """Resolve a did:web as its server answers now.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `DUPLICATE`, `KEY` or `UNRESOLVED`.
      Unavailable: the server does not answer now.
    """
    raw = await fetch(locate_did_web(did), DOCUMENT_BYTES_MAX)
    value = decode_object(raw, f"the document of {did}", DOCUMENT_BYTES_MAX)
    return read_document(value, str(did))


def _is_port(text: str) -> bool:
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_PORT_MAX))
    return is_number and 0 < int(text) <= _PORT_MAX
