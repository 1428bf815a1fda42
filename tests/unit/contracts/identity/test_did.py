"""DID documents: what may stand in one, who may change it, and that it ends for good."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contracts.harness import START_MS, Harness, make_address, make_key
from tests.world import key

from hansa.contracts import accounts
from hansa.contracts.accounts import RECOVERY_DELAY_MIN_MS, BeginRecovery, SetGuardians
from hansa.contracts.identity import did
from hansa.contracts.identity.did import (
    Code,
    Create,
    Created,
    Deactivate,
    Deactivated,
    KeysPublished,
    PublishKeys,
    Update,
    Updated,
)
from hansa.contracts.identity.documents import (
    EMPTY,
    KINDS,
    Content,
    Delegate,
    Document,
    KeyBytes,
    Kind,
    Method,
    PastDocument,
    PublicKey,
    Service,
)
from hansa.kernel.authority import AuthorityCode, Purpose
from hansa.kernel.contract import NO_MONEY, Command
from hansa.kernel.errors import Refused

OWNER = make_address("owner")
FRIEND = make_address("friend")
CIPHER = Method("cipher", Kind.X25519, b"\x09" + bytes(31), 4)
SITE = Service("site", "LinkedDomains", "https://ada.example")
HELP = Delegate(FRIEND, 3, START_MS + 1_000)
CONTENT = Content((CIPHER,), (SITE,), (HELP,), ("did:web:ada.example",))
CREATE = Create(OWNER, CONTENT, ())
ADA = KeyBytes(1, key("ada").public_key)


def make_created(harness: Harness | None = None) -> Harness:
    harness = harness or Harness()
    harness.do(did.create, CREATE, "owner")
    return harness


def test_a_document_begins_with_what_its_owner_says():
    harness = Harness()
    assert harness.do(did.create, CREATE, "owner") == [Created(NO_MONEY, OWNER)]
    row = Document(OWNER, 1, START_MS, deactivated=False, content=CONTENT)
    assert harness.get(Document, OWNER) == row


def test_an_update_replaces_everything_and_leaves_the_old_version_on_record():
    harness = make_created()
    harness.pass_time(5)
    events = harness.do(did.update, Update(OWNER, 1, Content(services=(SITE,)), ()), "owner")
    assert events == [Updated(NO_MONEY, OWNER, 2)]
    first = Document(OWNER, 1, START_MS, deactivated=False, content=CONTENT)
    second = Document(OWNER, 2, START_MS + 5, deactivated=False, content=Content((), (SITE,)))
    assert harness.get(PastDocument, OWNER, 1) == PastDocument(OWNER, 1, first, START_MS + 5)
    assert harness.get(Document, OWNER) == second


def test_of_two_updates_of_one_version_the_second_is_refused():
    harness = make_created()
    harness.do(did.update, Update(OWNER, 1, EMPTY, ()), "owner")
    late = Update(OWNER, 1, CONTENT, ())
    assert harness.refuse(did.update, late, "owner") == Code.WRONG_VERSION
    assert harness.facts == {"version": 1, "present": 2}


def test_a_deactivated_document_says_nothing_and_stays_so():
    harness = make_created()
    events = harness.do(did.deactivate, Deactivate(OWNER), "owner")
    assert events == [Deactivated(NO_MONEY, OWNER, 2)]
    row = Document(OWNER, 2, START_MS, deactivated=True, content=EMPTY)
    assert harness.get(Document, OWNER) == row
    for function, command, code in (
        (did.create, CREATE, Code.DOCUMENT_EXISTS),
        (did.update, Update(OWNER, 2, EMPTY, ()), Code.DEACTIVATED),
        (did.deactivate, Deactivate(OWNER), Code.DEACTIVATED),
    ):
        assert harness.refuse(function, command, "owner") == code


def test_whoever_has_stolen_keys_cannot_end_a_document_that_is_being_recovered():
    harness = make_created()
    pair = (make_key("owner"), make_key("phone"))
    harness.do(accounts.create, accounts.Create(OWNER, pair, 1), "owner")
    guardians = SetGuardians(OWNER, (FRIEND,), 1, RECOVERY_DELAY_MIN_MS)
    harness.do(accounts.set_guardians, guardians, "owner")
    recovery = BeginRecovery(OWNER, (make_key("new"),), 1)
    harness.do(accounts.begin_recovery, recovery, "friend", "new")
    assert harness.refuse(did.deactivate, Deactivate(OWNER), "phone") == Code.RECOVERY_PENDING
    harness.do(accounts.veto_recovery, accounts.VetoRecovery(OWNER), "owner")
    harness.do(did.deactivate, Deactivate(OWNER), "owner")


def test_only_keys_that_manage_the_account_change_its_document():
    harness = make_created()
    desk = make_key("desk", Purpose.ASSERT | Purpose.AUTHENTICATE | Purpose.PAY)
    keys = (make_key("owner"), desk)
    harness.do(accounts.create, accounts.Create(OWNER, keys, 1), "owner")
    update = Update(OWNER, 1, EMPTY, ())
    assert harness.refuse(did.update, update, "desk") == AuthorityCode.NOT_AUTHORIZED
    harness.do(did.update, update, "owner")


def test_anybody_publishes_the_bytes_of_keys_once():
    harness = Harness()
    bob = KeyBytes(2, key("bob", 2).public_key)
    ada, both = key("ada").address, PublishKeys((ADA, bob))
    assert harness.do(did.publish_keys, PublishKeys((ADA,))) == [KeysPublished(NO_MONEY, (ada,))]
    assert harness.get(PublicKey, ada) == PublicKey(ada, ADA.suite, ADA.public_key)
    assert harness.do(did.publish_keys, both) == [KeysPublished(NO_MONEY, (key("bob", 2).address,))]
    assert harness.do(did.publish_keys, both) == []


def test_keys_come_with_a_document():
    harness = Harness()
    published = KeysPublished(NO_MONEY, (key("ada").address,))
    events = harness.do(did.create, Create(OWNER, EMPTY, (ADA, ADA)), "owner")
    assert events == [Created(NO_MONEY, OWNER), published]
    bob = KeyBytes(3, key("bob", 3).public_key)
    events = harness.do(did.update, Update(OWNER, 1, EMPTY, (ADA, bob)), "owner")
    assert events[1] == KeysPublished(NO_MONEY, (key("bob", 3).address,))


def replace(**changes: object) -> Update:
    return Update(OWNER, 1, msgspec.structs.replace(CONTENT, **changes), ())


def method(kind: Kind, public_key: bytes, relationships: int) -> Update:
    return replace(methods=(Method("key", kind, public_key, relationships),))


P256 = key("ada", 2).public_key
REFUSALS: list[tuple[Command, str, str]] = [
    (Update(OWNER, 9, EMPTY, ()), "friend", AuthorityCode.NOT_AUTHORIZED),
    (CREATE, "owner", Code.DOCUMENT_EXISTS),
    (Create(OWNER, Content((CIPHER, CIPHER)), ()), "owner", Code.DOCUMENT_EXISTS),
    (Update(FRIEND, 9, EMPTY, ()), "friend", Code.NO_DOCUMENT),
    (Deactivate(FRIEND), "friend", Code.NO_DOCUMENT),
    (Update(OWNER, 9, Content((CIPHER, CIPHER)), ()), "owner", Code.WRONG_VERSION),
    (replace(methods=(CIPHER, CIPHER)), "owner", Code.WRONG_NAME),
    (replace(services=(Service("cipher", "x", "did:x"),)), "owner", Code.WRONG_NAME),
    (replace(services=(Service("a b", "\n", "no uri"),)), "owner", Code.WRONG_NAME),
    (replace(services=(Service("сайт", "x", "did:x"),)), "owner", Code.WRONG_NAME),
    (method(Kind.X25519, bytes(33), 4), "owner", Code.WRONG_METHOD),
    (method(Kind.X25519, bytes(32), 2), "owner", Code.WRONG_METHOD),
    (method(Kind.X25519, bytes(32), 6), "owner", Code.WRONG_METHOD),
    (method(Kind.BLS12381G2, bytes(96), 1), "owner", Code.WRONG_METHOD),
    (method(Kind.ED25519, bytes(32), 1), "owner", Code.WRONG_METHOD),
    (method(Kind.P256, b"\x05" + P256[1:], 3), "owner", Code.WRONG_METHOD),
    (method(Kind.SECP256K1, bytes(33), 3), "owner", Code.WRONG_METHOD),
    (replace(services=(Service("a", "tab\t", "did:x"),)), "owner", Code.WRONG_SERVICE),
    (replace(services=(Service("a", "x", "https://a b"),)), "owner", Code.WRONG_SERVICE),
    (replace(services=(Service("a", "x", "//ada"),)), "owner", Code.WRONG_SERVICE),
    (replace(services=(Service("a", "x", "x y:z"),)), "owner", Code.WRONG_SERVICE),
    (replace(services=(Service("a", "x", "http:"),)), "owner", Code.WRONG_SERVICE),
    (replace(services=(Service("a", "x", "mailto:mei@x.mo"),)), "owner", Code.WRONG_SERVICE),
    (replace(services=(Service("a", "x", "data:,Mei"),)), "owner", Code.WRONG_SERVICE),
    (replace(services=(Service("a", "x", "1x:y"),)), "owner", Code.WRONG_SERVICE),
    (replace(delegates=(HELP, HELP)), "owner", Code.WRONG_DELEGATE),
    (replace(delegates=(Delegate(OWNER, 1, START_MS + 9),)), "owner", Code.WRONG_DELEGATE),
    (replace(delegates=(Delegate(FRIEND, 1, START_MS),)), "owner", Code.WRONG_DELEGATE),
    (replace(also_known_as=("did:x:é",)), "owner", Code.WRONG_ALIAS),
    (replace(also_known_as=("tel:+85366123456",)), "owner", Code.WRONG_ALIAS),
    (replace(also_known_as=("did:x", "did:x")), "owner", Code.WRONG_ALIAS),
    (Update(OWNER, 1, EMPTY, (KeyBytes(1, bytes(32)),)), "owner", Code.WRONG_KEY),
    (PublishKeys((KeyBytes(1, P256),)), "owner", Code.WRONG_KEY),
    (PublishKeys((KeyBytes(9, P256),)), "owner", Code.WRONG_KEY),
]
FUNCTIONS = dict(did.COMMANDS.values())


@pytest.mark.parametrize(("command", "signer", "code"), REFUSALS)
def test_refusals_come_in_order_of_precedence(command, signer, code):
    harness = make_created()
    assert harness.refuse(FUNCTIONS[type(command)], command, signer) == code


def test_every_code_is_reached():
    apart = {Code.DEACTIVATED, Code.RECOVERY_PENDING}
    assert set(Code) <= {code for _, _, code in REFUSALS} | apart


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_key_may_get_all_that_its_row_says(kind):
    length, relationships = KINDS[kind]
    suite = kind if kind <= Kind.SECP256K1 else 1
    public_key = key("ada", suite).public_key.ljust(length, b"\x01")
    harness = make_created()
    harness.do(did.update, method(kind, public_key, int(relationships)), "owner")


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.binary(max_size=96))
def test_no_text_or_bytes_raise_anything_but_a_refusal(name, kind, uri, public_key):
    harness = Harness()
    content = Content(
        tuple(Method(f"k{each}", each, public_key, 1) for each in Kind),
        (Service(name, kind, uri),),
        (),
        (uri,),
    )
    command = Create(OWNER, content, (KeyBytes(1, public_key),))
    harness.view.begin()
    with pytest.raises(Refused):
        did.create(harness.view, harness.context("owner"), command)
