"""Resolution: what a DID document says, now or at any time since it began.

Part of the contract `identity`, kept apart for reading; it has no commands of its own. It reads
from any `Rows`: a view, a reader beside execution, or rows that a node has proven.

Source: W3C DID Resolution 0.3 (versionTime, document metadata). Units: ms of ledger time.
"""

from __future__ import annotations

import msgspec

from hansa.contracts import accounts
from hansa.contracts.identity.documents import (
    EMPTY,
    Content,
    Document,
    PastDocument,
    PublicKey,
    Relationship,
)
from hansa.kernel.authority import ALL_PURPOSES, Account, AccountKey, Purpose
from hansa.kernel.errors import Corrupt
from hansa.kernel.rows import Rows, find_version

RELATIONSHIPS: dict[Purpose, Relationship] = {
    Purpose.AUTHENTICATE: Relationship.AUTHENTICATION,
    Purpose.ASSERT: Relationship.ASSERTION,
    Purpose.MANAGE: Relationship.INVOCATION,
}
"""What a key of an account may do, by its purposes."""
SHOWN = sum(RELATIONSHIPS)
"""Purposes of the keys that a document shows."""


class ResolvedKey(msgspec.Struct, frozen=True, gc=False):
    """A key of the account."""

    address: bytes
    relationships: Relationship
    """None where the key cannot act for the account alone: a document knows no thresholds."""
    suite: int
    """0 where nobody has published the key's bytes; then they are empty, too."""
    public_key: bytes


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """A DID document and what is known about it."""

    address: bytes
    version: int
    """Of account and document together: one more with each change of either."""
    created_ms: int
    updated_ms: int
    next_update_ms: int
    """When something changed next; 0 where nothing has."""
    deactivated: bool
    keys: tuple[ResolvedKey, ...]
    content: Content
    recovery: accounts.Recovery | None
    """Pending; told of the present alone, as recoveries leave nothing on record but new keys."""


def resolve(rows: Rows, address: bytes, time_ms: int | None = None) -> Resolution | None:
    """Resolve an address, now or as it was at a time; None if it has no document (yet).

    An account is a document, whether or not its owner began one. Bytes of keys are told from when
    they were published on for all times: the hash says which key it is, not when it was shown.

    Costs 3 reads and one a key; for the past, O(log versions) more.
    """
    account = _find_account(rows, address, time_ms)
    document = _find_document(rows, address, time_ms)
    present = [row for row in (account, document) if row is not None]
    if not present:
        return None
    versions = (account.version if account else 0, document.version if document else 0)
    deactivated = document is not None and document.deactivated
    return Resolution(
        address,
        sum(versions),
        min(_list_starts_ms(rows, address, (1, 1))),
        max(row.since_ms for row in present),
        _find_next_ms(rows, address, versions) if time_ms is not None else 0,
        deactivated,
        () if deactivated else _resolve_keys(rows, address, account),
        document.content if document else EMPTY,
        accounts.find_pending(rows, address) if time_ms is None else None,
    )


def _find_account(rows: Rows, address: bytes, time_ms: int | None) -> Account | None:
    if time_ms is None:
        return rows.get(Account, address)
    return accounts.find_account(rows, address, time_ms)


def _find_document(rows: Rows, address: bytes, time_ms: int | None) -> Document | None:
    document = rows.get(Document, address)
    if document is None or time_ms is None or document.since_ms <= time_ms:
        return document
    version = find_version(
        document.version, lambda number: _get_past(rows, address, number).until_ms, time_ms
    )
    found = document if version == document.version else _get_past(rows, address, version).document
    return found if found.since_ms <= time_ms else None


def _get_past(rows: Rows, address: bytes, version: int) -> PastDocument:
    past = rows.get(PastDocument, address, version)
    if past is None:
        raise Corrupt(f"version {version} of the document {address.hex()} is not on record")
    return past


def _get_version(rows: Rows, address: bytes, version: int) -> Document | None:
    document = rows.get(Document, address)
    if document is None or document.version == version:
        return document
    past = rows.get(PastDocument, address, version)
    return None if past is None else past.document


def _list_starts_ms(rows: Rows, address: bytes, versions: tuple[int, int]) -> list[int]:
    """List when these versions of account and document began, of those that there are."""
    found = (
        accounts.get_version(rows, address, versions[0]),
        _get_version(rows, address, versions[1]),
    )
    return [row.since_ms for row in found if row is not None]


def _find_next_ms(rows: Rows, address: bytes, versions: tuple[int, int]) -> int:
    """Find when the versions after these began, the earlier of both; 0 if neither is there."""
    following = (versions[0] + 1, versions[1] + 1)
    return min(_list_starts_ms(rows, address, following), default=0)


def _resolve_keys(rows: Rows, address: bytes, account: Account | None) -> tuple[ResolvedKey, ...]:
    account = account or Account(address, (AccountKey(address, int(ALL_PURPOSES)),), 1)
    return tuple(
        _resolve_key(rows, key, is_sole=key.weight >= account.threshold)
        for key in account.keys
        if key.purposes & SHOWN
    )


def _resolve_key(rows: Rows, key: AccountKey, *, is_sole: bool) -> ResolvedKey:
    found = rows.get(PublicKey, key.address)
    relationships = _RELATIONSHIPS_OF[key.purposes & SHOWN if is_sole else 0]
    if found is None:
        return ResolvedKey(key.address, relationships, 0, b"")
    return ResolvedKey(key.address, relationships, found.suite, found.public_key)


def _find_relationships(purposes: int) -> Relationship:
    found = Relationship(0)
    for purpose, relationship in RELATIONSHIPS.items():
        if purposes & purpose:
            found |= relationship
    return found


_RELATIONSHIPS_OF = {
    purposes: _find_relationships(purposes)
    for purposes in range(SHOWN + 1)
    if purposes & SHOWN == purposes
}
"""Looked up, as flags are slow to add: much is resolved."""
