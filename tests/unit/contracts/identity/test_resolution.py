"""Resolution: the view of accounts and documents, now and at any time before."""

from __future__ import annotations

import pytest
from tests.unit.contracts.harness import START_MS, Harness, make_address, make_key
from tests.world import key

from hansa.contracts import accounts
from hansa.contracts.accounts import RECOVERY_DELAY_MIN_MS
from hansa.contracts.identity import did
from hansa.contracts.identity.did import Create, Deactivate, PublishKeys, Update
from hansa.contracts.identity.documents import (
    EMPTY,
    Content,
    KeyBytes,
    PastDocument,
    Relationship,
    Service,
)
from hansa.contracts.identity.resolution import ResolvedKey, resolve
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.errors import Corrupt
from hansa.kernel.machine.state import Reader, State, View

ADA = key("ada")
BYTES = KeyBytes(1, ADA.public_key)
ALL_THREE = Relationship.AUTHENTICATION | Relationship.ASSERTION | Relationship.INVOCATION
SITE = Content(services=(Service("site", "LinkedDomains", "https://ada.example"),))


def look(harness: Harness, address: bytes = ADA.address, time_ms: int | None = None):
    harness.view.begin()
    found = resolve(harness.view, address, time_ms)
    assert found == resolve(Reader(harness.state), address, time_ms)
    return found


def make_created() -> Harness:
    harness = Harness()
    harness.pass_time(100)
    harness.do(did.create, Create(ADA.address, SITE, (BYTES,)), ADA.address)
    return harness


def test_an_address_of_which_nothing_is_on_record_has_no_document():
    harness = Harness()
    harness.do(did.publish_keys, PublishKeys((BYTES,)))
    assert look(harness) is None
    assert look(harness, time_ms=START_MS) is None


def test_an_address_without_an_account_shows_the_one_key_that_it_is_the_hash_of():
    found = look(make_created())
    assert found.keys == (ResolvedKey(ADA.address, ALL_THREE, 1, ADA.public_key),)
    assert (found.version, found.deactivated, found.content) == (1, False, SITE)
    assert (found.created_ms, found.updated_ms) == (START_MS + 100, START_MS + 100)
    assert (found.next_update_ms, found.recovery) == (0, None)


def test_an_account_is_a_document_without_anybody_having_begun_one():
    harness = Harness()
    pair = (AccountKey(ADA.address, int(Purpose.MANAGE)), make_key("phone", Purpose.ASSERT))
    harness.do(accounts.create, accounts.Create(ADA.address, pair, 1), ADA.address)
    found = look(harness)
    assert [each.relationships for each in found.keys] == [
        Relationship.INVOCATION,
        Relationship.ASSERTION,
    ]
    assert {(each.suite, each.public_key) for each in found.keys} == {(0, b"")}
    assert (found.version, found.content) == (1, EMPTY)
    harness.do(did.publish_keys, PublishKeys((BYTES,)))
    assert look(harness).keys[0].public_key == ADA.public_key


def test_a_key_that_cannot_act_alone_is_shown_without_a_relationship():
    harness = Harness()
    heavy = AccountKey(ADA.address, int(Purpose.MANAGE | Purpose.AUTHENTICATE), 2)
    keys = (heavy, make_key("one"), make_key("two"), make_key("till", Purpose.PAY, weight=2))
    harness.do(accounts.create, accounts.Create(ADA.address, keys, 2), ADA.address)
    found = look(harness).keys
    assert [each.address for each in found] == [each.address for each in keys[:3]]
    assert [int(each.relationships) for each in found] == [9, 0, 0]


def test_who_is_deactivated_has_nothing_that_counts_but_did_before():
    harness = make_created()
    harness.pass_time(50)
    harness.do(did.deactivate, Deactivate(ADA.address), ADA.address)
    found = look(harness)
    assert (found.deactivated, found.keys, found.content) == (True, (), EMPTY)
    before = look(harness, time_ms=START_MS + 149)
    assert (before.deactivated, len(before.keys), before.content) == (False, 1, SITE)
    assert before.next_update_ms == START_MS + 150


def test_account_and_document_have_one_version_together():
    harness = make_created()
    harness.pass_time(10)
    account = accounts.Create(ADA.address, (AccountKey(ADA.address, 1023), make_key("phone")), 1)
    harness.do(accounts.create, account, ADA.address)
    harness.pass_time(10)
    harness.do(did.update, Update(ADA.address, 1, EMPTY, ()), "phone")
    seen = [look(harness, time_ms=START_MS + time_ms) for time_ms in (99, 100, 110, 120)]
    assert seen[0] is None
    assert [each.version for each in seen[1:]] == [1, 2, 3]
    assert [each.created_ms for each in seen[1:]] == [START_MS + 100] * 3
    assert [each.updated_ms for each in seen[1:]] == [START_MS + end for end in (100, 110, 120)]
    assert [each.next_update_ms for each in seen[1:]] == [START_MS + 110, START_MS + 120, 0]
    assert [len(each.keys) for each in seen[1:]] == [1, 2, 2]


def test_a_pending_recovery_is_told_with_the_keys_that_it_would_put_in_place():
    harness = make_created()
    friend, new = make_address("friend"), (make_key("new"),)
    account = accounts.Create(ADA.address, (AccountKey(ADA.address, 1023),), 1)
    harness.do(accounts.create, account, ADA.address)
    guardians = accounts.SetGuardians(ADA.address, (friend,), 1, RECOVERY_DELAY_MIN_MS)
    harness.do(accounts.set_guardians, guardians, ADA.address)
    recovery = accounts.BeginRecovery(ADA.address, new, 1)
    harness.do(accounts.begin_recovery, recovery, "friend", "new")
    found = look(harness)
    assert found.recovery is not None
    assert found.recovery.keys == new
    assert [each.address for each in found.keys] == [ADA.address]
    harness.pass_time(RECOVERY_DELAY_MIN_MS)
    harness.do(accounts.complete_recovery, accounts.CompleteRecovery(ADA.address))
    found = look(harness)
    assert (found.recovery, [each.address for each in found.keys]) == (None, [new[0].address])
    assert look(harness, time_ms=harness.time_ms - 1).keys[0].address == ADA.address


def test_the_present_costs_few_reads_and_the_past_a_logarithm_more():
    harness = make_created()
    for version in range(1, 101):
        harness.pass_time(10)
        harness.do(did.update, Update(ADA.address, version, EMPTY, ()), ADA.address)
    look(harness)
    assert harness.view.reads <= 8
    look(harness, time_ms=START_MS + 550)
    assert harness.view.reads <= 20


def test_a_hole_in_the_record_is_no_answer():
    harness = make_created()
    harness.pass_time(10)
    harness.do(did.update, Update(ADA.address, 1, EMPTY, ()), ADA.address)
    del harness.rows[PastDocument.key(ADA.address, 1)]
    with pytest.raises(Corrupt, match="version 1 of the document"):
        resolve(View(State(harness.rows), 99, 99), ADA.address, START_MS + 100)
