"""What a wallet believes of status lists, and what it does not."""

import pytest
from tests.identified import ISSUER, LIST, NORTH, play_identity
from tests.played import open_folder
from tests.running import run_folder
from tests.unit.identity.verifier.playing import NOW_MS, draw_from
from tests.unit.node.identity.holder.playing import read_no_ledger

from hansa.contracts.identity.status import Bits
from hansa.identity.faults import Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import write_did
from hansa.identity.methods.local import resolve_did_jwk, write_did_jwk
from hansa.identity.naming import ListName, write_list_url
from hansa.identity.sd_jwt.credential import TYPE, Credential, issue_credential
from hansa.identity.status.entries import pack_entries
from hansa.identity.status.reference import StatusReference
from hansa.identity.status.token_list import Publication, sign_jwt_list
from hansa.identity.verifier.registry import INVALID, SUSPENDED, VALID, CredentialStatus
from hansa.identity.wallet.conversation import HttpResponse
from hansa.identity.wallet.holdings import Holding
from hansa.node.home import Home
from hansa.node.identity.holder.checking import Checked, Checker, read_ledger_status
from hansa.sdk.client import Client

KEY, OTHER = (load_private_key(KeyKind.P256, bytes([number]) * 32) for number in (1, 2))
DID = write_did_jwk(KEY.public_key)
URI = "https://city.example/status/0"
NOW_S = NOW_MS // 1_000


class Carrier:
    """Answers every request with one response, and keeps what was asked."""

    def __init__(self, status=200, body=b""):
        self.response = HttpResponse(status, body)
        self.asked = []

    def carry(self, conversation):
        self.asked.append(next(conversation).url)
        try:
            conversation.send(self.response)
        except StopIteration as end:
            return end.value
        raise AssertionError("one request is enough")

    def now_ms(self):
        return NOW_MS


def resolve(did):
    return resolve_did_jwk(read_did(did))


def hold(index=3, issuer=DID, uri=URI, **more):
    """Make a holding whose status stands at a place of a list; at none without a URI."""
    status = StatusReference(uri, index) if uri else None
    credential = Credential(
        vct="urn:city:resident", claims={"a": 1}, issuer=issuer, issued_s=NOW_S, status=status
    )
    text = issue_credential(KEY, credential, draw_from(7)).encode()
    return Holding("one.0", more.get("format", TYPE), text, "https://city.example", NOW_MS, None)


def sign(key=KEY, header=None, uri=URI, issued_s=NOW_S):
    entries = pack_entries(Bits.ONE, 8, {3: INVALID})
    found = Publication(uri=uri, issued_s=issued_s, expires_s=issued_s + 600, ttl_s=60)
    return sign_jwt_list(key, entries, found, header or {}).encode()


def test_copies_are_looked_up_in_a_list_that_is_fetched_once():
    carrier = Carrier(body=sign())
    found = Checker(carrier, resolve, read_no_ledger).check([hold(3), hold(4), hold(5)])
    assert (found.counts, found.as_of_ms) == ({INVALID: 1, VALID: 2}, NOW_S * 1_000)
    assert carrier.asked == [URI]
    assert (found.is_valid, found.text) == (False, "1 of 3 copies revoked")


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({VALID: 2}, "not taken back"),
        ({INVALID: 2}, "revoked"),
        ({SUSPENDED: 1, INVALID: 1}, "1 of 2 copies revoked"),
        ({SUSPENDED: 1, VALID: 1}, "1 of 2 copies suspended"),
        ({9: 1, VALID: 1}, "1 of 2 copies of a status of the issuer’s own"),
    ],
)
def test_the_worst_is_told(counts, told):
    found = Checked(counts, 0)
    assert (found.text, found.is_valid) == (told, set(counts) == {VALID})


@pytest.mark.parametrize(
    ("carrier", "holding", "told"),
    [
        (Carrier(404), hold(), "there is no status list"),
        (Carrier(body=b"nonsense"), hold(), "status list"),
        (Carrier(body=sign(OTHER)), hold(), "signature"),
        (Carrier(body=sign(header={"kid": f"{DID}#9"})), hold(), "no key"),
        (
            Carrier(body=sign(uri="https://city.example/status/1")),
            hold(),
            "not of https://city.example/status/0",
        ),
        (Carrier(body=sign(issued_s=NOW_S - 9_000)), hold(), "counted until"),
        (Carrier(body=sign()), hold(99), "none at 99"),
        (Carrier(), hold(uri=""), "keeps no status list"),
        (Carrier(), hold(issuer="https://city.example"), "certificate"),
        (Carrier(), hold(format="mso_mdoc"), "only SD-JWT"),
    ],
)
def test_a_list_that_does_not_hold_is_not_believed(carrier, holding, told):
    with pytest.raises(Unsound) as caught:
        Checker(carrier, resolve, read_no_ledger).check([holding])
    assert told in caught.value.message


def test_the_ledger_is_asked_about_its_own():
    did = "did:hansa:test:hansa1x"
    asked = []

    def read_ledger(issuer, reference):
        asked.append((issuer, reference.index))
        return CredentialStatus(INVALID, 5_000)

    found = Checker(Carrier(), resolve, read_ledger).check([hold(3, did), hold(4, did)])
    assert (found.counts, found.as_of_ms) == ({INVALID: 2}, 5_000)
    assert asked == [(did, 3), (did, 4)]


def test_a_status_is_proved_by_a_node(tmp_path):
    with open_folder(tmp_path / "node") as world:
        play_identity(world)
    url = write_list_url("https://node.example", ListName(*LIST))
    with (
        run_folder(Home(tmp_path / "node")) as running,
        Client(running.url, api_key=running.token) as client,
    ):
        did = write_did("test", ISSUER)
        for index, value in ((3, INVALID), (4, VALID)):
            found = read_ledger_status(client, did, StatusReference(url, index))
            assert found.value == value
            assert found.as_of_ms > 0
        for issuer, index, told in (
            (did, 30_000, "no place 30000"),
            (write_did("test", NORTH), 3, "another issuer"),
        ):
            with pytest.raises(Unsound, match=told):
                read_ledger_status(client, issuer, StatusReference(url, index))
