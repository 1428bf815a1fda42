"""The past of a DID: which version of account and document began when, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hansa.contracts import accounts
from hansa.contracts.identity.documents import Content, Document, PastDocument
from hansa.kernel.authority import Account
from hansa.kernel.crypto.address import to_text
from hansa.kernel.rows import Rows
from hansa.node.console.text.formatting import shorten

CHANGES_PER_PAGE = 20
NUMBER_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an account, or of a document."""

    time_ms: int
    what: str
    """Account or document."""
    version: int
    """Of the one that changed."""
    told: tuple[str, ...]
    """What is different from then on."""


def read_past(rows: Rows, address: bytes, start: str) -> tuple[tuple[Change, ...], str]:
    """Read a page of changes, newest first, and where it goes on, empty at the end.

    Args:
      rows: of the ledger.
      address: whose.
      start: what names where to begin, from an earlier page; else it begins with the newest.
    """
    account = rows.get(Account, address)
    document = rows.get(Document, address)
    newest = (account.version if account else 0, document.version if document else 0)
    at = _read_start(start, newest)
    found: list[Change] = []
    while any(at) and len(found) < CHANGES_PER_PAGE:
        change, at = _step(rows, address, at)
        found.append(change)
    return tuple(found), f"{at[0]}.{at[1]}" if any(at) else ""


def _read_start(text: str, newest: tuple[int, int]) -> tuple[int, int]:
    """Read where to begin; what names no place counts as not given."""
    parts = text.split(".")
    is_place = len(parts) == len(newest) and all(
        part.isascii() and part.isdigit() and len(part) <= NUMBER_DIGITS_MAX for part in parts
    )
    if not is_place:
        return newest
    return min(int(parts[0]), newest[0]), min(int(parts[1]), newest[1])


def _step(rows: Rows, address: bytes, at: tuple[int, int]) -> tuple[Change, tuple[int, int]]:
    """Tell the later of two versions, and which are before it."""
    account = accounts.get_version(rows, address, at[0]) if at[0] else None
    document = get_document(rows, address, at[1]) if at[1] else None
    if account is not None and (document is None or account.since_ms >= document.since_ms):
        before = accounts.get_version(rows, address, at[0] - 1) if at[0] > 1 else None
        told = tuple(_compare_accounts(before, account))
        return Change(account.since_ms, "account", at[0], told), (at[0] - 1, at[1])
    if document is None:
        return Change(0, "account", at[0], ()), (0, 0)
    earlier = get_document(rows, address, at[1] - 1) if at[1] > 1 else None
    lines = tuple(_compare_documents(earlier, document))
    return Change(document.since_ms, "document", at[1], lines), (at[0], at[1] - 1)


def get_document(rows: Rows, address: bytes, version: int) -> Document | None:
    """Get one version of a document, or None."""
    latest = rows.get(Document, address)
    if latest is None or latest.version == version:
        return latest
    past = rows.get(PastDocument, address, version)
    return None if past is None else past.document


def _compare_accounts(before: Account | None, after: Account) -> Iterator[str]:
    if before is None:
        yield f"account with {_count(len(after.keys), 'key')}"
    old = {} if before is None else {key.address: key for key in before.keys}
    new = {key.address: key for key in after.keys}
    yield from _tell(
        "key", map(_name, new.keys() - old.keys()), map(_name, old.keys() - new.keys())
    )
    for address in sorted(old.keys() & new.keys()):
        if old[address] != new[address]:
            yield f"key {_name(address)}: other purposes or weight"
    if before is not None and before.threshold != after.threshold:
        yield f"keys of a weight of {after.threshold} act together, before {before.threshold}"


def _compare_documents(before: Document | None, after: Document) -> Iterator[str]:
    if before is None:
        yield "document begun"
    if after.deactivated:
        yield "deactivated for good"
        return
    old, new = (Content() if before is None else before.content), after.content
    for what, left, right in (
        ("key", _by_name(old.methods), _by_name(new.methods)),
        ("service", _by_name(old.services), _by_name(new.services)),
        (
            "delegate",
            {_name(each.address): each for each in old.delegates},
            {_name(each.address): each for each in new.delegates},
        ),
        ("alias", dict.fromkeys(old.also_known_as), dict.fromkeys(new.also_known_as)),
    ):
        yield from _tell(what, right.keys() - left.keys(), left.keys() - right.keys())
        for name in sorted(left.keys() & right.keys()):
            if left[name] != right[name]:
                yield f"{what} {name} changed"


def _by_name(parts: Iterable[Any]) -> dict[str, Any]:
    return {each.name: each for each in parts}


def _tell(what: str, added: Iterable[str], removed: Iterable[str]) -> Iterator[str]:
    for name in sorted(added):
        yield f"{what} {name} added"
    for name in sorted(removed):
        yield f"{what} {name} removed"


def _name(address: bytes) -> str:
    return shorten(to_text(address))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
