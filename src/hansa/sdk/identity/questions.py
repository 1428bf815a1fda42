"""Questions about identity, each answered from rows of the ledger by one function.

A node reads the rows that a question takes and proves them; whoever asked answers the question
anew from what was proved. So nobody needs to believe a node, and both sides read by the rules of
the contracts themselves.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Meta

from hansa.contracts.identity import accreditation, evidence, status
from hansa.contracts.identity.accreditation import Standing
from hansa.contracts.identity.consent import DELEGATIONS_MAX, Consent
from hansa.contracts.identity.evidence import Evidence, Note
from hansa.contracts.identity.resolution import Resolution, resolve
from hansa.contracts.identity.schemas import CredentialType, Schema, TypeName
from hansa.contracts.identity.status import Status, StatusList
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.rows import Rows
from hansa.kernel.values import Address, Hash, NonNegative, TimeMs

QUESTIONS_MAX = 256
"""Of one request."""

T_co = TypeVar("T_co", covariant=True)
Index = Annotated[int, Meta(ge=0, le=status.LENGTH_MAX - 1)]


class FoundDid(NamedTuple):
    """What the ledger says of an address."""

    resolution: Resolution | None
    """None where it has no document."""
    delegates: tuple[Resolution | None, ...]
    """Of its delegates, in their order."""


class FoundSchema(NamedTuple):
    """A version of a type; None where there is none, or no type."""

    credential_type: CredentialType | None
    schema: Schema | None


class FoundEvidence(NamedTuple):
    """What a notary put on record; None where it did not."""

    evidence: Evidence | None
    notes: tuple[Note, ...]


class FoundList(NamedTuple):
    """A status list with its bytes; None where there is none."""

    row: StatusList | None
    chunks: tuple[bytes, ...]

    @property
    def content(self) -> bytes:
        """Its entries, packed as a Token Status List packs them."""
        return b"".join(self.chunks)


class FoundStatus(NamedTuple):
    """Where a credential stands; None where there is no such list, or no such place in it."""

    row: StatusList | None
    status: Status | None


class Question(Protocol[T_co]):
    """Something to be read from the ledger."""

    def read(self, rows: Rows) -> T_co:
        """Read the answer from rows."""


class _Asked(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A question as it travels: an array that begins with its tag."""


class DidQuestion(_Asked, frozen=True, array_like=True, tag="did"):
    """What does a DID document say, now or at a time?"""

    address: Address
    time_ms: TimeMs | None = None

    def read(self, rows: Rows) -> FoundDid:
        """Resolve the address, and those of its delegates."""
        found = resolve(rows, self.address, self.time_ms)
        delegates = found.content.delegates if found is not None else ()
        return FoundDid(
            found, tuple(resolve(rows, each.address, self.time_ms) for each in delegates)
        )


class SchemaQuestion(_Asked, frozen=True, array_like=True, tag="schema"):
    """What does a version of a type say; 0 for the newest?"""

    name: TypeName
    version: NonNegative = 0

    def read(self, rows: Rows) -> FoundSchema:
        """Get the type and the version."""
        found = rows.get(CredentialType, self.name)
        if found is None:
            return FoundSchema(None, None)
        return FoundSchema(found, rows.get(Schema, self.name, self.version or found.latest))


class StandingQuestion(_Asked, frozen=True, array_like=True, tag="standing"):
    """Was an issuer accredited for a type at a time?"""

    issuer: Address
    credential_type: TypeName
    time_ms: TimeMs

    def read(self, rows: Rows) -> Standing:
        """Find the standing."""
        return accreditation.find_standing(rows, self.issuer, self.credential_type, self.time_ms)


class StatusQuestion(_Asked, frozen=True, array_like=True, tag="status"):
    """Where does a credential stand?"""

    issuer: Address
    number: NonNegative
    index: Index

    def read(self, rows: Rows) -> FoundStatus:
        """Get the list's row and the status of one entry."""
        found = status.get_list(rows, self.issuer, self.number)
        return FoundStatus(found, status.get_status(rows, self.issuer, self.number, self.index))


class ListQuestion(_Asked, frozen=True, array_like=True, tag="list"):
    """What does a whole status list say?"""

    issuer: Address
    number: NonNegative

    def read(self, rows: Rows) -> FoundList:
        """Get the list's row and its bytes."""
        found = status.get_list(rows, self.issuer, self.number)
        return FoundList(found, tuple(status.list_chunks(rows, self.issuer, self.number)))


class EvidenceQuestion(_Asked, frozen=True, array_like=True, tag="evidence"):
    """What did a notary put on record under a hash?"""

    notary: Address
    evidence_hash: Hash

    def read(self, rows: Rows) -> FoundEvidence:
        """Get the evidence and its notes."""
        found = evidence.get_evidence(rows, self.notary, self.evidence_hash)
        numbers = range(1, found.notes + 1) if found is not None else ()
        notes = [
            evidence.get_note(rows, self.notary, self.evidence_hash, number) for number in numbers
        ]
        return FoundEvidence(found, tuple(note for note in notes if note is not None))


class ConsentQuestion(_Asked, frozen=True, array_like=True, tag="consent"):
    """What was consented to, and by what chain of consents? Swept ones are gone."""

    consent_id: Hash

    def read(self, rows: Rows) -> tuple[Consent, ...]:
        """Get the consent and those that it hangs on, up to the holder's own."""
        chain: list[Consent] = []
        sought = self.consent_id
        while len(chain) <= DELEGATIONS_MAX and (found := rows.get(Consent, sought)) is not None:
            chain.append(found)
            sought = found.parent
            if sought == ZERO_HASH:
                break
        return tuple(chain)


AnyQuestion = (
    DidQuestion
    | SchemaQuestion
    | StandingQuestion
    | StatusQuestion
    | ListQuestion
    | EvidenceQuestion
    | ConsentQuestion
)

Questions = Annotated[tuple[AnyQuestion, ...], Meta(min_length=1, max_length=QUESTIONS_MAX)]
