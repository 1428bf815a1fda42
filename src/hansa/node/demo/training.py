"""The demo's training centre: certificates, and an employer who looks at them.

The centre issues certificates to those who have completed its course, puts their hashes on record,
and revokes one. A night school that nobody accredited issues them, too. Harbour Bank hires: it
looks at what applicants show, each for this vacancy alone, and puts the hash of its findings on
record.

Source: docs/concepts/identity.md; docs/how-to/notarise-a-document.md.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from hansa.contracts.identity import did, documents, evidence, status
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.methods.hansa import write_did
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.verifier.findings import Report, list_faults
from hansa.identity.verifier.judgement import compute_anchor
from hansa.kernel.trees.merkle import Digest
from hansa.node.demo.offices import FOUNDED_MS, Offices
from hansa.node.demo.papers import CERTIFICATE, LIST_LENGTH, LIST_NUMBER, Desk, Held, Paper, examine
from hansa.node.demo.residents import Resident
from hansa.node.demo.town import CENTRE, HARBOUR, Act, Stage, Town, derive_key
from hansa.sdk.evidence import hash_document

COURSE = "Double-entry bookkeeping"
HOURS = 60
APPLICANTS_MAX = 40
PATHS = (("course",), ("completed",), ("hours",))
"""What the employer asks for: no names, which it has from the application."""
VACANCY = "certificate"
SALT_BYTES = 16


class Training:
    """A course, those who have completed it, and who wants to see that they have."""

    def __init__(
        self, town: Town, offices: Offices, digest: Digest, clock_ms: Callable[[], int]
    ) -> None:
        self._town = town
        self._offices = offices
        self._digest = digest
        self._clock_ms = clock_ms
        self._school_account = derive_key(town.seed, "night school")
        self._school = Desk(
            offices.centre.network,
            self._school_account.address,
            offices.open_key("night school"),
            secrets.token_bytes,
        )
        self._shown: list[tuple[str, Held]] = []
        """Of each applicant: what kind of certificate it is, and the certificate."""

    def stages(self) -> Iterator[Stage]:
        """Yield the stages, earliest first."""
        yield Stage("a night school opens, too", [self._open_school()], FOUNDED_MS)
        yield Stage("a training centre certifies, and revokes one", prepare=self._teach)
        yield Stage("an employer looks at certificates", prepare=self._hire)

    def _open_school(self) -> Act:
        """Publish who the night school is: that alone lets nobody issue anything."""
        school, account = self._school, self._school_account
        keys = (documents.KeyBytes(account.suite, account.public_key),)
        commands = (
            did.Create(school.address, school.describe(), keys),
            status.CreateList(school.address, LIST_NUMBER, status.Bits.TWO, LIST_LENGTH),
        )
        return Act((account,), commands, CENTRE)

    async def _teach(self) -> list[Act]:
        """Issue certificates, put them on record, and revoke the first."""
        applicants = [each for each in self._offices.residents if each.is_adult][:APPLICANTS_MAX]
        for place, resident in enumerate(applicants):
            held = self._issue(self._offices.centre, resident, place)
            self._shown.append(("accredited" if place else "revoked", held))
        self._shown.append(("not accredited", self._issue(self._school, applicants[-1], 0)))
        own = [held for kind, held in self._shown if kind != "not accredited"]
        self._offices.report.issued[CERTIFICATE] += len(own)
        centre = self._offices.centre.address
        anchors = tuple(compute_anchor(held.sd_jwt.jwts[0].encode()) for held in own)
        keys = (self._town.institutions[CENTRE],)
        return [
            Act(keys, (evidence.NotariseMany(centre, anchors),), CENTRE),
            Act(keys, (status.Revoke(centre, LIST_NUMBER, (0,)),), CENTRE),
        ]

    async def _hire(self) -> list[Act]:
        """Look at each certificate, and put the hash of what was found on record."""
        employer = self._town.institutions[HARBOUR]
        audience = write_did(self._school.network, employer.address)
        found: list[dict[str, object]] = []
        for kind, held in self._shown:
            time_ms = self._clock_ms()
            nonce = encode_base64url(secrets.token_bytes(SALT_BYTES))
            challenge = Challenge(f"decentralized_identifier:{audience}", nonce)
            shown = held.show(PATHS, challenge, time_ms)
            registry = self._offices.registry
            report = await examine(shown, challenge, VACANCY, registry, time_ms)
            found.append(_describe(kind, report))
        self._offices.report.checked = _sum_up(found)
        paper = hash_document(
            msgspec.json.encode(found), secrets.token_bytes(SALT_BYTES), self._digest
        )
        notarise = evidence.Notarise(employer.address, paper, 0, ())
        return [Act((employer,), (notarise,), HARBOUR)]

    def _issue(self, desk: Desk, resident: Resident, place: int) -> Held:
        time_ms = self._clock_ms()
        claims = {
            "course": COURSE,
            "completed": datetime.fromtimestamp(time_ms / 1_000, UTC).date().isoformat(),
            "hours": HOURS,
            "given_name": resident.claims["given_name"],
            "family_name": resident.claims["family_name"],
        }
        return desk.issue(Paper(CERTIFICATE, claims, resident.holder_key, place), time_ms)


def _describe(kind: str, report: Report) -> dict[str, object]:
    faults = list_faults(report.findings)
    return {"kind": kind, "is_accepted": report.is_accepted, "faults": faults}


def _sum_up(found: list[dict[str, object]]) -> list[dict[str, object]]:
    """Count what was found alike; the words are those of the first of its kind."""
    counts = Counter(str(each["kind"]) for each in found)
    first = {str(each["kind"]): each for each in reversed(found)}
    return [{**first[kind], "count": count} for kind, count in counts.items()]
