"""Finding the page of a DID, an address or a type of credentials."""

from __future__ import annotations

from urllib.parse import quote

from hansa.contracts.identity.schemas import CredentialType
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import read_address
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid, Refused
from hansa.kernel.rows import Rows


def parse_subject(text: str, network: str) -> bytes:
    """Read an address, or a DID of this network; raises `Invalid`."""
    prefix = f"did:hansa:{network}:"
    if text.startswith("did:") and not text.startswith(prefix):
        return read_address(read_did(text), network)
    return from_text(text.removeprefix(prefix))


def find_page(rows: Rows, network: str, query: str) -> str | None:
    """Find the page of a DID, an address, or a type's name; None for what is none of these."""
    if query.lower().startswith(("did:", "hansa1")):
        try:
            return f"/identity/did/{to_text(parse_subject(query, network))}"
        except Invalid:
            return None
    return find_type(rows, query)


def find_type(rows: Rows, name: str) -> str | None:
    """Find the page of a type of credentials, by its name."""
    return None if get_type(rows, name) is None else f"/identity/type/{quote(name, safe='')}"


def get_type(rows: Rows, name: str) -> CredentialType | None:
    """Get a type by what somebody typed as its name."""
    try:
        return rows.get(CredentialType, name)
    except Refused:  # too long for any
        return None
