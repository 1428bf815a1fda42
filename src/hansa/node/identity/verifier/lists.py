"""Status lists of issuers, fetched and kept for as long as they say, but for minutes at most.

Source: Token Status List, section 8; Bitstring Status List 1.0, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from hansa.identity.data_integrity.contexts import load_pinned
from hansa.identity.data_integrity.credentials import Credential, read_credential
from hansa.identity.data_integrity.enveloped import verify_enveloped_credential
from hansa.identity.data_integrity.proofs import Expected, verify_proofs
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.documents import Relationship
from hansa.identity.status.bitstring import (
    REVOCATION,
    SUSPENSION,
    Bitstring,
    BitstringEntry,
    get_bitstring_status,
    read_list_credential,
)
from hansa.identity.status.reference import StatusReference
from hansa.identity.status.token_list import verify_jwt_list
from hansa.identity.verifier.registry import INVALID, SUSPENDED, VALID, CredentialStatus

LIST_BYTES_MAX = 1 << 24
LIST_KEPT_S = 300
"""How long a list is kept that does not say for how long."""
LISTS_MAX = 64

FetchList = Callable[[str], Any]
"""Fetches the text at an address; an awaitable of it."""
FindKey = Callable[[dict[str, Any]], PublicKey]
"""Finds the key of the lists' issuer by a header; raises `Unsound`."""

_MEANINGS = {REVOCATION: INVALID, SUSPENSION: SUSPENDED}


class _Kept(NamedTuple):
    get: Callable[[StatusReference], int]
    as_of_s: int
    until_s: int


class StatusLists:
    """Lists that were fetched."""

    def __init__(self, fetch: FetchList) -> None:
        self._fetch = fetch
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def get(
        self, issuer: str, reference: StatusReference, find_key: FindKey, now_ms: int
    ) -> CredentialStatus:
        """Get a status from a list of an issuer.

        Raises:
          Unsound: it is not the issuer's list, is not valid, or has no such place.
          Unavailable: it cannot be fetched.
        """
        key = issuer, reference.uri
        kept = self._kept.get(key)
        if kept is None or now_ms >= kept.until_s * 1_000:
            text = await self._fetch(reference.uri)
            read = _read_bitstring if reference.purpose else _read_tokens
            kept = read(text, issuer, reference.uri, find_key, now_ms)
            while len(self._kept) >= LISTS_MAX:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = kept
        return CredentialStatus(kept.get(reference), kept.as_of_s * 1_000)


def _read_tokens(text: str, issuer: str, uri: str, find_key: FindKey, now_ms: int) -> _Kept:
    """Read a Token Status List."""
    del issuer
    now_s = now_ms // 1_000
    header = dict(decode_jws(text, "the status list").header)
    found = verify_jwt_list(text, find_key(header), uri, now_s)
    until_s: float = now_s + min(found.ttl_s or LIST_KEPT_S, LIST_KEPT_S)
    if found.expires_s is not None:
        until_s = min(until_s, found.expires_s)
    as_of_s = min(int(found.issued_s), now_s)  # an issuer's clock may be a little fast
    return _Kept(lambda reference: found.entries.get(reference.index), as_of_s, int(until_s))


def _read_bitstring(text: str, issuer: str, uri: str, find_key: FindKey, now_ms: int) -> _Kept:
    """Read a Bitstring Status List: a credential with a proof, or one that is a token."""
    verified = _verify_list(text.strip(), find_key, now_ms)
    if verified.issuer != issuer:
        raise Unsound(Fault.STATUS, f"the status list is that of {verified.issuer[:120]}")
    found = read_list_credential(verified.document, uri, now_ms)
    now_s = now_ms // 1_000
    ttl_s = LIST_KEPT_S if found.ttl_ms is None else found.ttl_ms // 1_000
    until_ms = verified.valid_until_ms
    until_s = now_s + min(ttl_s, LIST_KEPT_S)
    as_of_ms = min(verified.valid_from_ms or now_ms, now_ms)
    return _Kept(
        partial(_get_bit, found),
        as_of_ms // 1_000,
        until_s if until_ms is None else min(until_s, until_ms // 1_000),
    )


def _verify_list(text: str, find_key: FindKey, now_ms: int) -> Credential:
    """Verify all but whether it is valid now, which is asked with leeway."""

    def find(method: str, _use: Relationship) -> PublicKey:
        return find_key({"kid": method})

    if not text.startswith("{"):
        return verify_enveloped_credential(text, now_ms, find)
    found = read_credential(decode_object(text, "the status list", LIST_BYTES_MAX))
    proofs = verify_proofs(found.document, load_pinned(), Expected(now_ms), find)
    if found.issuer not in {each.controller for each in proofs}:
        raise Unsound(Fault.ISSUER, f"no proof of the status list is by {found.issuer[:120]}")
    return found


def _get_bit(found: Bitstring, reference: StatusReference) -> int:
    value = get_bitstring_status(
        found, BitstringEntry(reference.uri, reference.index, reference.purpose)
    )
    if not value:
        return VALID
    meaning = _MEANINGS.get(reference.purpose)
    if meaning is None:
        raise Unsound(
            Fault.STATUS, f"what {reference.purpose[:40]!r} of a status list means is not known"
        )
    return meaning
