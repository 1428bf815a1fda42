"""did:hansa: what the ledger has of an account, as a DID document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contracts.harness import START_MS, Harness
from tests.world import key

from hansa.contracts import accounts
from hansa.contracts.accounts import RECOVERY_DELAY_MIN_MS
from hansa.contracts.identity import did as contract
from hansa.contracts.identity.documents import (
    Content,
    Delegate,
    KeyBytes,
    Kind,
    Method,
    Service,
)
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import Did, read_did
from hansa.identity.methods.documents import Relationship, read_document
from hansa.identity.methods.hansa import (
    read_address,
    resolve_did_hansa,
    write_did,
    write_document,
    write_metadata,
)
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.crypto.address import to_text

ADA, BEN = key("ada"), key("ben", 2)
DID = write_did("city", ADA.address)
BENS = write_did("city", BEN.address)
END_MS = START_MS + 1_000
CONTENT = Content(
    (Method("cipher", Kind.X25519, b"\x09" + bytes(31), 4),),
    (Service("site", "LinkedDomains", "https://ada.example"),),
    (Delegate(BEN.address, 2, END_MS),),
    ("did:web:ada.example",),
)


def make_ledger() -> Harness:
    harness = Harness()
    harness.do(
        contract.create,
        contract.Create(ADA.address, CONTENT, (KeyBytes(1, ADA.public_key),)),
        ADA.address,
    )
    bens = contract.Create(BEN.address, Content(), (KeyBytes(2, BEN.public_key),))
    harness.do(contract.create, bens, BEN.address)
    return harness


def look(harness: Harness, at_ms: int | None = None, did: str = DID):
    harness.view.begin()
    return resolve_did_hansa(harness.view, "city", read_did(did), harness.time_ms, at_ms)


def refuse(function, *arguments) -> Fault:
    with pytest.raises(Unsound) as error:
        function(*arguments)
    return error.value.fault


def test_a_document_shows_keys_by_what_they_may_do():
    document = look(make_ledger()).document
    own, cipher = f"{DID}#{to_text(ADA.address)}", f"{DID}#cipher"
    bens = f"{BENS}#{to_text(BEN.address)}"
    assert document.id == DID
    assert {url: each.data for url, each in document.keys.items()} == {
        own: ADA.public_key,
        cipher: b"\x09" + bytes(31),
        bens: BEN.public_key,
    }
    assert document.relationships == {
        Relationship.AUTHENTICATION: (own,),
        Relationship.ASSERTION: (own, bens),
        Relationship.AGREEMENT: (cipher,),
        Relationship.INVOCATION: (own,),
    }


def test_json_reads_back_as_the_same_document():
    found = look(make_ledger())
    written = write_document(found)
    read = read_document(written, DID)
    assert read.keys == found.document.keys
    assert {use: urls for use, urls in read.relationships.items() if urls} == (
        found.document.relationships
    )
    assert (read.services, read.also_known_as) == (
        found.document.services,
        found.document.also_known_as,
    )
    assert write_metadata(found) == {
        "created": "2023-11-14T22:13:20Z",
        "updated": "2023-11-14T22:13:20Z",
        "versionId": "1",
    }
    bare = write_document(look(make_ledger(), did=BENS))
    assert {"service", "alsoKnownAs", "keyAgreement"}.isdisjoint(bare)


def test_a_delegation_ends_at_its_time_and_with_the_delegate():
    harness = make_ledger()
    harness.pass_time(999)
    assert len(look(harness).document.relationships[Relationship.ASSERTION]) == 2
    harness.pass_time(1)
    assert len(look(harness).document.relationships[Relationship.ASSERTION]) == 1
    assert len(look(harness, END_MS - 1).document.relationships[Relationship.ASSERTION]) == 2
    harness = make_ledger()
    harness.do(contract.deactivate, contract.Deactivate(BEN.address), BEN.address)
    assert len(look(harness).document.relationships[Relationship.ASSERTION]) == 1


def test_who_is_deactivated_has_no_key_but_had_one_before():
    harness = make_ledger()
    harness.pass_time(5_000)
    harness.do(contract.deactivate, contract.Deactivate(ADA.address), ADA.address)
    found = look(harness)
    assert found.document.is_deactivated
    assert (found.document.keys, write_document(found)["verificationMethod"]) == ({}, [])
    assert write_metadata(found)["deactivated"] is True
    before = look(harness, START_MS + 4_999)
    assert len(before.document.keys) == 2
    assert write_metadata(before)["nextUpdate"] == "2023-11-14T22:13:25Z"


def test_keys_without_bytes_are_left_out_and_those_that_need_others_speak_for_nothing():
    harness = make_ledger()
    keys = (
        AccountKey(ADA.address, int(Purpose.MANAGE | Purpose.ASSERT)),
        AccountKey(key("phone").address, int(Purpose.MANAGE | Purpose.ASSERT)),
    )
    command = accounts.Create(ADA.address, keys, 2)
    harness.do(accounts.create, command, ADA.address, key("phone").address)
    document = look(harness).document
    assert f"{DID}#{to_text(ADA.address)}" in document.keys
    assert f"{DID}#{to_text(key('phone').address)}" not in document.keys
    assert document.relationships[Relationship.INVOCATION] == ()


def test_a_recovery_is_told_in_the_metadata():
    harness = make_ledger()
    keys = (AccountKey(ADA.address, 1023),)
    harness.do(accounts.create, accounts.Create(ADA.address, keys, 1), ADA.address)
    guardians = accounts.SetGuardians(ADA.address, (BEN.address,), 1, RECOVERY_DELAY_MIN_MS)
    harness.do(accounts.set_guardians, guardians, ADA.address)
    new = AccountKey(key("new").address, 1023)
    recovery = accounts.BeginRecovery(ADA.address, (new,), 1)
    harness.do(accounts.begin_recovery, recovery, BEN.address, new.address)
    told = write_metadata(look(harness))["recovery"]
    assert told == {"completeFrom": "2023-11-15T22:13:20Z", "keys": [to_text(new.address)]}


def test_what_is_not_on_the_ledger_does_not_resolve():
    harness = make_ledger()
    assert refuse(look, harness, None, write_did("city", key("cy").address)) == Fault.UNRESOLVED
    assert refuse(look, harness, START_MS - 1) == Fault.UNRESOLVED
    assert refuse(look, harness, None, write_did("town", ADA.address)) == Fault.UNRESOLVED


@pytest.mark.parametrize(
    ("did", "fault"),
    [
        (Did("web", "city.example"), Fault.UNSUPPORTED),
        (Did("hansa", to_text(ADA.address)), Fault.UNRESOLVED),
        (Did("hansa", "city:hansa1"), Fault.MALFORMED),
        (Did("hansa", f"city:{to_text(ADA.address).upper()}"), Fault.MALFORMED),
        (Did("hansa", f"%63ity:{to_text(ADA.address)}"), Fault.UNRESOLVED),
    ],
)
def test_a_did_that_is_not_as_it_is_written_is_refused(did, fault):
    assert refuse(read_address, did, "city") == fault


@given(st.text(min_size=1, max_size=64), st.binary(min_size=32, max_size=32))
def test_whatever_a_network_is_called_its_dids_read_back(network, address):
    assert read_address(read_did(write_did(network, address)), network) == address


@given(st.text(max_size=80))
def test_no_text_for_a_did_raises_anything_but_a_fault(text):
    for did in (Did("hansa", text), Did("hansa", f"city:{text}")):
        refuse(read_address, did, "city")
