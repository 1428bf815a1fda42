"""Agreements: who proposes and accepts, what is accepted, and how they end."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from tests.unit.contracts.harness import DAY_MS, Harness
from tests.unit.contracts.reconciliation.pair import (
    CENTRAL,
    KEEP_DAYS,
    LEFT,
    OTHER,
    PAIR,
    PROPOSE,
    RIGHT,
    TERMS,
    THIRD,
    advance,
    agree_on,
    found,
    make_post,
    make_tag,
    pass_keep_time,
    post,
    state,
)

from hansa.contracts import members
from hansa.contracts.reconciliation import agreements, reconciliation, windows
from hansa.contracts.reconciliation.agreements import (
    Accept,
    Accepted,
    Agreement,
    Code,
    Decline,
    Declined,
    End,
    Ended,
    Proposed,
    State,
    Sweep,
    Swept,
)
from hansa.kernel.contract import NO_MONEY
from hansa.kernel.encoding import encode

NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"


def changed(command, **changes):
    return msgspec.structs.replace(command, **changes)


@pytest.fixture
def harness() -> Harness:
    """An agreement that is proposed."""
    harness = found()
    harness.do(agreements.propose, PROPOSE, "left1")
    return harness


def test_an_agreement_is_named_by_all_that_is_agreed(harness):
    said = encode((LEFT, RIGHT, TERMS, 20_000, 1, KEEP_DAYS))
    assert hashlib.sha256(b"hansa\x00agreement\x00" + said).digest() == PAIR
    assert harness.events[-1] == Proposed(NO_MONEY, PAIR, LEFT, LEFT, RIGHT, TERMS)
    row = harness.get(Agreement, PAIR)
    assert (row.state, row.proposer) == (State.PROPOSED, LEFT)
    others = [
        changed(PROPOSE, **change)
        for change in (
            {"left": RIGHT, "right": LEFT},
            {"terms": OTHER},
            {"from_day": 1},
            {"window_days": 7},
            {"keep_days": 1},
        )
    ]
    names = {agreements.compute_id(each, lambda raw: raw) for each in (PROPOSE, *others)}
    assert len(names) == 6
    assert agreements.compute_id(row, hashlib_sha256) == PAIR


def hashlib_sha256(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def test_proposing_is_refused_by_the_first_rule_that_applies(harness):
    wrong = changed(PROPOSE, bank=THIRD, right=LEFT)
    assert harness.refuse(agreements.propose, wrong, "left1") == NOT_AUTHORIZED
    assert harness.refuse(agreements.propose, wrong, "third") == NOT_AUTHORIZED
    assert harness.refuse(agreements.propose, wrong, "third1") == Code.NOT_A_PARTY
    wrong = changed(wrong, bank=LEFT)
    assert harness.refuse(agreements.propose, wrong, "left1") == Code.SAME_PARTY
    stranger = changed(PROPOSE, right=OTHER)
    assert harness.refuse(agreements.propose, stranger, "left1") == members.Code.NOT_A_MEMBER
    assert harness.refuse(agreements.propose, PROPOSE, "left1") == Code.AGREEMENT_EXISTS
    theirs = changed(PROPOSE, bank=RIGHT)
    assert harness.refuse(agreements.propose, theirs, "right1") == Code.AGREEMENT_EXISTS


def test_the_other_party_accepts(harness):
    unknown = Accept(OTHER, RIGHT)
    assert harness.refuse(agreements.accept, unknown, "right1") == Code.UNKNOWN_AGREEMENT
    assert harness.refuse(agreements.accept, Accept(PAIR, THIRD), "left1") == NOT_AUTHORIZED
    assert harness.refuse(agreements.accept, Accept(PAIR, THIRD), "third1") == Code.NOT_A_PARTY
    own = Accept(PAIR, LEFT)
    assert harness.refuse(agreements.accept, own, "left1") == Code.NOT_YOURS_TO_ACCEPT
    events = harness.do(agreements.accept, Accept(PAIR, RIGHT), "right1")
    assert events == [Accepted(NO_MONEY, PAIR, LEFT, RIGHT)]
    assert harness.refuse(agreements.accept, Accept(PAIR, RIGHT), "right1") == Code.WRONG_STATE
    assert harness.refuse(agreements.decline, Decline(PAIR, RIGHT), "right1") == Code.WRONG_STATE


@pytest.mark.parametrize("name", ["left", "right"])
def test_a_proposal_is_declined_or_taken_back(harness, name):
    bank = {"left": LEFT, "right": RIGHT}[name]
    assert harness.refuse(agreements.end, End(PAIR, bank), f"{name}1") == Code.WRONG_STATE
    assert harness.refuse(reconciliation.post, make_post("left", 0, 1), "left") == Code.WRONG_STATE
    events = harness.do(agreements.decline, Decline(PAIR, bank), f"{name}1")
    assert events == [Declined(NO_MONEY, PAIR, bank)]
    assert harness.get(Agreement, PAIR) is None
    harness.do(agreements.propose, PROPOSE, "left1")


def test_a_suspended_member_begins_nothing_and_brings_to_an_end(harness):
    suspend(harness, RIGHT)
    accept = Accept(PAIR, RIGHT)
    assert harness.refuse(agreements.accept, accept, "right1") == members.Code.SUSPENDED
    again = changed(PROPOSE, terms=OTHER)
    assert harness.refuse(agreements.propose, again, "left1") == members.Code.SUSPENDED
    harness = agree_on(found())
    post(harness, "right", 0, 1)
    suspend(harness, RIGHT)
    late = make_post("right", 0, 2)
    assert harness.refuse(reconciliation.post, late, "right") == members.Code.SUSPENDED
    advance(harness, 1)
    state(harness, 0)
    harness.do(agreements.end, End(PAIR, RIGHT), "right1")


def suspend(harness, bank):
    harness.view.begin()
    members.suspend(harness.view, harness.context("central"), bank)
    harness._commit()  # noqa: SLF001 - as governance, which orders it, would


@pytest.mark.parametrize("name", ["left", "right"])
def test_what_was_posted_is_brought_to_its_end_then_all_is_swept(name):
    harness = agree_on(found())
    post(harness, "left", 0, 1, 2)
    assert harness.refuse(agreements.sweep, Sweep(PAIR), "eve") == Code.STILL_ON_RECORD
    bank = {"left": LEFT, "right": RIGHT}[name]
    assert harness.refuse(agreements.end, End(PAIR, CENTRAL), "central") == Code.NOT_A_PARTY
    assert harness.do(agreements.end, End(PAIR, bank), f"{name}1") == [Ended(NO_MONEY, PAIR, bank)]
    assert harness.refuse(agreements.end, End(PAIR, bank), f"{name}1") == Code.WRONG_STATE
    late = make_post("right", 0, 1)
    assert harness.refuse(reconciliation.post, late, "right") == Code.WRONG_STATE
    advance(harness, 1)
    state(harness, 0)
    harness.pass_time(KEEP_DAYS * DAY_MS)
    assert harness.refuse(agreements.sweep, Sweep(PAIR), "eve") == Code.STILL_ON_RECORD
    harness.pass_time(1)
    assert harness.refuse(agreements.sweep, Sweep(PAIR), "eve") == Code.ROWS_REMAIN
    assert harness.facts["rows"] == 1
    tags = (make_tag(1), make_tag(2))
    harness.do(reconciliation.sweep, reconciliation.Sweep(PAIR, 0, tags, ()), "eve")
    assert harness.do(agreements.sweep, Sweep(PAIR), "eve") == [Swept(NO_MONEY, PAIR)]
    assert harness.refuse(agreements.sweep, Sweep(PAIR), "eve") == Code.UNKNOWN_AGREEMENT
    assert harness.get(windows.Progress, PAIR) is None


def test_the_same_may_be_agreed_on_again_and_begins_anew():
    harness = agree_on(found())
    advance(harness, 5)
    harness.do(agreements.end, End(PAIR, LEFT), "left1")
    pass_keep_time(harness)
    harness.do(agreements.sweep, Sweep(PAIR), "eve")
    agree_on(harness)
    assert windows.find_progress(harness.view, PAIR) is None
    advance(harness, 1)
