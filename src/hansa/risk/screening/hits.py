"""Which customers are hits of sanctions lists, and since when that counts for their payments.

What screening found is kept by what was asked, so that only what is new is screened again: a hash
of the name and what is known beside it, under the hash of the lists' files and of this program's
way to screen. An officer's clearing takes a hit away until it ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

from hansa.risk.lists.listings import FOREVER_MS
from hansa.risk.screening.customers import Cleared, Clearing, Customer
from hansa.risk.screening.entries import Kind
from hansa.risk.screening.screener import Agreement, Screener

_DIGEST_BYTES: Final = 32


class Found(NamedTuple):
    """An entry that a name hits."""

    entry: str
    """Source and id, with a space between."""
    name: str
    """Which of its names matched best, as the list writes it."""
    kind: Kind
    is_weak: bool
    """The list's publisher says that this alias identifies badly."""
    score: int
    """In millionths."""
    born: Agreement
    country: Agreement
    programmes: tuple[str, ...]


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What screening found of all customers, and by what."""

    basis: bytes
    """Hash of the lists' files and of how names are screened."""
    threshold: int
    """What scores less was not looked for."""
    entries: int
    """Of the lists."""
    findings: tuple[str, ...]
    """What of them is not screened against; not all of many."""
    left_out: int
    """How many there are."""
    found: dict[bytes, tuple[Found, ...]]
    """By the hash of what was asked, the best first."""


class CustomerHit(NamedTuple):
    """A customer that may be whom an entry names."""

    wallet: bytes
    name: str
    """The customer's."""
    found: Found
    clearing: Clearing | None
    """Whether or not it counts still."""

    def is_cleared(self, time_ms: int) -> bool:
        """Whether an officer's finding holds at that time."""
        return self.clearing is not None and time_ms < self.clearing.until_ms


class Screened(NamedTuple):
    """Since when hits count for the payments of a wallet, in milliseconds since 1970."""

    review_from_ms: int
    block_from_ms: int


def hash_basis(lists: bytes) -> bytes:
    """Hash what results rest on: lists by their hash, and the source of this package. 32 bytes."""
    whole = hashlib.sha256(lists + version("anyascii").encode())
    for source in sorted(files(__package__ or "").iterdir(), key=lambda each: each.name):
        if source.name.endswith(".py"):
            whole.update(hashlib.sha256(source.read_bytes()).digest())
    return whole.digest()


def pack_known(known: Known) -> bytes:
    """Pack what is kept, behind its hash."""
    packed = msgspec.msgpack.encode(known)
    return hashlib.sha256(packed).digest() + packed


def unpack_known(raw: bytes) -> Known | None:
    """Unpack what was kept; None if it is not whole, or of another program."""
    packed = raw[_DIGEST_BYTES:]
    if hashlib.sha256(packed).digest() != raw[:_DIGEST_BYTES]:
        return None
    try:
        return msgspec.msgpack.decode(packed, type=Known)
    except msgspec.MsgspecError:
        return None


def list_unknown(customers: Iterable[Customer], known: Known | None) -> dict[bytes, Customer]:
    """List who is to be screened, by the hash of what is asked; each question once."""
    found = {} if known is None else known.found
    asked = {_hash_asked(each): each for each in customers}
    return {key: each for key, each in asked.items() if key not in found}


def screen_customers(
    asked: Mapping[bytes, Customer], screener: Screener
) -> dict[bytes, tuple[Found, ...]]:
    """Screen customers, one after the other; lets go of the interpreter for most of each."""
    return {key: _screen(each, screener) for key, each in asked.items()}


def list_hits(
    customers: Sequence[Customer], known: Known, cleared: Cleared, score_min: int
) -> tuple[CustomerHit, ...]:
    """List the hits of customers from a score on, by the order of their file, the best first."""
    hits = dict.fromkeys(
        CustomerHit(
            each.wallet, each.name, found, cleared.get((each.wallet, found.entry, each.name))
        )
        for each in customers
        for found in known.found[_hash_asked(each)]
        if found.score >= score_min
    )
    return tuple(hits)


def forget_others(known: Known, customers: Iterable[Customer]) -> Known:
    """Forget what was found of those who are no customers any more."""
    keys = {_hash_asked(each) for each in customers}
    return msgspec.structs.replace(
        known, found={key: found for key, found in known.found.items() if key in keys}
    )


def build_screened(
    hits: Iterable[CustomerHit], review_score: int, block_score: int
) -> dict[bytes, Screened]:
    """Build what is asked for each payment, by the address of a wallet."""
    screened: dict[bytes, Screened] = {}
    for hit in hits:
        from_ms = 0 if hit.clearing is None else hit.clearing.until_ms
        before = screened.get(hit.wallet, Screened(FOREVER_MS, FOREVER_MS))
        screened[hit.wallet] = Screened(
            min(before.review_from_ms, from_ms if hit.found.score >= review_score else FOREVER_MS),
            min(before.block_from_ms, from_ms if hit.found.score >= block_score else FOREVER_MS),
        )
    return screened


def _hash_asked(customer: Customer) -> bytes:
    asked = (customer.name, customer.born, customer.countries)
    return hashlib.sha256(msgspec.msgpack.encode(asked)).digest()


def _screen(customer: Customer, screener: Screener) -> tuple[Found, ...]:
    screening = screener.screen(customer.name, customer.born, customer.countries, hits_max=None)
    return tuple(
        Found(
            f"{hit.entry.source} {hit.entry.id}",
            hit.name,
            hit.entry.kind,
            hit.is_weak,
            hit.score,
            hit.born,
            hit.country,
            hit.entry.programmes,
        )
        for hit in screening.hits
    )
