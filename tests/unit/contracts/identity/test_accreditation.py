"""Accreditation: who lets whom issue what, and what is found of it at any time."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts import council
from tests.unit.contracts.harness import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    Harness,
    make_address,
    make_genesis,
    make_key,
    make_member,
)

from hansa.contracts import accounts, governance, members
from hansa.contracts.actions import Action
from hansa.contracts.identity import accreditation, schemas
from hansa.contracts.identity.accreditation import (
    NETWORK,
    Accredit,
    Accredited,
    Code,
    Fault,
    Grant,
    PastGrant,
    Reason,
    Reinstate,
    Reinstated,
    Revoke,
    Revoked,
    State,
    Suspend,
    Suspended,
)
from hansa.kernel.authority import ALL_PURPOSES, Purpose
from hansa.kernel.contract import NO_MONEY
from hansa.kernel.crypto.hashing import ZERO_HASH

TYPE = "diploma"
MINISTRY, BOARD, SCHOOL, CLUB, EVE = (
    make_address(name) for name in ("ministry", "board", "school", "club", "eve")
)
END_MS = START_MS + 365 * DAY_MS
TEXT = bytes([7]) * 32
NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"
NAMES = {MINISTRY: "ministry", BOARD: "board", SCHOOL: "school", CLUB: "club", EVE: "eve"}
DECIDED = (Reason.BREACH, TEXT)


def make_accredit(granter, issuer, levels=0, **changes) -> Accredit:
    command = Accredit(granter, issuer, TYPE, levels, START_MS, END_MS)
    return msgspec.structs.replace(command, **changes)


def do(harness, command):
    """Have the granter do it: by its key, or the network by a vote."""
    if command.granter != NETWORK:
        function = accreditation.COMMANDS[type(command).__name__.lower()][1]
        return harness.do(function, command, NAMES[command.granter])
    is_grant = isinstance(command, Accredit)
    approved = accreditation.accredit_approved if is_grant else accreditation.judge_approved
    return harness.do(approved, command)


def refuse(harness, command, signer="") -> str:
    function = accreditation.COMMANDS[type(command).__name__.lower()][1]
    return harness.refuse(function, command, signer or NAMES[command.granter])


@pytest.fixture
def harness():
    """The network lets the ministry accredit two levels deep, the ministry a board one."""
    people = [
        make_member("bank", "central_bank", "validator", weight=1),
        make_member("ministry", "department"),
    ]
    harness = Harness(make_genesis(people), members.install)
    for name in (TYPE, "licence"):
        command = schemas.Publish(MINISTRY, name, 1, "{}", "[]")
        harness.do(schemas.publish, command, "ministry")
    do(harness, make_accredit(NETWORK, MINISTRY, 2))
    do(harness, make_accredit(MINISTRY, BOARD, 1))
    do(harness, make_accredit(BOARD, SCHOOL))
    return harness


def find(harness, issuer=SCHOOL, time_ms=None, name=TYPE) -> accreditation.Standing:
    harness.view.begin()
    at_ms = harness.time_ms if time_ms is None else time_ms
    return accreditation.find_standing(harness.view, issuer, name, at_ms)


def test_a_chain_of_grants_leads_to_the_network(harness):
    assert harness.events[-1] == Accredited(NO_MONEY, BOARD, SCHOOL, TYPE, 0, START_MS, END_MS)
    standing = find(harness)
    assert standing.fault is None
    assert [grant.granter for grant in standing.chain] == [BOARD, MINISTRY, NETWORK]
    assert (standing.at, standing.since_ms, standing.suspended_since_ms) == (SCHOOL, START_MS, 0)
    school = harness.view.get(Grant, SCHOOL, TYPE)
    assert school == Grant(SCHOOL, TYPE, BOARD, State.GRANTED, 0, START_MS, END_MS, 1, START_MS)


def test_nobody_is_accredited_for_another_type_or_without_a_grant(harness):
    for issuer, name in ((SCHOOL, "licence"), (EVE, TYPE), (NETWORK, TYPE)):
        standing = find(harness, issuer, name=name)
        assert standing == (Fault.NEVER, issuer, 0, (), 0)


def test_accrediting_is_refused_by_the_first_rule_that_applies(harness):
    wrong = make_accredit(SCHOOL, EVE, credential_type="nothing", until_ms=START_MS)
    assert refuse(harness, wrong, "eve") == NOT_AUTHORIZED
    assert refuse(harness, wrong) == Code.WRONG_TIME
    late = msgspec.structs.replace(wrong, from_ms=END_MS, until_ms=END_MS)
    assert refuse(harness, late) == Code.WRONG_TIME
    unknown = msgspec.structs.replace(wrong, until_ms=END_MS)
    assert refuse(harness, unknown) == Code.UNKNOWN_TYPE
    assert refuse(harness, make_accredit(SCHOOL, MINISTRY)) == Code.NOT_ENTITLED
    assert harness.facts == {"may_accredit": 0, "fault": ""}
    assert refuse(harness, make_accredit(BOARD, EVE, 1)) == Code.NOT_ENTITLED
    assert refuse(harness, make_accredit(EVE, CLUB)) == Code.NOT_ENTITLED
    assert harness.facts["fault"] == "never"
    assert refuse(harness, make_accredit(BOARD, MINISTRY)) == Code.NOT_GRANTER
    assert refuse(harness, make_accredit(MINISTRY, SCHOOL)) == Code.NOT_GRANTER
    do(harness, Suspend(BOARD, SCHOOL, TYPE, *DECIDED))
    assert refuse(harness, make_accredit(BOARD, SCHOOL)) == Code.WRONG_STATE
    assert refuse(harness, make_accredit(MINISTRY, SCHOOL)) == Code.NOT_GRANTER


def test_a_grant_is_suspended_reinstated_and_revoked_with_a_reason(harness):
    steps = ((Suspend, Suspended), (Reinstate, Reinstated), (Suspend, Suspended))
    for command, event in steps:
        harness.pass_time(HOUR_MS)
        told = do(harness, command(BOARD, SCHOOL, TYPE, *DECIDED))
        assert told == [event(NO_MONEY, BOARD, SCHOOL, TYPE, *DECIDED)]
    suspended = harness.get(Grant, SCHOOL, TYPE)
    assert (suspended.state, suspended.version) == (State.SUSPENDED, 4)
    assert (suspended.reason, suspended.reason_hash) == DECIDED
    harness.pass_time(HOUR_MS)
    assert do(harness, Revoke(BOARD, SCHOOL, TYPE, *DECIDED)) == [
        Revoked(NO_MONEY, BOARD, SCHOOL, TYPE, *DECIDED)
    ]
    assert harness.get(PastGrant, SCHOOL, TYPE, 4) == PastGrant(
        SCHOOL, TYPE, 4, suspended, harness.time_ms
    )
    for command in (Suspend, Reinstate, Revoke):
        assert refuse(harness, command(BOARD, SCHOOL, TYPE, *DECIDED)) == Code.WRONG_STATE
    do(harness, make_accredit(BOARD, SCHOOL))
    anew = harness.get(Grant, SCHOOL, TYPE)
    assert (anew.reason, anew.reason_hash) == (Reason.UNSPECIFIED, ZERO_HASH)


def test_judging_is_refused_by_the_first_rule_that_applies(harness):
    for command in (Suspend, Reinstate, Revoke):
        unknown = command(MINISTRY, EVE, TYPE, *DECIDED)
        assert refuse(harness, unknown, "eve") == NOT_AUTHORIZED
        assert refuse(harness, unknown) == Code.UNKNOWN_GRANT
        assert refuse(harness, command(MINISTRY, SCHOOL, TYPE, *DECIDED)) == Code.NOT_GRANTER
    assert refuse(harness, Reinstate(BOARD, SCHOOL, TYPE, *DECIDED)) == Code.WRONG_STATE


def test_what_the_network_decides_only_the_network_changes(harness):
    do(harness, Suspend(NETWORK, SCHOOL, TYPE, *DECIDED))
    assert refuse(harness, Reinstate(BOARD, SCHOOL, TYPE, *DECIDED)) == Code.NOT_GRANTER
    do(harness, Reinstate(NETWORK, SCHOOL, TYPE, *DECIDED))
    assert [grant.granter for grant in find(harness).chain] == [NETWORK]


def test_the_answer_at_a_time_is_what_held_then(harness):
    """Each link as it was at that moment; the first that was wrong is named."""
    times = {}
    for name, command in (
        ("suspended", Suspend(MINISTRY, BOARD, TYPE, *DECIDED)),
        ("reinstated", Reinstate(MINISTRY, BOARD, TYPE, *DECIDED)),
        ("revoked", Revoke(BOARD, SCHOOL, TYPE, *DECIDED)),
    ):
        harness.pass_time(DAY_MS)
        times[name] = harness.time_ms
        do(harness, command)
    harness.pass_time(DAY_MS)
    wanted = {
        START_MS - 1: (Fault.NOT_YET, SCHOOL, START_MS),
        START_MS: (None, SCHOOL, START_MS),
        times["suspended"] - 1: (None, SCHOOL, START_MS),
        times["suspended"]: (Fault.SUSPENDED, BOARD, times["suspended"]),
        times["reinstated"] - 1: (Fault.SUSPENDED, BOARD, times["suspended"]),
        times["reinstated"]: (None, SCHOOL, START_MS),
        times["revoked"]: (Fault.REVOKED, SCHOOL, times["revoked"]),
        harness.time_ms: (Fault.REVOKED, SCHOOL, times["revoked"]),
    }
    for time_ms, told in wanted.items():
        standing = find(harness, time_ms=time_ms)
        assert standing[:3] == told
        assert standing.suspended_since_ms == times["revoked"]


def test_who_is_suspended_now_is_known_when_the_past_is_asked_for(harness):
    """For what a suspended issuer, or one below it, dates back to a time when all was well."""
    harness.pass_time(DAY_MS)
    do(harness, Suspend(NETWORK, MINISTRY, TYPE, *DECIDED))
    suspended_ms = harness.time_ms
    harness.pass_time(DAY_MS)
    do(harness, Suspend(BOARD, SCHOOL, TYPE, *DECIDED))
    standing = find(harness, time_ms=START_MS)
    assert (standing.fault, standing.suspended_since_ms) == (None, suspended_ms)
    do(harness, Reinstate(NETWORK, MINISTRY, TYPE, Reason.CLEARED, TEXT))
    assert find(harness, time_ms=START_MS).suspended_since_ms == harness.time_ms
    do(harness, Reinstate(BOARD, SCHOOL, TYPE, Reason.CLEARED, TEXT))
    assert find(harness, time_ms=suspended_ms)[:2] == (Fault.SUSPENDED, MINISTRY)


def test_a_grant_counts_within_its_dates_and_never_before_it_was_recorded(harness):
    from_ms, until_ms = START_MS + DAY_MS, START_MS + 2 * DAY_MS
    do(harness, make_accredit(BOARD, CLUB, from_ms=from_ms, until_ms=until_ms))
    early = make_accredit(BOARD, EVE, from_ms=0)
    harness.pass_time(HOUR_MS)
    do(harness, early)
    assert find(harness, EVE, START_MS)[:3] == (Fault.NOT_YET, EVE, START_MS + HOUR_MS)
    assert find(harness, EVE).fault is None
    for time_ms, told in {
        from_ms - 1: (Fault.NOT_YET, CLUB, from_ms),
        from_ms: (None, CLUB, START_MS),
        until_ms: (None, CLUB, START_MS),
        until_ms + 1: (Fault.EXPIRED, CLUB, until_ms),
        END_MS + 1: (Fault.EXPIRED, CLUB, until_ms),
    }.items():
        assert find(harness, CLUB, time_ms)[:3] == told
    assert find(harness, SCHOOL, END_MS + 1)[:3] == (Fault.EXPIRED, SCHOOL, END_MS)
    do(harness, make_accredit(MINISTRY, BOARD, 1, until_ms=from_ms))
    assert find(harness, SCHOOL, from_ms + 1)[:3] == (Fault.EXPIRED, BOARD, from_ms)


def test_who_may_accredit_less_deeply_than_before_takes_others_down_with_it(harness):
    do(harness, make_accredit(NETWORK, MINISTRY, 1))
    standing = find(harness)
    assert standing[:2] == (Fault.NOT_ENTITLED, MINISTRY)
    assert [grant.issuer for grant in standing.chain] == [SCHOOL, BOARD]
    assert find(harness, BOARD)[:2] == (Fault.NOT_ENTITLED, MINISTRY)
    assert find(harness, MINISTRY).fault is None
    assert refuse(harness, make_accredit(BOARD, CLUB)) == Code.NOT_ENTITLED
    assert harness.facts["fault"] == "not_entitled"
    do(harness, make_accredit(NETWORK, MINISTRY, 3))
    assert find(harness).fault is None


def test_a_grant_that_lapsed_is_free_for_another_granter(harness):
    do(harness, make_accredit(NETWORK, EVE, 1))
    taken = make_accredit(EVE, SCHOOL)
    assert refuse(harness, taken) == Code.NOT_GRANTER
    do(harness, Suspend(MINISTRY, BOARD, TYPE, *DECIDED))
    assert refuse(harness, taken) == Code.NOT_GRANTER
    do(harness, Revoke(MINISTRY, BOARD, TYPE, *DECIDED))
    assert refuse(harness, taken) == "kernel.NOT_AUTHORIZED"
    harness.do(accreditation.accredit, taken, "eve", "school")
    assert [grant.granter for grant in find(harness).chain] == [EVE, NETWORK]
    until_ms = harness.time_ms + HOUR_MS
    do(harness, make_accredit(EVE, CLUB, until_ms=until_ms))
    later = make_accredit(MINISTRY, CLUB)
    assert refuse(harness, later) == Code.NOT_GRANTER
    harness.pass_time(HOUR_MS + 1)
    harness.do(accreditation.accredit, later, "ministry", "club")


def test_what_was_revoked_or_begins_later_is_free_for_nobody(harness):
    do(harness, make_accredit(NETWORK, EVE, 1))
    do(harness, Revoke(BOARD, SCHOOL, TYPE, *DECIDED))
    do(harness, make_accredit(BOARD, CLUB, from_ms=START_MS + DAY_MS))
    for issuer in (SCHOOL, CLUB):
        assert refuse(harness, make_accredit(EVE, issuer)) == Code.NOT_GRANTER
        do(harness, make_accredit(NETWORK, issuer))


@pytest.mark.parametrize("word", ["", "suspend", "revoke", "lapse"])
def test_the_network_takes_over_whoever_granted_first_and_wherever_that_stands(harness, word):
    """Who may accredit could be first to grant, suspend, and so keep an issuer from all others."""
    do(harness, make_accredit(NETWORK, EVE, 1))
    do(harness, make_accredit(EVE, CLUB, until_ms=harness.time_ms + DAY_MS))
    if word == "lapse":
        harness.pass_time(2 * DAY_MS)
    elif word:
        judgement = accreditation.COMMANDS[word][0]
        do(harness, judgement(EVE, CLUB, TYPE, *DECIDED))
    if word != "lapse":
        assert refuse(harness, make_accredit(BOARD, CLUB)) == Code.NOT_GRANTER
    do(harness, make_accredit(NETWORK, CLUB, 1))
    found = find(harness, CLUB)
    assert (found.fault, [each.granter for each in found.chain]) == (None, [NETWORK])
    assert found.suspended_since_ms == 0
    for command in (Suspend(EVE, CLUB, TYPE, *DECIDED), make_accredit(EVE, CLUB)):
        assert refuse(harness, command) == Code.NOT_GRANTER


def test_the_network_reinstates_what_it_has_suspended_before_it_grants_anew(harness):
    do(harness, Suspend(NETWORK, MINISTRY, TYPE, *DECIDED))
    command = make_accredit(NETWORK, MINISTRY, 2)
    assert harness.refuse(accreditation.accredit_approved, command) == Code.WRONG_STATE


def test_the_network_decides_by_proposals():
    harness = council.make_harness()
    publish = schemas.Publish(council.OPERATOR, TYPE, 1, "{}", "[]")
    harness.do(schemas.publish, publish, "operator")
    command = make_accredit(NETWORK, SCHOOL)
    told = council.decide(harness, Action.of("accredit", command))
    assert told[0] == Accredited(NO_MONEY, NETWORK, SCHOOL, TYPE, 0, START_MS, END_MS)
    for word in ("suspend", "reinstate", "revoke"):
        judgement = accreditation.COMMANDS[word][0](NETWORK, SCHOOL, TYPE, *DECIDED)
        council.decide(harness, Action.of(f"{word}_accreditation", judgement))
    assert find(harness).fault is Fault.REVOKED


def test_a_proposal_grants_for_the_network_only(harness):
    """Also past the check of proposals: what is carried out asks nobody's key."""
    proposing = council.make_harness()
    for word, (command, function) in accreditation.APPROVED.items():
        sample = {Accredit: make_accredit(BOARD, CLUB)}.get(command)
        sample = sample or command(BOARD, SCHOOL, TYPE, *DECIDED)
        proposal = governance.Propose(make_address("north"), Action.of(word, sample))
        assert proposing.refuse(governance.propose, proposal, "north") == Code.WRONG_GRANTER
        assert harness.refuse(function, sample, "board") == Code.WRONG_GRANTER


def test_nobody_signs_for_the_network(harness):
    for command in (make_accredit(NETWORK, CLUB), Revoke(NETWORK, SCHOOL, TYPE, *DECIDED)):
        assert refuse(harness, command, "ministry") == NOT_AUTHORIZED


def test_only_keys_that_may_manage_accredit(harness):
    keys = (
        make_key("head", Purpose.MANAGE),
        make_key("desk", ALL_PURPOSES & ~Purpose.MANAGE),
    )
    harness.do(accounts.create, accounts.Create(BOARD, keys, 1), "board", "head")
    for function, command in (
        (accreditation.accredit, make_accredit(BOARD, CLUB)),
        (accreditation.judge, Suspend(BOARD, SCHOOL, TYPE, *DECIDED)),
    ):
        assert harness.refuse(function, command, "desk") == NOT_AUTHORIZED
        harness.do(function, command, "head")
