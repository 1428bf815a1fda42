"""Writing credentials: each with times, a place in a status list, and a record.

`formats` says how, and `times` when.

Source: draft-ietf-oauth-status-list, section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hansa.contracts.identity.status import Status
from hansa.identity.issuer.configurations import Configuration, Written
from hansa.identity.keys.jwk import compute_thumbprint
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.status.entries import Entries, pack_entries
from hansa.identity.status.reference import StatusReference
from hansa.identity.status.token_list import Publication, sign_jwt_list
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.identity.issuer.formats.table import build_formats
from hansa.node.identity.issuer.formats.writing import Draft, Identity, Place, SignedBy
from hansa.node.identity.issuer.lists import LIST_TTL_S, LIST_VALID_S, sign_bitstring
from hansa.node.identity.issuer.pairwise import PairwiseNames
from hansa.node.identity.issuer.schemas import Schema
from hansa.node.identity.issuer.settings import CredentialKind, Settings
from hansa.node.identity.issuer.times import DAY_S, BelievedSince, compute_times
from hansa.node.identity.issuer.types import find_type
from hansa.node.identity.records import RecordFile

TRIES = 256


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a credential that was issued: nothing that it says of its holder."""

    credential: str
    """Id of its configuration."""
    dataset: str
    """Of the issuance that it came of."""
    holder_key: str
    """Thumbprint; empty if it is bound to none."""
    issued_s: int
    """To the second, which the credential does not tell."""
    expires_s: int
    revoked_s: int = 0
    suspended_s: int = 0
    """Since when it is; 0 while it is not."""

    @property
    def status(self) -> Status:
        """Where it stands, as the issuer has decided."""
        if self.revoked_s:
            return Status.INVALID
        return Status.SUSPENDED if self.suspended_s else Status.VALID


class CredentialWriter:
    """Writes credentials; a `WriteCredential`."""

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        schemas: Mapping[str, Schema],
        records: RecordFile,
        draw: Callable[[int], bytes],
    ) -> None:
        self._formats = build_formats(settings, identity, draw)
        self._settings = settings
        self._identity = identity
        self._schemas = schemas
        self._records = records
        self._draw = draw
        self._names = PairwiseNames(settings, records, draw)
        self.believed_since = BelievedSince(settings, identity.chain)
        """Decides how the times of credentials may be rounded."""

    def list_algorithms(self, kind: CredentialKind) -> tuple[str | int, ...]:
        """List with what a credential is signed, as metadata of its format name it."""
        return self._formats[kind.format].list_algorithms(kind)

    def find_signer(self, kind: CredentialKind) -> SignedBy:
        """Find who issues a credential, as verifiers must know it."""
        return self._formats[kind.format].find_signer(kind)

    def find_type(self, name: str) -> bytes:
        """Find what is told of a type of credentials; raises `NotFound`."""
        return find_type(self._settings, self._schemas, name)

    def check(self, credential_id: str, claims: Mapping[str, Any]) -> None:
        """Check claims, as when they are signed.

        Raises:
          NotFound: there is no such credential.
          Unsound: `SCHEMA`: its schema does not allow them; else as its format says.
        """
        kind = self._settings.find(credential_id)
        if kind is None:
            raise NotFound(f"this issuer has no credential {credential_id!r}")
        if credential_id in self._schemas:
            self._schemas[credential_id](claims)
        claims = self._names.add(kind, claims)
        draft = Draft(kind, claims, self._schemas.get(kind.id), None, 0, DAY_S, None)
        self._formats[kind.format].write(draft)

    def __call__(
        self,
        configuration: Configuration,
        dataset: str,
        claims: Mapping[str, Any],
        key: PublicKey | None,
        issued_ms: int,
    ) -> Written:
        """Make a credential of a dataset's claims, and note for good that it was issued."""
        kind = self._settings.find(configuration.id)
        if kind is None:
            raise NotFound(f"this issuer has no credential {configuration.id!r}")
        if kind.id in self._schemas:
            self._schemas[kind.id](claims)
        claims = self._names.add(kind, claims)
        now_s = issued_ms // 1_000
        times = compute_times(kind, now_s, self.believed_since.find(kind))
        issued = Issued(
            credential=kind.id,
            dataset=dataset,
            holder_key="" if key is None else compute_thumbprint(key),
            issued_s=now_s,
            expires_s=times.expires_s,
        )
        number, place = self._note(issued, is_revocable=kind.revocable)
        draft = Draft(kind, claims, self._schemas.get(kind.id), key, *times, place)
        return Written(self._formats[kind.format].write(draft), str(number))

    def locate(self, place: int) -> StatusReference:
        """Locate a place in the status lists."""
        return self._find_place(place).refer()

    def _find_place(self, place: int) -> Place:
        number, index = divmod(place, self._settings.status.length)
        settings = self._settings
        return Place(settings.lists, number + 1, index)

    def sign_list(self, number: int, time_ms: int) -> str:
        """Sign the status list with a number, from 1, as a token.

        Raises:
          NotFound: no credential stands in it yet.
        """
        entries = self._pack(number)
        now_s = time_ms // 1_000
        publication = Publication(
            uri=self._settings.lists.locate(number),
            issued_s=now_s,
            expires_s=now_s + LIST_VALID_S,
            ttl_s=LIST_TTL_S,
        )
        return sign_jwt_list(self._identity.signer, entries, publication, self._identity.header)

    def sign_bitstring(
        self, signer: str, purpose: str, number: int, time_ms: int
    ) -> dict[str, Any]:
        """Sign the status list with a number as a credential, for one purpose.

        Raises:
          NotFound: no credential stands in it yet, or `signer` is no kind of key that signs them.
        """
        place = (signer, purpose, number)
        key = self._identity.signer
        return sign_bitstring(self._settings, key, self._pack(number), place, time_ms)

    def _pack(self, number: int) -> Entries:
        length = self._settings.status.length
        start = (number - 1) * length
        if number < 1 or start >= self._find_end():
            raise NotFound(f"there is no status list {number}")
        found = self._records.list_statuses(start, start + length)
        statuses = {place - start: status for place, status in found.items()}
        return pack_entries(self._settings.status_bits, length, statuses)

    def _find_end(self) -> int:
        """Find the end of the list that is being filled."""
        length = self._settings.status.length
        count = self._records.count_issued()
        return (1 + (count - 1) // (length * 3 // 4)) * length if count else 0

    def _note(self, issued: Issued, *, is_revocable: bool) -> tuple[int, Place | None]:
        """Note a credential, at a place in the lists that tells nothing of when it was issued."""
        raw = msgspec.json.encode(issued)
        if not is_revocable:
            return self._records.add_issued(None, raw) or 0, None
        length = self._settings.status.length
        lists = self._records.count_issued() // (length * 3 // 4)
        for _ in range(TRIES):
            index = int.from_bytes(self._draw(8), "big") % length
            number = self._records.add_issued(lists * length + index, raw)
            if number is not None:
                return number, self._find_place(lists * length + index)
        raise Unavailable("no free place in the status list was found: ask again")


def read_issued(raw: bytes) -> Issued:
    """Read what this program noted."""
    return msgspec.json.decode(raw, type=Issued)
