"""Evidence under any order of commands: refused as by a dict, and nothing is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import Harness, make_address

from hansa.contracts.identity import evidence
from hansa.contracts.identity.evidence import AddNote, Code, Cosign, Notarise, NotariseMany, Revoke

PEOPLE = ("ann", "ben", "eve")
NAMES = {make_address(name): name for name in PEOPLE}
HASHES = tuple(bytes([number]) * 32 for number in range(4))
NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"

people = st.sampled_from(PEOPLE)
some_people = st.lists(people, max_size=3).map(tuple)
hashes = st.sampled_from((*HASHES[:2], *HASHES))
strangers = st.sampled_from((None, None, None, *PEOPLE))
"""Who signs instead of the right one, if anybody."""


@dataclass
class Paper:
    """What the model knows of one piece of evidence."""

    since_ms: int
    cosigners: tuple[str, ...] = ()
    signed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    revoked: bool = False


class EvidenceMachine(RuleBasedStateMachine):
    """Three people who are each other's notaries; signers are right or wrong."""

    @initialize()
    def begin(self) -> None:
        self.harness = Harness()
        self.papers: dict[tuple[str, bytes], Paper] = {}
        for notary in PEOPLE:
            others = tuple(name for name in PEOPLE if name != notary)
            self.notarise(notary, HASHES[0], 0, others, notary)
            self.notarise(notary, HASHES[1], 7, others[:1], notary)

    def check(self, function, command, signer: str, signs: str, expected: str) -> bool:
        """Send a command; the model says what must come back."""
        if signer != signs:
            expected = NOT_AUTHORIZED
        found = self.harness.attempt(function, command, signer)
        assert found == expected, (command, found, expected)
        return not found

    @rule(notary=people, paper=hashes, leaves=st.integers(0, 9), asked=some_people, by=strangers)
    def notarise(self, notary, paper, leaves, asked, by) -> None:
        command = Notarise(
            make_address(notary), paper, leaves, tuple(make_address(name) for name in asked)
        )
        expected = ""
        if len(set(asked)) < len(asked) or notary in asked:
            expected = Code.WRONG_COSIGNERS
        elif (notary, paper) in self.papers:
            expected = Code.ALREADY_NOTARISED
        if self.check(evidence.notarise, command, by or notary, notary, expected):
            self.papers[notary, paper] = Paper(self.harness.time_ms, asked)

    @rule(notary=people, many=st.lists(hashes, min_size=1, max_size=3), by=strangers)
    def notarise_many(self, notary, many, by) -> None:
        expected = ""
        if len(set(many)) < len(many):
            expected = Code.DUPLICATE_HASH
        elif any((notary, paper) in self.papers for paper in many):
            expected = Code.ALREADY_NOTARISED
        command = NotariseMany(make_address(notary), tuple(many))
        if self.check(evidence.notarise_many, command, by or notary, notary, expected):
            for paper in many:
                self.papers[notary, paper] = Paper(self.harness.time_ms)

    @rule(notary=people, paper=hashes, cosigner=people, by=strangers)
    def cosign(self, notary, paper, cosigner, by) -> None:
        known = self.papers.get((notary, paper))
        expected = ""
        if known is None:
            expected = Code.UNKNOWN_EVIDENCE
        elif known.revoked:
            expected = Code.REVOKED
        elif cosigner not in known.cosigners:
            expected = Code.NOT_A_SIGNER
        elif cosigner in known.signed:
            expected = Code.ALREADY_SIGNED
        command = Cosign(make_address(notary), paper, make_address(cosigner))
        if self.check(evidence.cosign, command, by or cosigner, cosigner, expected):
            known.signed.append(cosigner)

    @rule(notary=people, paper=hashes, author=people, by=strangers)
    def add_note(self, notary, paper, author, by) -> None:
        known = self.papers.get((notary, paper))
        expected = ""
        if known is None:
            expected = Code.UNKNOWN_EVIDENCE
        elif author not in (notary, *known.cosigners):
            expected = Code.NOT_A_SIGNER
        command = AddNote(make_address(notary), paper, make_address(author), bytes(32))
        if self.check(evidence.add_note, command, by or author, author, expected):
            known.notes.append(author)

    @rule(notary=people, paper=hashes, by=strangers)
    def revoke(self, notary, paper, by) -> None:
        known = self.papers.get((notary, paper))
        expected = ""
        if known is None:
            expected = Code.UNKNOWN_EVIDENCE
        elif known.revoked:
            expected = Code.REVOKED
        command = Revoke(make_address(notary), paper)
        if self.check(evidence.revoke, command, by or notary, notary, expected):
            known.revoked = True

    @rule(minutes=st.integers(1, 60))
    def pass_time(self, minutes) -> None:
        self.harness.pass_time(minutes * 60_000)

    @invariant()
    def the_ledger_holds_what_the_model_does(self) -> None:
        view = self.harness.view
        view.begin()
        for notary in PEOPLE:
            for paper in HASHES:
                row = evidence.get_evidence(view, make_address(notary), paper)
                known = self.papers.get((notary, paper))
                assert (row is None) is (known is None)
                if row is None:
                    continue
                signed = [NAMES[signing.cosigner] for signing in row.signed]
                assert (row.since_ms, signed) == (known.since_ms, known.signed)
                assert bool(row.revoked_ms) is known.revoked
                notes = [
                    evidence.get_note(view, row.notary, paper, number + 1)
                    for number in range(row.notes)
                ]
                assert [NAMES[note.author] for note in notes] == known.notes


TestEvidence = EvidenceMachine.TestCase
TestEvidence.settings = settings(
    max_examples=500 if IS_SOAK else 40, stateful_step_count=30, deadline=None
)
