"""Cases: four eyes on each side, disputes, and what neither party can keep the other from."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts.harness import DAY_MS, Harness, make_address, make_key
from tests.unit.contracts.reconciliation.pair import (
    KEEP_DAYS,
    LEFT,
    OFFICER,
    OTHER,
    PAIR,
    RIGHT,
    TERMS,
    advance,
    agree_on,
    found,
    get_window,
    pass_keep_time,
    post,
    state,
)

from hansa.contracts import accounts
from hansa.contracts.reconciliation import agreements, cases, reconciliation, windows
from hansa.contracts.reconciliation.cases import (
    LIFE_CYCLE,
    Accept,
    Case,
    Code,
    Confirm,
    Decline,
    Healed,
    Kind,
    Moved,
    Open,
    Opened,
    Propose,
    State,
    Sweep,
    Swept,
    Withdraw,
)
from hansa.kernel.contract import NO_MONEY
from hansa.kernel.crypto.hashing import ZERO_HASH

FIRST, SECOND, THIRD_CASE = (bytes([9, number]) * 16 for number in (1, 2, 3))
PROPOSE = Propose(PAIR, LEFT, FIRST, Kind.CORRECT, TERMS)
ACCEPT = Accept(PAIR, RIGHT, FIRST, TERMS)
BANKS = {"left": LEFT, "right": RIGHT}


def changed(command, **changes):
    return msgspec.structs.replace(command, **changes)


@pytest.fixture
def harness() -> Harness:
    """A window with two breaks, for one of which a case is open."""
    harness = agree_on(found())
    post(harness, "left", 0, 1, 2)
    advance(harness, 1)
    events = harness.do(cases.open_case, Open(PAIR, LEFT, 0, FIRST), "left1")
    assert events == [Opened(NO_MONEY, PAIR, FIRST, 0, LEFT)]
    return harness


def get(harness, case_id=FIRST) -> Case:
    found_case = harness.get(Case, PAIR, case_id)
    assert found_case is not None
    return found_case


def propose(harness, *names, kind=Kind.CORRECT, terms=TERMS):
    bank = BANKS[names[0][:-1]]
    command = Propose(PAIR, bank, FIRST, kind, terms)
    return harness.do(cases.propose, command, *names)[0].state


def confirm(harness, *names, terms=TERMS):
    return harness.do(cases.confirm, Confirm(PAIR, BANKS[names[0][:-1]], FIRST, terms), *names)[
        0
    ].state


def test_each_party_opens_as_many_cases_as_there_are_breaks(harness):
    def open_by(name, number):
        command = Open(PAIR, BANKS[name], 0, bytes([number]) * 32)
        return harness.attempt(cases.open_case, command, f"{name}1")

    assert open_by("left", 50) == ""
    assert open_by("left", 51) == Code.TOO_MANY_CASES
    exists = Open(PAIR, RIGHT, 0, FIRST)
    assert harness.refuse(cases.open_case, exists, "right1") == Code.CASE_EXISTS
    assert open_by("right", 52) == ""
    assert open_by("right", 53) == ""
    assert open_by("right", 54) == Code.TOO_MANY_CASES
    assert [side.cases for side in (get_window(harness, 0).left, get_window(harness, 0).right)] == [
        2,
        2,
    ]
    post(harness, "right", 0, 1, 2, 3)
    assert open_by("left", 55) == ""


def test_a_case_is_of_a_closed_window_and_opened_by_an_officer(harness):
    def refuse(window, *names):
        return harness.refuse(cases.open_case, Open(PAIR, LEFT, window, SECOND), *names)

    assert refuse(7, "left") == "kernel.NOT_AUTHORIZED"
    assert refuse(7, "left1") == windows.Code.UNKNOWN_WINDOW
    post(harness, "left", 1, 3)
    assert refuse(1, "left1") == windows.Code.NOT_CLOSED
    unknown = changed(PROPOSE, case_id=SECOND)
    assert harness.refuse(cases.propose, unknown, "left1") == Code.UNKNOWN_CASE


def test_four_eyes_of_each_party_resolve_a_case(harness):
    assert propose(harness, "left1") is State.PROPOSED
    assert get(harness).officers == (make_address("left1"),)
    assert confirm(harness, "left2") is State.OFFERED
    event = harness.do(cases.accept, ACCEPT, "right1")[0]
    assert event == Moved(NO_MONEY, PAIR, FIRST, RIGHT, Kind.CORRECT, TERMS, State.ACCEPTED)
    assert confirm(harness, "right3") is State.RESOLVED
    row = get(harness)
    assert (row.kind, row.terms, row.proposer, row.officers) == (Kind.CORRECT, TERMS, LEFT, ())
    assert harness.refuse(cases.propose, PROPOSE, "left1") == Code.WRONG_STATE
    withdraw = Withdraw(PAIR, LEFT, FIRST)
    assert harness.refuse(cases.withdraw, withdraw, "left1") == Code.WRONG_STATE


def test_two_officers_in_one_transaction_are_four_eyes(harness):
    assert propose(harness, "left1", "left3") is State.OFFERED
    event = harness.do(cases.accept, ACCEPT, "right1", "right2")[0]
    assert event.state is State.RESOLVED


def test_one_officer_twice_is_not(harness):
    propose(harness, "left1")
    again = Confirm(PAIR, LEFT, FIRST, TERMS)
    assert harness.refuse(cases.confirm, again, "left1") == Code.SAME_OFFICER
    assert harness.refuse(cases.confirm, again, "left1", "left") == Code.SAME_OFFICER
    assert harness.refuse(cases.confirm, again, "left", "right2") == "kernel.NOT_AUTHORIZED"


def test_a_confirmation_is_of_the_terms_that_are_proposed(harness):
    propose(harness, "left1")
    other = Confirm(PAIR, LEFT, FIRST, OTHER)
    assert harness.refuse(cases.confirm, other, "left1") == Code.OTHER_TERMS
    confirm(harness, "left2")
    assert harness.refuse(cases.accept, changed(ACCEPT, terms=OTHER), "right1") == Code.OTHER_TERMS


def test_a_new_key_in_the_place_of_the_first_is_not_a_second_officer(harness):
    propose(harness, "left1")
    set_officers(harness, "left", "left9", "left2")
    command = Confirm(PAIR, LEFT, FIRST, TERMS)
    assert harness.refuse(cases.confirm, command, "left9") == Code.SAME_OFFICER
    assert confirm(harness, "left2", "left9") is State.OFFERED


def test_an_officer_of_both_parties_counts_for_one(harness):
    set_officers(harness, "left", "both", "left1", "left2")
    set_officers(harness, "right", "both", "left1", "right1")
    assert propose(harness, "left1", "left1", "both") is State.OFFERED
    assert get(harness).offered_by == (make_address("both"), make_address("left1"))
    assert harness.refuse(cases.accept, ACCEPT, "left1", "both") == Code.SAME_OFFICER
    assert harness.do(cases.accept, ACCEPT, "right1", "both")[0].state is State.ACCEPTED
    command = Confirm(PAIR, RIGHT, FIRST, TERMS)
    assert harness.refuse(cases.confirm, command, "both") == Code.SAME_OFFICER


def set_officers(harness, bank, *names):
    """Replace the keys of a bank."""
    keys = tuple(make_key(name, OFFICER) for name in names)
    harness.view.begin()
    accounts.replace_keys(harness.view, harness.time_ms, BANKS[bank], keys, 1)
    harness._commit()  # noqa: SLF001 - as governance would


def test_who_has_one_key_turns_down_and_resolves_nothing(harness):
    set_officers(harness, "left", "left1")
    propose(harness, "left1")
    command = Confirm(PAIR, LEFT, FIRST, TERMS)
    assert harness.refuse(cases.confirm, command, "left1") == Code.SAME_OFFICER
    harness.do(cases.withdraw, Withdraw(PAIR, LEFT, FIRST), "left1")


def test_keys_that_sign_only_together_are_two_officers(harness):
    keys = tuple(make_key(name, OFFICER) for name in ("left1", "left2"))
    harness.view.begin()
    accounts.replace_keys(harness.view, harness.time_ms, LEFT, keys, 2)
    harness._commit()  # noqa: SLF001 - as governance would
    assert harness.refuse(cases.propose, PROPOSE, "left1") == "kernel.NOT_AUTHORIZED"
    assert propose(harness, "left1", "left2") is State.OFFERED


@pytest.mark.parametrize("names", [("left1",), ("left1", "left2")])
def test_a_proposal_is_declined_or_withdrawn(harness, names):
    for command, function, name in (
        (Decline(PAIR, RIGHT, FIRST), cases.decline, "right1"),
        (Withdraw(PAIR, LEFT, FIRST), cases.withdraw, "left3"),
    ):
        assert harness.refuse(function, command, name) == Code.WRONG_STATE
        propose(harness, *names)
        wrong = changed(command, bank=LEFT if command.bank == RIGHT else RIGHT)
        other = "left1" if name == "right1" else "right1"
        assert harness.refuse(function, wrong, other) == Code.WRONG_PARTY
        event = harness.do(function, command, name)[0]
        assert (event.state, event.kind, event.terms) == (State.OPEN, Kind.CORRECT, TERMS)
        assert (get(harness).proposer, get(harness).terms) == (b"", ZERO_HASH)


def test_neither_party_keeps_the_other_from_its_turn(harness):
    """Whoever waits for a second officer can be stopped by the other party."""
    propose(harness, "right1")
    assert harness.refuse(cases.propose, PROPOSE, "left1", "left2") == Code.WRONG_STATE
    harness.do(cases.decline, Decline(PAIR, LEFT, FIRST), "left1")
    propose(harness, "left1", "left2")
    harness.do(cases.accept, ACCEPT, "right1")
    harness.do(cases.withdraw, Withdraw(PAIR, LEFT, FIRST), "left1")
    propose(harness, "left1", "left2")
    harness.do(cases.accept, ACCEPT, "right1")
    harness.do(cases.decline, Decline(PAIR, RIGHT, FIRST), "right2")
    assert get(harness).state is State.OPEN


def test_accepting_is_the_other_partys_and_of_what_is_offered(harness):
    assert harness.refuse(cases.accept, ACCEPT, "right1") == Code.WRONG_STATE
    propose(harness, "left1")
    assert harness.refuse(cases.accept, ACCEPT, "right1") == Code.WRONG_STATE
    theirs = Confirm(PAIR, RIGHT, FIRST, TERMS)
    assert harness.refuse(cases.confirm, theirs, "right1") == Code.WRONG_PARTY
    confirm(harness, "left2")
    own = changed(ACCEPT, bank=LEFT)
    assert harness.refuse(cases.accept, own, "left3") == Code.WRONG_PARTY


def test_a_dispute_takes_nobodys_consent_and_stands_until_it_is_resolved(harness):
    assert propose(harness, "right1", kind=Kind.DISPUTE, terms=OTHER) is State.PROPOSED
    assert confirm(harness, "right2", terms=OTHER) is State.DISPUTED
    propose(harness, "left1", "left2")
    harness.do(cases.withdraw, Withdraw(PAIR, LEFT, FIRST), "left1")
    row = get(harness)
    assert (row.state, row.disputed) == (State.DISPUTED, OTHER)
    propose(harness, "left1")
    event = harness.do(cases.decline, Decline(PAIR, RIGHT, FIRST), "right1")[0]
    assert event.state is State.DISPUTED
    propose(harness, "left1", "left2")
    assert harness.do(cases.accept, ACCEPT, "right1", "right2")[0].state is State.RESOLVED
    assert get(harness).disputed == OTHER


def test_what_both_state_to_be_matched_is_healed(harness):
    harness.do(cases.open_case, Open(PAIR, RIGHT, 0, SECOND), "right1")
    propose(harness, "left1", "left2")
    harness.do(cases.accept, ACCEPT, "right1", "right2")
    post(harness, "right", 0, 2)
    healed = (FIRST, SECOND, SECOND, OTHER)
    events = state(harness, 0, *healed)[1]
    assert events[2:] == [Healed(NO_MONEY, PAIR, SECOND)]
    assert [get(harness, each).state for each in (FIRST, SECOND)] == [State.RESOLVED, State.HEALED]


@pytest.mark.parametrize("is_disputed", [True, False])
def test_a_later_window_heals_too_whatever_was_proposed(harness, is_disputed):
    state(harness, 0)
    propose(harness, "left1", "left2", kind=Kind.DISPUTE if is_disputed else Kind.REVERSE)
    advance(harness, 2)
    events = state(harness, 1, FIRST)[1]
    assert events[2:] == [Healed(NO_MONEY, PAIR, FIRST)]
    assert get(harness).disputed == ZERO_HASH


def test_a_case_is_swept_after_it_was_closed_or_its_agreement_is_over(harness):
    harness.do(cases.open_case, Open(PAIR, RIGHT, 0, SECOND), "right1")
    pass_keep_time(harness)
    sweep, other = Sweep(PAIR, FIRST), Sweep(PAIR, SECOND)
    assert harness.refuse(cases.sweep, sweep, "eve") == Code.STILL_ON_RECORD
    propose(harness, "left1", "left2")
    harness.do(cases.accept, ACCEPT, "right1", "right2")
    harness.pass_time(KEEP_DAYS * DAY_MS)
    assert harness.refuse(cases.sweep, sweep, "eve") == Code.STILL_ON_RECORD
    harness.pass_time(1)
    assert harness.do(cases.sweep, sweep, "eve") == [Swept(NO_MONEY, PAIR, FIRST)]
    assert harness.refuse(cases.sweep, sweep, "eve") == Code.UNKNOWN_CASE
    harness.do(agreements.end, agreements.End(PAIR, RIGHT), "right1")
    assert harness.refuse(cases.sweep, other, "eve") == Code.STILL_ON_RECORD
    pass_keep_time(harness)
    harness.do(cases.sweep, other, "eve")
    tags = tuple(number.to_bytes(16, "big") for number in (1, 2))
    harness.do(reconciliation.sweep, reconciliation.Sweep(PAIR, 0, tags, ()), "eve")
    harness.do(agreements.sweep, agreements.Sweep(PAIR), "eve")
    assert not [key for key in harness.rows if key[:2] in (b"ra", b"rp", b"rw", b"rt", b"bk")]


def test_every_state_but_the_last_ones_can_be_left():
    left = {before for before, _ in LIFE_CYCLE}
    assert set(State) - left == {State.RESOLVED, State.HEALED}
