"""Consent: within whose bounds, signed by whom, and how it ends."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from tests.unit.contracts.harness import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    Harness,
    make_address,
    make_key,
)

from hansa.contracts import accounts
from hansa.contracts.identity import consent
from hansa.contracts.identity.consent import (
    DAYS_MAX,
    Code,
    Consent,
    Delegate,
    Exchanged,
    Give,
    Given,
    RecordExchange,
    Revoke,
    Revoked,
    Sweep,
    Swept,
)
from hansa.kernel.authority import ALL_PURPOSES, Purpose
from hansa.kernel.contract import NO_MONEY
from hansa.kernel.crypto.hashing import ZERO_HASH, crypto_profile

ANN, BANK, AGENT, TAXES, EVE = (
    make_address(name) for name in ("ann", "bank", "agent", "taxes", "eve")
)
TERMS, OTHER, DATA = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
UNTIL_MS = START_MS + 30 * DAY_MS
GIVE = Give(ANN, BANK, TERMS, START_MS, UNTIL_MS, 3, 2)


def compute_id(giver, terms):
    return consent.compute_id(giver, terms, crypto_profile("sha256").digest)


FIRST = compute_id(ANN, TERMS)
DELEGATE = Delegate(FIRST, AGENT, OTHER, START_MS, UNTIL_MS, 2, 1)
SECOND = compute_id(BANK, OTHER)
NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"


@pytest.fixture
def harness():
    """What ann allows the bank, three times, and the bank an agent, twice."""
    harness = Harness()
    harness.do(consent.give, GIVE, "ann")
    harness.do(consent.delegate, DELEGATE, "bank")
    return harness


def get(harness, consent_id) -> Consent:
    found = consent.find_consent(harness.view, consent_id, harness.time_ms)
    assert found is not None
    return found


def changed(command, **changes):
    return msgspec.structs.replace(command, **changes)


def exchange(harness, consent_id, *signers, provider=TAXES) -> str:
    command = RecordExchange(consent_id, provider, DATA)
    return harness.attempt(consent.record_exchange, command, *signers)


def test_a_consent_is_named_by_its_giver_and_terms():
    harness = Harness()
    events = harness.do(consent.give, GIVE, "ann", sponsor="north")
    assert hashlib.sha256(b"hansa\x00consent\x00" + ANN + TERMS).digest() == FIRST
    assert events == [Given(NO_MONEY, FIRST, ANN, ANN, BANK, UNTIL_MS)]
    north = make_address("north")
    row = Consent(FIRST, ANN, ANN, BANK, TERMS, START_MS, UNTIL_MS, 3, 2, ZERO_HASH, north, 0, 0)
    assert get(harness, FIRST) == row


def test_giving_asks_for_the_holders_key_two_parties_a_time_and_new_terms(harness):
    wrong = changed(GIVE, recipient=ANN, until_ms=START_MS)
    assert harness.refuse(consent.give, wrong, "bank") == NOT_AUTHORIZED
    assert harness.refuse(consent.give, wrong, "ann") == Code.SAME_PARTY
    latest_ms = START_MS + DAYS_MAX * DAY_MS
    for from_ms, until_ms in ((0, START_MS), (0, latest_ms + 1), (UNTIL_MS + 1, UNTIL_MS)):
        untimely = changed(GIVE, from_ms=from_ms, until_ms=until_ms)
        assert harness.refuse(consent.give, untimely, "ann") == Code.WRONG_TIME
    assert harness.refuse(consent.give, GIVE, "ann") == Code.CONSENT_EXISTS
    harness.do(consent.give, changed(GIVE, terms=OTHER, until_ms=latest_ms), "ann")


def test_a_consent_is_handed_on_by_its_recipient_within_its_bounds(harness):
    handed_on = get(harness, SECOND)
    assert harness.events[-1] == Given(NO_MONEY, SECOND, ANN, BANK, AGENT, UNTIL_MS)
    assert (handed_on.holder, handed_on.giver, handed_on.parent) == (ANN, BANK, FIRST)
    command = changed(DELEGATE, terms=DATA)
    wider = [
        changed(command, from_ms=START_MS - 1),
        changed(command, until_ms=UNTIL_MS + 1),
        changed(command, uses_max=4),
        changed(command, uses_max=0),
        changed(command, delegations=2),
    ]
    for each in wider:
        assert harness.refuse(consent.delegate, each, "bank") == Code.TOO_WIDE
    assert harness.facts["delegations"] == 1
    harness.do(consent.delegate, changed(command, uses_max=3), "bank")


def test_handing_on_is_refused_by_the_first_rule_that_applies(harness):
    wrong = changed(DELEGATE, recipient=BANK, until_ms=START_MS)
    unknown = changed(wrong, parent=DATA)
    assert harness.refuse(consent.delegate, unknown, "eve") == Code.UNKNOWN_CONSENT
    assert harness.refuse(consent.delegate, wrong, "ann", "agent") == NOT_AUTHORIZED
    assert harness.refuse(consent.delegate, wrong, "bank") == Code.SAME_PARTY
    untimely = changed(wrong, recipient=EVE)
    assert harness.refuse(consent.delegate, untimely, "bank") == Code.WRONG_TIME
    assert harness.refuse(consent.delegate, DELEGATE, "bank") == Code.CONSENT_EXISTS
    last = Delegate(SECOND, EVE, TERMS, START_MS, UNTIL_MS, 1, 0)
    harness.do(consent.delegate, last, "agent")
    further = changed(wrong, parent=compute_id(AGENT, TERMS), recipient=EVE)
    assert harness.refuse(consent.delegate, further, "eve") == Code.MAY_NOT_DELEGATE
    harness.do(consent.revoke, Revoke(FIRST, ANN), "ann")
    assert harness.refuse(consent.delegate, wrong, "bank") == Code.REVOKED


def test_both_sides_sign_an_exchange_and_it_counts_along_the_chain(harness):
    command = RecordExchange(SECOND, TAXES, DATA)
    for signers in (("taxes",), ("agent",), ("taxes", "bank"), ("ann", "agent")):
        assert harness.refuse(consent.record_exchange, command, *signers) == NOT_AUTHORIZED
    events = harness.do(consent.record_exchange, command, "taxes", "agent")
    assert events == [Exchanged(NO_MONEY, SECOND, TAXES, AGENT, DATA, 1)]
    assert [get(harness, each).uses for each in (FIRST, SECOND)] == [1, 1]
    assert exchange(harness, FIRST, "taxes", "bank") == ""
    assert [get(harness, each).uses for each in (FIRST, SECOND)] == [2, 1]
    assert exchange(harness, FIRST, "taxes", "bank") == ""
    assert exchange(harness, SECOND, "taxes", "agent") == Code.NO_USES_LEFT
    assert harness.facts["consent_id"] == FIRST


def test_a_consent_without_a_number_of_uses_never_runs_out():
    harness = Harness()
    harness.do(consent.give, changed(GIVE, uses_max=0), "ann")
    harness.do(consent.delegate, changed(DELEGATE, uses_max=1), "bank")
    for _ in range(20):
        assert exchange(harness, FIRST, "taxes", "bank") == ""
    assert exchange(harness, SECOND, "taxes", "agent") == ""
    assert exchange(harness, SECOND, "taxes", "agent") == Code.NO_USES_LEFT
    assert get(harness, FIRST).uses == 21


def test_an_exchange_is_refused_by_the_first_rule_that_applies(harness):
    assert exchange(harness, DATA, "agent") == NOT_AUTHORIZED
    assert exchange(harness, DATA, "taxes") == Code.UNKNOWN_CONSENT
    later = changed(GIVE, terms=OTHER, from_ms=START_MS + HOUR_MS, uses_max=1)
    harness.do(consent.give, later, "ann")
    third = compute_id(ANN, OTHER)
    assert exchange(harness, third, "bank", provider=BANK) == Code.NOT_YET
    harness.pass_time(HOUR_MS)
    assert exchange(harness, third, "bank", provider=BANK) == Code.SAME_PARTY
    assert exchange(harness, third, "taxes", "bank") == ""
    assert exchange(harness, third, "bank", provider=BANK) == Code.NO_USES_LEFT
    harness.do(consent.revoke, Revoke(third, ANN), "ann")
    assert exchange(harness, third, "taxes", "bank") == Code.REVOKED
    assert exchange(harness, third, "taxes") == Code.REVOKED


def test_who_gave_it_or_the_holder_revokes_it_with_all_that_hang_on_it(harness):
    assert harness.refuse(consent.revoke, Revoke(DATA, AGENT), "bank") == NOT_AUTHORIZED
    assert harness.refuse(consent.revoke, Revoke(DATA, AGENT), "agent") == Code.UNKNOWN_CONSENT
    assert harness.refuse(consent.revoke, Revoke(SECOND, AGENT), "agent") == Code.NOT_A_PARTY
    assert harness.refuse(consent.revoke, Revoke(FIRST, BANK), "bank") == Code.NOT_A_PARTY
    events = harness.do(consent.revoke, Revoke(FIRST, ANN), "ann")
    assert events == [Revoked(NO_MONEY, FIRST, ANN)]
    assert exchange(harness, SECOND, "taxes", "agent") == Code.REVOKED
    assert harness.facts["consent_id"] == FIRST
    assert harness.refuse(consent.revoke, Revoke(FIRST, ANN), "ann") == Code.REVOKED
    assert harness.refuse(consent.give, GIVE, "ann") == Code.CONSENT_EXISTS
    harness.do(consent.revoke, Revoke(SECOND, BANK), "bank")


def test_the_holder_revokes_what_others_handed_on(harness):
    harness.do(consent.revoke, Revoke(SECOND, ANN), "ann")
    assert exchange(harness, SECOND, "taxes", "agent") == Code.REVOKED
    assert exchange(harness, FIRST, "taxes", "bank") == ""


@pytest.mark.parametrize("is_swept", [True, False])
def test_a_consent_whose_time_is_over_is_gone_whether_swept_or_not(harness, is_swept):
    harness.pass_time(UNTIL_MS - START_MS)
    assert harness.refuse(consent.sweep, Sweep(FIRST), "anybody") == Code.STILL_IN_TIME
    assert exchange(harness, SECOND, "taxes", "agent") == ""
    harness.pass_time(1)
    if is_swept:
        assert harness.do(consent.sweep, Sweep(FIRST), "eve") == [Swept(NO_MONEY, FIRST)]
        assert harness.refuse(consent.sweep, Sweep(FIRST), "eve") == Code.UNKNOWN_CONSENT
    for each, name in ((FIRST, "bank"), (SECOND, "agent")):
        assert exchange(harness, each, "taxes", name) == Code.UNKNOWN_CONSENT
    assert harness.refuse(consent.revoke, Revoke(FIRST, ANN), "ann") == Code.UNKNOWN_CONSENT
    again = changed(GIVE, until_ms=UNTIL_MS + DAY_MS)
    harness.do(consent.give, again, "ann")
    assert get(harness, FIRST).uses == 0
    assert exchange(harness, SECOND, "taxes", "agent") == Code.UNKNOWN_CONSENT


def test_only_keys_that_may_authenticate_consent(harness):
    keys = (
        make_key("phone", Purpose.AUTHENTICATE),
        make_key("desk", ALL_PURPOSES & ~Purpose.AUTHENTICATE),
    )
    harness.do(accounts.create, accounts.Create(ANN, keys, 1), "ann", "desk")
    for function, command in (
        (consent.give, changed(GIVE, terms=OTHER)),
        (consent.revoke, Revoke(FIRST, ANN)),
    ):
        assert harness.refuse(function, command, "desk") == NOT_AUTHORIZED
        harness.do(function, command, "phone")
