"""A verifier that asks the ledger: what the contracts have on record decides, at the right time."""

import msgspec
import pytest
from tests.unit.contracts.harness import DAY_MS, START_MS, Harness, make_genesis, make_member
from tests.unit.identity.verifier.playing import HOLDER, Counter, draw_from

from hansa.contracts import accounts, members
from hansa.contracts.identity import accreditation, did, evidence, schemas, status
from hansa.contracts.identity.accreditation import NETWORK, Accredit, Reason
from hansa.contracts.identity.documents import EMPTY, Content, Delegate, KeyBytes, Relationship
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.hansa import write_did
from hansa.identity.naming import (
    ListName,
    read_list_url,
    read_type,
    write_list_url,
    write_type,
)
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.findings import Check, list_faults
from hansa.identity.verifier.judgement import compute_anchor
from hansa.identity.verifier.ledger import LedgerRegistry
from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.kernel.crypto.address import address_of, to_text
from hansa.kernel.crypto.hashing import ZERO_HASH, crypto_profile

KEY = load_private_key(KeyKind.ED25519, b"\x51" * 32)
NEXT_KEY = load_private_key(KeyKind.ED25519, b"\x52" * 32)
CLUB_KEY = load_private_key(KeyKind.ED25519, b"\x53" * 32)
OFFICE, NEXT, CLUB = (
    address_of(1, key.public_key.data, crypto_profile("sha256").digest)
    for key in (KEY, NEXT_KEY, CLUB_KEY)
)
DID = write_did("test", OFFICE)
VCT = write_type("test", "resident")
BASE = "https://office.example"
QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [VCT]},
            "claims": [{"path": ["given_name"]}],
        }
    ]
}


class City:
    """A ledger with an identity office, and a counter whose verifier asks it."""

    def __init__(self, *, is_accredited=True):
        people = [make_member("bank", "central_bank", "validator", weight=1)]
        office = make_member("office", "department", keys=[AccountKey(OFFICE, ALL_PURPOSES)])
        people.append(msgspec.structs.replace(office, address=OFFICE))
        self.ledger = Harness(make_genesis(people), members.install)
        key = KeyBytes(1, KEY.public_key.data)
        self.do(did.create, did.Create(OFFICE, EMPTY, (key,)))
        self.do(schemas.publish, schemas.Publish(OFFICE, "resident", 1, "{}", "[]"))
        self.do(status.create_list, status.CreateList(OFFICE, 3, status.Bits(2), 100))
        if is_accredited:
            self.accredit()
        self.ledger.pass_time(DAY_MS)

    def do(self, function, command, *signers):
        return self.ledger.do(function, command, *(signers or (OFFICE,)))

    def accredit(self):
        until_ms = START_MS + 100 * DAY_MS
        command = Accredit(NETWORK, OFFICE, "resident", 1, START_MS, until_ms)
        self.do(accreditation.accredit_approved, command)

    def judge(self, command_type, reason=Reason.BREACH):
        command = command_type(NETWORK, OFFICE, "resident", reason, ZERO_HASH)
        self.do(accreditation.judge_approved, command)

    def issue(self, *, signer=KEY, kid=OFFICE, issued_ms=None, issuer=DID, uri=None, **changes):
        now_ms = self.ledger.time_ms
        name = ListName(OFFICE, 3)
        parts = {
            "vct": VCT,
            "claims": {"given_name": "Mei"},
            "issuer": issuer,
            "holder_key": HOLDER.public_key,
            "issued_s": (now_ms if issued_ms is None else issued_ms) // 1_000,
            "status": StatusReference(uri or write_list_url(BASE, name), 7),
        } | changes
        header = {"kid": f"{issuer}#{to_text(kid)}"}
        return issue_credential(signer, Credential(**parts), draw_from(900), header)

    def anchor(self, credential):
        digest = compute_anchor(credential.jwts[0].encode())
        self.do(evidence.notarise, evidence.Notarise(OFFICE, digest, 1, ()))
        self.ledger.pass_time(DAY_MS)

    def rotate(self):
        """Put another key in the place of the one that signed so far."""
        self.do(accounts.rotate, accounts.Rotate(OFFICE, OFFICE, NEXT), OFFICE, NEXT)
        self.do(did.publish_keys, did.PublishKeys((KeyBytes(1, NEXT_KEY.public_key.data),)))
        self.ledger.pass_time(DAY_MS)

    def verify(self, credential):
        """Present a credential at a counter; returns what does not hold."""
        self.ledger.view.begin()
        registry = LedgerRegistry(self.ledger.view, "test", lambda: self.ledger.time_ms)
        counter = Counter(registry, now_ms=self.ledger.time_ms)
        report = counter.judge(credential=credential, query=QUERY, paths=[("given_name",)])
        assert report.is_accepted is (list_faults(report.findings) == [])
        return {(each.check, each.fault) for each in report.findings if each.fault is not None}


class DelegatingCity(City):
    """Its office lets a club sign in its name for five days."""

    def __init__(self):
        super().__init__()
        key = KeyBytes(1, CLUB_KEY.public_key.data)
        opened = accounts.Create(CLUB, (AccountKey(CLUB, ALL_PURPOSES),), 1)
        self.do(accounts.create, opened, CLUB)
        self.do(did.publish_keys, did.PublishKeys((key,)))
        self.ends_ms = self.ledger.time_ms + 5 * DAY_MS
        delegate = Delegate(CLUB, int(Relationship.ASSERTION), self.ends_ms)
        content = Content(delegates=(delegate,))
        self.do(did.update, did.Update(OFFICE, 1, content, ()))
        self.ledger.pass_time(DAY_MS)

    def issue_by_delegate(self):
        credential = Credential(
            vct=VCT,
            claims={"given_name": "Mei"},
            issuer=DID,
            holder_key=HOLDER.public_key,
            issued_s=self.ledger.time_ms // 1_000,
        )
        header = {"kid": f"{write_did('test', CLUB)}#{to_text(CLUB)}"}
        return issue_credential(CLUB_KEY, credential, draw_from(900), header)


@pytest.mark.parametrize("is_anchored", [True, False])
@pytest.mark.parametrize("event", ["lapse", "rotate", "withdraw"])
def test_what_a_delegate_signed_counts_after_its_time_if_it_was_anchored(is_anchored, event):
    city = DelegatingCity()
    credential = city.issue_by_delegate()
    assert city.verify(credential) == set()
    city.ledger.pass_time(DAY_MS)
    if is_anchored:
        city.anchor(credential)
    if event == "rotate":
        city.do(accounts.rotate, accounts.Rotate(CLUB, CLUB, NEXT), CLUB, NEXT)
    if event == "withdraw":
        city.do(did.update, did.Update(OFFICE, 2, EMPTY, ()))
    city.ledger.pass_time((1 if event != "lapse" else 20) * DAY_MS)
    expected = set() if is_anchored else {(Check.ISSUER, Fault.ACCREDITATION)}
    assert city.verify(credential) == expected


@pytest.fixture
def city():
    return City()


def test_what_an_accredited_office_issues_is_accepted(city):
    assert city.verify(city.issue()) == set()


def test_revocation_and_suspension_on_the_ledger_count_at_once(city):
    credential = city.issue()
    city.do(status.change, status.Suspend(OFFICE, 3, (7,)))
    assert city.verify(credential) == {(Check.STATUS, Fault.SUSPENDED)}
    city.do(status.change, status.Reinstate(OFFICE, 3, (7,)))
    assert city.verify(credential) == set()
    city.do(status.change, status.Revoke(OFFICE, 3, (7,)))
    assert city.verify(credential) == {(Check.STATUS, Fault.REVOKED)}


def test_what_was_issued_before_the_accreditation_never_counts():
    city = City(is_accredited=False)
    early = city.issue()
    assert city.verify(early) == {(Check.ACCREDITATION, Fault.ACCREDITATION)}
    city.ledger.pass_time(DAY_MS)
    city.accredit()
    city.ledger.pass_time(DAY_MS)
    assert city.verify(early) == {(Check.ACCREDITATION, Fault.ACCREDITATION)}
    assert city.verify(city.issue()) == set()


def test_an_accreditation_that_ended_counts_for_what_was_anchored_in_its_time(city):
    anchored, unanchored = city.issue(), city.issue(claims={"given_name": "Li"})
    city.anchor(anchored)
    assert city.verify(unanchored) == set()
    city.ledger.pass_time(200 * DAY_MS)
    fault = {(Check.ACCREDITATION, Fault.ACCREDITATION)}
    assert city.verify(anchored) == set()
    assert city.verify(unanchored) == fault
    assert city.verify(city.issue()) == fault
    backdated = city.issue(issued_ms=START_MS + 2 * DAY_MS)
    city.anchor(backdated)
    assert city.verify(backdated) == fault


@pytest.mark.parametrize("is_anchored", [False, True])
@pytest.mark.parametrize("judgement", [accreditation.Suspend, accreditation.Revoke])
def test_who_lost_its_accreditation_is_believed_what_it_had_anchored(city, judgement, is_anchored):
    credential = city.issue()
    if is_anchored:
        city.anchor(credential)
    city.ledger.pass_time(DAY_MS)
    city.judge(judgement)
    city.ledger.pass_time(DAY_MS)
    backdated = city.issue(issued_ms=city.ledger.time_ms - 2 * DAY_MS, claims={"given_name": "Eve"})
    fault = (Check.ACCREDITATION, Fault.ACCREDITATION)
    assert city.verify(credential) == (set() if is_anchored else {fault})
    assert city.verify(backdated) == {fault}
    city.anchor(backdated)
    assert city.verify(backdated) == {fault}


def test_after_a_suspension_has_ended_all_of_before_counts_again(city):
    credential = city.issue()
    city.ledger.pass_time(DAY_MS)
    city.judge(accreditation.Suspend)
    city.ledger.pass_time(DAY_MS)
    during = city.issue()
    city.ledger.pass_time(DAY_MS)
    city.judge(accreditation.Reinstate, Reason.CLEARED)
    city.ledger.pass_time(DAY_MS)
    assert city.verify(credential) == set()
    assert city.verify(during) == {(Check.ACCREDITATION, Fault.ACCREDITATION)}
    assert city.verify(city.issue()) == set()


def test_a_key_that_was_replaced_signs_nothing_new(city):
    unanchored, anchored = city.issue(), city.issue(claims={"given_name": "Li"})
    city.anchor(anchored)
    city.rotate()
    stolen = city.issue(issued_ms=city.ledger.time_ms - 2 * DAY_MS)
    fault = {(Check.ISSUER, Fault.ACCREDITATION)}
    assert city.verify(anchored) == set()
    assert city.verify(unanchored) == fault
    assert city.verify(stolen) == fault
    assert city.verify(city.issue(signer=NEXT_KEY, kid=NEXT)) == set()
    assert (Check.ISSUER, Fault.UNRESOLVED) in city.verify(city.issue())


def test_the_end_of_a_key_is_found_behind_other_changes(city):
    credential = city.issue()
    city.ledger.pass_time(DAY_MS)
    city.do(did.update, did.Update(OFFICE, 1, EMPTY, ()))
    city.ledger.pass_time(DAY_MS)
    city.anchor(credential)
    city.rotate()
    assert city.verify(credential) == set()


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"issuer": "did:hansa:test:nonsense"}, (Check.ISSUER, Fault.MALFORMED)),
        ({"issuer": "did:hansa:other:" + to_text(OFFICE)}, (Check.ISSUER, Fault.UNRESOLVED)),
        ({"issuer": write_did("test", CLUB)}, (Check.ISSUER, Fault.UNRESOLVED)),
        ({"issuer": "https://office.example"}, (Check.ISSUER, Fault.ISSUER)),
        ({"kid": CLUB}, (Check.ISSUER, Fault.UNRESOLVED)),
        ({"signer": NEXT_KEY}, (Check.SIGNATURE, Fault.SIGNATURE)),
        ({"vct": "urn:other"}, (Check.ACCREDITATION, Fault.TYPE)),
        ({"vct": write_type("other", "resident")}, (Check.ACCREDITATION, Fault.TYPE)),
        ({"vct": write_type("test", "a" * 9_999)}, (Check.ACCREDITATION, Fault.TYPE)),
        ({"vct": write_type("test", "diploma")}, (Check.ACCREDITATION, Fault.ACCREDITATION)),
        ({"uri": "https://office.example/lists/1"}, (Check.STATUS, Fault.STATUS)),
        ({"uri": write_list_url(BASE, ListName(CLUB, 3))}, (Check.STATUS, Fault.STATUS)),
        ({"uri": write_list_url(BASE, ListName(OFFICE, 4))}, (Check.STATUS, Fault.STATUS)),
        (
            {"status": StatusReference(write_list_url(BASE, ListName(OFFICE, 3)), 100)},
            (Check.STATUS, Fault.STATUS),
        ),
    ],
)
def test_what_the_ledger_does_not_know_is_found(city, how, fault):
    assert fault in city.verify(city.issue(**how))


@pytest.mark.parametrize("issued_ms", [-(2**53 - 1) * 1_000, -1, 0])
def test_what_is_dated_before_all_records_is_judged_by_the_first(city, issued_ms):
    assert city.verify(city.issue(issued_ms=issued_ms)) >= {(Check.ISSUER, Fault.UNRESOLVED)}


def test_what_is_dated_ahead_is_judged_by_what_holds_now(city):
    fault = {(Check.VALIDITY, Fault.NOT_YET_VALID)}
    assert city.verify(city.issue(issued_ms=(2**53 - 1) * 1_000)) == fault


@pytest.mark.parametrize("version", [None, 1, 12])
def test_a_type_is_read_as_it_was_written(version):
    assert read_type(write_type("city", "a-b", version), "city") == ("a-b", version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"urn:hansa:city:{'a' * 65}",
        "urn:hansa:city:",
        "urn:hansa:city:A",
        "urn:hansa:city:a:",
        "urn:hansa:city:a:b",
        "a",
    ],
)
def test_what_is_no_type_is_refused(text):
    with pytest.raises(Unsound):
        read_type(text, "city")


@pytest.mark.parametrize(
    "url", ["", "/", "status-lists", "x/status-lists/a/1", f"x/status-lists/{to_text(OFFICE)}/x"]
)
def test_what_is_no_list_of_the_ledger_is_refused(url):
    with pytest.raises(Unsound) as caught:
        read_list_url(url)
    assert caught.value.fault is Fault.STATUS
