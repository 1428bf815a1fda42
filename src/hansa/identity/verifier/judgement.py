"""Judgement of one credential beyond its signature: status, and who may issue it, and when.

An issuer whose accreditation was suspended could date a credential back to before, and so could
a thief who has a key that the issuer replaced. So once either has happened, a credential counts
only if the issuer put its hash on the ledger before that.

Source: docs/concepts/identity.md; Token Status List, section 8.3.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.findings import Check, Finding
from hansa.identity.verifier.registry import INVALID, SUSPENDED, VALID, Registry


class Judged(NamedTuple):
    """A credential whose issuer's signature holds, and what is to be judged of it."""

    subject: str
    """The id of its query."""
    format: str
    issuer: str
    types: tuple[str, ...]
    """All that it passes for: its issuer must be accredited for each."""
    claims: dict[str, Any]
    is_bound: bool
    issued_ms: int | None
    """As the issuer says; None if it does not."""
    statuses: tuple[StatusReference, ...]
    """None if it cannot be revoked."""
    replaced_since_ms: int
    """Since when the key that signed is no longer the issuer's; 0 if it still is."""
    digest: bytes
    """By which an issuer anchors it: the SHA-256 of what it signed, signature included."""
    names: frozenset[str] = frozenset()
    """Other names of its types, by which queries may ask for it."""


def compute_anchor(signed: bytes) -> bytes:
    """Compute the hash that an issuer puts on record: over its signature, which nobody guesses."""
    return hashlib.sha256(signed).digest()


async def judge(judged: Judged, registry: Registry, now_ms: int) -> list[Finding]:
    """Judge key, accreditation and status.

    Raises:
      Unavailable: the registry does not answer now.
    """
    return [
        await _judge_key(judged, registry),
        await _judge_accreditation(judged, registry, now_ms),
        await _judge_status(judged, registry),
    ]


async def _judge_key(judged: Judged, registry: Registry) -> Finding:
    since_ms = judged.replaced_since_ms
    try:
        if since_ms:
            await _require_anchor(judged, registry, since_ms, "the issuer replaced this key")
    except Unsound as error:
        return Finding.of(judged.subject, Check.ISSUER, error)
    return Finding(judged.subject, Check.ISSUER, None, f"the key is that of {judged.issuer}")


async def _judge_accreditation(judged: Judged, registry: Registry, now_ms: int) -> Finding:
    # An issuer may write any date: asked is about times of which there are records.
    issued_ms = now_ms if judged.issued_ms is None else max(0, min(judged.issued_ms, now_ms))
    texts: list[str] = []
    try:
        for each in judged.types:
            standing = await registry.find_standing(judged.issuer, each, issued_ms)
            if not standing.is_accredited:
                raise Unsound(Fault.ACCREDITATION, standing.text)
            since_ms = standing.lost_since_ms
            if since_ms:
                event = "the issuer lost its accreditation"
                await _require_anchor(judged, registry, since_ms, event)
            texts.append(standing.text)
    except Unsound as error:
        return Finding.of(judged.subject, Check.ACCREDITATION, error)
    return Finding(judged.subject, Check.ACCREDITATION, None, "; ".join(texts))


async def _require_anchor(judged: Judged, registry: Registry, since_ms: int, event: str) -> None:
    anchored_ms = await registry.find_anchor_ms(judged.issuer, judged.digest)
    if anchored_ms is None or anchored_ms >= since_ms:
        raise Unsound(
            Fault.ACCREDITATION,
            f"{event} on {write_timestamp(since_ms)}, and nothing on the ledger shows that the "
            "credential was issued before",
        )


async def _judge_status(judged: Judged, registry: Registry) -> Finding:
    if not judged.statuses:
        return Finding(judged.subject, Check.STATUS, None, "it cannot be revoked")
    moments: list[int] = []
    try:
        for each in judged.statuses:
            value, as_of_ms = await registry.get_status(judged.issuer, each)
            if value == INVALID:
                raise Unsound(Fault.REVOKED, "the issuer has revoked it")
            if value == SUSPENDED:
                raise Unsound(Fault.SUSPENDED, "the issuer has suspended it")
            if value != VALID:
                raise Unsound(Fault.STATUS, f"it has the status {value}, which says nothing here")
            moments.append(as_of_ms)
    except Unsound as error:
        return Finding.of(judged.subject, Check.STATUS, error)
    text = f"it is neither revoked nor suspended, as of {write_timestamp(min(moments))}"
    return Finding(judged.subject, Check.STATUS, None, text)
