"""What a node's API answers about identity; as `hansa.sdk.answers`, and told without a proof."""

from __future__ import annotations

from typing import Any, Literal

from hansa.sdk.answers import AddressText, Answer, Count, HashText, TimeMs


class DidResolution(Answer, frozen=True, kw_only=True, rename="camel"):
    """A DID Resolution result (W3C DID Resolution 0.3)."""

    did_document: dict[str, Any]
    did_document_metadata: dict[str, Any]
    """With `deactivated`, `nextUpdate` and `recovery` where they apply."""
    did_resolution_metadata: dict[str, Any]


class CredentialType(Answer, frozen=True, kw_only=True):
    """A type of credentials."""

    name: str
    owner: AddressText
    latest: Count
    """The number of its newest version."""
    since_ms: TimeMs


class CredentialTypes(Answer, frozen=True, kw_only=True):
    """All types of credentials."""

    types: list[CredentialType]


class Schema(Answer, frozen=True, kw_only=True):
    """One version of a type, its texts as they were published."""

    name: str
    version: Count
    owner: AddressText
    latest: Count
    schema: str
    display: str
    since_ms: TimeMs
    retired_ms: TimeMs | None


class Grant(Answer, frozen=True, kw_only=True):
    """A link of the chain from an issuer to the network."""

    issuer: AddressText
    granter: AddressText | None
    """Null for the network."""
    state: str
    may_accredit: Count
    from_ms: TimeMs
    until_ms: TimeMs
    version: Count
    since_ms: TimeMs
    reason: str
    reason_hash: HashText | None


class Standing(Answer, frozen=True, kw_only=True):
    """Whether an issuer was accredited for a type at a time."""

    issuer: AddressText
    credential_type: str
    time_ms: TimeMs
    is_accredited: bool
    fault: str | None
    at: AddressText | None
    """Whose grant has the fault; null for the network's own."""
    since_ms: TimeMs
    """Of the fault, else of the issuer's grant; not_yet: until when; never: 0."""
    chain: list[Grant]
    """The grants from the issuer's upwards, as far as they are good."""
    suspended_since_ms: TimeMs | None
    """Since when a link of the present chain has been suspended or revoked."""


class StatusList(Answer, frozen=True, kw_only=True):
    """A status list without its entries."""

    issuer: AddressText
    number: Count
    bits: Count
    length: Count
    version: Count
    updated_ms: TimeMs
    root: HashText
    """Of the Merkle tree over the hashes of its chunks of 2,048 bytes."""


class StatusEntry(Answer, frozen=True, kw_only=True):
    """Where one credential stands."""

    issuer: AddressText
    number: Count
    index: Count
    status: Literal["valid", "invalid", "suspended"]
    version: Count
    """Of the list."""
    updated_ms: TimeMs


class Signing(Answer, frozen=True, kw_only=True):
    """Who signed evidence besides its notary."""

    cosigner: AddressText
    time_ms: TimeMs


class Note(Answer, frozen=True, kw_only=True):
    """A note on a piece of evidence."""

    number: Count
    author: AddressText
    hash: HashText
    time_ms: TimeMs


class Evidence(Answer, frozen=True, kw_only=True):
    """What a notary put on record."""

    notary: AddressText
    hash: HashText
    leaves: Count
    """Of the tree whose root the hash is; 0 for a hash that stands for itself."""
    since_ms: TimeMs
    height: Count
    index: Count
    """Place in its block of the transaction that put it on record."""
    cosigners: list[AddressText]
    signed: list[Signing]
    notes: list[Note]
    revoked_ms: TimeMs | None


class Consent(Answer, frozen=True, kw_only=True):
    """A consent, given by the holder or handed on."""

    id: HashText
    holder: AddressText
    giver: AddressText
    recipient: AddressText
    terms: HashText
    from_ms: TimeMs
    until_ms: TimeMs
    uses: Count
    uses_max: Count | None
    """Null for any number."""
    delegations: Count
    revoked_ms: TimeMs | None


class ConsentChain(Answer, frozen=True, kw_only=True):
    """A consent, and those that it hangs on up to the holder's own."""

    state: Literal["in_force", "not_yet", "over", "revoked", "used_up"]
    """Of all of them together."""
    chain: list[Consent]
    """From the one asked for upwards."""
