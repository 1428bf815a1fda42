"""An issuer at its start: whether verifiers would believe it, and its lists; in words if not."""

import asyncio

import pytest
from tests.unit.node.identity.issuer.ledger.playing import DID, ISSUER, LENGTH, NOW, Ledger, Office

from hansa.contracts.identity import status
from hansa.contracts.identity.status import Bits, Status
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.verifier.registry import IssuerKey, Standing
from hansa.kernel.errors import Invalid, Refused, Unavailable
from hansa.node.identity.issuer.ledger.running import deliver_status, prepare
from hansa.node.identity.issuer.ledger.standing import StandingWatch

OTHER = load_private_key(KeyKind.P256, b"\x11" * 32).public_key
GOOD = Standing(is_accredited=True, text="the network has accredited it")


class Registered:
    """A registry in which one issuer stands."""

    def __init__(self):
        self.key, self.standing, self.replaced_since_ms = None, GOOD, 0

    async def find_issuer_key(self, issuer, header, time_ms):
        assert (issuer, header, time_ms > 0) == (DID, {"kid": f"{DID}#signing"}, True)
        if self.key is None:
            raise Unsound(Fault.KEY, "there is no such key")
        return IssuerKey(issuer, self.key, self.replaced_since_ms)

    async def find_standing(self, issuer, credential_type, time_ms):
        assert (issuer, credential_type, time_ms > 0) == (DID, "urn:example:resident:1", True)
        if isinstance(self.standing, Unsound):
            raise self.standing
        return self.standing


@pytest.fixture
def office(tmp_path):
    found = Office(tmp_path, Ledger(Registered()))
    found.ledger.registry.key = found.service.identity.signer.public_key
    yield found
    found.service.close()


async def pause(_):
    """Wait for nothing; what lags catches up."""


def start(office, wait=pause):
    """Start; returns the warnings."""
    warnings = []
    watch = StandingWatch(office.service, office.delivery.registry, warnings.append)
    asyncio.run(prepare(office.service, office.delivery, watch, warnings.append, wait))
    return warnings


def test_a_sound_issuer_starts_without_a_word_and_has_its_list(office):
    assert start(office) == []
    assert status.get_list(office.ledger.contracts.view, ISSUER, 1).length == LENGTH


@pytest.mark.parametrize("key", [None, OTHER])
def test_a_key_that_is_not_the_issuers_ends_it(office, key):
    office.ledger.registry.key = key
    with pytest.raises(Invalid, match="key that signs is not that of"):
        start(office)


def test_a_key_that_was_replaced_ends_it(office):
    office.ledger.registry.replaced_since_ms = 5
    with pytest.raises(Invalid, match="no longer"):
        start(office)


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (Standing(is_accredited=False, text="the issuer was never accredited"), "never accredited"),
        (Standing(is_accredited=True, text="since", lost_since_ms=1), "will not believe"),
        (Unsound(Fault.TYPE, "it is no type of the network"), "no type"),
    ],
)
def test_a_missing_accreditation_is_a_warning(office, standing, words):
    office.ledger.registry.standing = standing
    (warning,) = start(office)
    assert "resident" in warning
    assert words in warning


def test_it_starts_without_the_ledger_once_it_has_a_list(office):
    office.ledger.away = True
    office.ledger.registry.key = None

    async def find_nobody(*_):
        raise Unavailable("the node does not answer")

    find = office.ledger.registry.find_issuer_key
    office.ledger.registry.find_issuer_key = find_nobody
    with pytest.raises(Unavailable):
        start(office)
    office.ledger.away = False
    office.ledger.registry.find_issuer_key = find
    office.ledger.registry.key = office.service.identity.signer.public_key
    start(office)
    office.ledger.registry.find_issuer_key = find_nobody
    office.ledger.away = True
    office.kill()
    (warning,) = start(office)
    assert "was not checked" in warning


def test_who_may_make_no_list_is_told(office):
    office.ledger.signer = b"\x09" * 32
    with pytest.raises(Refused):
        start(office)


def test_a_list_that_is_there_is_waited_for_until_it_is_proved(office):
    office.ledger.do(status.CreateList(ISSUER, 1, Bits.TWO, LENGTH))
    office.ledger.lag = 3
    waits = []

    async def catch_up(seconds):
        waits.append(seconds)
        office.ledger.lag = 0

    start(office, catch_up)
    assert len(waits) == 1
    assert office.service.wants.has_room()


def test_one_decision_is_brought_there_at_once(office):
    start(office)
    office.issue(2)
    office.service.revoke(2, NOW)
    asyncio.run(deliver_status(office.service, office.delivery, 2, pause))
    listed = office.service.get_issued(2)
    assert office.ledger.get_status(listed.status) is Status.INVALID
    assert listed.progress.height
    office.ledger.away = True
    office.service.revoke(1, NOW)
    asyncio.run(deliver_status(office.service, office.delivery, 1, pause))
    assert not office.service.get_issued(1).progress.height
