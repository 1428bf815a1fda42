"""What all formats share: a draft of a credential, who signs it, and what a format must do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.status.reference import StatusReference
from hansa.node.identity.issuer.schemas import Schema
from hansa.node.identity.issuer.settings import CredentialKind, Lists

Draw = Callable[[int], bytes]


class Identity(NamedTuple):
    """Who issues, to verifiers."""

    issuer: str | None
    """None where a certificate says it."""
    header: dict[str, Any]
    """`kid` or `x5c`."""
    signer: PrivateKey
    chain: tuple[bytes, ...] = ()
    """Certificates (DER), the signer's first; none if it has none."""
    contexts: Contexts | None = None
    """That its W3C credentials may name; those of the W3C alone where it has none."""


class Place(NamedTuple):
    """A place in a status list."""

    lists: Lists
    number: int
    offset: int
    """From 0; the index of the list's entry."""

    def refer(self) -> StatusReference:
        """Refer to it as a Token Status List."""
        return StatusReference(self.lists.locate(self.number), self.offset)


class Draft(NamedTuple):
    """A credential before it is written."""

    kind: CredentialKind
    claims: Mapping[str, Any]
    """As an officer gave them, and the schema allows."""
    schema: Schema | None
    key: PublicKey | None
    """The holder's."""
    issued_s: int
    """As it is to say; rounded, as `times` tells."""
    expires_s: int
    place: Place | None
    """None if it cannot be revoked."""


class SignedBy(NamedTuple):
    """Who issues a credential, and with which key."""

    issuer: str
    """Empty where a certificate says it."""
    key_id: str
    """The key of the issuer's DID document; likewise."""
    key: PublicKey


class Format(Protocol):
    """Writes credentials of one format."""

    def list_algorithms(self, kind: CredentialKind) -> tuple[str | int, ...]:
        """List with what it signs, as metadata of the format name it."""

    def find_signer(self, kind: CredentialKind) -> SignedBy:
        """Find who issues, as verifiers must know it."""

    def write(self, draft: Draft) -> str | dict[str, Any]:
        """Write a credential; raises `Unsound` for claims that cannot stand in it."""
