"""An issuer at work: the protocol's parts over one file of records, and what an officer does.

Each piece of work takes effect at once, so that the web server and an officer's commands, which are
other processes, do not undo one another's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from hansa.contracts.identity import status
from hansa.contracts.identity.status import Bits, Status
from hansa.identity.issuer.authorization import AuthorizationServer
from hansa.identity.issuer.configurations import WriteCredential
from hansa.identity.issuer.endpoints import CredentialEndpoints
from hansa.identity.issuer.issuances import Dataset, IssuanceDesk
from hansa.identity.issuer.metadata import (
    build_issuer_metadata,
    build_server_metadata,
    sign_issuer_metadata,
)
from hansa.identity.issuer.offers import write_reference_uri
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.status.reference import StatusReference
from hansa.kernel.errors import NotFound, Refused
from hansa.node.identity.issuer.formats.writing import Identity
from hansa.node.identity.issuer.ledger.anchoring import AnchoringWriter
from hansa.node.identity.issuer.ledger.wants import Matter, Progress, Wants
from hansa.node.identity.issuer.schemas import Schema
from hansa.node.identity.issuer.settings import Settings
from hansa.node.identity.issuer.writing import CredentialWriter, Issued, read_issued
from hansa.node.identity.records import RecordFile

WANTED: Mapping[type[status.Change], Status] = MappingProxyType(
    {
        status.Revoke: Status.INVALID,
        status.Suspend: Status.SUSPENDED,
        status.Reinstate: Status.VALID,
    }
)
"""Where a credential stands after each change."""

READ_AT_ONCE = 1_000
WAITING_MAX = 10_000
"""Offers, the latest, among which what waits is looked for."""


class MadeOffer(NamedTuple):
    """An offer, as an officer hands it out."""

    uri: str
    """What a QR code holds."""
    tx_code: str
    """To be told to the person by another way; empty if none is asked for."""
    datasets: tuple[str, ...]
    """One for each credential, by which it is completed or declined."""
    expires_ms: int


class Waiting(NamedTuple):
    """A credential about which an officer is to decide."""

    dataset: str
    credential: str
    """Id of its kind."""
    expires_ms: int


class Listed(NamedTuple):
    """A credential that was issued."""

    number: int
    status: StatusReference | None
    """None if it cannot be revoked."""
    issued: Issued
    progress: Progress | None = None
    """How far its status has come on its way to the ledger; None if it has not to go there."""
    anchor: Progress | None = None
    """How far its hash has; likewise."""

    @property
    def is_on_its_way(self) -> bool:
        """Whether its status has still to come to the ledger."""
        return self.progress is not None and not self.progress.height


class IssuerService:
    """One issuer. For one thread at a time."""

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        decryption_key: PrivateKey,
        schemas: Mapping[str, Schema],
        records: RecordFile,
        draw: Callable[[int], bytes],
    ) -> None:
        makers = settings.read_makers()
        self.settings = settings
        self.schemas = schemas
        self.writer = CredentialWriter(settings, identity, schemas, records, draw)
        self.protocol = settings.build(self.writer.list_algorithms)
        self.records = records
        self.desk = IssuanceDesk(self.protocol, records, draw)
        self.wants: Wants | None = None
        """What the ledger is to say; None if it is to say nothing."""
        self.write: WriteCredential = self.writer
        """Makes a credential, and notes what the ledger is to say of it."""
        if settings.ledger is not None:
            self.wants = Wants(records, settings.read_address(), settings.status.length)
            self.write = AnchoringWriter(self.writer, settings, self.wants)
        self.server = AuthorizationServer(
            self.protocol, records, self.desk, lambda name, _header: makers.get(name)
        )
        self.endpoints = CredentialEndpoints(
            self.protocol,
            records,
            self.desk,
            self.write,
            decryption_key,
            lambda header: makers.get(str(header.get("kid", ""))),
        )
        self.identity = identity
        self._encryption_key = decryption_key.public_key

    def close(self) -> None:
        """Close the records."""
        self.records.close()

    def describe(self) -> dict[str, Any]:
        """Describe the credential issuer."""
        return build_issuer_metadata(self.protocol, self._encryption_key)

    def sign_description(self, time_ms: int) -> str:
        """Describe the credential issuer in a token that it signs."""
        return sign_issuer_metadata(
            self.describe(), self.identity.signer, self.identity.header, time_ms
        )

    def describe_server(self) -> dict[str, Any]:
        """Describe the authorisation server."""
        return build_server_metadata(self.protocol)

    def offer(
        self,
        wanted: Sequence[tuple[str, dict[str, Any] | None]],
        time_ms: int,
        *,
        needs_tx_code: bool,
    ) -> MadeOffer:
        """Offer credentials: pairs of an id and its claims, or None for later.

        Raises:
          NotFound: the issuer has no such credential.
          Unsound: claims do not fit the schema, or there are too many.
        """
        for credential_id, claims in wanted:
            if claims is not None:
                self.writer.check(credential_id, claims)
        with self.records.at_once():
            made = self.desk.offer(wanted, time_ms, needs_tx_code=needs_tx_code)
        return MadeOffer(
            write_reference_uri(f"{self.settings.url}/offers/{made.offer_id}"),
            made.tx_code,
            tuple(f"{made.issuance_id}.{number}" for number in range(len(wanted))),
            time_ms + self.protocol.rules.code_ms,
        )

    def complete(self, dataset: str, claims: dict[str, Any], time_ms: int) -> None:
        """Complete the claims of a credential that a wallet may be waiting for.

        Raises:
          NotFound: nothing waits under this name.
          Unsound: the claims do not fit the schema.
        """
        with self.records.at_once():
            found = self.get_dataset(dataset, time_ms)
            self.writer.check(found.configuration_id, claims)
            self.desk.complete(dataset, claims, time_ms)

    def decline(self, dataset: str, why: str, time_ms: int) -> None:
        """Say that there will be no credential, and why.

        Raises:
          NotFound: nothing waits under this name.
        """
        with self.records.at_once():
            self.desk.decline(dataset, why, time_ms)

    def list_waiting(self, time_ms: int) -> list[Waiting]:
        """List what waits for a decision: the latest offer first."""
        return [
            Waiting(each.identifier, each.configuration_id, issuance.expires_ms)
            for issuance, each in self.desk.list_waiting(time_ms, WAITING_MAX)
        ]

    def get_dataset(self, dataset: str, time_ms: int) -> Dataset:
        """Get what is known of a credential that was offered.

        Raises:
          NotFound: there is none of this name, or its time is over.
        """
        found = self.desk.get(dataset.rpartition(".")[0], time_ms).find(dataset)
        if found is None:
            raise NotFound("there is no such credential that was offered")
        return found

    def list_newest_issued(self, before: int | None, limit: int) -> list[Listed]:
        """List what was issued, newest first; only numbers below `before`, if given."""
        found = self.records.list_newest_issued(before, limit)
        return [self._read(number, place, raw) for number, place, raw in found]

    def list_issued(self, after: int, limit: int) -> list[Listed]:
        """List what was issued, oldest first."""
        found = self.records.list_issued(after=after, limit=limit)
        return [self._read(number, place, raw) for number, place, raw in found]

    def get_issued(self, number: int) -> Listed:
        """Get what was issued under a number; raises `NotFound`."""
        return self._read(*self._find_row(number))

    def revoke(self, number: int, time_ms: int) -> Listed:
        """Revoke a credential for good; again changes nothing.

        Where the ledger is to say it, too, it is on its way there once this returns (`progress`).

        Raises:
          NotFound: there is none of this number, or it has no place in a status list.
        """
        return self._decide(number, status.Revoke, time_ms)

    def suspend(self, number: int, time_ms: int) -> Listed:
        """Suspend a credential for now; again changes nothing.

        Raises:
          NotFound: as `revoke`.
          Refused: it is revoked, or its list has no room for it (`status.bits`).
        """
        return self._decide(number, status.Suspend, time_ms)

    def reinstate(self, number: int, time_ms: int) -> Listed:
        """End the suspension of a credential; one that is valid stays so.

        Raises:
          NotFound: as `revoke`.
          Refused: it is revoked.
        """
        return self._decide(number, status.Reinstate, time_ms)

    def decide(self, number: int, change: type[status.Change], time_ms: int) -> list[Listed]:
        """Revoke, suspend or reinstate a credential with all its copies, whichever one is named.

        A wallet takes several copies, and shows another one next time. It gets no more of them
        while the credential is taken back. Copies that are revoked already stay so.

        Returns them as they stand now, the one that is named first. Cost: reads all that was
        issued.

        Raises:
          NotFound, Refused: as `revoke`, `suspend` and `reinstate` of the one that is named.
        """
        with self.records.at_once():
            decided = [self._decide(number, change, time_ms)]
            dataset = decided[0].issued.dataset
            is_back = change is status.Reinstate
            self.desk.withdraw(dataset, "" if is_back else "it was taken back", time_ms)
            for copy in self.list_copies(dataset):
                is_over = copy.issued.status is Status.INVALID or copy.status is None
                if copy.number != number and not is_over:
                    decided.append(self._decide(copy.number, change, time_ms))
        return decided

    def list_copies(self, dataset: str) -> list[Listed]:
        """List the copies of one credential, oldest first; reads all that was issued."""
        found: list[Listed] = []
        sought, after = dataset.encode(), 0
        while rows := self.records.list_issued(after=after, limit=READ_AT_ONCE):
            found += [self._read(*row) for row in rows if sought in row[2]]
            after = rows[-1][0]
        return [each for each in found if each.issued.dataset == dataset]

    def _decide(self, number: int, change: type[status.Change], time_ms: int) -> Listed:
        with self.records.at_once():
            _, place, raw = self._find_row(number)
            listed = self._read(number, place, raw)
            if place is None:
                raise NotFound(f"credential {number} has no place in a status list: it ends by age")
            before, wanted = listed.issued.status, WANTED[change]
            if before is wanted:
                return listed
            if (before, change) not in status.LIFE:
                raise _refuse(status.Code.WRONG_STATE, f"credential {number} is revoked for good")
            if change is status.Suspend and self.settings.status_bits is Bits.ONE:
                raise _refuse(
                    status.Code.CANNOT_SUSPEND,
                    "the status lists have one bit a credential, which says revoked or not: set "
                    "bits = 2 in [status] of issuer.toml, and start the issuer anew",
                )
            now_s = time_ms // 1_000
            issued = msgspec.structs.replace(
                listed.issued,
                revoked_s=now_s if wanted is Status.INVALID else 0,
                suspended_s=now_s if wanted is Status.SUSPENDED else 0,
            )
            self.records.set_status(number, msgspec.json.encode(issued), wanted)
            if self.wants is not None:
                self.wants.want_status(number, place, wanted)
            return self.get_issued(number)

    def _find_row(self, number: int) -> tuple[int, int | None, bytes]:
        found = self.records.list_issued(after=number - 1, limit=1)
        if not found or found[0][0] != number:
            raise NotFound(f"no credential {number} was issued")
        return found[0]

    def _read(self, number: int, place: int | None, raw: bytes) -> Listed:
        found = None if place is None else self.writer.locate(place)
        listed = Listed(number, found, read_issued(raw))
        if self.wants is None:
            return listed
        return listed._replace(
            progress=self.wants.get_progress(Matter.STATUS, number),
            anchor=self.wants.get_progress(Matter.ANCHOR, number),
        )


def _refuse(code: status.Code, why: str) -> Refused:
    refused = Refused(code)
    refused.message = why
    return refused
