"""Names that lead from a credential to the ledger: its type, and its place in a status list.

| what                  | is written                                            |
|-----------------------|-------------------------------------------------------|
| type (`vct`, doctype) | `urn:hansa:<network>:<type>`, or with `:<version>`    |
| status list           | a URL that ends with `/status-lists/<issuer>/<number>`|

The type is that of the contract `schemas`, the issuer's address is text, the number that of the
contract `status`. So whoever has the credential and a node needs no other register.
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.contracts.identity.schemas import NAME_CHARACTERS, NAME_LETTERS_MAX
from hansa.identity.faults import Fault, Unsound
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid

PREFIX = "urn:hansa:"
LISTS = "status-lists"
_VERSION_DIGITS_MAX = 9
_NAME_LETTERS = frozenset(NAME_CHARACTERS)


class ListName(NamedTuple):
    """A status list on the ledger."""

    issuer: bytes
    number: int


def write_type(network: str, name: str, version: int | None = None) -> str:
    """Write the type of credentials whose schema is on the ledger."""
    suffix = "" if version is None else f":{version}"
    return f"{PREFIX}{network}:{name}{suffix}"


def read_type(text: str, network: str) -> tuple[str, int | None]:
    """Read name and version, if it has one, of a type of this network.

    Raises:
      Unsound: `TYPE`.
    """
    start = f"{PREFIX}{network}:"
    name, has_version, version = text.removeprefix(start).partition(":")
    is_number = version.isascii() and version.isdigit() and len(version) <= _VERSION_DIGITS_MAX
    is_sound = (
        text.startswith(start)
        and 0 < len(name) <= NAME_LETTERS_MAX
        and _NAME_LETTERS.issuperset(name)
    )
    if not is_sound or (bool(has_version) and not is_number):
        raise Unsound(
            Fault.TYPE, f"{text[:120]!r} is no type of the network {network}: {start}NAME"
        )
    return name, int(version) if has_version else None


def write_list_url(base: str, name: ListName) -> str:
    """Write under which URL a status list is served; `base` has no slash at its end."""
    return f"{base}/{LISTS}/{to_text(name.issuer)}/{name.number}"


def read_list_url(url: str) -> ListName:
    """Read which list on the ledger a status URL means, wherever it is served.

    Raises:
      Unsound: `STATUS`.
    """
    *_, folder, issuer, number = ["", "", *url.split("/")]
    is_number = number.isascii() and number.isdigit() and len(number) <= _VERSION_DIGITS_MAX
    if folder != LISTS or not is_number:
        raise Unsound(
            Fault.STATUS, f"the status list {url[:120]!r} is not one that stands on the ledger"
        )
    try:
        return ListName(from_text(issuer), int(number))
    except Invalid as error:
        raise Unsound(Fault.STATUS, f"the status list {url[:120]!r}: {error.message}") from None
