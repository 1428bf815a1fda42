"""What is kept of proposals, whatever another bank sends."""

from __future__ import annotations

from hansa.contracts.reconciliation.cases import Kind
from hansa.node.reconcile.proposing import (
    CASELESS_MAX,
    PROPOSALS_MAX,
    RECEIVED_MAX,
    keep_own,
    keep_received,
    list_kept,
)
from hansa.reconcile.stream.journal import MemoryJournal
from hansa.reconcile.stream.proposals import Proposal


def make(number, case_id=bytes(32)):
    terms = number.to_bytes(32, "big")
    return terms, Proposal(1, bytes(32), case_id, Kind.CORRECT, "words", 0, terms)


def test_another_bank_leaves_room_for_ones_own_proposals():
    journal = MemoryJournal()
    for number in range(100):
        keep_received(journal, *make(number), has_case=True)
    assert len(list_kept(journal, bytes(32))) == RECEIVED_MAX
    for number in range(100, 200):
        keep_own(journal, *make(number))
    assert len(list_kept(journal, bytes(32))) == PROPOSALS_MAX


def test_proposals_for_cases_that_are_made_up_are_kept_up_to_a_bound():
    journal = MemoryJournal()
    for number in range(CASELESS_MAX + 1):
        terms, proposal = make(number, number.to_bytes(32, "little"))
        keep_received(journal, terms, proposal, has_case=False)
    assert len(journal.list_names("proposal/")) == CASELESS_MAX
    keep_received(journal, *make(0, b"\xff" * 32), has_case=True)
    assert list_kept(journal, b"\xff" * 32) == [make(0, b"\xff" * 32)[1]]
