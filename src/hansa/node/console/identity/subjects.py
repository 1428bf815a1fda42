"""One DID as its page shows it: document, what it may issue, and its past; now or at a time."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass

from hansa.contracts.accounts import Guardians
from hansa.contracts.identity.accreditation import Grant
from hansa.contracts.identity.documents import Delegate, Relationship
from hansa.contracts.identity.resolution import Resolution
from hansa.contracts.identity.status import StatusList
from hansa.identity.faults import Unsound
from hansa.identity.keys.multikey import write_multikey
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import (
    RELATIONSHIPS,
    Resolved,
    resolve_did_hansa,
    write_did,
    write_document,
)
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound
from hansa.kernel.rows import Rows
from hansa.node.console.identity.past import Change, read_past
from hansa.node.console.identity.registry import Index
from hansa.node.console.identity.standing import Accredited, list_decisions, read_accredited

GRANTS_SHOWN = 20
LISTS_SHOWN = 25
LIST_NUMBERS = 2**64
"""Over all that a key of a row can hold."""
GRANTED_SHOWN = 25
USES = {
    Relationship.AUTHENTICATION: "prove to be the subject",
    Relationship.ASSERTION: "sign credentials and evidence",
    Relationship.KEY_AGREEMENT: "receive what is encrypted",
    Relationship.INVOCATION: "change account and document",
}
"""What a key may do, in words."""
_USES_OF_KEYS = {RELATIONSHIPS[use]: text for use, text in USES.items()}


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key of a document."""

    name: str
    """Behind `#`; of a delegate's, its own DID URL."""
    kind: str
    uses: tuple[str, ...]
    """Empty where it cannot act alone."""
    multikey: str
    """Empty where nobody has published its bytes."""
    is_own: bool
    """Whether it is the subject's; else a delegate's."""


@dataclass(frozen=True, slots=True)
class DelegateLine:
    """Whose keys count as the subject's, and until when."""

    delegate: Delegate
    uses: tuple[str, ...]
    is_over: bool


@dataclass(frozen=True, slots=True)
class GrantPage:
    """Where a subject stands with one type, and what was decided about it."""

    accredited: Accredited
    decisions: tuple[Grant, ...]
    """Newest first."""
    older: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything about one address."""

    address: bytes
    did: str
    at_ms: int
    """The moment shown."""
    is_past: bool
    resolution: Resolution | None
    """None where there is no document, or was none yet."""
    keys: tuple[KeyLine, ...]
    delegates: tuple[DelegateLine, ...]
    document: str
    """As resolution gives it, for people to read."""
    guardians: Guardians
    history: tuple[Change, ...]
    following: str
    """Names where the history goes on; empty at its end."""
    grants: tuple[GrantPage, ...]
    grants_count: int
    lists: tuple[StatusList, ...]
    lists_count: int
    owned: tuple[str, ...]
    granted: tuple[tuple[str, bytes], ...]
    """(type, issuer) of some that it stands for."""
    granted_count: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about an address."""

    address: bytes
    network: str
    """Its name."""
    now_ms: int
    """Ledger time."""
    at_ms: int | None
    """The moment; None for the present."""
    start: str
    """Where a page of the history begins, as an earlier one named it; or empty."""
    is_shown: bool
    """Whether the document may be shown to who asks."""


def read_subject(rows: Rows, index: Index, asked: Asked) -> Subject:
    """Read what there is about an address.

    Args:
      rows: of the ledger.
      index: of the registries.
      asked: the address, the moment, and who asks.

    Raises:
      NotFound: there is nothing.
    """
    address, is_shown = asked.address, asked.is_shown
    did = write_did(asked.network, address)
    resolved = _resolve(rows, did, asked) if is_shown else None
    history, following = read_past(rows, address, asked.start) if is_shown else ((), "")
    moment_ms = asked.now_ms if asked.at_ms is None else asked.at_ms
    held = index.held.get(address, ())
    first = bisect_left(index.lists, (address, 0))
    end = bisect_left(index.lists, (address, LIST_NUMBERS), first)
    numbers = [number for _, number in index.lists[first:end]]
    lists = (rows.get(StatusList, address, number) for number in numbers[:LISTS_SHOWN])
    granted = index.granted.get(address, ())
    owned = index.owned.get(address, ())
    if not (history or resolved or held or numbers or granted or owned):
        raise NotFound(
            "this DID has no document, nor is it known to any registry of identity: what is new "
            "appears with the next checkpoint"
        )
    return Subject(
        address,
        did,
        moment_ms,
        asked.at_ms is not None,
        None if resolved is None else resolved.found,
        () if resolved is None else _list_keys(did, resolved),
        () if resolved is None else _list_delegates(resolved, moment_ms),
        "" if resolved is None else json.dumps(write_document(resolved), indent=2),
        (rows.get(Guardians, address) if is_shown else None) or Guardians(address),
        history,
        following,
        tuple(_read_grant(rows, address, name, moment_ms) for name in held[:GRANTS_SHOWN]),
        len(held),
        tuple(row for row in lists if row is not None),
        len(numbers),
        owned,
        granted[:GRANTED_SHOWN],
        len(granted),
    )


def tell_uses(bits: int) -> tuple[str, ...]:
    """Tell what relationships allow."""
    return tuple(text for use, text in USES.items() if bits & use)


def _resolve(rows: Rows, did: str, asked: Asked) -> Resolved | None:
    try:
        return resolve_did_hansa(rows, asked.network, read_did(did), asked.now_ms, asked.at_ms)
    except Unsound:
        return None


def _list_keys(did: str, resolved: Resolved) -> tuple[KeyLine, ...]:
    """List the keys whose bytes are known, delegates' among them, and then the account's others."""
    uses = resolved.document.relationships
    lines = []
    for url, key in resolved.document.keys.items():
        owner, _, name = url.partition("#")
        is_own = owner == did
        lines.append(
            KeyLine(
                name if is_own else url,
                key.kind.value,
                tuple(text for use, text in _USES_OF_KEYS.items() if url in uses.get(use, ())),
                write_multikey(key),
                is_own=is_own,
            )
        )
    lines += [
        KeyLine(to_text(each.address), "", tell_uses(each.relationships), "", is_own=True)
        for each in resolved.found.keys
        if not each.suite
    ]
    return tuple(lines)


def _list_delegates(resolved: Resolved, moment_ms: int) -> tuple[DelegateLine, ...]:
    return tuple(
        DelegateLine(each, tell_uses(each.relationships), each.until_ms <= moment_ms)
        for each in resolved.found.content.delegates
    )


def _read_grant(rows: Rows, issuer: bytes, credential_type: str, time_ms: int) -> GrantPage:
    decisions, older = list_decisions(rows, issuer, credential_type)
    accredited = read_accredited(rows, issuer, credential_type, time_ms)
    return GrantPage(accredited, tuple(decisions), older)
