"""What an issuer decides comes to the ledger once, whatever fails on the way and whenever."""

import asyncio
from urllib.parse import urlsplit

import pytest
from tests.unit.node.identity.issuer.ledger.playing import (
    ISSUER,
    LEDGER,
    LENGTH,
    NOW,
    Ledger,
    Office,
)

from hansa.contracts.identity import evidence, status
from hansa.contracts.identity.status import Bits, Status
from hansa.identity.naming import ListName, read_list_url
from hansa.identity.status.token_list import verify_jwt_list
from hansa.identity.verifier.judgement import compute_anchor
from hansa.kernel.errors import Refused, Unavailable
from hansa.node.identity.issuer.app import create_app
from hansa.node.identity.issuer.ledger.delivery import HELD_S, Outcome
from hansa.node.identity.issuer.ledger.running import run_alone


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def office(tmp_path, ledger):
    found = Office(tmp_path, ledger)
    yield found
    found.service.close()


@pytest.fixture
def issued(office):
    """An office that has issued five credentials under a list on the ledger."""
    office.settle()
    office.issue(5)
    return office


def get(office, number):
    """Where the ledger says that a credential stands."""
    return office.ledger.get_status(office.service.get_issued(number).status)


def test_the_list_is_made_before_a_credential_names_it(office, ledger):
    with pytest.raises(Unavailable, match="list is not on the ledger"):
        office.issue()
    assert office.settle() == 1
    row = status.get_list(ledger.contracts.view, ISSUER, 1)
    assert (row.bits, row.length) == (Bits.TWO, LENGTH)
    office.issue()
    place = office.service.get_issued(1).status
    assert read_list_url(place.uri) == ListName(ISSUER, 1)


def test_who_knows_no_ledger_reads_the_same_status_in_what_the_issuer_serves(office):
    """The address that a credential names leads to a signed list that says what the ledger does."""
    office.settle()
    office.issue()
    office.service.revoke(1, NOW)
    office.settle()
    place = office.service.get_issued(1).status
    assert get(office, 1) == Status.INVALID

    async def list_paths():
        return {each.canonical for each in create_app(office.service).router.resources()}

    path = urlsplit(place.uri).path
    assert path.replace("/1", "/{number}") in asyncio.run(list_paths())
    token = office.service.writer.sign_list(1, NOW)
    listed = verify_jwt_list(
        token, office.service.identity.signer.public_key, place.uri, NOW // 1_000
    )
    assert listed.entries.get(place.index) == Status.INVALID


def test_the_next_list_is_made_ahead(office, ledger):
    office.settle()
    office.issue(LENGTH // 2)
    assert status.get_list(ledger.contracts.view, ISSUER, 2) is None
    office.settle()
    assert status.get_list(ledger.contracts.view, ISSUER, 2) is not None
    office.issue(LENGTH // 4)
    ledger.away = True
    with pytest.raises(Unavailable, match="list is not on the ledger"):
        office.issue(LENGTH)


@pytest.mark.parametrize(
    ("decisions", "wanted"),
    [
        (["revoke"], Status.INVALID),
        (["suspend"], Status.SUSPENDED),
        (["suspend", "reinstate"], Status.VALID),
        (["suspend", "revoke"], Status.INVALID),
        (["suspend", "reinstate", "suspend"], Status.SUSPENDED),
    ],
)
@pytest.mark.parametrize("is_settled_between", [True, False])
def test_a_decision_comes_to_the_ledger(issued, decisions, wanted, is_settled_between):
    for decision in decisions:
        listed = getattr(issued.service, decision)(3, NOW)
        if listed.progress is not None:
            assert "on its way" in listed.progress.describe(decision)
        if is_settled_between:
            issued.settle()
    issued.settle()
    assert get(issued, 3) is wanted
    progress = issued.service.get_issued(3).progress
    assert progress is None or progress.describe("x") == f"confirmed at height {progress.height}"
    assert [get(issued, number) for number in (1, 2, 4, 5)] == [Status.VALID] * 4
    assert issued.ledger.refusals == 0


def test_many_decisions_go_in_one_transaction(issued, ledger):
    for number in (5, 1, 2):
        issued.service.revoke(number, NOW)
    before = len(ledger.sent)
    issued.settle()
    assert len(ledger.sent) == before + 1
    assert {get(issued, number) for number in (1, 2, 5)} == {Status.INVALID}


def test_a_decision_that_is_taken_back_on_the_way_is_not_lost(issued, ledger):
    issued.service.suspend(1, NOW)
    ledger.deaf = True
    assert issued.step() is Outcome.TROUBLED  # it is on the ledger, and we have not heard
    issued.service.reinstate(1, NOW)
    ledger.deaf = False
    issued.settle()
    assert get(issued, 1) is Status.VALID
    issued.service.revoke(1, NOW)
    issued.kill()
    issued.settle()
    assert get(issued, 1) is Status.INVALID


def test_killed_after_the_decision_before_anything_is_sent(issued):
    issued.service.revoke(2, NOW)
    issued.kill()
    assert issued.service.get_issued(2).progress.describe("revocation") == "revocation on its way"
    issued.settle()
    assert get(issued, 2) is Status.INVALID


@pytest.mark.parametrize("fault", ["away", "deaf"])
@pytest.mark.parametrize("is_killed", [True, False])
def test_killed_or_cut_off_between_note_submission_and_confirmation(issued, fault, is_killed):
    issued.service.revoke(2, NOW)
    ledger, sign = issued.ledger, issued.ledger.sign

    async def sign_then_fail(command):
        signed = await sign(command)
        setattr(ledger, fault, True)
        return signed

    ledger.sign = sign_then_fail
    assert issued.step() is Outcome.TROUBLED
    ledger.sign = sign
    assert "on its way (" in issued.service.get_issued(2).progress.describe("revocation")
    if is_killed:
        issued.kill()
    setattr(ledger, fault, False)
    before = len(ledger.sent)
    issued.settle()
    assert get(issued, 2) is Status.INVALID
    assert len(ledger.sent) == before  # the same transaction, not another
    assert ledger.refusals == 0
    assert issued.service.get_issued(2).progress.height


@pytest.mark.parametrize("has_arrived", [True, False])
def test_what_became_too_old_meanwhile_is_looked_for_and_else_sent_anew(issued, has_arrived):
    issued.service.revoke(2, NOW)
    ledger = issued.ledger
    if has_arrived:
        ledger.deaf = True
    else:
        ledger.expired = True
    find = ledger.find_result

    async def find_nothing(_):
        raise Unavailable("killed here")

    ledger.find_result = find_nothing
    assert issued.step() is Outcome.TROUBLED
    ledger.find_result = find
    issued.kill()
    ledger.deaf, ledger.expired = False, True
    assert issued.step() is Outcome.DONE
    ledger.expired = False
    issued.settle()
    assert get(issued, 2) is Status.INVALID
    assert ledger.refusals == 0
    assert len(ledger.sent) == (2 if has_arrived else 3)


def test_what_was_done_by_hand_counts_as_done(issued, ledger):
    places = [issued.service.get_issued(number).status.index for number in (1, 2, 3)]
    ledger.do(status.Revoke(ISSUER, 1, (places[0],)))
    ledger.do(status.Suspend(ISSUER, 1, (places[2],)))
    for number in (1, 2):
        issued.service.revoke(number, NOW)
    issued.service.suspend(3, NOW)
    ledger.lag = 2
    outcomes = [issued.step() for _ in range(3)]
    assert outcomes[-1] is Outcome.WAITING  # what is proved is older than the refusal
    assert "on its way" in issued.service.get_issued(1).progress.describe("revocation")
    ledger.lag = 0
    issued.settle()
    found = [get(issued, number) for number in (1, 2, 3)]
    assert found == [Status.INVALID, Status.INVALID, Status.SUSPENDED]
    assert all(issued.service.get_issued(number).progress.height for number in (1, 2, 3))


def test_what_others_revoked_is_not_reinstated_in_vain_for_ever(issued, ledger):
    issued.service.suspend(1, NOW)
    issued.settle()
    ledger.do(status.Revoke(ISSUER, 1, (issued.service.get_issued(1).status.index,)))
    issued.service.reinstate(1, NOW)
    issued.settle()
    listed = issued.service.get_issued(1)
    assert get(issued, 1) is Status.INVALID
    assert listed.issued.status is Status.INVALID
    with pytest.raises(Refused):
        issued.service.reinstate(1, NOW)


def test_what_a_rule_refuses_waits_and_the_reason_is_told(issued, ledger):
    ledger.signer = b"\x07" * 32
    issued.service.revoke(1, NOW)
    assert issued.step() is Outcome.TROUBLED
    told = issued.service.get_issued(1).progress.describe("revocation")
    assert "refuses it" in told
    assert issued.step() is Outcome.IDLE  # not again and again
    issued.kill()
    assert "refuses it" in issued.service.get_issued(1).progress.describe("revocation")
    ledger.signer = ISSUER
    issued.clock_s += HELD_S + 1
    issued.settle()
    assert get(issued, 1) is Status.INVALID


def test_a_refusal_of_one_keeps_no_other_back(issued, ledger):
    ledger.do(status.CreateList(ISSUER, 2, Bits.ONE, LENGTH))  # somebody made it by hand
    with issued.service.records.at_once():
        issued.service.wants.want_status(9, LENGTH + 5, Status.SUSPENDED)
    issued.service.suspend(1, NOW)
    issued.settle()
    assert get(issued, 1) is Status.SUSPENDED
    progress = issued.service.wants.get_progress(2, 9)
    assert "CANNOT_SUSPEND" in progress.describe("suspension")


def test_a_list_that_is_there_already_is_taken_and_another_is_not(tmp_path):
    ledger = Ledger()
    ledger.do(status.CreateList(ISSUER, 1, Bits.TWO, LENGTH))
    office = Office(tmp_path / "one", ledger)
    office.settle()
    assert office.service.wants.has_room()
    office.service.close()
    ledger = Ledger()
    ledger.do(status.CreateList(ISSUER, 1, Bits.TWO, 100))
    office = Office(tmp_path / "other", ledger)
    assert [office.step(), office.step()] == [Outcome.DONE, Outcome.TROUBLED]
    assert "has 100 places and not 1024" in office.delivery.trouble.message
    office.service.close()


def test_what_was_decided_before_there_was_a_ledger_is_adopted(tmp_path, ledger):
    office = Office(tmp_path, ledger, more="")
    office.issue(4)
    office.service.revoke(1, NOW)
    office.service.suspend(2, NOW)
    assert office.service.get_issued(1).progress is None
    office.configure(LEDGER)
    assert office.service.wants.adopt() == 2
    assert office.service.wants.adopt() == 0
    office.settle()
    found = [get(office, number) for number in (1, 2, 3, 4)]
    assert found == [Status.INVALID, Status.SUSPENDED, Status.VALID, Status.VALID]
    office.service.close()


def test_anchors_come_in_the_background_many_at_once(tmp_path, ledger):
    office = Office(
        tmp_path,
        ledger,
        edit=lambda text: text.replace("validity_days", "anchor = true\nvalidity_days"),
    )
    office.settle()
    credentials = office.issue(300)
    digests = [compute_anchor(each.partition("~")[0].encode()) for each in credentials]
    ledger.do(evidence.Notarise(ISSUER, digests[7], 0, ()))  # somebody did it by hand
    assert office.service.get_issued(1).anchor.describe("anchor") == "anchor on its way"
    before = len(ledger.sent)
    office.kill()
    office.settle()
    assert all(map(ledger.is_anchored, digests))
    assert len(ledger.sent) <= before + 3
    assert office.service.get_issued(300).anchor.height
    office.service.close()


def test_no_ledger_is_asked_for_nothing(issued, ledger):
    issued.service.suspend(1, NOW)
    before = len(ledger.sent)
    issued.service.reinstate(1, NOW)
    assert issued.settle() == 0
    assert len(ledger.sent) == before
    assert issued.service.get_issued(1).progress is None


def test_what_a_node_only_says_is_not_confirmed(issued, ledger):
    issued.service.revoke(1, NOW)
    ledger.lying = True
    assert [issued.step() for _ in range(4)] == [Outcome.DONE, Outcome.WAITING] * 2
    assert not issued.service.get_issued(1).progress.height
    ledger.lying = False
    issued.settle()
    assert get(issued, 1) is Status.INVALID
    assert issued.service.get_issued(1).progress.height


def test_a_disk_that_is_full_ends_no_delivery(issued):
    issued.service.revoke(1, NOW)
    run, waits = run_alone(issued.service.records), []

    async def run_badly(work):
        if not waits:
            raise Unavailable("the disk is full")
        return await run(work)

    async def pause(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            raise StopAsyncIteration

    with pytest.raises(StopAsyncIteration):
        asyncio.run(issued.delivery.deliver(run_badly, pause))
    assert get(issued, 1) is Status.INVALID


def test_a_node_that_is_away_is_asked_less_and_less_often(issued, ledger):
    issued.service.revoke(1, NOW)
    ledger.away = True
    waits = []

    async def pause(seconds):
        waits.append(seconds)
        if len(waits) == 8:
            raise StopAsyncIteration

    with pytest.raises(StopAsyncIteration):
        asyncio.run(issued.delivery.deliver(run_alone(issued.service.records), pause))
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
