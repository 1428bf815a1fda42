"""Evidence: who may put what on record, who signs it, and that nothing on record goes away."""

from __future__ import annotations

import pytest
from tests.unit.contracts.harness import MINUTE_MS, START_MS, Harness, make_address, make_key

from hansa.contracts import accounts
from hansa.contracts.identity import evidence
from hansa.contracts.identity.evidence import (
    AddNote,
    Code,
    Cosign,
    Cosigned,
    Evidence,
    ManyNotarised,
    Notarise,
    Notarised,
    NotariseMany,
    Note,
    NoteAdded,
    Revoke,
    Revoked,
    Signing,
)
from hansa.kernel.authority import ALL_PURPOSES, Purpose
from hansa.kernel.contract import NO_MONEY

NOTARY, ANN, BEN, EVE = (make_address(name) for name in ("notary", "ann", "ben", "eve"))
DEED, OTHER, REMARK = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"


@pytest.fixture
def harness():
    """A deed that ann and ben are asked to sign."""
    harness = Harness()
    harness.do(evidence.notarise, Notarise(NOTARY, DEED, 0, (ANN, BEN)), "notary")
    harness.pass_time(MINUTE_MS)
    return harness


def get_deed(harness) -> Evidence:
    deed = evidence.get_evidence(harness.view, NOTARY, DEED)
    assert deed is not None
    return deed


def test_a_hash_is_put_on_record_with_the_time():
    harness = Harness()
    events = harness.do(evidence.notarise, Notarise(NOTARY, DEED, 5, (ANN,)), "notary")
    assert events == [Notarised(NO_MONEY, NOTARY, DEED, 5, (ANN,))]
    assert get_deed(harness) == Evidence(NOTARY, DEED, 5, START_MS, 1 << 20, (ANN,))


def test_notarising_asks_for_the_notarys_key_then_sound_cosigners_then_a_new_hash(harness):
    command = Notarise(NOTARY, DEED, 0, (ANN, ANN))
    assert harness.refuse(evidence.notarise, command, "eve") == NOT_AUTHORIZED
    assert harness.refuse(evidence.notarise, command, "notary") == Code.WRONG_COSIGNERS
    itself = Notarise(NOTARY, DEED, 0, (ANN, NOTARY))
    assert harness.refuse(evidence.notarise, itself, "notary") == Code.WRONG_COSIGNERS
    again = Notarise(NOTARY, DEED, 0, ())
    assert harness.refuse(evidence.notarise, again, "notary") == Code.ALREADY_NOTARISED
    assert harness.facts["since_ms"] == START_MS
    harness.do(evidence.notarise, Notarise(EVE, DEED, 0, ()), "eve")


def test_many_hashes_are_put_on_record_together_or_not_at_all(harness):
    many = NotariseMany(NOTARY, (OTHER, DEED, OTHER))
    assert harness.refuse(evidence.notarise_many, many, "eve") == NOT_AUTHORIZED
    assert harness.refuse(evidence.notarise_many, many, "notary") == Code.DUPLICATE_HASH
    known = NotariseMany(NOTARY, (OTHER, DEED))
    assert harness.refuse(evidence.notarise_many, known, "notary") == Code.ALREADY_NOTARISED
    hashes = tuple(number.to_bytes(32, "big") for number in range(evidence.HASHES_MAX))
    events = harness.do(evidence.notarise_many, NotariseMany(NOTARY, hashes), "notary")
    assert events == [ManyNotarised(NO_MONEY, NOTARY, hashes)]
    assert harness.get(Evidence, NOTARY, hashes[-1]) == Evidence(
        NOTARY, hashes[-1], 0, harness.time_ms, 2 << 20
    )


def test_those_who_were_asked_sign_once_each(harness):
    signing = Cosign(NOTARY, DEED, ANN)
    assert harness.do(evidence.cosign, signing, "ann") == [Cosigned(NO_MONEY, NOTARY, DEED, ANN)]
    assert get_deed(harness).signed == (Signing(ANN, START_MS + MINUTE_MS),)
    assert harness.refuse(evidence.cosign, signing, "ann") == Code.ALREADY_SIGNED
    harness.do(evidence.cosign, Cosign(NOTARY, DEED, BEN), "ben")
    assert [each.cosigner for each in get_deed(harness).signed] == [ANN, BEN]


def test_signing_asks_for_the_key_then_for_evidence_that_stands_and_names_one(harness):
    assert harness.refuse(evidence.cosign, Cosign(NOTARY, OTHER, ANN), "eve") == NOT_AUTHORIZED
    unknown = Cosign(NOTARY, OTHER, EVE)
    assert harness.refuse(evidence.cosign, unknown, "eve") == Code.UNKNOWN_EVIDENCE
    stranger = Cosign(NOTARY, DEED, EVE)
    assert harness.refuse(evidence.cosign, stranger, "eve") == Code.NOT_A_SIGNER
    harness.do(evidence.cosign, Cosign(NOTARY, DEED, ANN), "ann")
    harness.do(evidence.revoke, Revoke(NOTARY, DEED), "notary")
    assert harness.refuse(evidence.cosign, stranger, "eve") == Code.REVOKED
    assert harness.refuse(evidence.cosign, Cosign(NOTARY, DEED, ANN), "ann") == Code.REVOKED


def test_notes_are_added_by_those_concerned_and_are_never_changed(harness):
    for number, (author, name) in enumerate(((NOTARY, "notary"), (BEN, "ben")), 1):
        events = harness.do(evidence.add_note, AddNote(NOTARY, DEED, author, REMARK), name)
        assert events == [NoteAdded(NO_MONEY, NOTARY, DEED, number, author, REMARK)]
        note = Note(NOTARY, DEED, number, author, REMARK, harness.time_ms)
        assert evidence.get_note(harness.view, NOTARY, DEED, number) == note
        harness.pass_time(MINUTE_MS)
    assert get_deed(harness).notes == 2
    assert harness.refuse(evidence.add_note, AddNote(NOTARY, DEED, EVE, REMARK), "ann") == (
        NOT_AUTHORIZED
    )
    unknown = AddNote(NOTARY, OTHER, EVE, REMARK)
    assert harness.refuse(evidence.add_note, unknown, "eve") == Code.UNKNOWN_EVIDENCE
    stranger = AddNote(NOTARY, DEED, EVE, REMARK)
    assert harness.refuse(evidence.add_note, stranger, "eve") == Code.NOT_A_SIGNER


def test_notes_on_one_piece_of_evidence_are_bounded(harness):
    command = AddNote(NOTARY, DEED, ANN, REMARK)
    for _ in range(evidence.NOTES_MAX):
        harness.do(evidence.add_note, command, "ann")
    assert harness.refuse(evidence.add_note, command, "ann") == Code.TOO_MANY_NOTES
    stranger = AddNote(NOTARY, DEED, EVE, REMARK)
    assert harness.refuse(evidence.add_note, stranger, "eve") == Code.NOT_A_SIGNER


def test_what_is_revoked_stays_on_record_and_takes_notes_that_say_why(harness):
    command = Revoke(NOTARY, DEED)
    assert harness.refuse(evidence.revoke, command, "ann") == NOT_AUTHORIZED
    unknown = Revoke(NOTARY, OTHER)
    assert harness.refuse(evidence.revoke, unknown, "notary") == Code.UNKNOWN_EVIDENCE
    harness.do(evidence.cosign, Cosign(NOTARY, DEED, ANN), "ann")
    assert harness.do(evidence.revoke, command, "notary") == [Revoked(NO_MONEY, NOTARY, DEED)]
    deed = get_deed(harness)
    assert (deed.since_ms, deed.revoked_ms) == (START_MS, START_MS + MINUTE_MS)
    assert len(deed.signed) == 1
    assert harness.refuse(evidence.revoke, command, "notary") == Code.REVOKED
    harness.do(evidence.add_note, AddNote(NOTARY, DEED, BEN, REMARK), "ben")
    again = Notarise(NOTARY, DEED, 0, ())
    assert harness.refuse(evidence.notarise, again, "notary") == Code.ALREADY_NOTARISED


def test_only_keys_that_may_assert_vouch_for_anything(harness):
    """A key for payments alone, or for logging in, signs no evidence."""
    asserting = make_key("desk", Purpose.ASSERT)
    others = make_key("phone", ALL_PURPOSES & ~Purpose.ASSERT)
    create = accounts.Create(ANN, (asserting, others), 1)
    harness.do(accounts.create, create, "ann", "phone")
    signing = Cosign(NOTARY, DEED, ANN)
    assert harness.refuse(evidence.cosign, signing, "phone") == NOT_AUTHORIZED
    harness.do(evidence.cosign, signing, "desk")
    calls = [
        (evidence.notarise, Notarise(ANN, OTHER, 0, ())),
        (evidence.notarise_many, NotariseMany(ANN, (REMARK,))),
        (evidence.add_note, AddNote(NOTARY, DEED, ANN, REMARK)),
        (evidence.revoke, Revoke(ANN, OTHER)),
    ]
    for function, command in calls:
        assert harness.refuse(function, command, "phone") == NOT_AUTHORIZED
        harness.do(function, command, "desk")
