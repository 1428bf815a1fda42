"""Grants and chains of trust as the pages show them, as of a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hansa.contracts.identity.accreditation import (
    NETWORK,
    Fault,
    Grant,
    PastGrant,
    Standing,
    find_grant,
    find_standing,
)
from hansa.kernel.rows import Rows

PAST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Link:
    """One grant of a chain of trust."""

    grant: Grant
    fault: Fault | None
    """What is wrong with this one; what is above it was not asked."""
    depth: int
    """How far below the network it stands, from 1."""


@dataclass(frozen=True, slots=True)
class Accredited:
    """Where an issuer stands with one type at a moment, and by whose word."""

    issuer: bytes
    credential_type: str
    grant: Grant | None
    """As it was on record then; None where there was none yet."""
    standing: Standing
    links: tuple[Link, ...]
    """From the network, or from the fault, downwards to the issuer."""

    @property
    def is_rooted(self) -> bool:
        """Whether the chain leads up to the network."""
        return bool(self.links) and self.links[0].grant.granter == NETWORK


def read_accredited(rows: Rows, issuer: bytes, credential_type: str, time_ms: int) -> Accredited:
    """Read where an issuer stands; costs O(log versions) reads a link."""
    standing = find_standing(rows, issuer, credential_type, time_ms)
    links: list[tuple[Grant, Fault | None]] = [(grant, None) for grant in standing.chain]
    if standing.fault is not None:
        faulty = find_grant(rows, standing.at, credential_type, time_ms)
        if faulty is not None:
            links.append((faulty, standing.fault))
    links.reverse()
    return Accredited(
        issuer,
        credential_type,
        find_grant(rows, issuer, credential_type, time_ms),
        standing,
        tuple(Link(grant, fault, depth) for depth, (grant, fault) in enumerate(links, 1)),
    )


def list_decisions(rows: Rows, issuer: bytes, credential_type: str) -> tuple[list[Grant], int]:
    """List what was decided about an issuer and a type, newest first, and how many older ones."""
    latest = rows.get(Grant, issuer, credential_type)
    if latest is None:
        return [], 0
    older = max(0, latest.version - PAST_SHOWN)
    return [latest, *_list_past(rows, latest, older)], older


def _list_past(rows: Rows, latest: Grant, older: int) -> Iterator[Grant]:
    for version in range(latest.version - 1, older, -1):
        past = rows.get(PastGrant, latest.issuer, latest.credential_type, version)
        if past is not None:
            yield past.grant
