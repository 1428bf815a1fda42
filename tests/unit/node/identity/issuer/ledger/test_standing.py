"""An issuer whose standing is watched: its credentials are never dated to when it did not stand."""

import asyncio
import json
from contextlib import suppress

import msgspec
import pytest
from tests.unit.contracts.harness import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    Harness,
    make_genesis,
    make_member,
)
from tests.unit.identity.verifier.playing import HOLDER, Counter
from tests.unit.node.identity.issuer.ledger.playing import DID, ISSUER, Ledger, Office
from tests.unit.node.identity.issuer.playing import MEI, play

from hansa.contracts import members
from hansa.contracts.identity import accreditation, did, schemas
from hansa.contracts.identity.accreditation import NETWORK, Accredit, Reason
from hansa.contracts.identity.documents import EMPTY, Content, Kind, Method, Relationship
from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Fault
from hansa.identity.jose.jws import decode_jws
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.verifier.findings import Check, list_faults
from hansa.identity.verifier.ledger import LedgerRegistry
from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.identity.issuer.ledger.running import prepare
from hansa.node.identity.issuer.ledger.standing import CHECK_S, GAP_MS, StandingWatch

TYPE = "urn:hansa:test:resident"
QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [TYPE]},
            "claims": [{"path": ["given_name"]}],
        }
    ]
}
BBS = f"""
[[credentials]]
id = "bbs"
format = "ldp_vc"
cryptosuite = "bbs-2023"
type = "{TYPE}"
name = "Resident"
key_id = "{DID}#bbs"
needs_binding = false
revocable = false
"""
HOUR_BEGAN_MS = START_MS - START_MS % HOUR_MS
REFUSED = {(Check.ACCREDITATION, Fault.ACCREDITATION)}


class Registered:
    """The registry of a ledger as it is whenever it is asked; it can be away."""

    def __init__(self, ledger):
        self.ledger, self.away = ledger, None

    def __getattr__(self, name):
        async def ask(*about):
            if self.away is not None:
                raise self.away
            self.ledger.view.begin()
            registry = LedgerRegistry(self.ledger.view, "test", lambda: self.ledger.time_ms)
            return await getattr(registry, name)(*about)

        return ask


class City:
    """A ledger of real contracts with an office on it, whose service issues and is watched."""

    def __init__(self, path, *, more=BBS):
        office = make_member("office", "department", keys=[AccountKey(ISSUER, ALL_PURPOSES)])
        people = [make_member("bank", "central_bank", "validator", weight=1)]
        people.append(msgspec.structs.replace(office, address=ISSUER))
        self.ledger = Harness(make_genesis(people), members.install)
        self.registry = Registered(self.ledger)
        node = Ledger(self.registry)
        node.contracts = self.ledger
        self.office = Office(
            path, node, edit=lambda text: text.replace("urn:example:resident:1", TYPE) + more
        )
        self.warnings = []
        self.versions = 1
        self.do(did.create, did.Create(ISSUER, self.write_document(), ()))
        self.do(schemas.publish, schemas.Publish(ISSUER, "resident", 1, "{}", "[]"))
        self.restart()

    def write_document(self):
        """Write the office's document, with all keys that sign its credentials."""
        service = self.office.service
        keys = {"signing": service.identity.signer.public_key}
        for kind in service.settings.credentials[1:]:
            keys["bbs"] = service.writer.find_signer(kind).key
        kinds = {"signing": Kind.P256, "bbs": Kind.BLS12381G2}
        use = int(Relationship.ASSERTION)
        return Content(tuple(Method(name, kinds[name], keys[name].data, use) for name in keys))

    def update(self, content):
        self.do(did.update, did.Update(ISSUER, self.versions, content, ()))
        self.versions += 1

    def do(self, function, command):
        self.ledger.do(function, command, ISSUER)

    def accredit(self):
        until_ms = START_MS + 100 * DAY_MS
        command = Accredit(NETWORK, ISSUER, "resident", 1, START_MS, until_ms)
        self.do(accreditation.accredit_approved, command)

    def judge(self, command):
        told = command(NETWORK, ISSUER, "resident", Reason.BREACH, ZERO_HASH)
        self.do(accreditation.judge_approved, told)

    def restart(self):
        """Begin anew, with nothing seen."""
        self.office.kill()
        self.watch = StandingWatch(
            self.office.service, self.registry, self.warnings.append, lambda: self.ledger.time_ms
        )

    def start(self):
        """Start as the service does, with its lists made."""
        call = prepare(
            self.office.service, self.office.delivery, self.watch, self.warnings.append, pause
        )
        asyncio.run(call)

    def check(self, after_ms=0):
        """Look again as the service does, after so long."""
        self.ledger.pass_time(after_ms)
        asyncio.run(watch_once(self.watch))

    def issue(self, kind=0):
        service = self.office.service
        configuration = service.protocol.configurations[kind]
        key = HOLDER.public_key if configuration.needs_binding else None
        return service.write(configuration, "d.0", MEI, key, self.ledger.time_ms).credential

    def date(self):
        """Issue; returns when the credential says that it was, from the hour's beginning (ms)."""
        payload = decode_jws(decode_sd_jwt(self.issue()).jwts[0], "it").payload
        return json.loads(payload)["iat"] * 1_000 - HOUR_BEGAN_MS

    def verify(self):
        """Issue, and show it to a verifier; returns what does not hold."""
        credential = decode_sd_jwt(self.issue())
        counter = Counter(self.registry, now_ms=self.ledger.time_ms)
        report = counter.judge(credential=credential, query=QUERY, paths=[("given_name",)])
        assert report.is_accepted is (list_faults(report.findings) == [])
        return {(each.check, each.fault) for each in report.findings if each.fault is not None}

    def verify_bbs(self):
        """Issue such a one; returns whether its issuer is believed as of the time in it."""
        issued = self.issue(1)
        text = issued["validFrom"]
        time_ms = read_timestamp(text, "it")
        standing = asyncio.run(self.registry.find_standing(DID, TYPE, time_ms))
        header = {"kid": issued["proof"]["verificationMethod"]}
        found = asyncio.run(self.registry.find_issuer_key(DID, header, time_ms))
        return standing.is_accredited and not standing.lost_since_ms and found.key is not None


async def pause(_):
    """Wait for nothing."""


async def watch_once(watch):
    """Have it look once."""
    waits = []

    async def wait(seconds):
        waits.append(seconds)
        if len(waits) > 1:
            raise asyncio.CancelledError

    with suppress(asyncio.CancelledError):
        await watch.watch(wait)
    assert waits == [CHECK_S, CHECK_S]


@pytest.fixture
def city(tmp_path):
    found = City(tmp_path)
    found.accredit()
    found.ledger.pass_time(5 * MINUTE_MS)
    yield found
    found.office.service.close()


def test_a_fresh_accreditation_is_believed_at_once_and_all_of_an_hour_is_alike(city):
    city.start()
    seen_ms = city.ledger.time_ms - HOUR_BEGAN_MS
    city.ledger.pass_time(7 * MINUTE_MS)
    assert city.date() - seen_ms in range(1_000)
    assert city.verify() == set()
    city.check(after_ms=HOUR_MS)
    assert city.date() == HOUR_MS
    assert city.verify() == set()
    assert city.warnings == []


def test_a_service_that_starts_anew_dates_like_the_one_before(city):
    city.ledger.pass_time(HOUR_MS)
    for _ in range(2):
        city.start()
        assert city.date() == HOUR_MS
        assert city.verify() == set()
        city.ledger.pass_time(MINUTE_MS)
        city.restart()


def test_who_has_not_looked_yet_dates_to_the_second(city):
    city.start()
    city.restart()
    city.ledger.pass_time(HOUR_MS)
    assert city.date() == (city.ledger.time_ms - HOUR_BEGAN_MS) // 1_000 * 1_000
    assert city.verify() == set()


def test_who_is_accredited_meanwhile_begins_to_round(tmp_path):
    city = City(tmp_path)
    city.start()
    told = list(city.warnings)
    assert len(told) == 2  # one for each kind
    assert "never accredited" in told[0]
    assert city.verify() == REFUSED
    city.check(after_ms=MINUTE_MS)
    city.accredit()
    city.check(after_ms=MINUTE_MS)
    assert city.verify() == set()
    first = city.date()
    city.check(after_ms=MINUTE_MS)
    assert city.date() == first
    assert city.warnings == told  # each was told once
    city.office.service.close()


def test_who_loses_its_standing_is_told_once_and_begins_anew_with_it(city):
    city.start()
    city.check(after_ms=HOUR_MS)
    city.judge(accreditation.Suspend)
    for _ in range(3):
        city.check(after_ms=MINUTE_MS)
    assert len(city.warnings) == 2
    assert "credential resident: verifiers will not believe it" in city.warnings[0]
    assert "was suspended" in city.warnings[0]
    assert city.date() % HOUR_MS == (city.ledger.time_ms - HOUR_BEGAN_MS) // 1_000 * 1_000 % HOUR_MS
    assert city.verify() == REFUSED
    city.judge(accreditation.Reinstate)
    city.check(after_ms=MINUTE_MS)
    assert city.verify() == set()
    city.judge(accreditation.Suspend)
    city.check(after_ms=MINUTE_MS)
    assert len(city.warnings) == 4  # it is another suspension


def test_an_hour_that_began_in_a_suspension_is_not_rounded_into_it(city):
    city.start()
    city.ledger.pass_time(HOUR_MS - city.ledger.time_ms % HOUR_MS - MINUTE_MS)
    city.judge(accreditation.Suspend)
    city.check(after_ms=2 * MINUTE_MS)
    city.judge(accreditation.Reinstate)
    city.check(after_ms=MINUTE_MS)
    city.ledger.pass_time(20 * MINUTE_MS)
    assert city.ledger.time_ms % HOUR_MS > city.date() % HOUR_MS > 0
    assert city.verify() == set()


def test_a_node_that_is_away_changes_nothing_and_what_follows_a_long_silence_begins_anew(city):
    city.start()
    for away in (Unavailable("the node does not answer"), NotFound("it is no node")):
        city.registry.away = away
        city.check(after_ms=HOUR_MS)
        assert city.date() % HOUR_MS == 0
    assert city.warnings == []
    # A suspension that nobody saw, over the beginning of the hour:
    city.ledger.pass_time(HOUR_MS - city.ledger.time_ms % HOUR_MS - GAP_MS)
    city.judge(accreditation.Suspend)
    city.ledger.pass_time(2 * GAP_MS)
    city.judge(accreditation.Reinstate)
    city.registry.away = None
    city.check(after_ms=MINUTE_MS)
    assert city.verify() == set()


def test_a_key_that_is_gone_is_told_once_and_ends_nothing(city):
    city.start()
    city.check(after_ms=HOUR_MS)
    document = city.write_document()
    city.update(EMPTY)
    for _ in range(2):
        city.check(after_ms=MINUTE_MS)
    (warning,) = city.warnings
    assert "the key that signs is not that of" in warning
    assert city.date() % HOUR_MS > 0
    city.update(document)
    city.check(after_ms=MINUTE_MS)
    assert city.verify() == set()


def test_a_kind_with_a_key_of_its_own_is_believed_since_that_is_there(city):
    document = city.write_document()
    city.update(Content(document.methods[:1]))
    city.start()
    (warning,) = city.warnings
    assert "credential bbs" in warning
    assert "#bbs is not the key that signs it" in warning
    assert city.verify() == set()
    city.ledger.pass_time(HOUR_MS)
    city.update(document)
    city.check(after_ms=MINUTE_MS)
    assert city.verify_bbs()


def test_a_day_in_which_its_issuer_began_is_not_rounded_to_its_beginning(city):
    city.start()
    city.ledger.pass_time(MINUTE_MS)
    assert city.verify_bbs()
    first = city.issue(1)["validFrom"]
    assert not first.endswith("T00:00:00Z")
    city.check()
    city.ledger.pass_time(30 * MINUTE_MS)
    assert city.issue(1)["validFrom"] == first
    city.check(after_ms=DAY_MS)
    assert city.issue(1)["validFrom"].endswith("T00:00:00Z")
    assert city.verify_bbs()


def test_a_service_watches_for_as_long_as_it_answers(tmp_path):
    looks = []

    class Watch:
        async def watch(self, pause):
            looks.append("began")
            try:
                await pause(CHECK_S)
            finally:
                looks.append("ended")

    async def scene(office):
        assert (await office.get("/.well-known/openid-credential-issuer")).status == 200
        assert looks == ["began"]

    play(tmp_path, scene, watch=Watch())
    assert looks == ["began", "ended"]
